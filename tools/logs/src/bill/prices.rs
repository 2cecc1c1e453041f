//! Prices by region, each with where and when it was read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// The project's data file, which the demo reads as well.
const PRICES: &str = include_str!("../../../../deploy/prices.json");

/// Of Firehose's ingestion: beyond it a GB costs less.
/// Source: <https://aws.amazon.com/firehose/pricing/>.
pub(crate) const FIRST_TIER_GB: f64 = 500.0 * 1024.0;

#[derive(Debug, Deserialize)]
struct File {
    regions: BTreeMap<String, Prices>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Prices {
    pub(crate) firehose_ingestion: Price,
    pub(crate) firehose_conversion: Price,
    pub(crate) cloudwatch_ingestion: Price,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Price {
    pub(crate) usd_per_gb: f64,
    /// The address of the page.
    pub(crate) source: String,
    /// By whom, if it was not read on the page.
    pub(crate) told: Option<String>,
    /// A day or a month.
    pub(crate) date: String,
}

/// Those of the project, or of a file. An error is a sentence for the operator.
pub(crate) fn prices(file: Option<&Path>, region: &str) -> Result<Prices, String> {
    let text = match file {
        None => PRICES.to_owned(),
        Some(file) => fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?,
    };
    let file: Result<File, _> = serde_json::from_str(&text);
    let mut file = file.map_err(|error| format!("the prices cannot be read: {error}"))?;
    file.regions.remove(region).ok_or_else(|| {
        let known: Vec<&str> = file.regions.keys().map(String::as_str).collect();
        format!(
            "there are no prices of `{region}`, only of {}; copy deploy/prices.json, add those of \
             your region, and name the copy with --prices",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_is_one_and_has_its_source_and_date() {
        let file: File = serde_json::from_str(PRICES).unwrap();
        assert!(file.regions.contains_key("ap-northeast-2"));
        for (region, prices) in &file.regions {
            for price in [
                &prices.firehose_ingestion,
                &prices.firehose_conversion,
                &prices.cloudwatch_ingestion,
            ] {
                let numbers = price.date.split('-').map(|number| number.parse().unwrap());
                let numbers: Vec<u32> = numbers.collect();
                let is_date = matches!(
                    numbers.as_slice(),
                    [2020..=2999, 1..=12] | [2020..=2999, 1..=12, 1..=31]
                );
                let is_price = (0.001..2.0).contains(&price.usd_per_gb);
                let has_source = price.source.starts_with("https://");
                assert!(is_date && is_price && has_source, "{region} {price:?}");
            }
        }
    }
}
