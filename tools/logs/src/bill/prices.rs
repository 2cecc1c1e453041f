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

#[derive(Deserialize)]
struct File {
    regions: BTreeMap<String, Prices>,
}

#[derive(Deserialize)]
pub(crate) struct Prices {
    pub(crate) firehose_ingestion: Price,
    pub(crate) firehose_conversion: Price,
    pub(crate) cloudwatch_ingestion: Price,
    nat_gateway: Option<WayPrice>,
    vpc_endpoint: Option<WayPrice>,
}

/// Of a way to Firehose, in each availability zone.
#[derive(Deserialize)]
pub(crate) struct WayPrice {
    pub(crate) usd_per_hour: f64,
    pub(crate) usd_per_gb: f64,
    /// The address of the page.
    pub(crate) source: String,
    /// A day or a month.
    pub(crate) date: String,
}

#[derive(Deserialize)]
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

// === impl Prices ===

impl Prices {
    /// The ways to Firehose of which the prices are known.
    pub(crate) fn ways(&self) -> impl Iterator<Item = (&'static str, &WayPrice)> {
        let ways = [
            ("NAT gateway", &self.nat_gateway),
            ("VPC endpoint", &self.vpc_endpoint),
        ];
        ways.into_iter()
            .filter_map(|(name, price)| Some((name, price.as_ref()?)))
    }
}
