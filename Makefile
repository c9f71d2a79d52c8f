# Everything a fresh machine needs: cargo (rustup reads the toolchain), a C compiler, python3.
SHELL := /bin/bash
.DEFAULT_GOAL := help
ASSAY := target/debug/assay
CARGO := cargo --locked

.PHONY: help build agent fetch demo test system-test deploy-test check fmt-check clippy doc licenses fuzz-list bench fuzz openapi docs

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## A guest gets its secret, others are refused and told why; TEE=snp, cca, tdx or sgx; MODE=agent
	@$(if $(MODE),scripts/install-test-tools.sh)
	@scripts/build.sh
	@$(ASSAY) demo $(if $(TEE),--tee $(TEE)) $(if $(MODE),--mode $(MODE))

test: ## Every test: libraries, documentation, the real binary; one summary at the end
	@scripts/test.sh

system-test: ## Only the tests of the real binary
	@scripts/system-test.sh

deploy-test: ## Only the tests of what stands in deploy/; nothing is built
	@python3 scripts/deploy-test.py

check: fmt-check licenses fuzz-list clippy doc ## Format, licences, lints, documentation; quickest first

build: ## The programs, target/debug/assay and target/debug/assay-agent
	@scripts/build.sh

agent: ## The agent for release: one static file, under target/agent
	@scripts/build-agent.sh

fetch: # All sources of the lock file, so that everything after works offline.
	@$(CARGO) fetch --offline --quiet 2>/dev/null || $(CARGO) fetch

fmt-check:
	cargo fmt --all --check
	rustfmt --check --edition 2024 fuzz/fuzz_targets/*.rs

licenses: fetch
	python3 scripts/check-licenses.py

fuzz-list:
	python3 scripts/check-fuzz-targets.py

clippy: fetch
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc: fetch
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

bench: ## Benchmarks: the libraries (criterion), then the services under load
	$(CARGO) bench --workspace --benches
	$(CARGO) run --release -p assay -- bench

fuzz: ## Each fuzz target for SECONDS_EACH=20 seconds; needs nightly Rust and cargo-fuzz
	@scripts/fuzz.sh $(or $(SECONDS_EACH),20)

openapi: ## Writes openapi/assay.json from the types
	@scripts/build.sh
	@$(ASSAY) openapi > openapi/assay.json.new && mv openapi/assay.json.new openapi/assay.json

docs: openapi ## Writes openapi/assay.json, docs/catalogue.md and docs/metrics.md from the program
	@$(ASSAY) checks --markdown > docs/catalogue.md.new && mv docs/catalogue.md.new docs/catalogue.md
	@$(ASSAY) metrics --markdown > docs/metrics.md.new && mv docs/metrics.md.new docs/metrics.md
