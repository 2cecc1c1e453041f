//! The options of an output, checked before anything starts.

mod access;
mod destination;
pub mod names;
mod options;
pub mod section;
pub(crate) mod value;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::compress::Compression;
use crate::document::{Format, TimeKey};
use crate::gate::Limits;
use crate::group::Linger;
use crate::ledger::Bounds;
use crate::limits::{BILLING_UNIT, MAX_BATCH_BYTES, MAX_RECORD_BYTES, MAX_STREAM_NAME, Quota};
use crate::pack::{Aggregation, Packing};
use crate::time_format::{self, TimeFormat};

use self::destination::Destination;
use self::options::Options;

/// What one `[OUTPUT]` section asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub delivery_stream: String,
    pub format: Format,
    pub packing: Packing,
    pub delivery: Delivery,
    /// What the delivery stream may be sent.
    pub gate: Limits,
    /// How much may be remembered of chunks that were handed back for a retry.
    pub resume: Bounds,
    pub access: Access,
    /// Whether the stream may be one that converts to Parquet: then times that do not convert are
    /// warned of.
    pub may_convert: bool,
    /// Sentences about options that are allowed but do nothing, or not what one may expect.
    pub warnings: Vec<String>,
}

/// How batches are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The most data one call carries, before base64.
    pub batch_size: usize,
    /// Calls under way at once, over all flushes of this output.
    pub max_in_flight: usize,
    /// One call, its connection included.
    pub request_timeout: Duration,
    /// One look-up of credentials.
    pub credentials_timeout: Duration,
    /// One flush, all its calls and waits included.
    pub flush_timeout: Duration,
    /// All flushes together, once the host was told to stop.
    pub stop_timeout: Duration,
    /// Send again without a wait, once, after a network error.
    pub auto_retry_requests: bool,
    /// How long small chunks wait for each other.
    pub linger: Linger,
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

/// The smallest multiple of the billing unit at which rounding up to it costs under 2 % for
/// documents of up to 5 KiB: a full record then lacks less than 5,120 of its bytes.
const DEFAULT_AGGREGATION_SIZE: usize = 51 * BILLING_UNIT;

/// Four records of the default size. Larger calls were no cheaper and cost memory; a smaller quota
/// takes a second for one.
const DEFAULT_BATCH_SIZE: usize = 1024 * 1024;

/// Enough to keep a round trip of 50 ms from slowing a stream down: 640 calls of 500 short records
/// a second, and 90 MiB of larger ones.
const DEFAULT_IN_FLIGHT: usize = 32;
/// Two of Fluent Bit's largest chunks as JSON lines. With more under way a drain was no faster.
const DEFAULT_BYTES_IN_FLIGHT: usize = 4_608 * 1024;

/// Fluent Bit's own default of `grace`.
const DEFAULT_STOP: Duration = Duration::from_secs(5);

/// Helpers that ask for a second factor, or for a token by way of a browser's session, take many
/// seconds; AWS's own tools wait for one as long as it takes.
const DEFAULT_CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(60);

