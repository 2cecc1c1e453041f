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
            return self.number(key);
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
    use crate::options::tests::with;

    /// Options that are set.
    type Set<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn a_destination_caps_the_documents_of_a_record() {
        let aggregated = ("simple_aggregation", "true");
        let most = |options: &[(&str, &str)]| {
            let config = with(&[&[aggregated], options].concat()).unwrap();
            config.packing.aggregation.unwrap().max_documents
        };
        for destination in ["", "parquet", "plain"] {
            assert_eq!(most(&[("destination", destination)]), usize::MAX);
        }
        for destination in [
            "lambda",
            "dynamic_partitioning",
            "Lambda",
            "parquet, dynamic_partitioning",
            "dynamic_partitioning,lambda",
        ] {
            let set = ("destination", destination);
            assert_eq!(most(&[set]), 500);
            assert_eq!(most(&[set, ("aggregation_max_documents", "100")]), 100);
            let over = with(&[set, ("aggregation_max_documents", "501")]);
            let sentence = over.unwrap_err().to_string();
            assert!(
                sentence.starts_with(
                    "aggregation_max_documents `501` is not allowed: it takes a number from `1` to \
                     `500`, the most that destination `"
                ),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_destination_refuses_what_it_can_not_read() {
        let compression = ("compression", "gzip");
        let log_key = ("log_key", "log");
        let time_key = ("time_key", "at");
        let time_format = ("time_key_format", "%FT%T");
        let cases: [(&str, Set, &str); 6] = [
            ("parquet", &[compression], "compression `gzip`"),
            ("parquet", &[log_key], "log_key `log`"),
            (
                "parquet",
                &[time_key, time_format],
                "time_key_format `%FT%T`",
            ),
            ("dynamic_partitioning", &[compression], "compression `gzip`"),
            ("dynamic_partitioning", &[log_key], "log_key `log`"),
            ("lambda, parquet", &[compression], "compression `gzip`"),
        ];
        for (destination, options, named) in cases {
            let sentence = with(&[&[("destination", destination)], options].concat());
            let sentence = sentence.unwrap_err().to_string();
            assert!(sentence.starts_with("destination `"), "{sentence}");
            let together = format!("and {named} can not be used together: ");
            assert!(sentence.contains(&together), "{sentence}");
        }
        let fine: [(&str, Set); 8] = [
            ("parquet", &[("compression", "none")]),
            ("parquet", &[time_key]),
            ("parquet", &[time_key, ("time_key_format", "%s")]),
            ("dynamic_partitioning", &[time_key, time_format]),
            ("lambda", &[compression, time_key, time_format]),
            ("lambda", &[compression, log_key]),
            ("plain", &[compression, time_key, time_format]),
            ("plain", &[compression, log_key]),
        ];
        for (destination, options) in fine {
            let config = with(&[&[("destination", destination)], options].concat()).unwrap();
            assert_eq!(
                config.warnings,
                Vec::<String>::new(),
                "{destination} {options:?}"
            );
        }
        for wrong in ["orc", "plain, parquet", "parquet lambda", ","] {
            let sentence = with(&[("destination", wrong)]).unwrap_err().to_string();
            let start = format!("destination `{wrong}` is not allowed: it takes `plain`");
            assert!(sentence.starts_with(&start), "{sentence}");
        }
    }
}
