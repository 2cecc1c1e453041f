//! The options of an output, checked before anything starts.

mod destination;
pub mod names;
mod read;
pub mod section;
pub mod table;
pub mod value;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::deliver::gate::Limits;
use crate::deliver::ledger::Bounds;
use crate::deliver::queue::Linger;
use crate::deliver::stream::Delivery;
use crate::format::document::{Format, TimeKey};
use crate::format::time::{self, TimeFormat};
use crate::limits::{BILLING_UNIT, MAX_RECORD_BYTES, Quota};
use crate::pack::compress::Compression;
use crate::pack::packer::{Aggregation, Packing};

use self::destination::Destination;
use self::read::Options;
pub use self::read::wrong_ca_file;
use self::table::Row;

/// What one `[OUTPUT]` section asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub delivery_stream: String,
    pub packing: Packing,
    pub delivery: Delivery,
    pub access: Access,
    /// One look-up of credentials.
    pub credentials_timeout: Duration,
    /// Sentences about options that are allowed but do nothing, or not what one may expect.
    pub warnings: Vec<String>,
}

/// Where the service is and who calls it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub region: Option<String>,
    pub endpoint: Option<String>,
    pub sts_endpoint: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub profile: Option<String>,
    pub role_arn: Option<String>,
    pub external_id: Option<String>,
}

/// A sentence that names key, value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// So much waits for no more: rounding it up to the billing unit adds a tenth at most.
const LINGER_BYTES: usize = 10 * BILLING_UNIT;

impl Config {
    /// `property` looks an option up in the output's section. The values of an option that is set
    /// several times, as a list in YAML is, come as one text with commas between.
    pub fn parse(property: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let options = Options { property };
        options.check_characters()?;
        let time_key = options.time_key()?;
        let destinations = options.destinations()?;
        let packing = options.packing(&destinations)?;
        let access = options.access()?;
        let may_convert = destinations.is_empty() || destinations.iter().any(|it| it.converts);
        let warnings = options.warnings(&access, &packing, time_key.as_ref(), may_convert);
        let max_bytes = match packing.compression {
            None => MAX_RECORD_BYTES,
            Some(_) => MAX_RECORD_BYTES - Compression::OVERHEAD,
        };
        let format = Format {
            data_keys: options.list("data_keys", Some)?,
            log_key: options.text("log_key")?,
            time_key,
            replace_dots: options.text("replace_dots")?,
            max_bytes,
        };
        check_log_key(&format)?;
        options.check_destinations(&destinations, &format, &packing)?;
        let limits = options.limits(&access)?;
        Ok(Self {
            delivery_stream: options.delivery_stream()?,
            delivery: options.delivery(format, limits, &packing, may_convert)?,
            packing,
            credentials_timeout: options.time("credentials_timeout")?,
            warnings,
            access,
        })
    }
}

/// A line of text has no place for a time, and what `data_keys` leaves out is not there to be sent.
fn check_log_key(format: &Format) -> Result<(), Error> {
    let Some(log_key) = &format.log_key else {
        return Ok(());
    };
    if let Some(TimeKey { key, .. }) = &format.time_key {
        return Err(Error(format!(
            "log_key `{log_key}` and time_key `{key}` can not be used together: a log line as it \
             is has no place for a time"
        )));
    }
    let dot = format.replace_dots.as_deref().unwrap_or(".");
    let mut kept = format.data_keys.iter().map(|key| key.replace('.', dot));
    if format.data_keys.is_empty() || kept.any(|key| key == *log_key) {
        return Ok(());
    }
    Err(Error(format!(
        "log_key `{log_key}` and data_keys `{}` can not be used together: every event would be \
         dropped, as data_keys does not keep the key `{log_key}`",
        format.data_keys.join(", ")
    )))
}

impl<P: Fn(&str) -> Option<String>> Options<P> {
    fn delivery_stream(&self) -> Result<String, Error> {
        let takes = Row::of("delivery_stream").kind.takes();
        self.text("delivery_stream")?
            .ok_or_else(|| Error(format!("delivery_stream is missing: it takes {takes}")))
    }

    fn time_key(&self) -> Result<Option<TimeKey>, Error> {
        let pattern = self.text("time_key_format")?.unwrap_or_default();
        let format = TimeFormat::parse(&pattern)
            .map_err(|why| Error(format!("time_key_format `{pattern}` is not allowed: {why}")))?;
        Ok(self.text("time_key")?.map(|key| TimeKey { key, format }))
    }

