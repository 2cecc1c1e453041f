# The commands of this project. `make help` lists them.

.DEFAULT_GOAL := help
CARGO ?= cargo
PYTHON ?= python3
# Where Cargo builds.
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
VENV := .venv
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check
MAX_PLUGIN_BYTES := 8000000

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Without naming the one crate type, Cargo would leave out link-time optimisation, as the tests' rlib can't have it.
.PHONY: build
build: ## Build the plugin: dist/firehose.so
	$(CARGO) rustc --locked --release --package fluent-bit-firehose --lib --crate-type cdylib
	@mkdir -p dist
	@install -m 0755 $(TARGET_DIR)/release/libfirehose.so dist/firehose.so
	@size=$$(wc -c < dist/firehose.so); echo "dist/firehose.so: $$size bytes"; \
	if [ "$$size" -gt $(MAX_PLUGIN_BYTES) ]; then \
		echo "error: dist/firehose.so is over $(MAX_PLUGIN_BYTES) bytes"; exit 1; \
	fi

# ARCH=x86_64 or aarch64 builds for the other machine. Amazon Linux 2 has glibc 2.26.
ARCH ?= $(shell uname -m)
GLIBC := 2.26
PACKAGE_TARGET = $(ARCH)-unknown-linux-gnu

.PHONY: package
package: $(VENV)/package.stamp ## Pack the plugin for ARCH: dist/fluent-bit-firehose-*.tar.gz
	@test -d "$$(rustc --print target-libdir --target $(PACKAGE_TARGET))" || { \
		echo "error: Rust cannot build for $(ARCH) here: rustup target add $(PACKAGE_TARGET)"; exit 1; }
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" cargo-zigbuild rustc --locked --release --target $(PACKAGE_TARGET).$(GLIBC) \
		--package fluent-bit-firehose --lib --crate-type cdylib
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" cargo-zigbuild zigbuild --locked --release --target $(PACKAGE_TARGET).$(GLIBC) \
		--package healthcheck
	$(VENV)/bin/python -B package/pack.py --arch $(ARCH) --glibc $(GLIBC) --bytes $(MAX_PLUGIN_BYTES) --into dist \
		--plugin $(TARGET_DIR)/$(PACKAGE_TARGET)/release/libfirehose.so \
		--healthcheck $(TARGET_DIR)/$(PACKAGE_TARGET)/release/healthcheck

# The fake Firehose, the small host, the image's health check, and what instructions are counted
# of, as programs.
.PHONY: tools
tools:
	$(CARGO) build --locked --release --package fake-firehose --package firehose-host --package healthcheck \
		--package firehose-instructions

# The bases: the official image, of a version that the tests run with, and AWS's. A registry could move a tag: to rule that
# out, add the digest that `docker buildx imagetools inspect IMAGE:TAG` shows.
BASE ?= fluent-bit
BASE_fluent-bit := docker.io/fluent/fluent-bit:5.1.1
BASE_aws-for-fluent-bit := public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.15
BASE_IMAGE = $(or $(BASE_$(BASE)),$(error BASE is "$(BASE)": give fluent-bit or aws-for-fluent-bit))

# PACKAGES names packages that are there, such as a release's: then nothing is compiled. For both architectures give one of
# each, IMAGE_FLAGS="--platform linux/amd64,linux/arm64 --push", and IMAGE with a registry.
VERSION := $(shell awk -F '"' '/^version = / { print $$2; exit }' Cargo.toml)
PACKAGE = dist/fluent-bit-firehose-$(VERSION)-linux-$(ARCH).tar.gz
PACKAGES ?= $(PACKAGE)
IMAGE ?= fluent-bit-firehose
IMAGE_FLAGS ?= --load
# Where the project's files can be read; the image's labels name it.
SOURCE ?= $(if $(GITHUB_REPOSITORY),$(GITHUB_SERVER_URL)/$(GITHUB_REPOSITORY))
IMAGE_LABELS = --build-arg SOURCE=$(SOURCE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD)
IMAGE_CONTEXT := dist/image

.PHONY: image
image: $(if $(filter file,$(origin PACKAGES)),package) ## Build the container image; BASE=aws-for-fluent-bit puts it on AWS's
	@docker buildx version > /dev/null 2>&1 || { echo "error: docker with its plugin buildx is needed"; exit 1; }
	fluent-bit/context.sh $(IMAGE_CONTEXT) $(PACKAGES)
	docker buildx build --file fluent-bit/Dockerfile --build-arg BASE=$(BASE_IMAGE) $(IMAGE_LABELS) --tag $(IMAGE) \
		$(IMAGE_FLAGS) $(IMAGE_CONTEXT)

