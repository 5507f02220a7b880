# The commands of this repository. `make` alone lists them.
#
# They want a Rust toolchain (the version in rust-toolchain.toml), a C compiler, and make.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One debug profile and one selection of packages for all of them, so that each finds built what the others built.
CARGO ?= cargo
BUILD := $(CARGO) build --workspace --bins
TARGET := $(or $(CARGO_TARGET_DIR),target)
POD := $(TARGET)/debug/pod
# Runners swallow what a test says that passes: skipped tests write their reasons here.
SKIPPED := $(abspath $(TARGET))/skipped-tests.txt
PROFILE := $(if $(CI),ci,default)

.PHONY: help build demo up test bench bench-loader bench-context quality bench-instructions fuzz check conformance

help: ## Lists these commands.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-19s %s\n' "$$name" "$$text"; done

build: ## Builds all binaries, unoptimised.
	@[ -e '$(TARGET)/debug/ambassador' ] || echo "Building the binaries and the crates they use with the dev profile; this first time takes a few minutes."
	@$(BUILD)

demo: build ## Runs the pod on localhost, shows a set loaded, passages found, a request answered and a failover, and ends by itself.
	@$(POD) demo

up: build ## Leaves the pod running on localhost, in the foreground, until Ctrl-C.
	@$(POD) up

test: build ## Runs all tests, with cargo-nextest where it is installed, else with cargo test.
	@rm -f '$(SKIPPED)'
	@export SKIPPED_TESTS='$(SKIPPED)'; \
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --profile $(PROFILE); \
		echo "The examples in the documentation:"; \
		$(CARGO) test --workspace --doc; \
	else \
		echo "cargo-nextest is not installed; cargo test runs them as well."; \
		$(CARGO) test --workspace --no-fail-fast; \
	fi
	@if [ -s '$(SKIPPED)' ]; then echo "Not run here:"; cat '$(SKIPPED)'; fi

bench: ## Measures the ambassador beside its upstream and nginx (optimised build: takes a while).
	@echo "Building with the release profile, which takes several minutes the first time."
	@$(CARGO) build --release -p ambassador --bins
	@$(CARGO) run --release -p bench

# As it ships: one file, which needs no other.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

# A directory that is mounted as a kubelet mounts an emptyDir, for as long as a command runs.
EMPTY_DIR = $(TARGET)/tmp/config
IN_EMPTY_DIR = mkdir -p '$(EMPTY_DIR)' '$(TARGET)/tmp/kubernetes.io~empty-dir/config' && unshare -rm sh -c \
	'mount --bind "$$0/kubernetes.io~empty-dir/config" "$$0/config" && exec "$$@"' '$(TARGET)/tmp'

bench-loader: ## Measures the config-loader, as it ships, beside wget and curl (optimised build: takes a while).
	@echo "Building with the release profile, which takes several minutes the first time."
	@RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --profile small --locked --target $(HOST) -p config-loader
	@$(CARGO) build --release -p bench
	@$(IN_EMPTY_DIR) '$(TARGET)/release/bench' loader --loader '$(TARGET)/$(HOST)/small/config-loader' --folder '$(EMPTY_DIR)'

bench-context: ## Measures how good, how fast and how large the context-sidecar is (optimised build: takes a while).
	@echo "Building with the release profile, which takes several minutes the first time."
	@$(CARGO) build --release --locked -p context-sidecar
	@$(CARGO) run --release -p bench -- context --sidecar '$(TARGET)/release/context-sidecar'

quality: ## Measures what the context-sidecar finds, by words and by meaning, with a real model (MINILM_PYTHON names a Python with it).
	@$(CARGO) test --release -p context-sidecar --test pipeline quality -- --include-ignored --nocapture --test-threads 1

# The runner and the library must be of one version, which Cargo.lock knows.
RUNNER = $(shell sed -n '/^name = "gungraun-runner"$$/{n;s/^version = "\(.*\)"/\1/p}' Cargo.lock)

bench-instructions: ## Counts the instructions of the hot path under Valgrind and holds them to their budget.
	@missing=; \
	command -v valgrind >/dev/null || missing="valgrind (apt-get install valgrind)"; \
	"$${GUNGRAUN_RUNNER:-gungraun-runner}" --version 2>/dev/null | grep -qF '$(RUNNER)' \
		|| missing="$${missing:+$$missing, }gungraun-runner (cargo install gungraun-runner --version =$(RUNNER))"; \
	if [ -n "$$missing" ]; then \
		echo "Not installed: $$missing. Nothing was counted."; \
		[ "$${REQUIRE_ALL:-}" != 1 ]; \
	else \
		$(CARGO) bench -p ambassador-core --bench instructions; \
	fi

FUZZ_SECONDS ?= 60

fuzz: ## Fuzzes each target of fuzz/ for a minute (FUZZ_SECONDS), with cargo-fuzz and a nightly compiler.
	@if ! cargo-fuzz --version >/dev/null 2>&1; then \
		echo "cargo-fuzz is not installed (cargo install --locked cargo-fuzz). The seeds are replayed by make test all the same."; \
	elif ! $(CARGO) +nightly --version >/dev/null 2>&1; then \
		echo "There is no nightly compiler (rustup toolchain install nightly). The seeds are replayed by make test all the same."; \
	else \
		cd fuzz && for target in fuzz_targets/*.rs; do \
			name=$$(basename "$$target" .rs); mkdir -p "corpus/$$name"; \
			$(CARGO) +nightly fuzz run --fuzz-dir . --sanitizer none --target-dir '$(abspath $(TARGET))/fuzz' "$$name" \
				"corpus/$$name" "seeds/$$name" -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=16384; \
		done; \
	fi

check: ## Formatting, lints, and what may come in from outside (cargo-deny, where it is installed).
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny check bans licenses sources; \
		if $(CARGO) deny fetch db >/dev/null 2>&1; then \
			$(CARGO) deny check advisories; \
		else \
			echo "The advisory database cannot be fetched from here: advisories were not checked."; \
		fi; \
	else \
		echo "cargo-deny is not installed (cargo install --locked cargo-deny): what comes in from outside was not checked."; \
		[ "$${REQUIRE_ALL:-}" != 1 ]; \
	fi

conformance: build ## Real clients (Python SDKs and frameworks) against the ambassador, where ../shared/conformance is (installs Python packages into target).
	@tests/conformance.sh