    fn access(&self) -> Result<Access, Error> {
        Ok(Access {
            region: self.text("region")?,
            endpoint: self.text("endpoint")?,
            sts_endpoint: self.text("sts_endpoint")?,
            ca_file: self.text("ca_file")?.map(PathBuf::from),
            profile: self.text("profile")?,
            role_arn: self.text("role_arn")?,
            external_id: self.text("external_id")?,
        })
    }

    fn packing(&self, destinations: &[Destination]) -> Result<Packing, Error> {
        let aggregation = Aggregation {
            max_bytes: self.number("aggregation_size")?,
            max_documents: self.max_documents(destinations)?,
        };
        Ok(Packing {
            aggregation: self.flag("simple_aggregation")?.then_some(aggregation),
            compression: match self.text("compression")?.as_deref() {
                Some("gzip") => Some(Compression::Gzip),
                Some("zstd") => Some(Compression::Zstd),
                Some("snappy") => Some(Compression::Snappy),
                _ => None,
            },
        })
    }

    fn delivery(
        &self,
        format: Format,
        limits: Limits,
        packing: &Packing,
        may_convert: bool,
    ) -> Result<Delivery, Error> {
        let flush_timeout = self.time("flush_timeout")?;
        let request_timeout =
            self.time_up_to("request_timeout", flush_timeout, ", which is flush_timeout")?;
        Ok(Delivery {
            batch_size: self.number("batch_size")?,
            request_timeout,
            flush_timeout,
            stop_timeout: self.time("stop_timeout")?,
            auto_retry_requests: self.flag("auto_retry_requests")?,
            linger: self.linger(packing, flush_timeout)?,
            resume: Bounds {
                max_chunks: self.number("resume_max_chunks")?,
                max_bytes: self.number("resume_max_bytes")?,
            },
            is_aggregated: packing.aggregation.is_some(),
            may_convert,
            format,
            limits,
        })
    }

    /// By default only what is aggregated lingers.
    fn linger(&self, packing: &Packing, flush_timeout: Duration) -> Result<Linger, Error> {
        let why = ", a quarter of flush_timeout";
        let time = self.time_up_to("linger", flush_timeout / 4, why)?;
        let lingers = packing.aggregation.is_some() || self.set("linger").is_some();
        Ok(Linger {
            time: if lingers { time } else { Duration::ZERO },
            bytes: LINGER_BYTES,
        })
    }

    fn limits(&self, access: &Access) -> Result<Limits, Error> {
        let quota = self.quota(access)?;
        let or_quota = |key: &str, of: fn(Quota) -> usize| Ok(self.limit(key)?.or(quota.map(of)));
        Ok(Limits {
            max_in_flight: self.number("max_in_flight")?,
            max_bytes_in_flight: self.number("max_bytes_in_flight")?,
            bytes_per_second: or_quota("max_bytes_per_second", |quota| quota.bytes)?,
            records_per_second: or_quota("max_records_per_second", |quota| quota.records)?,
            requests_per_second: or_quota("max_requests_per_second", |quota| quota.requests)?,
        })
    }

    /// The default quota of a stream, where `quota` asks to keep to it.
    fn quota(&self, access: &Access) -> Result<Option<Quota>, Error> {
        if self.text("quota")?.as_deref() != Some("regional") {
            return Ok(None);
        }
        let region = access.region.as_deref().ok_or_else(|| {
            Error("quota `regional` needs to know the region: set region too".to_owned())
        })?;
        Ok(Some(Quota::of(region)))
    }

    fn warnings(
        &self,
        access: &Access,
        packing: &Packing,
        time_key: Option<&TimeKey>,
        may_convert: bool,
    ) -> Vec<String> {
        let mut warnings: Vec<String> = self.comments().collect();
        let packs = packing.aggregation.is_some();
        let needs = [
            ("time_key_format", "time_key", time_key.is_some()),
            ("aggregation_size", "simple_aggregation", packs),
            ("aggregation_max_documents", "simple_aggregation", packs),
            ("external_id", "role_arn", access.role_arn.is_some()),
        ];
        for (key, needed, is_there) in needs {
            if self.set(key).is_some() && !is_there {
                warnings.push(format!("{key} does nothing without {needed}"));
            }
        }
        if let (Some(time_key), Some(text)) = (time_key, self.set("time_key_format"))
            && may_convert
            && !time_key.format.is_convertible()
        {
            warnings.push(format!(
                "time_key_format `{text}` writes times that Firehose's conversion to Parquet does \
                 not read as a timestamp: use `{}`, or a column of type string for `{}`",
                time::DEFAULT,
                time_key.key
            ));
        }
        let endpoint = access.endpoint.as_deref().unwrap_or_default();
        if endpoint.starts_with("http:") && !value::is_loopback(endpoint) {
            warnings.push(format!(
                "endpoint `{endpoint}` is plain http: logs cross the network unencrypted"
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
