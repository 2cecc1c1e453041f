//! The options that say where the service is and who calls it.

use std::path::{Path, PathBuf};

use super::read::{Options, refused};
use super::{Access, Error, value};

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
            ca_file: self.text("ca_file").map(PathBuf::from),
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
}

/// The error about a `ca_file` that can't be used, for the reason given.
pub fn wrong_ca_file(path: &Path, why: &str) -> Error {
    refused(
        &path.to_string_lossy(),
        format!("ca_file {why}: it takes a file of PEM certificates"),
    )
}
