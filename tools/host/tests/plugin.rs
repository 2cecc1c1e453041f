//! The library as a 3.2 and a 5.1 host, against plugins that keep or break the contract.

mod common;

use std::thread;

use common::{TestPlugin, hash};
use firehose_host::{
    DEFAULT_STACK_SIZE, Error, FLB_ERROR, FLB_OK, FLB_RETRY, HostVersion, Instance,
    InstanceOptions, LogLevel, Plugin, drain_violations, take_logs,
};

fn named(name: &str) -> InstanceOptions {
    InstanceOptions {
        name: Some(name.to_owned()),
        ..InstanceOptions::default()
    }
}

fn load(mistakes: &[&str], version: HostVersion) -> Result<Plugin, Error> {
    // The file may go once it is open.
    Plugin::load(TestPlugin::compile(mistakes).path(), version)
}

fn init(plugin: &Plugin, name: &str, properties: &[(&str, &str)]) -> Instance {
    plugin.init(properties, named(name)).unwrap()
}

/// What the instance logged since the last call, without its name.
fn said(name: &str) -> Vec<String> {
    let prefix = format!("[{name}] ");
    take_logs(&prefix)
        .into_iter()
        .map(|line| line.text[prefix.len()..].to_owned())
        .collect()
}

#[test]
fn an_instance_lives_from_init_to_exit() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    assert_eq!(plugin.name(), "probe");
    let instance = init(&plugin, "life", &[]);
    assert_eq!(said("life"), ["init probe"]);
    let data = [0xff, 0, 1, 2];
    assert_eq!(instance.flush(&data, "app.ok"), FLB_OK);
    instance.exit();
    plugin.unregister().unwrap();
    let flush = format!("flush tag=app.ok length=4 hash={} answer=1", hash(&data));
    let lines = said("life");
    assert!(lines[0].starts_with(&flush), "{lines:?}");
    assert_eq!(lines[1..], ["exit"]);
}

#[test]
fn properties_are_found_in_any_case_and_only_the_plugins_own() {
    let plugin = load(&[], HostVersion::V3_2).unwrap();
    let properties = [
        ("ask", "region,REGION,log_key,workers,tls.verify,nothing"),
        ("Region", "eu-west-1"),
        ("log_key", ""),
        ("workers", "4"),
        ("tls.verify", "off"),
    ];
    let instance = init(&plugin, "lookup", &properties);
    assert_eq!(
        said("lookup")[1..],
        [
            "region=eu-west-1",
            "REGION=eu-west-1",
            "log_key=(null)",
            "workers=(null)",
            "tls.verify=(null)",
            "nothing=(null)",
        ]
    );
    instance.exit();
}

#[test]
fn an_instance_without_a_name_is_numbered() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    let first = plugin.init(&[], InstanceOptions::default()).unwrap();
    let second = plugin.init(&[], InstanceOptions::default()).unwrap();
    assert_eq!((first.name(), second.name()), ("probe.0", "probe.1"));
    assert_eq!(said("probe.1"), ["init probe"]);
}

#[test]
fn the_log_level_is_the_instances_own() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    let loud = InstanceOptions {
        log_level: LogLevel::Debug,
        ..named("loud")
    };
    let _loud = plugin.init(&[], loud).unwrap();
    let _quiet = init(&plugin, "quiet", &[]);
    let levels: Vec<LogLevel> = take_logs("[loud]").iter().map(|line| line.level).collect();
    assert_eq!(levels, [LogLevel::Info, LogLevel::Debug]);
    assert_eq!(said("quiet"), ["init probe"]);
}

#[test]
fn half_the_stack_of_a_flush_can_be_used() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    let instance = init(&plugin, "stack", &[("stack", "12288"), ("answers", "12")]);
    let flush = || instance.flush_on_coroutine(b"data", "t", DEFAULT_STACK_SIZE);
    assert_eq!(flush(), FLB_OK);
    assert_eq!(flush(), FLB_RETRY);
}

#[test]
fn flushes_run_at_the_same_time_on_threads_with_their_names() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    let instance = init(&plugin, "meet", &[("meet", "3")]);
    let flush = || instance.flush_on_coroutine(b"data", "t", DEFAULT_STACK_SIZE);
    thread::scope(|scope| {
        let workers: Vec<_> = ["flb-pipeline", "flb-out-meet-w0", "flb-out-meet.alias-w1"]
            .map(|name| {
                let worker = thread::Builder::new().name(name.to_owned());
                worker.spawn_scoped(scope, flush).unwrap()
            })
            .into();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), FLB_OK);
        }
    });
    let mut threads: Vec<String> = said("meet")[1..]
        .iter()
        .map(|line| line.split_once("thread=").unwrap().1.to_owned())
        .collect();
    threads.sort();
    assert_eq!(
        threads,
        ["flb-out-meet-w0", "flb-out-meet.al", "flb-pipeline"]
    );
}

