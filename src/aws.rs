//! The Firehose client. This module alone names the AWS SDK.

mod call;
mod credentials;
mod environment;
mod error;
mod look_up;
mod transport;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::files;
use crate::service::{Answer, Sent, Service};
use firehose_core::deliver::failure::Cause;
use firehose_core::options::{self, Access, Config, wrong_file};

use call::Call;
use look_up::LookUp;

/// How much later the host starts, at most, because of a file that can not be read.
const CHECK: Duration = Duration::from_secs(5);

/// Reads the files that options name, and looks whether they can be used.
pub fn with_files(mut config: Config) -> Result<Config, options::Error> {
    if let Some(path) = &config.access.ca_file {
        transport::check_ca(path, CHECK).map_err(|why| wrong_file("ca_file", path, &why))?;
    }
    if let Some(file) = &config.schema_file {
        let schemas = files::schemas(file, CHECK);
        let wrong = |why: String| wrong_file("schema_file", &file.path, &why);
        config.schemas = schemas.map_err(wrong)?;
    }
    Ok(config)
}

/// One output's way to its delivery streams, which the calls' bodies name. The first call that can
/// looks it up, so what is missing at start (a region, a role, the network) may still come.
#[derive(Debug)]
pub struct Firehose {
    look_up: LookUp,
}

impl Firehose {
    /// How long a look-up of credentials takes at most.
    pub fn new(access: Access, credentials_timeout: Duration) -> Self {
        Self {
            look_up: LookUp::new(access, credentials_timeout),
        }
    }

    /// When the credentials in use were found.
    pub fn credentials_time(&self) -> Option<SystemTime> {
        self.look_up.time()
    }
}

impl Service for Firehose {
    fn is_ready(&self) -> bool {
        self.look_up.is_ready()
    }

    async fn ready(&self) {
        self.look_up.ready().await;
    }

    async fn put(&self, body: Bytes, records: usize, sent: Sent) -> Answer {
        let connection = self.look_up.connection()?;
        let call = Call::new(sent.clone());
        let (length, its_own) = (body.len().to_string(), Arc::clone(&call));
        let request = connection.client.put_record_batch();
        let request = request.set_records(Some(Vec::new())).customize();
        let request = request.mutate_request(move |request| {
            *request.body_mut() = SdkBody::from(body.clone());
            let headers = request.headers_mut();
            headers.insert("content-length", length.clone());
            request.add_extension(Arc::clone(&its_own));
        });
        let answer = request.send().await;
        let reply = call.take_reply();
        match answer {
            Ok(_) => reply.fates_of(records),
            Err(error) => {
                let (head, caller) = (reply.head.as_ref(), &connection.credentials);
                let error = error::of_call(&error, head, sent.is_set(), caller);
                if error.cause == Cause::Credentials {
                    self.look_up.refused(&connection);
                }
                Err(error)
            }
        }
    }
}
