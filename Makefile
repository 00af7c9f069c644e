# What can be done here. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export DEMO_EXIT PICTURES PRETRAINED BACKBONE CUDA

PICTURES ?=
PRETRAINED ?=
BACKBONE ?=
BIN := target/release

.PHONY: help bootstrap dashboard build up demo test check bench gen clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

bootstrap: ## fetch libtorch, OpenVINO, PostgreSQL and ONNX Runtime into .deps (CUDA=1 for GPUs); needs no root
	@deploy/local/bootstrap

dashboard: ## build the web dashboard into dashboard/dist
	@deploy/local/dashboard

build: bootstrap dashboard ## bootstrap and build target/release/lookalike and lookalike-worker
	@cargo build --release --locked --workspace

up: build ## start everything on this machine and serve until Ctrl-C
	@$(BIN)/lookalike up

demo: build ## draw pictures, train, index, search, evaluate (PICTURES=dir PRETRAINED=file BACKBONE=name DEMO_EXIT=1)
	@deploy/local/demo

test: bootstrap dashboard ## every ring of tests, the browser's included
	@deploy/local/test

check: bootstrap ## formatting, lints, licences and advisories, dashboard lints
	@cargo fmt --all --check
	@cargo clippy --release --locked --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check; else echo "cargo-deny is not installed: cargo install --locked cargo-deny"; fi
	@cd dashboard && npm run --silent lint && npm run --silent typecheck

bench: build ## measure against the limits of this machine; writes target/bench.json
	@deploy/local/bench

gen: bootstrap dashboard ## generate what is generated: checked queries, OpenAPI document, dashboard types, env example, settings table
	@deploy/local/gen

clean: ## remove what was built, but not .deps
	@rm -rf target dashboard/dist dashboard/node_modules
