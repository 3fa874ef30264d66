# One command runs what CI runs: `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help test

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

test: ## format, lints, licences, every test; what CI runs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --locked
