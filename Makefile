# The commands of this project. `make help` lists them.

.DEFAULT_GOAL := help
CARGO ?= cargo
PYTHON ?= python3
VENV := .venv
MAX_PLUGIN_BYTES := 9000000

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

.PHONY: test
test: build ## Check formatting and lints, run all tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	$(CARGO) build --locked --release --package fake-firehose --package firehose-host
	$(CARGO) test --locked --workspace

.PHONY: clean
clean: ## Remove everything that was built or installed here
	rm -rf target dist $(VENV)
