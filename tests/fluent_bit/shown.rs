//! The configurations that the pages show: each is run as it stands, and judged by the documents
//! that arrive.

use std::fs;

use fake_firehose::Settings;

use crate::configurations::{arrived, arrives, documents, prepared, start};
use crate::host::Host;
use crate::pages;
use crate::sidecar::ended_well;
use crate::support::service::Service;

/// A block of a page, and what makes it whole.
struct Shown {
    page: &'static str,
    /// A line that only this block of the page has.
    line: &'static str,
    /// What a reader has before and behind a block that is a part.
    around: [&'static str; 2],
    /// What is read, the application's log or another file, and the documents that it must become.
    file: &'static str,
    log: &'static str,
    expected: &'static str,
}

/// The delivery streams of the pages, and the image's.
const STREAMS: [&str; 4] = ["app-logs", "logs", "shop-logs", "other-logs"];

const FILE: &str = "/var/log/app/app.log";
const LOG: &str = include_str!("samples/shown.log");
const EXPECTED: &str = include_str!("samples/shown.expected");

/// One of them has no stream of its own.
const NAMESPACES: &str = "{\"n\":1,\"kubernetes\":{\"namespace_name\":\"shop\"}}\n{\"n\":2}\n";

/// What stands before an option of an output in YAML.
const OPTION_IN_YAML: &str = "service:\n  plugins_file: /fluent-bit/etc/plugin.conf\n  \
     parsers_file: /fluent-bit/etc/parsers.conf\npipeline:\n  inputs:\n    \
     - name: tail\n      path: /var/log/app/*.log\n      parser: json_timestamp\n      \
     read_from_head: on\n  outputs:\n    - name: firehose\n      match: \"*\"\n      \
     delivery_stream: logs\n      time_key: timestamp\n";

const SHOWN: [Shown; 9] = [
    Shown {
        page: "README.md",
        line: "[SERVICE]",
        around: ["", ""],
        file: FILE,
        log: LOG,
        expected: EXPECTED,
    },
    Shown {
        page: "docs/configuration.md",
        line: "      delivery_stream: app-logs",
        around: ["", ""],
        file: FILE,
        log: LOG,
        expected: EXPECTED,
    },
    Shown {
        page: "docs/metrics.md",
        line: "    http_server  on",
        around: [
            "[SERVICE]\n    plugins_file /fluent-bit/etc/plugin.conf\n    \
             parsers_file /fluent-bit/etc/parsers.conf\n",
            "[INPUT]\n    name tail\n    path /var/log/app/*.log\n    parser json_timestamp\n    \
             read_from_head on\n\
             [OUTPUT]\n    name firehose\n    match *\n    delivery_stream logs\n    \
             time_key timestamp\n",
        ],
        file: FILE,
        log: LOG,
        expected: EXPECTED,
    },
    Shown {
        page: "docs/options.md",
        line: "      data_keys: [level, message]",
        around: [OPTION_IN_YAML, ""],
        file: FILE,
        log: LOG,
        expected: "{\"level\":\"info\",\"message\":\"in UTC\",\
                    \"timestamp\":\"2024-02-29T23:59:58.123Z\"}\n\
                   {\"level\":\"warn\",\"message\":\"Seoul's time\",\
                    \"timestamp\":\"2024-02-29T23:59:59.456Z\"}\n",
    },
    // What tail reads has no metadata and no group; what OTLP brings has a test of its own.
    Shown {
        page: "docs/configuration.md",
        line: "      metadata_key: metadata",
        around: [OPTION_IN_YAML, ""],
        file: FILE,
        log: LOG,
        expected: EXPECTED,
    },
    Shown {
        page: "docs/reliability.md",
        line: "    state_path      /var/lib/fluent-bit/firehose",
        around: [
            "[SERVICE]\n    plugins_file /fluent-bit/etc/plugin.conf\n    \
             parsers_file /fluent-bit/etc/parsers.conf\n    \
             storage.path /var/lib/fluent-bit/storage\n\
             [INPUT]\n    name tail\n    path /var/log/app/*.log\n    parser json_timestamp\n    \
             read_from_head on\n    storage.type filesystem\n",
            "    time_key timestamp\n",
        ],
        file: FILE,
        log: LOG,
        expected: EXPECTED,
    },
    Shown {
        page: "docs/streams.md",
        line: "    delivery_stream          $kubernetes['namespace_name']-logs",
        around: [
            "[SERVICE]\n    plugins_file /fluent-bit/etc/plugin.conf\n    \
             parsers_file /fluent-bit/etc/parsers.conf\n\
             [INPUT]\n    name tail\n    tag kube.*\n    path /var/log/app/*.log\n    \
             parser json_timestamp\n    read_from_head on\n",
            "",
        ],
        file: FILE,
        log: NAMESPACES,
        expected: NAMESPACES,
    },
    Shown {
        page: "docs/configuration.md",
        line: "@INCLUDE stack_traces.conf",
        around: ["", ""],
        file: FILE,
        log: include_str!("samples/stack_traces.log"),
        expected: include_str!("samples/stack_traces.expected"),
    },
    Shown {
        page: "docs/rejected.md",
        line: "    log_key         document",
        around: ["", ""],
        file: "/var/lib/fluent-bit/again.jsonl",
        log: include_str!("samples/rejected.log"),
        expected: include_str!("samples/rejected.expected"),
    },
];

/// A block that is a configuration of Fluent Bit, or a part of one.
#[derive(Debug)]
pub(crate) struct Block {
    page: String,
    form: &'static str,
    content: String,
}

impl Block {
    pub(crate) fn name(&self) -> String {
        let first = self.content.lines().next().unwrap_or_default();
        format!("the configuration of {}, `{}`", self.page, first.trim())
    }

