//! The options of an output, checked before anything starts.

mod destination;
pub mod names;
mod read;
pub mod section;
mod streams;
pub mod table;
pub mod value;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::deliver::gate::Limits;
use crate::deliver::ledger::Bounds;
use crate::deliver::queue::Linger;
use crate::deliver::stream::Delivery;
use crate::format::accessor::Accessor;
use crate::format::document::{Format, TimeKey};
use crate::format::time::{self, TimeFormat};
use crate::limits::{BILLING_UNIT, MAX_RECORD_BYTES, Quota};
use crate::pack::compress::Compression;
use crate::pack::packer::{Aggregation, Packing};
use crate::route::Route;
use crate::route::files::StreamFiles;
use crate::route::template::Template;
use crate::schema::streams::Schemas;

use self::destination::Destination;
use self::read::Options;
pub use self::read::wrong_file;

/// What one `[OUTPUT]` section asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// With a route, the default one.
    pub delivery_stream: String,
    /// None: all goes to the one stream.
    pub route: Option<Route>,
    pub packing: Packing,
    pub delivery: Delivery,
    pub access: Access,
    pub state: Option<State>,
    /// One look-up of credentials.
    pub credentials_timeout: Duration,
    pub rejected: Option<RejectedFile>,
    pub schema_file: Option<SchemaFile>,
    /// What was read of that file.
    pub schemas: Schemas,
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

/// What outlives the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub path: PathBuf,
    pub is_synced: bool,
    pub max_bytes: usize,
}

/// Where what can't be delivered is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedFile {
    pub path: PathBuf,
    /// A file that would become larger is begun anew.
    pub max_bytes: u64,
}

/// The table that documents are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFile {
    /// As the option has it: of the table, of a directory with one for each stream, or of `files`.
    pub path: PathBuf,
    /// Files with a value of the template in their names.
    pub files: Option<StreamFiles>,
    /// Types are looked at in one of so many documents.
    pub check_every: u32,
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

const TEMPLATE: &str = "a template in delivery_stream";

/// So many bytes do not wait for more: rounding them up to the billing unit adds a tenth at most.
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
        let max_bytes = match packing.compression {
            None => MAX_RECORD_BYTES,
            Some(_) => MAX_RECORD_BYTES - Compression::OVERHEAD,
        };
        let data_keys = options.list("data_keys", Some)?;
        let data_keys = data_keys.iter().map(|key| accessor("data_keys", key));
        let log_key = options.text("log_key")?;
        let format = Format {
            data_keys: data_keys.collect::<Result<_, _>>()?,
            log_key: log_key.map(|key| accessor("log_key", &key)).transpose()?,
            metadata_key: options.text("metadata_key")?,
            group_key: options.text("group_key")?,
            time_key,
            replace_dots: options.text("replace_dots")?,
            max_bytes,
        };
        check_added_keys(&format)?;
        check_log_key(&format)?;
        options.check_destinations(&destinations, &format, &packing)?;
        let limits = options.limits(&access)?;
        let (delivery_stream, route) = options.streams()?;
        let flush_timeout = options.time("flush_timeout")?;
        let why = ", which is flush_timeout";
        let delivery = Delivery {
            request_timeout: options.time_up_to("request_timeout", flush_timeout, why)?,
            batch_size: options.number("batch_size")?,
            flush_timeout,
            stop_timeout: options.time("stop_timeout")?,
            auto_retry_requests: options.flag("auto_retry_requests")?,
            linger: options.linger(&packing, flush_timeout)?,
            resume: Bounds {
                max_chunks: options.number("resume_max_chunks")?,
                max_bytes: options.number("resume_max_bytes")?,
            },
            is_aggregated: packing.aggregation.is_some(),
            may_convert: destinations.is_empty() || destinations.iter().any(|it| it.converts),
            format,
            limits,
        };
        let mut config = Self {
            delivery_stream,
            delivery,
            packing,
            credentials_timeout: options.time("credentials_timeout")?,
            rejected: options.rejected()?,
            schema_file: options.schema_file(route.as_ref())?,
            route,
            schemas: Schemas::None,
            warnings: Vec::new(),
            access,
            state: options.state()?,
        };
        if let (Some(log_key), Some(file)) = (&config.delivery.format.log_key, &config.schema_file)
        {
            return Err(Error(format!(
                "log_key `{log_key}` and schema_file `{}` can not be used together: a log line as \
                 it is has no keys to compare with columns",
                file.path.display()
            )));
        }
        config.warnings = options.warnings(&config);
        Ok(config)
    }
}

/// Keys that are added to a document are different ones.
fn check_added_keys(format: &Format) -> Result<(), Error> {
    let dot = format.replace_dots.as_deref().unwrap_or(".");
    let keys: Vec<_> = format.added_keys().collect();
    for (index, (option, key)) in keys.iter().enumerate() {
        let is_same = |(_, other): &&(_, &str)| other.replace('.', dot) == key.replace('.', dot);
        if let Some((other, same)) = keys[..index].iter().find(is_same) {
            return Err(Error(format!(
                "{other} `{same}` and {option} `{key}` can not be used together: a document has a \
                 key once; name another"
            )));
        }
    }
    Ok(())
}

