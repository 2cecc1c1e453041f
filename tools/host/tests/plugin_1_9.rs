//! The library as a 1.9 host: a process of its own, since the symbols differ.

mod common;

use common::{TestPlugin, hash};
use firehose_host::{
    Error, FLB_OK, HostVersion, InstanceOptions, LogLine, Plugin, drain_logs, drain_violations,
};

#[test]
fn a_1_9_host_offers_less() {
    let file = TestPlugin::compile(&["HOOKS"]);
    let plugin = Plugin::load(file.path(), HostVersion::V1_9).unwrap();
    let properties = [("ask", "REGION"), ("region", "eu-west-1")];
    let instance = plugin
        .init(&properties, InstanceOptions::default())
        .unwrap();
    assert_eq!(instance.flush(b"", "t"), FLB_OK);
    instance.exit();
    plugin.unregister().unwrap();

    let lines: Vec<String> = drain_logs()
        .into_iter()
        .map(|LogLine { text, .. }| text)
        .collect();
    let flush = &lines[3];
    let expected = format!("[probe.0] flush tag=t length=0 hash={} answer=1", hash(b""));
    assert!(flush.starts_with(&expected), "{flush}");
    assert_eq!(
        lines,
        [
            "[probe.0] init probe",
            "[probe.0] no flb_output_log_check",
            "[probe.0] REGION=eu-west-1",
            flush,
            "[probe.0] exit",
            "[hooks] unregister probe",
        ]
    );
    assert_eq!(drain_violations(), Vec::<String>::new());

    let five_fields = TestPlugin::compile(&["EVENT_TYPE"]);
    let error = Plugin::load(five_fields.path(), HostVersion::V1_9)
        .err()
        .unwrap();
    assert!(
        matches!(error, Error::WrotePastDefinition { offset: 0 }),
        "{error}"
    );
    let error = Plugin::load(file.path(), HostVersion::V5_1).err().unwrap();
    assert!(matches!(error, Error::OtherHost), "{error}");
}
