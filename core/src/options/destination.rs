//! What the delivery stream does with the documents, and what that asks of the other options.

use super::read::Options;
use super::{Error, Format, Packing};
use crate::limits::MAX_DEAGGREGATED_DOCUMENTS;

/// What a delivery stream does with what it is sent. It may do several of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// Conversion of JSON to Parquet (or ORC).
    Parquet,
    /// A Lambda function that transforms each document.
    Lambda,
    /// Folders by what is in each document.
    DynamicPartitioning,
    /// None of these.
    Plain,
}

impl Destination {
    const ALL: [Self; 4] = [
        Self::Parquet,
        Self::Lambda,
        Self::DynamicPartitioning,
        Self::Plain,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Lambda => "lambda",
            Self::DynamicPartitioning => "dynamic_partitioning",
            Self::Plain => "plain",
        }
    }

    /// It takes a record's documents apart, and no more than 500 of them.
    fn deaggregates(self) -> bool {
        matches!(self, Self::Lambda | Self::DynamicPartitioning)
    }

    /// Firehose itself reads the documents.
    fn reads_json(self) -> bool {
        matches!(self, Self::Parquet | Self::DynamicPartitioning)
    }
}

impl<P: Fn(&str) -> Option<String>> Options<P> {
    pub(super) fn destinations(&self) -> Result<Vec<Destination>, Error> {
        let find = |name: &String| {
            let mut all = Destination::ALL.into_iter();
            all.find(|known| known.name().eq_ignore_ascii_case(name))
        };
        self.list("destination", |names| {
            let found: Option<Vec<Destination>> = names.iter().map(find).collect();
            found.filter(|all| all.len() == 1 || !all.contains(&Destination::Plain))
        })
    }

    /// The most documents of a record, where a destination has a limit.
    pub(super) fn max_documents(&self, destinations: &[Destination]) -> Result<usize, Error> {
        let key = "aggregation_max_documents";
        let Some(destination) = destinations.iter().find(|it| it.deaggregates()) else {
            return Ok(self.limit(key)?.unwrap_or(usize::MAX));
        };
        let why = format!(", the most that destination `{}` takes", destination.name());
        self.number_up_to(key, MAX_DEAGGREGATED_DOCUMENTS, &why)
    }

    /// Refuses what a destination can't read.
    pub(super) fn check_destinations(
        &self,
        destinations: &[Destination],
        format: &Format,
        packing: &Packing,
    ) -> Result<(), Error> {
        for destination in destinations.iter().filter(|it| it.reads_json()) {
            let name = destination.name();
            let refuse = |key: &str, why: &str| {
                let value = self.set(key).unwrap_or_default();
                Err(Error(format!(
                    "destination `{name}` and {key} `{value}` can not be used together: {why}"
                )))
            };
            if packing.compression.is_some() {
                return refuse("compression", "Firehose can not read a compressed record");
            }
            if format.log_key.is_some() {
                let why = "the text of a key may be no JSON, and then Firehose can not read the \
                           whole record: use Fluent Bit's parser filter in place of log_key";
                return refuse("log_key", why);
            }
            let time_format = format.time_key.as_ref().map(|time_key| &time_key.format);
            let is_convertible = time_format.is_none_or(|format| format.is_convertible());
            if *destination == Destination::Parquet && !is_convertible {
                let why = "the conversion does not read such a time as a timestamp: leave \
                           time_key_format out; if the column is of type string, leave \
                           destination out";
                return refuse("time_key_format", why);
            }
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
        for destination in [
            "lambda",
            "dynamic_partitioning",
            "Lambda",
            "parquet, dynamic_partitioning",
            "dynamic_partitioning,lambda",
        ] {
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
        for (options, together) in [
            (
                "parquet; compression gzip",
                "parquet` and compression `gzip`",
            ),
            ("parquet; log_key log", "parquet` and log_key `log`"),
            (
                "parquet; time_key at; time_key_format %FT%T",
                "parquet` and time_key_format `%FT%T`",
            ),
            (
                "dynamic_partitioning; compression gzip",
                "dynamic_partitioning` and compression `gzip`",
            ),
            (
                "dynamic_partitioning; log_key log",
                "dynamic_partitioning` and log_key `log`",
            ),
            (
                "lambda, parquet; compression gzip",
                "parquet` and compression `gzip`",
            ),
        ] {
            let sentence = section(&format!("destination {options}"))
                .unwrap_err()
                .to_string();
            let start = format!("destination `{together} can not be used together: ");
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
            let config = section(&format!("destination {options}")).unwrap();
            assert_eq!(config.warnings, Vec::<String>::new(), "{options}");
        }
        for wrong in ["orc", "plain, parquet", "parquet lambda", ","] {
            let sentence = section(&format!("destination {wrong}"))
                .unwrap_err()
                .to_string();
            let start = format!("destination `{wrong}` is not allowed: it takes `plain`");
            assert!(sentence.starts_with(&start), "{sentence}");
        }
    }
}
