//! The options of an output, checked before anything starts.

pub mod access;
mod destination;
pub mod names;
mod read;
pub mod section;
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
use crate::limits::{BILLING_UNIT, MAX_BATCH_BYTES, MAX_RECORD_BYTES, MAX_STREAM_NAME, Quota};
use crate::pack::compress::Compression;
use crate::pack::packer::{Aggregation, Packing};

use self::destination::Destination;
use self::read::Options;

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

/// The longest that a flush or a look-up may take.
const LONGEST: Duration = Duration::from_secs(600);

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
        let limits = options.limits(&access)?;
        Ok(Self {
            delivery_stream: options.delivery_stream()?,
            delivery: options.delivery(format, limits, &packing, may_convert)?,
            packing,
            credentials_timeout: options.credentials_timeout()?,
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
        let pattern = text.as_deref().unwrap_or(time::DEFAULT);
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

    fn credentials_timeout(&self) -> Result<Duration, Error> {
        let range = Duration::from_secs(1)..=LONGEST;
        self.duration(
            "credentials_timeout",
            DEFAULT_CREDENTIALS_TIMEOUT,
            range,
            "",
        )
    }

    fn delivery(
        &self,
        format: Format,
        limits: Limits,
        packing: &Packing,
        may_convert: bool,
    ) -> Result<Delivery, Error> {
        let hour = Duration::from_secs(3600);
        let seconds = Duration::from_secs;
        let flush_timeout =
            self.duration("flush_timeout", seconds(30), seconds(1)..=LONGEST, "")?;
        Ok(Delivery {
            // A batch must be able to carry the largest record.
            batch_size: self
                .size("batch_size", MAX_RECORD_BYTES..=MAX_BATCH_BYTES)?
                .unwrap_or(DEFAULT_BATCH_SIZE),
            request_timeout: self.duration(
                "request_timeout",
                seconds(10).min(flush_timeout),
                Duration::from_millis(100)..=flush_timeout,
                ", which is flush_timeout",
            )?,
            flush_timeout,
            stop_timeout: self.duration("stop_timeout", DEFAULT_STOP, Duration::ZERO..=hour, "")?,
            auto_retry_requests: self.boolean("auto_retry_requests", true)?,
            linger: self.linger(packing, flush_timeout)?,
            resume: self.resume()?,
            is_aggregated: packing.aggregation.is_some(),
            may_convert,
            format,
            limits,
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

    fn limits(&self, access: &Access) -> Result<Limits, Error> {
        let quota = self.quota(access)?;
        let bytes = self.size("max_bytes_per_second", 1_000..=1_000_000_000)?;
        let records = self.count("max_records_per_second", 1..=1_000_000_000, "")?;
        let requests = self.count("max_requests_per_second", 1..=1_000_000, "")?;
        Ok(Limits {
            max_in_flight: self
                .count("max_in_flight", 1..=64, "")?
                .unwrap_or(DEFAULT_IN_FLIGHT),
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