#[test]
fn answers_are_passed_on_as_they_are() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    let instance = init(&plugin, "answers", &[("answers", "0219")]);
    let answers: Vec<i32> = (0..4).map(|_| instance.flush(b"", "t")).collect();
    assert_eq!(answers, [FLB_ERROR, FLB_RETRY, FLB_OK, 9]);
}

#[test]
fn a_write_past_the_five_fields_is_noticed_where_the_host_has_no_more() {
    let error = load(&["EVENT_TYPE"], HostVersion::V3_2).err().unwrap();
    assert!(
        matches!(error, Error::WrotePastDefinition { offset: 0 }),
        "{error}"
    );
    assert!(load(&["EVENT_TYPE"], HostVersion::V5_1).is_ok());
}

#[test]
fn unset_fields_are_noticed_where_the_host_does_not_clear_them() {
    for (mistake, field) in [
        ("FLAGS_UNSET", "flags"),
        ("DESCRIPTION_UNSET", "description"),
    ] {
        let error = load(&[mistake], HostVersion::V3_2).err().unwrap();
        let expected = format!("the plugin's definition is incomplete: {field} is not set");
        assert_eq!(error.to_string(), expected);
    }
    assert!(load(&["FLAGS_UNSET"], HostVersion::V5_1).is_ok());
}

#[test]
fn a_write_past_the_context_is_noticed() {
    let plugin = load(&["WRITE_PAST_CONTEXT"], HostVersion::V5_1).unwrap();
    let error = plugin.init(&[], named("past")).err().unwrap();
    assert_eq!(
        error.to_string(),
        "instance past: it wrote past context->remote_context"
    );
}

#[test]
fn the_struct_given_to_init_is_gone_afterwards() {
    let plugin = load(&["USE_PLUGIN_STRUCT_LATER"], HostVersion::V5_1).unwrap();
    let instance = init(&plugin, "later", &[]);
    instance.flush(b"", "t");
    assert_eq!(said("later")[2], "o_ins is now 0xdeaddeaddeaddead");
}

#[test]
fn a_text_used_as_format_is_a_violation() {
    let plugin = load(&["TEXT_AS_FORMAT"], HostVersion::V5_1).unwrap();
    let _instance = init(&plugin, "careless", &[]);
    let violations = drain_violations();
    assert!(
        violations
            .iter()
            .any(|sentence| sentence.contains("logged with the format \"[careless] init probe\"")),
        "{violations:?}"
    );
}

#[test]
fn an_export_that_the_host_needs_is_missed() {
    let error = load(&["NO_EXIT"], HostVersion::V5_1).err().unwrap();
    assert!(
        matches!(error, Error::MissingExport("FLBPluginExitCtx")),
        "{error}"
    );
    let error = load(&["REGISTER_FAILS"], HostVersion::V5_1).err().unwrap();
    assert!(
        matches!(error, Error::RegisterFailed("FLBPluginRegister")),
        "{error}"
    );
    let error = Plugin::load("/nonexistent.so", HostVersion::V5_1)
        .err()
        .unwrap();
    assert!(matches!(error, Error::Open { .. }), "{error}");
}

#[test]
fn an_init_that_fails_leaves_the_other_instance_working() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    let good = init(&plugin, "good", &[]);
    for answer in ["0", "-1"] {
        let error = plugin
            .init(&[("init", answer)], named("bad"))
            .err()
            .unwrap();
        assert!(matches!(error, Error::InitFailed { .. }), "{error}");
    }
    assert_eq!(good.flush(b"", "t"), FLB_OK);
}

#[test]
fn hooks_are_called_in_the_hosts_order() {
    let plugin = load(&["HOOKS"], HostVersion::V5_1).unwrap();
    let instance = init(&plugin, "hooked", &[]);
    instance.exit();
    plugin.unregister().unwrap();
    let lines = said("hooks");
    assert_eq!(
        lines,
        [
            "pre-register 0",
            "pre-run 0",
            "pre-exit 0",
            "unregister probe"
        ]
    );
}

#[test]
fn a_reload_registers_the_same_file_before_the_old_one_stops() {
    let file = TestPlugin::compile(&[]);
    let mut plugin = Plugin::load(file.path(), HostVersion::V5_1).unwrap();
    let mut instance = init(&plugin, "reload", &[]);
    for _ in 0..10 {
        let next = Plugin::load(file.path(), HostVersion::V5_1).unwrap();
        instance.exit();
        plugin.unregister().unwrap();
        plugin = next;
        instance = init(&plugin, "reload", &[]);
        assert_eq!(instance.flush(b"", "t"), FLB_OK);
    }
}

#[test]
fn a_plugin_with_a_running_instance_is_not_unregistered() {
    let plugin = load(&[], HostVersion::V5_1).unwrap();
    let instance = init(&plugin, "running", &[]);
    assert!(matches!(plugin.unregister(), Err(Error::StillRunning)));
    assert_eq!(instance.flush(b"", "t"), FLB_OK);
}
