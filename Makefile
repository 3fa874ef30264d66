# `make test` runs every test, `make ci` everything that CI runs. `make help` lists the rest.
.DEFAULT_GOAL := help
# Every target with a description is an action, not a file.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\#.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

# Cargo compiles a crate once for each set of features, and those of the dev-dependencies count only where a test or an
# example is built. So every program is built together with the examples: then the demo, the tests and the other targets
# share one build of the AWS SDK. The functions' debug binaries hence have the features that the tests switch on, too (tokio's
# `test-util`, for instance). `make package` and `make e2e` build what ships.
build-programs := cargo build --locked --workspace --bins --examples
programs := $${CARGO_TARGET_DIR:-target}/debug

# SCRIPT=real has a PowerShell 7 (the one that PWSH names, else pwsh) run the SSM document's own text on the hosts.
demo: ## the three functions against a local AWS, as a story with a checked end; ARGS="--help" says what it takes
	$(build-programs)
	$(programs)/demo $(if $(filter real,$(SCRIPT)),--pwsh $${PWSH:-pwsh}) $(ARGS)

# The list of what CI runs. guard and e2e read what package wrote.
CI_STEPS := test demo package guard e2e
ci: ## everything that CI runs, with the time that each step took
	@for step in $(CI_STEPS); do \
		echo "=== make $$step"; started=$$(date +%s); \
		$(MAKE) $$step || exit; \
		echo "=== make $$step took $$(($$(date +%s) - started)) s"; \
	done

test: ## format, lints, licences, every test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(build-programs)
	cargo test --workspace --locked
	$(MAKE) dependencies
	$(MAKE) conformance
	$(MAKE) validate-template

# How many times as many inputs as `make test` tries. proptest's default is 256 cases; the tests multiply theirs alike.
TIMES ?= 20
FUZZ_SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
fuzz: ## the property tests for longer, from a fresh seed: make fuzz TIMES=20 [FUZZ_SEED=…]
	seed=$(FUZZ_SEED); echo "FUZZ_SEED=$$seed"; \
	PROPTEST_RNG_SEED=$$seed PROPTEST_CASES=$$((256 * $(TIMES))) cargo test --workspace --lib --test integration --locked -- propert

serve-aws: ## a local AWS with a fleet, until Ctrl-C; ARGS="--instances 40 --port 4566"
	$(build-programs) --quiet
	$(programs)/serve-aws $(ARGS)

conformance: .venv/conformance/installed ## checks the local AWS against AWS's own service models, with boto3 and the AWS CLI
	$(build-programs) --quiet
	.venv/conformance/bin/python -m unittest discover --start-directory tests/conformance

# ---- The mapping script -------------------------------------------------------------------------------------------------

embed-document: ## write shared/document/map-share.ps1 into template.yaml
	$(build-programs) --quiet
	$(programs)/embed-document

mutate-script: ## change the mapping script in one place at a time; a test must fail each time (an hour; needs PowerShell 7; OPTIONS='-Sample 1/9')
	$${PWSH:-pwsh} -NoProfile -File shared/document/tests/mutate.ps1 $(OPTIONS)

# ---- Task definitions ---------------------------------------------------------------------------------------------------
# make itself ends with 2 where the validator ends with 1 (an error among the findings) or 2 (something could not be checked).

build-validator := cargo build --quiet --locked --workspace --example validate

validate: ## checks task definitions: make validate FILE="taskdef.json 'infra/*.json'" [OPTIONS='--format sarif']
	@$(build-validator)
	@$(programs)/examples/validate $(OPTIONS) $(FILE)

rules-doc: ## makes functions/validate-task-definition/RULES.md from the rules
	@$(build-validator)
	$(programs)/examples/validate --rules > functions/validate-task-definition/RULES.md

# ---- Facts --------------------------------------------------------------------------------------------------------------
# What the product's tables say, for tests and documents that are not in Rust.

facts: ## prints causes, metrics, drain rules, AWS calls and variables as JSON
	@$(build-programs) --quiet
	@$(programs)/facts

causes-doc: ## makes docs/causes.md from the table of causes
	@$(build-programs) --quiet
	$(programs)/facts --causes > docs/causes.md

# ---- Deployment ---------------------------------------------------------------------------------------------------------
# Each Python tool has a virtual environment of its own, with every package pinned, so that their versions cannot conflict.

PYTHON ?= python3
# x86_64 or arm64. arm64 needs: rustup target add aarch64-unknown-linux-gnu
ARCH ?= x86_64
target-option := $(if $(filter arm64,$(ARCH)),--arm64,--x86-64)
export SAM_CLI_TELEMETRY := 0
# zig is beside cargo-lambda. It links for the glibc of provided.al2023, whatever the machine has.
with-cargo-lambda := PATH="$(CURDIR)/.venv/cargo-lambda/bin:$$PATH"