/// A line of text has no place for more, and what `data_keys` leaves out is not there to be sent.
fn check_log_key(format: &Format) -> Result<(), Error> {
    let Some(log_key) = &format.log_key else {
        return Ok(());
    };
    if let Some((option, key)) = format.added_keys().next() {
        return Err(Error(format!(
            "log_key `{log_key}` and {option} `{key}` can not be used together: a log line as it \
             is has no place for more"
        )));
    }
    let keeps = |key: &Accessor| key.leads_to(log_key, format.replace_dots.as_deref());
    if format.data_keys.is_empty() || format.data_keys.iter().any(keeps) {
        return Ok(());
    }
    let data_keys: Vec<String> = format.data_keys.iter().map(Accessor::to_string).collect();
    Err(Error(format!(
        "log_key `{log_key}` and data_keys `{}` can not be used together: every event would be \
         dropped, as data_keys does not keep the key `{log_key}`",
        data_keys.join(", ")
    )))
}

/// A key that an option names.
fn accessor(option: &str, key: &str) -> Result<Accessor, Error> {
    let takes = table::Row::of(option).kind.takes();
    let refused = |why| {
        Error(format!(
            "{option} `{key}` is not allowed: {why}; it takes {takes}"
        ))
    };
    Accessor::of_option(key).map_err(refused)
}

impl<P: Fn(&str) -> Option<String>> Options<P> {
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

    fn state(&self) -> Result<Option<State>, Error> {
        let (is_synced, max_bytes) = (self.flag("state_sync")?, self.number("state_max_bytes")?);
        let path = self.text("state_path")?;
        Ok(path.map(|path| State {
            path: PathBuf::from(path),
            is_synced,
            max_bytes,
        }))
    }

    fn rejected(&self) -> Result<Option<RejectedFile>, Error> {
        let max_bytes = self.number("rejected_max_bytes")? as u64;
        let path = self.text("rejected_path")?.map(PathBuf::from);
        Ok(path.map(|path| RejectedFile { path, max_bytes }))
    }

    fn schema_file(&self, route: Option<&Route>) -> Result<Option<SchemaFile>, Error> {
        let check_every = self.number("schema_check_every")? as u32;
        let Some(text) = self.text("schema_file")? else {
            return Ok(None);
        };
        let files = Template::is_one(&text).then(|| StreamFiles::parse(&text, route));
        let wrong = |why| {
            let takes = table::Row::of("schema_file").kind.takes();
            Error(format!(
                "schema_file `{text}` is not allowed: {why}; it takes {takes}"
            ))
        };
        Ok(Some(SchemaFile {
            files: files.transpose().map_err(wrong)?,
            path: PathBuf::from(text),
            check_every,
        }))
    }

    fn packing(&self, destinations: &[Destination]) -> Result<Packing, Error> {
        let aggregation = Aggregation {
            max_bytes: self.number("aggregation_size")?,
            max_documents: self.max_documents(destinations)?,
        };
        let name = self.text("compression")?;
        let mut compressions = Compression::ALL.into_iter();
        Ok(Packing {
            aggregation: self.flag("simple_aggregation")?.then_some(aggregation),
            compression: compressions.find(|known| name.as_deref() == Some(known.name())),
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

    /// With `quota`, the stream's default quota takes the place of each limit that is not set.
    fn limits(&self, access: &Access) -> Result<Limits, Error> {
        let quota = match (self.text("quota")?.as_deref(), &access.region) {
            (Some("regional"), Some(region)) => Some(Quota::of(region)),
            (Some("regional"), None) => {
                let why = "quota `regional` needs to know the region: set region too";
                return Err(Error(why.to_owned()));
            }
            _ => None,
        };
        let or_quota = |key: &str, of: fn(Quota) -> usize| Ok(self.limit(key)?.or(quota.map(of)));
        Ok(Limits {
            max_in_flight: self.number("max_in_flight")?,
            max_bytes_in_flight: self.number("max_bytes_in_flight")?,
            bytes_per_second: or_quota("max_bytes_per_second", |quota| quota.bytes)?,
            records_per_second: or_quota("max_records_per_second", |quota| quota.records)?,
            requests_per_second: or_quota("max_requests_per_second", |quota| quota.requests)?,
        })
    }

    fn warnings(&self, config: &Config) -> Vec<String> {
        let mut warnings: Vec<String> = self.comments().collect();
        let access = &config.access;
        let format = &config.delivery.format;
        let time_key = format.time_key.as_ref();
        let packs = config.delivery.is_aggregated;
        let is_routed = config.route.is_some();
        // delivery_stream_default and delivery_stream_allow may stand beside a plain name: a
        // configuration that takes the name from a variable has them for the case of a template.
        let needs = [
            ("delivery_stream_replace", TEMPLATE, is_routed),
            ("delivery_stream_lower_case", TEMPLATE, is_routed),
            ("max_delivery_streams", TEMPLATE, is_routed),
            ("time_key_format", "time_key", time_key.is_some()),
            ("aggregation_size", "simple_aggregation", packs),
            ("aggregation_max_documents", "simple_aggregation", packs),
            ("external_id", "role_arn", access.role_arn.is_some()),
            ("state_sync", "state_path", config.state.is_some()),
            ("state_max_bytes", "state_path", config.state.is_some()),
            (
                "schema_check_every",
                "schema_file",
                config.schema_file.is_some(),
            ),
            (
                "rejected_max_bytes",
                "rejected_path",
                config.rejected.is_some(),
            ),
        ];
        for (key, needed, is_there) in needs {
            if self.set(key).is_some() && !is_there {
                warnings.push(format!("{key} does nothing without {needed}"));
            }
        }
        if let (Some(time_key), Some(text)) = (time_key, self.set("time_key_format"))
            && config.delivery.may_convert
            && !format.has_convertible_times()
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
