//! The options that say where the service is and who calls it.

use std::path::PathBuf;

use super::options::{Options, refused};
use super::{Access, Error, value};
use crate::ca;

impl<P: Fn(&str) -> Option<String>> Options<P> {
    pub(super) fn access(&self) -> Result<Access, Error> {
        Ok(Access {
            region: self.parsed(
                "region",
                "a region's name, such as `eu-west-1`",
                value::region,
            )?,
            endpoint: self.endpoint("endpoint")?,
            sts_endpoint: self.endpoint("sts_endpoint")?,
            ca_file: self.ca_file()?,
            profile: self.parsed(
                "profile",
                "a profile's name of the characters a-z A-Z 0-9 _ . / % @ : + -, such as `default`",
                value::profile,
            )?,
            role_arn: self.parsed(
                "role_arn",
                "a role's whole ARN, such as `arn:aws:iam::000000000000:role/logs`",
                value::role_arn,
            )?,
            external_id: self.parsed(
                "external_id",
                "2 to 1224 of the characters a-z A-Z 0-9 _ + = , . @ : / -",
                value::external_id,
            )?,
        })
    }

    fn endpoint(&self, key: &str) -> Result<Option<String>, Error> {
        let allowed = "an http or https URL, or a host alone, such as \
                       `https://firehose.eu-west-1.amazonaws.com`, without a user name";
        self.parsed(key, allowed, value::endpoint)
    }

    fn ca_file(&self) -> Result<Option<PathBuf>, Error> {
        let Some(text) = self.text("ca_file") else {
            return Ok(None);
        };
        let path = PathBuf::from(&text);
        match ca::read(&path) {
            Ok(_) => Ok(Some(path)),
            Err(sentence) => Err(refused(
                &text,
                format!("ca_file {sentence}: it takes a file of PEM certificates"),
            )),
        }
    }
}