define make-venv
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
endef

.PRECIOUS: .venv/%/installed
.venv/%/installed: tests/template/requirements/%.txt
	$(make-venv)

.venv/conformance/installed: tests/conformance/requirements.txt
	$(make-venv)

# How many times each fault occurs, and how many instances the fleet has.
MOMENTS ?= 200
INSTANCES ?= 100
# PLAY=credentials writes docs/credential-scenarios.md instead; NAMES="S2 L5" prints only these rows.
scenarios: ## faults of a whole fleet at many random moments: make scenarios MOMENTS=200 INSTANCES=100, or PLAY=credentials
	cargo run --quiet --profile simulate --locked -p tests --bin scenarios -- $(if $(PLAY),$(PLAY) \
		$(if $(NAMES),$(NAMES),--write docs/credential-scenarios.md),$(MOMENTS) $(INSTANCES))

scale: ## docs/scale.md: up to 5,000 instances scale out, fail together and are checked for hours (a model; minutes)
	cargo run --quiet --profile simulate --locked -p tests --bin scale -- docs

# How many histories of a simulated fleet to play, or for how long, and from which seed. SEED plays one and prints it as a
# timeline. LIES=1 plays only those in which hosts, attributes, events and callers lie.
SEEDS ?= 1000
FROM ?= 1
simulate: ## a simulated fleet that tries to break the invariants: make simulate SEEDS=10000, MINUTES=60, or SEED=7 for one history
	cargo run --quiet --profile simulate --locked -p tests --bin simulate -- $(if $(SEED),--seed $(SEED),$(if $(LIES),--lies) --from $(FROM) $(if $(MINUTES),--minutes $(MINUTES),$(SEEDS)))

# unit, simulation, both, or first: the simulation tries only what the unit tests do not find.
LAYER ?= first
defects: ## defects that the tests must find, one at a time: make defects [DEFECTS="hold-ignored no-doubt"] [LAYER=simulation]
	$(PYTHON) tests/defects/run.py --layer $(LAYER) $(DEFECTS)

dependencies: ## licences, duplicates and sources of the dependencies, offline
	$(PYTHON) tests/dependencies.py

validate-template: .venv/cfn-lint/installed .venv/aws-sam-cli/installed .venv/parliament/installed ## lints, policies, patterns, parameters, and what the README says of them
	.venv/cfn-lint/bin/cfn-lint template.yaml
	.venv/aws-sam-cli/bin/sam validate --lint --region us-east-1
	$(build-programs) --quiet
	$(programs)/facts > .venv/facts.json
	FACTS=.venv/facts.json .venv/parliament/bin/python -m unittest discover --start-directory tests/template

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

# Without access to PyPI the tables have no row for Python.
bench: package bench-items ## init time, memory, handshakes, calls and time per item, beside a minimal function and boto3; writes docs/bench.md and the README's table
	-$(MAKE) .venv/boto3/installed
	$(with-cargo-lambda) cargo lambda build --release --locked $(target-option) --package floor
	rm -rf target/lambda/leanest && mv target/lambda/floor target/lambda/leanest
	$(with-cargo-lambda) cargo lambda build --release --locked $(target-option) --package floor --features documented
	for each in floor leanest; do .venv/package/bin/python tests/template/package.py $(ARCH) $$each target/bench || exit; done
	cargo bench --quiet --locked -p tests --bench bench --profile simulate

bench-items: ## time per instance, per event record and per task definition, without AWS calls
	cargo bench --locked -p tests --bench decide --bench map_share --bench validate_task_definition --profile simulate

bench-calls: ## AWS calls made, beside the fewest that the page sizes allow
	cargo bench --locked -p tests --bench reconcile_calls --bench map_share_calls --profile simulate

# Neither needs a quiet machine: no time is measured.
guard: ## after `make package`: sizes, handshakes, calls and instructions against tests/bench/reference.json
	$(build-programs) --quiet
	$(programs)/guard

guard-reference: ## writes that reference again, after an intended change
	$(build-programs) --quiet
	$(programs)/guard --write

deploy: .venv/aws-sam-cli/installed ## builds, then asks for the parameters and deploys
	$(MAKE) build
	.venv/aws-sam-cli/bin/sam deploy --guided --parameter-overrides Architecture=$(ARCH)

report: ## the fleet of a deployed stack as a table: make report STACK=name [CLUSTER=name] [ALL=1]
	@test -n "$(STACK)" || { echo "usage: make report STACK=name [CLUSTER=name] [ALL=1]" >&2; exit 2; }
	@$(PYTHON) functions/drain-unmapped/report.py $(STACK) $(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(ALL),--all)

e2e: .venv/ministack/installed package ## the packaged functions, run by a local CloudFormation, EventBridge, SQS and Lambda
	.venv/ministack/bin/python tests/template/e2e.py
