//! The options that say where the service is and who calls it.

use std::path::PathBuf;

use super::options::Options;
use super::{Access, Error, value};
use crate::ca;

impl<P: Fn(&str) -> Option<String>> Options<P> {
    pub(super) fn access(&self) -> Result<Access, Error> {
        let arn = |text: &str| text.starts_with("arn:").then(|| text.to_owned());
        Ok(Access {
            region: self.text("region"),
            endpoint: self.endpoint("endpoint")?,
            sts_endpoint: self.endpoint("sts_endpoint")?,
            ca_file: self.ca_file()?,
            profile: self.text("profile"),
            role_arn: self.parsed(
                "role_arn",
                "a role's ARN, such as arn:aws:iam::000000000000:role/logs",
                arn,
            )?,
            external_id: self.text("external_id"),
        })
    }

    fn endpoint(&self, key: &str) -> Result<Option<String>, Error> {
        let allowed =
            "a URL or host such as https://firehose.eu-west-1.amazonaws.com, with http or https";
        if self.text(key).is_some_and(|text| text.contains('@')) {
            // Not shown: what stands before the @ may be a password.
            return Err(Error(format!(
                "{key} has a user name in it: it takes {allowed}"
            )));
        }
        self.parsed(key, allowed, value::endpoint)
    }

    fn ca_file(&self) -> Result<Option<PathBuf>, Error> {
        let Some(text) = self.text("ca_file") else {
            return Ok(None);
        };
        let path = PathBuf::from(text);
        match ca::read(&path) {
            Ok(_) => Ok(Some(path)),
            Err(sentence) => Err(Error(format!(
                "ca_file {sentence}: it takes a file of PEM certificates"
            ))),
        }
    }
}
