# One command runs what CI runs: `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
# Every target with a description is an action, not a file.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\#.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

# SCRIPT=real has a PowerShell 7 (the one that PWSH names, else pwsh) run the SSM document's own text on the hosts.
# Without --workspace, so that the functions are built with the features that they are deployed with and no others.
demo: ## the three functions against a local AWS, as a story with a checked end; ARGS="--help" says what it takes
	cargo build --locked
	cargo run --locked --package tests --bin demo -- $(if $(filter real,$(SCRIPT)),--pwsh $${PWSH:-pwsh}) $(ARGS)

test: ## format, lints, licences, every test; what CI runs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo build --workspace --bins --locked
	cargo test --workspace --locked
	$(MAKE) dependencies
	$(MAKE) vouch
	$(MAKE) validate-template

# How many times the inputs that `make test` tries. A seed that fails is named, and tried first with FUZZ_SEED.
TIMES ?= 20
FUZZ_SEED ?= $(shell od -An -N7 -tu8 /dev/urandom | tr -d ' ')
fuzz: ## the properties of deciders and parsers, for longer and with a fresh seed: make fuzz TIMES=20 [FUZZ_SEED=…]
	FUZZ_SEED=$(FUZZ_SEED) FUZZ_TIMES=$(TIMES) cargo test --workspace --lib --test integration --locked -- --nocapture properties:: fuzz::

serve-aws: ## a local AWS with a fleet, until Ctrl-C; ARGS="--instances 40 --port 4566"
	cargo run -p tests --bin serve-aws --locked --quiet -- $(ARGS)

# The binary is one that `cargo test` builds anyway.
vouch: .venv/vouch/installed ## the local AWS against AWS's own service models, with boto3 and the AWS CLI
	cargo test --workspace --locked --no-run --quiet
	.venv/vouch/bin/python -m unittest discover --start-directory tests/vouch

# ---- The mapping script -------------------------------------------------------------------------------------------------

embed-document: ## write shared/document/map-share.ps1 into template.yaml
	cargo run --quiet --locked -p tests --bin embed-document

mutate-script: ## weaken the mapping script guard by guard; some test must fail each time (minutes; needs PowerShell 7)
	$${PWSH:-pwsh} -NoProfile -File shared/document/tests/mutate.ps1

# ---- Task definitions ---------------------------------------------------------------------------------------------------
# Built with the whole workspace's features, as `make test` builds what it depends on. make itself ends with 2 where the
# validator ends with 1 (an error among the findings) or 2 (something could not be checked).

validator := $${CARGO_TARGET_DIR:-target}/debug/examples/validate
build-validator := cargo build --quiet --locked --workspace --example validate

validate: ## checks task definitions: make validate FILE="taskdef.json 'infra/*.json'" [OPTIONS='--format sarif']
	@$(build-validator)
	@$(validator) $(OPTIONS) $(FILE)

rules-doc: ## makes functions/validate-task-definition/RULES.md from the rules
	@$(build-validator)
	$(validator) --rules > functions/validate-task-definition/RULES.md

# ---- Deployment ---------------------------------------------------------------------------------------------------------
# Each Python tool has a virtual environment of its own, with every package pinned, so that no two quarrel about versions.

PYTHON ?= python3
# x86_64 or arm64. arm64 needs the compiler's library for it: rustup target add aarch64-unknown-linux-gnu
ARCH ?= x86_64
target-option := $(if $(filter arm64,$(ARCH)),--arm64,--x86-64)
export SAM_CLI_TELEMETRY := 0
# cargo-lambda finds zig, which links for the glibc of provided.al2023 whatever the machine has, beside itself.
with-cargo-lambda := PATH="$(CURDIR)/.venv/cargo-lambda/bin:$$PATH"

define make-venv
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
endef

.PRECIOUS: .venv/%/installed
.venv/%/installed: tests/template/requirements/%.txt
	$(make-venv)

.venv/vouch/installed: tests/vouch/requirements.txt
	$(make-venv)

# How many moments of each fault, and how many instances.
MOMENTS ?= 200
INSTANCES ?= 100
scenarios: ## faults of a whole fleet at many random moments: make scenarios MOMENTS=200 INSTANCES=100
	cargo run --quiet --profile simulate --locked -p tests --bin scenarios -- $(MOMENTS) $(INSTANCES)