# Needs buildah and a fluent-bit on PATH, but no engine, no registry and, with newuidmap, no privileges.
.PHONY: image-test
image-test: $(if $(filter file,$(origin PACKAGES)),package) ## Build the image on both bases by buildah, and run it
	$(CARGO) build --locked --release --package fake-firehose
	fluent-bit/context.sh $(IMAGE_CONTEXT) $(PACKAGES)
	$(if $(filter 0,$(shell id -u)),,buildah unshare) $(PYTHON) -B tests/image/run.py --context $(IMAGE_CONTEXT) \
		--fake-firehose $(TARGET_DIR)/release/fake-firehose --version $(VERSION)

DEMO_FLAGS ?=

.PHONY: demo
demo: build tools $(VENV)/demo.stamp ## Show the whole system on loopback: logs, Firehose, Parquet, Athena, bill
	$(CARGO) build --locked --release --package firehose-logs
	$(VENV)/bin/python -B demo/demo.py --plugin dist/firehose.so \
		--host-bin $(TARGET_DIR)/release/firehose-host \
		--logs-bin $(TARGET_DIR)/release/firehose-logs $(DEMO_FLAGS)

TEST_BEGINS := $(shell date +%s)

.PHONY: test
test: build test-alerts test-demo test-rust ## Check formatting and lints, run the tests
	@echo "make test took $$(($$(date +%s) - $(TEST_BEGINS))) s. It left to a release:"; \
	echo "  make test-commands (every command of the pages)"; \
	echo "  make image-test (the image, built and run)"; \
	echo "  make test-hosts (every Fluent Bit on PATH)"; \
	command -v fluent-bit > /dev/null || \
		echo "NOT TESTED: the plugin in the real host, for want of a fluent-bit on PATH"

# The fuzzer's programs are a workspace of their own, whose lock file must follow this one's. More tests than processors
# run at a time: most wait for a time-out or an answer.
.PHONY: test-rust
test-rust:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	$(CARGO) tree --locked --manifest-path fuzz/Cargo.toml > /dev/null
	$(CARGO) build --locked --release --package firehose-instructions
	RUST_TEST_THREADS=8 $(CARGO) test --locked --workspace --no-fail-fast

# `make test` leaves out what builds programs anew or takes minutes. What is only checked is not linked: libFuzzer, which
# wants a C++ compiler, is named but not built.
.PHONY: test-commands
test-commands: build ## Run every command of the pages, also those that take minutes
	CUSTOM_LIBFUZZER_PATH=$(abspath $(TARGET_DIR))/libfuzzer.a \
		$(CARGO) check --locked --manifest-path fuzz/Cargo.toml --target-dir $(TARGET_DIR)
	$(CARGO) test --locked --test commands -- --include-ignored

# `make test` takes the first one that there is.
.PHONY: test-hosts
test-hosts: build ## Run the tests of the real host with every Fluent Bit on PATH
	$(CARGO) build --locked --package healthcheck
	FLUENT_BITS=all $(CARGO) test --locked --test fluent_bit

PROMETHEUS := $(TARGET_DIR)/prometheus

# The alert rules, and when each fires.
.PHONY: test-alerts
test-alerts:
	@promtool=$$(deploy/prometheus/find.sh promtool $(PROMETHEUS)) || { \
		test $$? = 3 || exit 1; \
		echo "NOT CHECKED: deploy/prometheus/alerts.yml, for want of promtool"; exit 0; }; \
	$$promtool check rules deploy/prometheus/alerts.yml && \
	$$promtool test rules deploy/prometheus/alerts_test.yml && \
	mkdir -p $(PROMETHEUS) && \
	$(PYTHON) -B deploy/prometheus/fleet.py $(abspath deploy/prometheus/alerts.yml) > $(PROMETHEUS)/fleet.yml && \
	$$promtool test rules $(PROMETHEUS)/fleet.yml

# What deploys the system, its pages, the demo's arithmetic and stories, and what is packed. The stories need programs
# that test-rust builds as well.
.PHONY: test-demo
test-demo: build $(VENV)/lint.stamp
	$(CARGO) build --locked --package firehose-host --package firehose-logs
	$(VENV)/bin/hadolint fluent-bit/Dockerfile
	$(VENV)/bin/cfn-lint deploy/cloudformation.yaml deploy/ecs/*.yaml deploy/streams/*.yaml deploy/kubernetes/role.yaml
	$(VENV)/bin/shellcheck deploy/prometheus/find.sh deploy/elastic-beanstalk/.platform/*/prebuild/login.sh \
		fluent-bit/context.sh .github/*.sh
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/*/docker-compose.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/zizmor --offline --quiet .github/workflows
	PYTHONPATH=demo $(VENV)/bin/python -B -m unittest discover deploy/tests
	$(VENV)/bin/python -B -m unittest discover demo
	$(VENV)/bin/python -B -m unittest discover package