    pub(crate) fn is_yaml(&self) -> bool {
        self.form == ".yaml"
    }

    fn known(&self) -> Option<&'static Shown> {
        let mut all = SHOWN.iter();
        all.find(|shown| {
            shown.page == self.page && self.content.lines().any(|line| line == shown.line)
        })
    }

    /// Starts the host with it, in the image.
    pub(crate) fn delivers(&self, host: &Host) -> Result<(), String> {
        let shown = self.known().ok_or("this test does not know the block")?;
        let service = Service::start(Settings {
            streams: STREAMS.map(str::to_owned).to_vec(),
            ..Settings::default()
        });
        let image = prepared(host, &service);
        let [before, behind] = shown.around;
        let port = &image.variables["SIDECAR_HTTP_PORT"];
        let content = format!("{before}{}{behind}", self.content)
            .replace("0.0.0.0", "127.0.0.1")
            .replace("2020", port);
        image.write(shown.file, shown.log);
        let file = format!("shown{}", self.form);
        let path = format!("/fluent-bit/etc/{file}");
        image.write(&path, &image.rooted(&content));
        let mut process = start(host, &image, &file);
        let expected = documents(shown.expected.as_bytes());
        if content.contains("exit_on_eof") {
            ended_well(&mut process)?;
            return arrived(&process, &service, expected);
        }
        arrives(&mut process, &service, expected)
    }
}

/// Every such block of the pages.
pub(crate) fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for path in pages::pages() {
        let text = fs::read_to_string(&path).expect("a page can be read");
        let page = path.strip_prefix(pages::root()).expect("a page is here");
        let fenced = text.split("\n```").skip(1).step_by(2);
        for (language, content) in fenced.filter_map(|block| block.split_once('\n')) {
            let form = match language.trim() {
                "yaml" | "yml" => ".yaml",
                _ => ".conf",
            };
            let is_named = ["ini", "conf", "yaml", "yml"].contains(&language.trim());
            if is_named || MARKS.iter().any(|mark| content.contains(mark)) {
                blocks.push(Block {
                    page: page.to_string_lossy().into_owned(),
                    form,
                    content: format!("{content}\n"),
                });
            }
        }
    }
    blocks
}

/// What tells a configuration, whatever its block is called.
const MARKS: [&str; 6] = [
    "[SERVICE]",
    "[INPUT]",
    "[FILTER]",
    "[OUTPUT]\n",
    "@INCLUDE ",
    "pipeline:\n",
];

/// Every block is known here, and whatever is known here is on a page.
pub(crate) fn all_known() -> Result<(), String> {
    let blocks = blocks();
    let unknown = blocks.iter().find(|block| block.known().is_none());
    if let Some(block) = unknown {
        return Err(format!("say in SHOWN what must become of {block:?}"));
    }
    if blocks.len() == SHOWN.len() {
        return Ok(());
    }
    Err(format!(
        "{} blocks for {}: {blocks:?}",
        blocks.len(),
        SHOWN.len()
    ))
}
