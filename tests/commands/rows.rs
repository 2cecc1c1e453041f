//! The commands, and what is run for them.

use crate::needs::Need;
use crate::needs::Need::{Minutes, Program, Prometheus, Target};

pub(crate) struct Row {
    /// As the pages have them.
    pub(crate) written: &'static [&'static str],
    /// What is run in their place, in the project's folder. `{folder}` is one for what is made.
    pub(crate) run: &'static str,
    /// A part of what is then printed.
    pub(crate) prints: &'static str,
    pub(crate) needs: &'static [Need],
}

const FLUENT_BIT: Need = Program("fluent-bit");

pub(crate) const ROWS: &[Row] = &[
    Row {
        written: &["make build"],
        run: "make build",
        prints: "dist/firehose.so: ",
        needs: &[],
    },
    Row {
        written: &["make demo"],
        run: "make demo DEMO_FLAGS='--lines 2000'",
        prints: "Every answer is right.",
        needs: &[Minutes],
    },
    Row {
        written: &["make image"],
        run: "make .venv/demo.stamp && make image",
        prints: "--build-arg BASE=docker.io/fluent/fluent-bit:",
        needs: &[Minutes],
    },
    Row {
        written: &["BASE=aws-for-fluent-bit"],
        run: "make .venv/demo.stamp && make image PACKAGES= BASE=aws-for-fluent-bit",
        prints: "--build-arg BASE=public.ecr.aws/aws-observability/aws-for-fluent-bit:",
        needs: &[],
    },
    Row {
        written: &[r#"IMAGE_FLAGS="--platform linux/amd64 --load""#],
        run: r#"make .venv/demo.stamp && make image PACKAGES= IMAGE_FLAGS="--platform linux/amd64 --load""#,
        prints: "--platform linux/amd64 --load dist/image",
        needs: &[],
    },
    Row {
        written: &["PACKAGES="],
        run: "make .venv/demo.stamp && make package && \
              make image PACKAGES=\"$(echo dist/fluent-bit-firehose-*.tar.gz)\"",
        prints: "fluent-bit/context.sh dist/image dist/fluent-bit-firehose-",
        needs: &[Minutes],
    },
    Row {
        written: &["make image-test"],
        run: "make image-test",
        prints: "image on aws-for-fluent-bit: built, delivered a line, was healthy, stopped",
        needs: &[FLUENT_BIT, Program("buildah"), Minutes],
    },
    Row {
        written: &[
            "make schema",
            "make schema LOGS=file",
            "make schema LOGS=sample.jsonl",
        ],
        run: "make schema LOGS={folder}/sample.jsonl",
        prints: "CREATE EXTERNAL TABLE",
        needs: &[Minutes],
    },
    Row {
        written: &[
            "TABLE=",
            "TABLE=file",
            "make schema LOGS=sample.jsonl TABLE=deploy/cloudformation.yaml",
        ],
        run: "make schema LOGS={folder}/sample.jsonl TABLE=deploy/cloudformation.yaml",
        prints: "`http` loses nothing",
        needs: &[Minutes],
    },
    Row {
        written: &["make schema LOGS=sample.jsonl TABLE=table.json"],
        run: "! make schema LOGS={folder}/sample.jsonl TABLE={folder}/table.json",
        prints: "LOST",
        needs: &[Minutes],
    },
    Row {
        written: &["LOG=file", "make schema LOG=fluent-bit.log"],
        run: "make schema LOG={folder}/fluent-bit.log",
        prints: r#"Name: "plan""#,
        needs: &[Minutes],
    },
    Row {
        written: &["make schema LOG=fluent-bit.log TABLE=table.json"],
        run: "make schema LOG={folder}/fluent-bit.log TABLE={folder}/table.json",
        prints: r#"Name: "plan""#,
        needs: &[Minutes],
    },
    Row {
        written: &[r#"SCHEMA_FLAGS="--map ts=timestamp""#],
        run: r#"make schema LOGS={folder}/sample.jsonl SCHEMA_FLAGS="--map ts=timestamp""#,
        prints: r#"Name: "ts""#,
        needs: &[Minutes],
    },
    Row {
        written: &[r#"SCHEMA_FLAGS="--name http""#],
        run: "make schema LOGS={folder}/sample.jsonl TABLE=deploy/cloudformation.yaml \
              SCHEMA_FLAGS='--name http'",
        prints: "`http` loses nothing",
        needs: &[Minutes],
    },
    Row {
        written: &["make bill", "make bill LOGS=file"],
        run: "make bill LOGS={folder}/sample.jsonl BILL_FLAGS='--svg {folder}/bill.svg'",
        prints: "simple_aggregation",
        needs: &[Minutes],
    },
    Row {
        written: &["make bill LOGS=sample.jsonl GB=100"],
        run: "make bill LOGS={folder}/sample.jsonl GB=100",
        prints: "100 GB",
        needs: &[Minutes],
    },
    Row {
        written: &["make bill LOGS=sample.jsonl LINES_PER_SECOND=50 SIDECARS=10"],
        run: "make bill LOGS={folder}/sample.jsonl LINES_PER_SECOND=50 SIDECARS=10",
        prints: "each of 10 sidecars",
        needs: &[Minutes],
    },
    Row {
        written: &["make instructions"],
        run: "make instructions",
        prints: "test result: ok",
        needs: &[Minutes],
    },
    Row {
        written: &["make bench"],
        run: "make bench BENCH_FLAGS='--lines 2000 --rounds 1 --seconds 6 --svg {folder}'",
        prints: "| idle",
        needs: &[FLUENT_BIT, Minutes],
    },
    Row {
        written: &[r#"BENCH_FLAGS="--part tags""#],
        run: r#"make bench BENCH_FLAGS="--part tags --seconds 6""#,
        prints: "| 100 tags",
        needs: &[FLUENT_BIT, Minutes],
    },
    Row {
        written: &["make trials", r#"TRIALS_FLAGS="--story kill""#],
        run: r#"make trials TRIALS_FLAGS="--story kill""#,
        prints: "| kill",
        needs: &[FLUENT_BIT, Minutes],
    },
    Row {
        written: &["make soak", "SECONDS=60"],
        run: "make soak SECONDS=10 SOAK_FLAGS='--svg {folder}/soak.svg'",
        prints: "lost 0",
        needs: &[FLUENT_BIT, Minutes],
    },
    Row {
        written: &["make watch"],
        run: "make watch WATCH_FLAGS='--seconds 20 --svg {folder}/dashboard.svg'",
        prints: "panels",
        needs: &[FLUENT_BIT, Prometheus, Minutes],
    },
    Row {
        written: &["cargo bench", "cargo bench -- deep"],
        run: "cargo bench --locked -- --test && cargo bench --locked -- deep --test",
        prints: "transcode/deep",
        needs: &[Minutes],
    },
    Row {
        written: &["cargo test -p firehose-core"],
        run: "HISTORIES=1000 PROPTEST_CASES=8 cargo test --locked -p firehose-core",
        prints: "test result: ok",
        needs: &[Minutes],
    },
    Row {
        written: &["cargo test --test pages"],
        run: "cargo test --locked --test pages",
        prints: "test result: ok",
        needs: &[Minutes],
    },
    Row {
        written: &["cargo test --test plugin"],
        run: "make build && cargo test --locked --test plugin",
        prints: "test result: ok",
        needs: &[Minutes],
    },
    Row {
        written: &["cargo test --test fluent_bit", "cargo build -p healthcheck"],
        run: "make build && cargo build --locked -p healthcheck && \
              cargo test --locked --test fluent_bit",
        prints: "test result: ok",
        needs: &[Minutes],
    },
    Row {
        written: &["cargo update --workspace"],
        run: "cargo update --workspace --locked --offline",
        prints: "",
        needs: &[],
    },
    Row {
        written: &["make fuzz", "make fuzz TARGET=chunk SECONDS=60"],
        run: "for target in chunk pack config replies; do make fuzz TARGET=$target SECONDS=5; done",
        prints: "",
        needs: &[Program("c++"), Minutes],
    },
    Row {
        written: &["make fuzz TARGET=... INPUT=file"],
        run: "make fuzz TARGET=chunk INPUT=fuzz/seeds/chunk/bombs.msgpack",
        prints: "",
        needs: &[Program("c++"), Minutes],
    },
    Row {
        written: &["make sanitize"],
        run: "make sanitize",
        prints: "test result: ok",
        needs: &[Program("valgrind"), Minutes],
    },
    Row {
        written: &["make simulate", "make simulate HISTORIES=1000000"],
        run: "make simulate HISTORIES=1000",
        prints: "test result: ok",
        needs: &[Minutes],
    },
    Row {
        written: &[
            "make mutants",
            r#"MUTANTS_FLAGS="--file core/src/deliver/ledger.rs""#,
            r#"MUTANTS_FLAGS="--shard 0/20 --sharding round-robin""#,
        ],
        run: r#"make mutants MUTANTS_FLAGS="--file core/src/deliver/verdict.rs""#,
        prints: "caught",
        needs: &[Minutes],
    },
    Row {
        written: &["make deny"],
        run: "make deny",
        prints: "licenses ok",
        needs: &[Minutes],
    },
    Row {
        written: &["make package"],
        run: "make package",
        prints: "firehose.so has ",
        needs: &[Minutes],
    },
    Row {
        written: &["ARCH=aarch64"],
        run: "make package ARCH=aarch64",
        prints: "-linux-aarch64.tar.gz: ",
        needs: &[Target("aarch64-unknown-linux-gnu"), Minutes],
    },
];
