//! A process that runs the plugin, and all that it can know: its environment, a home folder, the
//! options of its output. Whatever it writes is searched for secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fake_firehose::{Credentials, Settings};
use tempfile::TempDir;

use crate::support::built;
use crate::support::child::Process;
use crate::support::service::Service;

/// Where the service is, unless a test is about it.
pub(crate) const REGION: &str = "eu-west-1";
/// The event that is delivered, and what is in it.
const EVENT: &str = r#"{"log":"a line of the application"}"#;
const LINE: &str = "a line of the application";
const EVENTS: usize = 3;
/// Far more than anything here takes.
const AT_MOST: Duration = Duration::from_secs(60);

pub(crate) struct Sandbox {
    home: TempDir,
    environment: BTreeMap<&'static str, OsString>,
    options: BTreeMap<&'static str, String>,
    secrets: Vec<String>,
}

impl Sandbox {
    /// With a region, and otherwise nothing to find credentials by.
    pub(crate) fn new() -> Self {
        let mut sandbox = Self {
            home: TempDir::new().expect("a temporary folder can be made"),
            environment: BTreeMap::new(),
            options: BTreeMap::from([("log_level", "debug".to_owned())]),
            secrets: Vec::new(),
        };
        sandbox.secret(LINE);
        // What comes after the event changes the end of its base64 form.
        let encoded = base64_simd::STANDARD.encode_to_string(EVENT);
        sandbox.secret(&encoded[..LINE.len()]);
        let home = sandbox.home.path().as_os_str().to_owned();
        sandbox
            .set("HOME", home)
            .set("AWS_REGION", REGION)
            .set("AWS_EC2_METADATA_DISABLED", "true");
        sandbox
    }

    pub(crate) fn set(&mut self, variable: &'static str, value: impl Into<OsString>) -> &mut Self {
        self.environment.insert(variable, value.into());
        self
    }

    pub(crate) fn unset(&mut self, variable: &'static str) -> &mut Self {
        self.environment.remove(variable);
        self
    }

    pub(crate) fn option(&mut self, key: &'static str, value: impl Into<String>) -> &mut Self {
        self.options.insert(key, value.into());
        self
    }

    /// The options that lead to the service, and make it trusted if it speaks TLS.
    pub(crate) fn send_to(&mut self, service: &Service) -> &mut Self {
        self.options.extend(service.options("logs"));
        self
    }

    pub(crate) fn without(&mut self, key: &str) -> &mut Self {
        self.options.remove(key);
        self
    }

    /// A file in the home folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a temporary folder can be written to");
        fs::write(&path, content).expect("a temporary folder can be written to");
        path
    }

    /// Text that must never be written.
    pub(crate) fn secret(&mut self, text: impl Into<String>) -> String {
        let text = text.into();
        self.secrets.push(text.clone());
        text
    }

    /// Temporary credentials that only their name tells from others.
    pub(crate) fn session(&mut self, name: &str) -> Credentials {
        Credentials {
            session_token: Some(self.secret(format!("session-token-of-{name}-EXAMPLE"))),
            ..self.key_pair(name)
        }
    }

    pub(crate) fn key_pair(&mut self, name: &str) -> Credentials {
        Credentials {
            access_key: self.secret(format!("AKIA{}EXAMPLE", name.to_ascii_uppercase())),
            secret_key: self.secret(format!("secret-key-of-{name}/EXAMPLE")),
            session_token: None,
        }
    }

    /// Sets the variables that hold credentials.
    pub(crate) fn set_credentials(&mut self, credentials: &Credentials) -> &mut Self {
        self.set("AWS_ACCESS_KEY_ID", &credentials.access_key);
        self.set("AWS_SECRET_ACCESS_KEY", &credentials.secret_key);
        if let Some(token) = &credentials.session_token {
            self.set("AWS_SESSION_TOKEN", token);
        }
        self
    }

    /// Delivers with the first flush, or fails the test; gives the log.
    pub(crate) fn delivers_to(&mut self, service: &Service) -> String {
        self.option("retry_limit", "no_retries");
        self.start(&[]).delivers_to(service)
    }

    /// Must not deliver anything, whatever the reason; gives the log, which has to tell it.
    pub(crate) fn delivers_nothing_to(&mut self, service: &Service) -> String {
        // The shortest that is allowed.
        self.option("flush_timeout", "1s");
        let log = self.ends_with_failure();
        let records = service.fake.stats().records;
        assert_eq!(records, 0, "delivered all the same:\n{log}");
        log
    }

    /// Runs to an end that is no success; gives the log.
    pub(crate) fn ends_with_failure(&mut self) -> String {
        self.option("retry_limit", "no_retries");
        let mut host = self.start(&[]);
        let status = host.end();
        let log = host.log();
        assert_eq!(status, Some(1), "{log}");
        log
    }

    /// Starts the host, which flushes until all is delivered, unless an option says otherwise.
    pub(crate) fn start(&self, arguments: &[&str]) -> Host<'_> {
        let input = self.file("events", format!("{EVENT}\n").repeat(EVENTS));
        let options = self.options.iter();
        let mut command = Command::new(built::host_program());
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home.path())
            .arg("--input")
            .arg(input)
            .args(arguments)
            .arg(built::plugin())
            .args(options.map(|(key, value)| format!("{key}={value}")));
        let output = self.home.path().join("output");
        Host {
            process: Process::start(command, &output),
            secrets: &self.secrets,
        }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}

/// A running host.
pub(crate) struct Host<'a> {
    process: Process,
    secrets: &'a [String],
}

impl Host<'_> {
    /// Waits until the log has this text.
    pub(crate) fn logs(&mut self, text: &str) {
        let logged = self
            .process
            .until(AT_MOST, text, |output| output.contains(text));
        logged.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Waits for the end and for success, with every event delivered once.
    pub(crate) fn delivers_to(mut self, service: &Service) -> String {
        let status = self.end();
        let log = self.log();
        assert_eq!(status, Some(0), "{log}");
        let documents = service.fake.documents();
        let expected = format!("{EVENT}\n").repeat(EVENTS);
        assert_eq!(String::from_utf8_lossy(&documents), expected, "{log}");
        log
    }

    fn end(&mut self) -> Option<i32> {
        let status = self.process.wait(AT_MOST);
        status.unwrap_or_else(|failure| panic!("{failure}")).code()
    }

    /// All that was written, which has no secret in it and tells of no panic.
    fn log(&self) -> String {
        let log = self.process.output();
        for secret in self.secrets {
            assert!(!log.contains(secret), "`{secret}` was written:\n{log}");
        }
        assert!(!log.contains("panic"), "{log}");
        log
    }
}

/// A service with TLS that accepts these credentials, and signatures for [`REGION`].
pub(crate) fn service(accepted: &Credentials) -> Service {
    Service::start(settings(accepted))
}

pub(crate) fn settings(accepted: &Credentials) -> Settings {
    Settings {
        tls: true,
        credentials: vec![accepted.clone()],
        region: Some(REGION.to_owned()),
        ..Settings::default()
    }
}

/// A section of a shared credentials or configuration file.
pub(crate) fn profile(section: &str, credentials: &Credentials) -> String {
    let mut text = format!(
        "[{section}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        credentials.access_key, credentials.secret_key
    );
    if let Some(token) = &credentials.session_token {
        text.push_str(&format!("aws_session_token = {token}\n"));
    }
    text
}

/// Fails unless the log has this text.
pub(crate) fn assert_says(log: &str, text: &str) {
    assert!(log.contains(text), "`{text}` is not in the log:\n{log}");
}