/// So long small chunks wait for each other, at most a quarter of the flush time-out. A sidecar that
/// writes 2 KB a second gathers two billing units meanwhile.
const DEFAULT_LINGER: Duration = Duration::from_secs(5);

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
        let delivery = options.delivery(&packing)?;
        let access = options.access()?;
        let may_convert = destinations.is_empty() || destinations.contains(&Destination::Parquet);
        let warnings = options.warnings(&access, &packing, time_key.as_ref(), may_convert);
        let max_bytes = match packing.compression {
            None => MAX_RECORD_BYTES,
            Some(_) => MAX_RECORD_BYTES - Compression::OVERHEAD,
        };
        let format = Format {
            data_keys: options.data_keys()?,
            log_key: options.text("log_key"),
            time_key,
            replace_dots: options.text("replace_dots"),
            max_bytes,
        };
        check_log_key(&format)?;
        options.check_destinations(&destinations, &format, &packing)?;
        Ok(Self {
            delivery_stream: options.delivery_stream()?,
            format,
            packing,
            gate: options.gate(delivery.max_in_flight, &access)?,
            delivery,
            resume: options.resume()?,
            may_convert,
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
    fn data_keys(&self) -> Result<Vec<String>, Error> {
        let parse = |text: &str| Some(value::list(text)).filter(|keys| !keys.is_empty());
        let allowed = "keys with commas between, such as `level, message`";
        Ok(self
            .parsed("data_keys", allowed, parse)?
            .unwrap_or_default())
    }

    fn delivery_stream(&self) -> Result<String, Error> {
        let allowed = format!(
            "1 to {MAX_STREAM_NAME} of the characters a-z A-Z 0-9 _ . -, such as `app-logs`"
        );
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let parse = |name: &str| {
            (name.len() <= MAX_STREAM_NAME && name.chars().all(is_allowed)).then(|| name.to_owned())
        };
        self.parsed("delivery_stream", &allowed, parse)?
            .ok_or_else(|| {
                Error(format!(
                    "delivery_stream is missing: it takes the stream's name, {allowed}"
                ))
            })
    }

    fn time_key(&self) -> Result<Option<TimeKey>, Error> {
        let text = self.text("time_key_format");
        let pattern = text.as_deref().unwrap_or(time_format::DEFAULT);
        let format = TimeFormat::parse(pattern)
            .map_err(|why| Error(format!("time_key_format `{pattern}` is not allowed: {why}")))?;
        Ok(self.text("time_key").map(|key| TimeKey { key, format }))
    }

    fn packing(&self, destinations: &[Destination]) -> Result<Packing, Error> {
        let compression = self.parsed(
            "compression",
            "`none`, `gzip`, `zstd` or `snappy`",
            |text| match text.to_ascii_lowercase().as_str() {
                "none" => Some(None),
                "gzip" => Some(Some(Compression::Gzip)),
                "zstd" => Some(Some(Compression::Zstd)),
                "snappy" => Some(Some(Compression::Snappy)),
                _ => None,
            },
        )?;
        let aggregation = Aggregation {
            max_bytes: self
                .size("aggregation_size", BILLING_UNIT..=MAX_RECORD_BYTES)?
                .unwrap_or(DEFAULT_AGGREGATION_SIZE),
            max_documents: self.max_documents(destinations)?,
        };
        Ok(Packing {
            aggregation: self
                .boolean("simple_aggregation", false)?
                .then_some(aggregation),
            compression: compression.flatten(),
        })
    }

    fn delivery(&self, packing: &Packing) -> Result<Delivery, Error> {
        let longest = Duration::from_secs(600);
        let hour = Duration::from_secs(3600);
        let seconds = Duration::from_secs;
        let flush_timeout =
            self.duration("flush_timeout", seconds(30), seconds(1)..=longest, "")?;
        Ok(Delivery {
            // A batch must be able to carry the largest record.
            batch_size: self
                .size("batch_size", MAX_RECORD_BYTES..=MAX_BATCH_BYTES)?
                .unwrap_or(DEFAULT_BATCH_SIZE),
            max_in_flight: self
                .count("max_in_flight", 1..=64, "")?
                .unwrap_or(DEFAULT_IN_FLIGHT),
            request_timeout: self.duration(
                "request_timeout",
                seconds(10).min(flush_timeout),
                Duration::from_millis(100)..=flush_timeout,
                ", which is flush_timeout",
            )?,
            credentials_timeout: self.duration(
                "credentials_timeout",
                DEFAULT_CREDENTIALS_TIMEOUT,
                seconds(1)..=longest,
                "",
            )?,
            flush_timeout,
            stop_timeout: self.duration("stop_timeout", DEFAULT_STOP, Duration::ZERO..=hour, "")?,
            auto_retry_requests: self.boolean("auto_retry_requests", true)?,
            linger: self.linger(packing, flush_timeout)?,
        })
    }

    /// By default only what is aggregated lingers: alone, a document is billed the same whenever
    /// it is sent.
    fn linger(&self, packing: &Packing, flush_timeout: Duration) -> Result<Linger, Error> {
        let longest = flush_timeout / 4;
        let default = match packing.aggregation {
            Some(_) => DEFAULT_LINGER.min(longest),
            None => Duration::ZERO,
        };
        Ok(Linger {
            time: self.duration(
                "linger",
                default,
                Duration::ZERO..=longest,
                ", a quarter of flush_timeout",
            )?,
            bytes: LINGER_BYTES,
        })
    }

    fn gate(&self, max_in_flight: usize, access: &Access) -> Result<Limits, Error> {
        let quota = self.quota(access)?;
        let bytes = self.size("max_bytes_per_second", 1_000..=1_000_000_000)?;
        let records = self.count("max_records_per_second", 1..=1_000_000_000, "")?;
        let requests = self.count("max_requests_per_second", 1..=1_000_000, "")?;
        Ok(Limits {
            max_in_flight,
            max_bytes_in_flight: self
                .size("max_bytes_in_flight", MAX_RECORD_BYTES..=1_000_000_000)?
                .unwrap_or(DEFAULT_BYTES_IN_FLIGHT),
            bytes_per_second: bytes.or(quota.map(|quota| quota.bytes)),
            records_per_second: records.or(quota.map(|quota| quota.records)),
            requests_per_second: requests.or(quota.map(|quota| quota.requests)),
        })
    }

    /// The default quota of a stream, where `quota` asks to keep to it.
    fn quota(&self, access: &Access) -> Result<Option<Quota>, Error> {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "none" => Some(false),
            "regional" => Some(true),
            _ => None,
        };
        if !self
            .parsed("quota", "`none` or `regional`", parse)?
            .unwrap_or(false)
        {
            return Ok(None);
        }
        match &access.region {
            Some(region) => Ok(Some(Quota::of(region))),
            None => Err(Error(
                "quota `regional` needs to know the region: set region too".to_owned(),
            )),
        }
    }

    fn resume(&self) -> Result<Bounds, Error> {
        Ok(Bounds {
            max_chunks: self
                .count("resume_max_chunks", 1..=1_000_000, "")?
                .unwrap_or(1_000),
            max_bytes: self
                .size("resume_max_bytes", 1_000..=1_000_000_000)?
                .unwrap_or(1_000_000),
        })
    }

    fn warnings(
        &self,
        access: &Access,
        packing: &Packing,
        time_key: Option<&TimeKey>,
        may_convert: bool,
    ) -> Vec<String> {
        let free = [
            "data_keys",
            "time_key",
            "time_key_format",
            "replace_dots",
            "log_key",
        ];
        let mut warnings: Vec<String> = free.iter().filter_map(|key| self.comment(key)).collect();
        let aggregates = packing.aggregation.is_some();
        let needs = [
            ("time_key_format", "time_key", time_key.is_some()),
            ("aggregation_size", "simple_aggregation", aggregates),
            (
                "aggregation_max_documents",
                "simple_aggregation",
                aggregates,
            ),
            ("external_id", "role_arn", access.role_arn.is_some()),
        ];
        for (key, needed, is_there) in needs {
            if self.text(key).is_some() && !is_there {
                warnings.push(format!("{key} does nothing without {needed}"));
            }
        }
        if let (Some(time_key), Some(text)) = (time_key, self.text("time_key_format"))
            && may_convert
            && !time_key.format.is_convertible()
        {
            warnings.push(format!(
                "time_key_format `{text}` writes times that Firehose's conversion to Parquet does \
                 not read as a timestamp: use `{}`, or a column of type string for `{}`",
                time_format::DEFAULT,
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
