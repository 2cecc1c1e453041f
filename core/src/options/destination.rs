//! What the delivery stream does with the documents, and what that asks of the other options.

use super::read::Options;
use super::{Error, Format, Packing};
use crate::limits::MAX_DEAGGREGATED_DOCUMENTS;

/// What a delivery stream does with what it is sent. It may do several of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    name: &'static str,
    /// It makes Parquet (or ORC) of JSON.
    pub(super) converts: bool,
    /// Firehose itself reads the documents.
    reads_json: bool,
    /// It takes a record's documents apart, and no more than 500 of them.
    deaggregates: bool,
}

#[rustfmt::skip] // A destination stands in a line.
const ALL: [Destination; 4] = [
    Destination { name: "parquet", converts: true, reads_json: true, deaggregates: false },
    Destination { name: "lambda", converts: false, reads_json: false, deaggregates: true },
    Destination { name: "dynamic_partitioning", converts: false, reads_json: true, deaggregates: true },
    PLAIN,
];
/// None of the others.
#[rustfmt::skip]
const PLAIN: Destination =
    Destination { name: "plain", converts: false, reads_json: false, deaggregates: false };

impl<P: Fn(&str) -> Option<String>> Options<P> {
    pub(super) fn destinations(&self) -> Result<Vec<Destination>, Error> {
        let find = |name: &String| {
            let mut all = ALL.into_iter();
            all.find(|known| known.name.eq_ignore_ascii_case(name))
        };
        self.list("destination", |names| {
            let found: Option<Vec<Destination>> = names.iter().map(find).collect();
            found.filter(|all| all.len() == 1 || !all.contains(&PLAIN))
        })
    }

    /// The most documents of a record, where a destination has a limit.
    pub(super) fn max_documents(&self, destinations: &[Destination]) -> Result<usize, Error> {
        const KEY: &str = "aggregation_max_documents";
        let Some(Destination { name, .. }) = destinations.iter().find(|it| it.deaggregates) else {
            return self.number_up_to(KEY, usize::MAX, "");
        };
        let why = format!(", the most that destination `{name}` takes");
        self.number_up_to(KEY, MAX_DEAGGREGATED_DOCUMENTS, &why)
    }

    /// Refuses what a destination can't read.
    pub(super) fn check_destinations(
        &self,
        destinations: &[Destination],
        format: &Format,
        packing: &Packing,
    ) -> Result<(), Error> {
        for Destination { name, converts, .. } in destinations.iter().filter(|it| it.reads_json) {
            let (key, why) = if packing.compression.is_some() {
                ("compression", "Firehose can not read a compressed record")
            } else if format.log_key.is_some() {
                let why = "the text of a key may be no JSON, and then Firehose can not read the \
                           whole record: use Fluent Bit's parser filter in place of log_key";
                ("log_key", why)
            } else if *converts && !format.has_convertible_times() {
                let why = "the conversion does not read such a time as a timestamp: leave \
                           time_key_format out; if the column is of type string, leave \
                           destination out";
                ("time_key_format", why)
            } else {
                continue;
            };
            let value = self.set(key).unwrap_or_default();
            return Err(Error(format!(
                "destination `{name}` and {key} `{value}` can not be used together: {why}"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::options::tests::section;

    #[test]
    fn a_destination_caps_the_documents_of_a_record() {
        let most = |destination: &str| {
            let config = section(&format!(
                "simple_aggregation true; destination {destination}"
            ));
            config.unwrap().packing.aggregation.unwrap().max_documents
        };
        for destination in ["", "parquet", "plain"] {
            assert_eq!(most(destination), usize::MAX);
        }
        let several = "parquet, dynamic_partitioning";
        for destination in ["lambda", "dynamic_partitioning", "Lambda", several] {
            assert_eq!(most(destination), 500);
            let set = |most| format!("{destination}; aggregation_max_documents {most}");
            assert_eq!(most(&set(100)), 100);
            let over = section(&format!("destination {}", set(501)));
            let sentence = over.unwrap_err().to_string();
            let start = "aggregation_max_documents `501` is not allowed: it takes a number from \
                         `1` to `500`, the most that destination `";
            assert!(sentence.starts_with(start), "{sentence}");
        }
    }

    #[test]
    fn a_destination_refuses_what_it_can_not_read() {
        let told = |options: &str| section(&format!("destination {options}"));
        for options in [
            "parquet; compression gzip",
            "parquet; log_key log",
            "parquet; time_key at; time_key_format %FT%T",
            "dynamic_partitioning; compression gzip",
            "dynamic_partitioning; log_key log",
            "lambda, parquet; compression gzip",
        ] {
            let sentence = told(options).unwrap_err().to_string();
            let (destinations, option) = options.split_once("; ").unwrap();
            let destination = destinations.rsplit(", ").next().unwrap();
            let (key, value) = option.rsplit("; ").next().unwrap().split_once(' ').unwrap();
            let together =
                format!("`{destination}` and {key} `{value}` can not be used together: ");
            let start = format!("destination {together}");
            assert!(sentence.starts_with(&start), "{sentence}");
        }
        for options in [
            "parquet; compression none",
            "parquet; time_key at",
            "parquet; time_key at; time_key_format %s",
            "dynamic_partitioning; time_key at; time_key_format %FT%T",
            "lambda; compression gzip; time_key at; time_key_format %FT%T",
            "lambda; compression gzip; log_key log",
            "plain; compression gzip; time_key at; time_key_format %FT%T",
            "plain; compression gzip; log_key log",
        ] {
            assert_eq!(told(options).unwrap().warnings, [""; 0], "{options}");
        }
    }
}
