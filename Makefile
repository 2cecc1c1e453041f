# The commands of this project. `make help` lists them.

.DEFAULT_GOAL := help
CARGO ?= cargo
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check
MAX_PLUGIN_BYTES := 9100000
DEMO := $(VENV)/bin/python -B demo/demo.py --plugin dist/firehose.so \
	--host-bin target/release/firehose-host

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the plugin: dist/firehose.so
	$(CARGO) build --locked --release --package fluent-bit-firehose
	@mkdir -p dist
	@install -m 0755 target/release/libfirehose.so dist/firehose.so
	@size=$$(wc -c < dist/firehose.so); echo "dist/firehose.so: $$size bytes"; \
	if [ "$$size" -gt $(MAX_PLUGIN_BYTES) ]; then \
		echo "error: dist/firehose.so is over $(MAX_PLUGIN_BYTES) bytes"; exit 1; \
	fi

# The fake Firehose and the small host, as programs.
.PHONY: tools
tools:
	$(CARGO) build --locked --release --package fake-firehose --package firehose-host

.PHONY: demo
demo: build tools $(VENV)/demo.stamp ## Show the whole system on loopback: logs, Firehose, Parquet, Athena, bill
	$(DEMO)

.PHONY: test
test: build tools test-alerts test-demo test-rust ## Check formatting and lints, run all tests

.PHONY: test-rust
test-rust:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	$(CARGO) test --locked --workspace

PROMETHEUS := target/prometheus

# The alert rules, and when each fires.
.PHONY: test-alerts
test-alerts:
	@promtool=$$(deploy/prometheus/find.sh promtool $(PROMETHEUS)) || { \
		test $$? = 3 || exit 1; \
		echo "NOT CHECKED: deploy/prometheus/alerts.yml, for want of promtool"; exit 0; }; \
	$$promtool check rules deploy/prometheus/alerts.yml && \
	$$promtool test rules deploy/prometheus/alerts_test.yml

# The template, the demo's arithmetic, and the plugin against the AWS emulator.
.PHONY: test-demo
test-demo: $(VENV)/lint.stamp
	$(VENV)/bin/cfn-lint deploy/cloudformation.yaml
	$(VENV)/bin/python -B -m unittest discover demo
	$(DEMO) --lines 400

$(VENV)/demo.stamp: demo/requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or later is needed" if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --requirement $<
	@touch $@

$(VENV)/lint.stamp: deploy/requirements.txt $(VENV)/demo.stamp
	$(PIP) --requirement $<
	@touch $@

# cargo-fuzz wants a nightly compiler; RUSTC_BOOTSTRAP lets a stable one do.
TARGET ?= chunk
INPUT ?=
FUZZ_SEEDS = $(wildcard fuzz/seeds/$(TARGET)) \
	$(if $(filter chunk pack,$(TARGET)),fuzz/seeds/chunk $(dir $(wildcard tests/chunks/*/tail-json.msgpack)))

.PHONY: fuzz
fuzz: SECONDS ?= 60
fuzz: ## Look for input that breaks a TARGET (chunk, pack, config, replies) for SECONDS
	@$(CARGO) fuzz --version || { echo "error: cargo-fuzz is missing: cargo install cargo-fuzz"; exit 1; }
	@mkdir -p fuzz/corpus/$(TARGET)
	RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $(TARGET) $(if $(INPUT),$(INPUT),\
		fuzz/corpus/$(TARGET) $(FUZZ_SEEDS) -- -max_total_time=$(SECONDS) -max_len=65536 -timeout=90)

# The tests of the C ABI under memcheck, with a plugin that has its symbols. Left out are those
# that take minutes there.
MEMCHECK = valgrind --quiet --error-exitcode=9 --fair-sched=yes --num-callers=40 \
	--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
	--suppressions=$(CURDIR)/tests/valgrind.supp
MEMCHECK_TEST = FIREHOSE_PLUGIN=$(CURDIR)/target/debug/libfirehose.so \
	$(CARGO) --config "target.'cfg(unix)'.runner='$(MEMCHECK)'" test --locked

.PHONY: sanitize
sanitize: ## Run the tests of the C ABI under Valgrind
	@command -v valgrind || { echo "error: valgrind is needed"; exit 1; }
	$(CARGO) build --locked --lib
	$(MEMCHECK_TEST) --test plugin_exports --test plugin_1_9
	$(MEMCHECK_TEST) --test plugin -- configuration:: delivery::plain hostile::a_ hostile::bytes \
		hostile::text instances::a_ instances::two

BENCH_FLAGS ?=

.PHONY: bench
bench: build tools ## Compare CPU, memory, calls and the bill with Fluent Bit's own output, and with the targets
	$(CARGO) build --locked --release --package firehose-bench
	target/release/firehose-bench --svg docs $(BENCH_FLAGS)

TRIALS_FLAGS ?=

.PHONY: trials
trials: build ## Tell reliability stories to this output and Fluent Bit's own
	$(CARGO) build --locked --release --package firehose-trials
	target/release/firehose-trials $(TRIALS_FLAGS)

SOAK_FLAGS ?=

.PHONY: soak
soak: SECONDS ?= 600
soak: build ## Run for SECONDS under random faults, kills and reloads: target/soak.svg
	$(CARGO) build --locked --release --package firehose-trials
	target/release/firehose-trials soak --seconds $(SECONDS) $(SOAK_FLAGS)

.PHONY: clean
clean: ## Remove everything that was built or installed here
	rm -rf target dist $(VENV) fuzz/target fuzz/corpus fuzz/artifacts
