//! Fluent Bit's part in these tests.

use std::thread;

use firehose_host::{
    Error, EventFormat, HostVersion, Instance, LogLevel, Plugin, drain_violations,
};

use crate::support::{built, environment};

/// A loaded plugin; unregistered, and found to have kept to its contract, when it is dropped.
pub(crate) struct Host(Option<Plugin>);

impl Host {
    pub(crate) fn start(version: HostVersion) -> Self {
        environment::prepare_process();
        let plugin = Plugin::load(built::plugin(), version);
        Self(Some(plugin.expect("the plugin registers")))
    }

    /// An instance that must start. Its name marks its lines in the log, which all tests share.
    pub(crate) fn init(&self, name: &str, options: &[(&str, String)]) -> Instance {
        let instance = self.try_init(name, options, LogLevel::Debug);
        instance.expect("the options are right")
    }

    pub(crate) fn try_init(
        &self,
        name: &str,
        options: &[(&str, String)],
        log_level: LogLevel,
    ) -> Result<Instance, Error> {
        let own = [("alias", name.to_owned()), ("log_level", log_level.name())];
        let plugin = self.0.as_ref().expect("the plugin is loaded until drop");
        plugin.init(&[&own, options].concat())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let plugin = self.0.take().expect("the plugin is loaded until drop");
        if !thread::panicking() {
            plugin.unregister().expect("no instance is left");
            assert_eq!(drain_violations(), Vec::<String>::new());
        }
    }
}

/// Flushes on a worker of an output, on a coroutine's stack, as Fluent Bit does.
pub(crate) fn flush(instance: &Instance, chunk: &[u8]) -> i32 {
    let flush = || instance.flush(chunk, "app.log");
    thread::scope(|scope| {
        thread::Builder::new()
            .name("flb-out-test".to_owned())
            .spawn_scoped(scope, flush)
            .expect("a thread can be started")
            .join()
            .expect("a flush does not panic")
    })
}

/// All lines as the events of one chunk.
pub(crate) fn chunk(lines: &[String]) -> Vec<u8> {
    firehose_host::chunk(EventFormat::V2, lines)
}

/// Options joined: those that come again in `extra` are taken from there.
pub(crate) fn with(
    extra: &[(&'static str, &str)],
    mut options: Vec<(&'static str, String)>,
) -> Vec<(&'static str, String)> {
    options.retain(|(key, _)| !extra.iter().any(|(other, _)| other == key));
    let extra = extra.iter().map(|(key, value)| (*key, (*value).to_owned()));
    extra.chain(options).collect()
}
