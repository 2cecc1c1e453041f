//! The plugin as it is shipped, in a 1.9 host: one function in the API table, no way to ask for
//! the log level, legacy events, no workers. A process plays one kind of host only.

mod support;

use firehose_host::{
    Error, EventFormat, FLB_OK, HostVersion, LogLevel, LogLine, Plugin, chunk, drain_violations,
    take_logs,
};
use support::logs::{assert_exactly_once, http_logs};
use support::service::Service;
use support::{built, environment};

/// One test, since there is one log.
#[test]
fn a_1_9_host_is_served() {
    environment::prepare_process();
    let service = Service::tls();
    let plugin = Plugin::load(built::plugin(), HostVersion::V1_9).expect("the plugin registers");

    // What is wrong is told of through the host's logger, found by its symbol.
    let refused = plugin.init(&[("delivery_stream", "?"), ("alias", "wrong")]);
    assert!(
        matches!(refused.map(|_| ()), Err(Error::InitFailed { answer }) if answer <= 0),
        "the stream's name is taken"
    );
    let lines = take_logs("");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].level, LogLevel::Error);
    assert!(
        lines[0]
            .text
            .starts_with("[output:firehose:wrong] delivery_stream `?` "),
        "{lines:?}"
    );

    let lines = http_logs(0..2000);
    let (plain, aggregated) = lines.split_at(700);
    for (name, simple_aggregation, lines) in
        [("plain", "false", plain), ("aggregated", "on", aggregated)]
    {
        let mut options = service.options("logs");
        options.push(("simple_aggregation", simple_aggregation.to_owned()));
        options.push(("alias", name.to_owned()));
        // What the plugin can't ask for.
        options.push(("log_level", "error".to_owned()));
        let instance = plugin.init(&options).expect("an instance starts");
        let settings = instance.settings();
        assert_eq!((settings.workers, settings.pools), (4, 1));
        assert_eq!(settings.retry_limit, -1, "no limit");
        for lines in lines.chunks(300) {
            let chunk = chunk(EventFormat::Legacy, lines);
            let answer = instance.flush(&chunk, "app.log");
            assert_eq!(answer, FLB_OK);
        }
        instance.exit();
        let lines = take_logs(&format!("[output:firehose:{name}] "));
        let is_info = |line: &LogLine| line.level == LogLevel::Info;
        assert!(lines.iter().any(is_info), "{lines:?}");
    }
    assert_exactly_once(&lines, &service.fake.documents());
    plugin.unregister().expect("no instance is left");
    assert_eq!(drain_violations(), Vec::<String>::new());
}
