//! What the delivery stream does with the documents, and what that asks of the other options.

use super::options::Options;
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
        let parse = |_: &str| {
            let names = self.list("destination");
            let found: Option<Vec<Destination>> = names.iter().map(find).collect();
            found
                .filter(|all| !all.is_empty())
                .filter(|all| all.len() == 1 || !all.contains(&Destination::Plain))
        };
        let allowed = "`plain`, or one or more of `parquet`, `lambda` and \
                       `dynamic_partitioning` with commas between them";
        Ok(self
            .parsed("destination", allowed, parse)?
            .unwrap_or_default())
    }

    /// The most documents of a record, where a destination has a limit.
    pub(super) fn max_documents(&self, destinations: &[Destination]) -> Result<usize, Error> {
        let key = "aggregation_max_documents";
        let limited = destinations.iter().find(|it| it.deaggregates());
        let Some(destination) = limited else {
            let documents = self.count(key, 1..=1_000_000, "")?;
            return Ok(documents.unwrap_or(usize::MAX));
        };
        let most = MAX_DEAGGREGATED_DOCUMENTS;
        let why = format!(", the most that destination `{}` takes", destination.name());
        Ok(self.count(key, 1..=most, &why)?.unwrap_or(most))
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
                let value = self.text(key).unwrap_or_default();
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
