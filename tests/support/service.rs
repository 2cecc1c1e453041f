//! A fake Firehose in this process, and the options of an output that delivers to it.

use std::io::Write;

use fake_firehose::{FakeFirehose, Scenario, Settings};
use tempfile::NamedTempFile;

pub(crate) struct Service {
    pub(crate) fake: FakeFirehose,
    /// The authority that an output must trust; none without TLS.
    ca_file: Option<NamedTempFile>,
}

impl Service {
    pub(crate) fn start(settings: Settings) -> Self {
        let fake = FakeFirehose::start(settings).expect("the fake service starts");
        let ca_file = fake.ca_pem().map(|pem| {
            let mut file = NamedTempFile::new().expect("a temporary file can be made");
            file.write_all(pem.as_bytes())
                .expect("a temporary file can be written");
            file
        });
        Self { fake, ca_file }
    }

    pub(crate) fn plain() -> Self {
        Self::start(Settings::default())
    }

    pub(crate) fn tls() -> Self {
        Self::start(Settings {
            tls: true,
            ..Settings::default()
        })
    }

    pub(crate) fn with_scenario(text: &str) -> Self {
        Self::start(Settings {
            scenario: Scenario::parse(text).expect("the scenario is well-formed"),
            ..Settings::default()
        })
    }

    /// The options that lead an output here, to a stream.
    pub(crate) fn options(&self, stream: &str) -> Vec<(&'static str, String)> {
        let mut options = vec![
            ("delivery_stream", stream.to_owned()),
            ("endpoint", self.fake.url()),
        ];
        if let Some(file) = &self.ca_file {
            let path = file.path().to_str().expect("temporary paths are UTF-8");
            options.push(("ca_file", path.to_owned()));
        }
        options
    }
}