$(VENV)/venv.stamp:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or later is needed" if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo.stamp: demo/requirements.txt $(VENV)/venv.stamp
	$(PIP) --requirement $<
	@touch $@

$(VENV)/package.stamp: package/requirements.txt $(VENV)/venv.stamp
	$(PIP) --requirement $<
	@touch $@

$(VENV)/lint.stamp: deploy/requirements.txt fluent-bit/requirements.txt $(VENV)/demo.stamp
	$(PIP) --requirement deploy/requirements.txt --requirement fluent-bit/requirements.txt
	@touch $@

WATCH_FLAGS ?=

.PHONY: watch
watch: build tools ## Watch the plugin with a Prometheus while its stream throttles: docs/dashboard.svg
	@prometheus=$$(deploy/prometheus/find.sh prometheus $(PROMETHEUS)) && \
	$(PYTHON) -B demo/watch.py --plugin dist/firehose.so \
		--fake-firehose $(TARGET_DIR)/release/fake-firehose \
		--prometheus $$prometheus --svg docs/dashboard.svg $(WATCH_FLAGS)

# cargo-fuzz wants a nightly compiler; RUSTC_BOOTSTRAP lets a stable one do.
TARGET ?= chunk
INPUT ?=
FUZZ_SEEDS = $(wildcard fuzz/seeds/$(TARGET)) \
	$(if $(filter chunk pack,$(TARGET)),fuzz/seeds/chunk $(dir $(wildcard tests/chunks/*/tail-json.msgpack)))

CARGO_FUZZ := $(TARGET_DIR)/cargo-fuzz

$(CARGO_FUZZ)/bin/cargo-fuzz:
	$(CARGO) install --locked --version 0.13.2 --root $(CARGO_FUZZ) cargo-fuzz

.PHONY: fuzz
fuzz: SECONDS ?= 60
fuzz: $(CARGO_FUZZ)/bin/cargo-fuzz ## Look for input that breaks a TARGET (chunk, pack, config, replies) for SECONDS
	@mkdir -p fuzz/corpus/$(TARGET)
	RUSTC_BOOTSTRAP=1 $< run $(TARGET) $(if $(INPUT),$(INPUT),\
		fuzz/corpus/$(TARGET) $(FUZZ_SEEDS) -- -max_total_time=$(SECONDS) -max_len=65536 -timeout=90)

# The tests of the C ABI under memcheck, with a plugin that has its symbols. Left out are those
# that take minutes there; the others go one by one, as memcheck runs one thread at a time and calls have time-outs.
MEMCHECK = valgrind --quiet --error-exitcode=9 --fair-sched=yes --num-callers=40 \
	--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
	--suppressions=$(CURDIR)/tests/valgrind.supp
MEMCHECK_TEST = FIREHOSE_PLUGIN=$(abspath $(TARGET_DIR))/debug/libfirehose.so \
	$(CARGO) --config "target.'cfg(unix)'.runner='$(MEMCHECK)'" test --locked

.PHONY: sanitize
sanitize: ## Run the tests of the C ABI under Valgrind
	@command -v valgrind || { echo "error: valgrind is needed"; exit 1; }
	$(CARGO) build --locked --lib
	$(MEMCHECK_TEST) --test plugin_exports --test plugin_1_9
	$(MEMCHECK_TEST) --test plugin -- --test-threads 1 configuration:: delivery::plain hostile::a_ hostile::bytes \
		hostile::text instances::a_ instances::two

# What is pure is judged by its own tests, with fewer histories for each mutant than `make test` plays. The fleet's tests
# judge only pace, gate and bucket, and take longer than all others: they are left out, unless FLEET=fleet adds them. A
# mutant that makes the tests hang is caught too.
CARGO_MUTANTS := $(TARGET_DIR)/cargo-mutants
MUTANTS_FLAGS ?=
MUTANTS_TESTS = --lib $(addprefix --test=,documents outputs pace simulation $(FLEET))
MUTANTS_SHARE = import json, sys; found = json.load(open(sys.argv[1])); caught = found["caught"] + found["timeout"]; \
	viable = caught + found["missed"]; share = 100 * caught / max(viable, 1); \
	print(f"caught {caught} of {viable} viable mutants: {share:.1f} %"); sys.exit(share < 95)

$(CARGO_MUTANTS)/bin/cargo-mutants:
	$(CARGO) install --locked --version 27.1.0 --root $(CARGO_MUTANTS) cargo-mutants

CARGO_DENY := $(TARGET_DIR)/cargo-deny

$(CARGO_DENY)/bin/cargo-deny:
	$(CARGO) install --locked --version 0.20.2 --root $(CARGO_DENY) cargo-deny

.PHONY: deny
deny: $(CARGO_DENY)/bin/cargo-deny ## Check licences, banned crates and sources of all dependencies
	$< --locked check licenses bans sources

# Fetches the list of known faults: https://github.com/RustSec/advisory-db
.PHONY: audit
audit: $(CARGO_DENY)/bin/cargo-deny ## Look for dependencies with known faults (RustSec)
	$< --locked check advisories

.PHONY: simulate
simulate: HISTORIES ?= 10000000
simulate: ## Play HISTORIES of the delivery of a stream in virtual time
	HISTORIES=$(HISTORIES) $(CARGO) test --locked --release --package firehose-core --test simulation

# cargo-mutants ends with 2 or 3 where mutants were missed or hung; under 95 % caught is what fails here.
.PHONY: mutants
mutants: $(CARGO_MUTANTS)/bin/cargo-mutants ## Judge the tests of the pure part: which changes of its code they miss
	HISTORIES=1000 PROPTEST_CASES=32 $< mutants --package firehose-core --profile mutants --output $(TARGET_DIR) \
		--minimum-test-timeout 60 $(addprefix --cargo-arg=,$(MUTANTS_TESTS)) $(MUTANTS_FLAGS) \
		|| test $$? -eq 2 -o $$? -eq 3
	@$(PYTHON) -c '$(MUTANTS_SHARE)' $(TARGET_DIR)/mutants.out/outcomes.json

.PHONY: instructions
instructions: ## Count the instructions an event takes, and compare them with the budget
	$(CARGO) build --locked --release --package firehose-instructions
	$(CARGO) test --locked --test instructions -- --nocapture

BENCH_FLAGS ?=

.PHONY: bench
bench: build ## Compare CPU, memory, calls and the bill with Fluent Bit's own output, and with the targets
	$(CARGO) build --locked --release --package firehose-measure
	$(TARGET_DIR)/release/firehose-measure bench --svg docs $(BENCH_FLAGS)

# Sample logs for `make schema` and `make bill`; without any they take the demo's.
SAMPLE := $(TARGET_DIR)/sample.jsonl
LOGS ?= $(SAMPLE)

$(SAMPLE): demo/sample.py demo/generator.py
	@mkdir -p $(TARGET_DIR)
	@$(PYTHON) -B demo/sample.py > $@

SCHEMA_FLAGS ?=

.PHONY: schema
schema: $(filter $(SAMPLE),$(LOGS)) ## Print the Glue columns of LOGS, or what TABLE would lose of them; or those that the plugin's LOG asks for
	@$(CARGO) build --locked --release --package firehose-logs
	@$(TARGET_DIR)/release/firehose-logs schema \
		$(if $(TABLE),--table $(TABLE)) $(SCHEMA_FLAGS) $(if $(LOG),--told $(LOG),$(LOGS))

BILL_FLAGS ?=

.PHONY: bill
bill: $(filter $(SAMPLE),$(LOGS)) ## Estimate a month of LOGS on CloudWatch Logs and Firehose: target/bill.svg
	@mkdir -p $(TARGET_DIR)
	@$(CARGO) build --locked --release --package firehose-logs
	@$(TARGET_DIR)/release/firehose-logs bill \
		$(if $(REGION),--region $(REGION)) $(if $(GB),--gb $(GB)) \
		$(if $(LINES_PER_SECOND),--lines-per-second $(LINES_PER_SECOND)) \
		$(if $(SIDECARS),--sidecars $(SIDECARS)) $(if $(FLUSH),--flush $(FLUSH)) \
		--svg $(TARGET_DIR)/bill.svg $(BILL_FLAGS) $(LOGS)

TRIALS_FLAGS ?=

.PHONY: trials
trials: build ## Tell reliability stories to this output and Fluent Bit's own
	$(CARGO) build --locked --release --package firehose-measure
	$(TARGET_DIR)/release/firehose-measure trials $(TRIALS_FLAGS)

SOAK_FLAGS ?=

.PHONY: soak
soak: SECONDS ?= 600
soak: build ## Run for SECONDS under random faults, kills and reloads: target/soak.svg
	$(CARGO) build --locked --release --package firehose-measure
	$(TARGET_DIR)/release/firehose-measure soak --seconds $(SECONDS) --svg $(TARGET_DIR)/soak.svg $(SOAK_FLAGS)

.PHONY: clean
clean: ## Remove everything that was built or installed here
	$(CARGO) clean
	rm -rf dist $(VENV) fuzz/target fuzz/corpus fuzz/artifacts