scale: ## docs/scale.md: up to 5,000 instances scale out in one wave (a model; minutes)
	cargo run --quiet --profile simulate --locked -p tests --bin scale -- docs

# How many histories of a simulated fleet, from which seed on; or the one of SEED, as a timeline.
SEEDS ?= 1000
FROM ?= 1
simulate: ## a simulated fleet that tries to break the promises: make simulate SEEDS=10000, or SEED=7 for one history
	cargo run --quiet --profile simulate --locked -p tests --bin simulate -- $(if $(SEED),--seed $(SEED),--from $(FROM) $(SEEDS))

teeth: ## defects that the simulation must find, one patch at a time: make teeth, or DEFECTS="hold-ignored no-doubt"
	$(PYTHON) tests/teeth/run.py $(DEFECTS)

dependencies: ## licences, duplicates and sources of the dependencies, offline
	$(PYTHON) tests/dependencies.py

validate-template: .venv/cfn-lint/installed .venv/aws-sam-cli/installed .venv/parliament/installed ## lints, policies, patterns, parameters, and what the README says of them
	.venv/cfn-lint/bin/cfn-lint template.yaml
	.venv/aws-sam-cli/bin/sam validate --lint --region us-east-1
	.venv/parliament/bin/python -m unittest discover --start-directory tests/template

build: .venv/aws-sam-cli/installed .venv/cargo-lambda/installed ## sam build
	$(with-cargo-lambda) .venv/aws-sam-cli/bin/sam build --parameter-overrides Architecture=$(ARCH)

package: .venv/cargo-lambda/installed .venv/package/installed ## dist/: three zips and a template that deploys them without Rust
	@test "$(ARCH)" != arm64 || test -d "$$(rustc --print target-libdir --target aarch64-unknown-linux-gnu)" || \
		{ echo "ARCH=arm64 needs the compiler's library: rustup target add aarch64-unknown-linux-gnu" >&2; exit 1; }
	$(with-cargo-lambda) cargo lambda build --release --locked $(target-option)
	.venv/package/bin/python tests/template/package.py $(ARCH)

# ---- What it costs ------------------------------------------------------------------------------------------------------

.venv/boto3/installed: tests/bench/boto3/requirements.txt
	$(make-venv)

# Where PyPI is not at hand, the tables lack Python's row.
bench: package bench-items ## init, memory, handshakes, calls, costs an item, beside a floor and boto3; writes docs/bench.md and the README's table
	-$(MAKE) .venv/boto3/installed
	$(with-cargo-lambda) cargo lambda build --release --locked $(target-option) --package floor
	rm -rf target/lambda/leanest && mv target/lambda/floor target/lambda/leanest
	$(with-cargo-lambda) cargo lambda build --release --locked $(target-option) --package floor --features documented
	for each in floor leanest; do .venv/package/bin/python tests/template/package.py $(ARCH) $$each target/bench || exit; done
	cargo bench --quiet --locked -p tests --bench bench --profile simulate

bench-items: ## costs an instance, an event's record, a task definition, without a call
	cargo bench --locked -p tests --bench decide --bench map_share --bench validate_task_definition --profile simulate

bench-calls: ## AWS calls made beside the fewest that pages allow
	cargo bench --locked -p tests --bench reconcile_calls --bench map_share_calls --profile simulate

# Built as `make demo` builds its own binary. Neither needs a quiet machine: no time is measured.
guard: ## after `make package`: sizes, handshakes, calls and instructions against tests/bench/reference.json
	cargo run --quiet --locked --package tests --bin guard

guard-reference: ## writes that reference anew, after a change that is meant
	cargo run --quiet --locked --package tests --bin guard -- --write

deploy: .venv/aws-sam-cli/installed ## builds, then asks for the parameters and deploys
	$(MAKE) build
	.venv/aws-sam-cli/bin/sam deploy --guided --parameter-overrides Architecture=$(ARCH)

report: ## the fleet of a deployed stack as a table: make report STACK=name [CLUSTER=name] [ALL=1]
	@test -n "$(STACK)" || { echo "usage: make report STACK=name [CLUSTER=name] [ALL=1]" >&2; exit 2; }
	@$(PYTHON) functions/drain-unmapped/report.py $(STACK) $(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(ALL),--all)

e2e: .venv/ministack/installed package ## the packaged functions, run by a local CloudFormation, EventBridge, SQS and Lambda
	.venv/ministack/bin/python tests/template/e2e.py
