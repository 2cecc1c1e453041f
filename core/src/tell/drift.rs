//! What the log says of documents that differ from the table of `schema_file`. `make schema` reads
//! the lines again.

use crate::schema::check::{Fault, Finding};
use crate::schema::watch::{Drift, MOST_TOLD};
use crate::tell::log::{Level, Log};

/// Each finding has a line of its own: it is told once.
pub fn tell(log: &mut Log, drift: &Drift, tag: &str) {
    for finding in &drift.findings {
        log.write_once(Level::Warn, || line(finding, tag));
    }
    if drift.is_full {
        log.write_once(Level::Warn, || {
            format!(
                "{MOST_TOLD} keys that differ from the table of schema_file were told, and no more \
                 are: is it this stream's table? `make schema` compares all of them"
            )
        });
    }
}

fn line(Finding { path, fault }: &Finding, tag: &str) -> String {
    match fault {
        Fault::NoColumn(glue_type) => format!(
            "schema_file has no column for the key `{path}` of tag {tag}, and the conversion drops it: \
             add it with the type {glue_type}"
        ),
        Fault::WrongType(what, column) => format!(
            "schema_file has the type {column} for the key `{path}`, and a document of tag {tag} has \
             {what} there: the conversion of its whole record fails; change the column or the value"
        ),
        Fault::SameName => format!(
            "the key `{path}` of tag {tag} is the same in lower case as another one of its object: the \
             conversion of the whole record fails; rename one of them"
        ),
    }
}
