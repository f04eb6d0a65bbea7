# `make` alone prints what there is. Everything sets itself up first (.ci/setup.py): Python 3.11+, Rust and a C linker are enough.
PYTHON ?= python3
export CARGO_TARGET_DIR ?= $(CURDIR)/target
BIN := .venv/bin
SETUP := $(PYTHON) .ci/setup.py

# Cargo profile of the engine: dev builds fastest, demo runs fast without a long link, release is what is measured.
PROFILE ?= dev

# Options for `make demo`, e.g. DEMO="--no-local-model".
DEMO ?=

# Options for `make cluster`, e.g. CLUSTER="--tier control-plane".
CLUSTER ?=

# Options for `make scale`, e.g. SCALE="--only hub-streams".
SCALE ?=

# Options for `make fuzz`, e.g. FUZZ="--only scanner --seconds 3600".
FUZZ ?=

# Options for `make soak`, e.g. SOAK="-k million".
SOAK ?=

# Options for `make images`, e.g. IMAGES="--prefix registry.example.com/platform/".
IMAGES ?=

# One place that says how the pins are made: hashes, no addresses.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make pins"

.DEFAULT_GOAL := help
.PHONY: help setup engine demo cluster verify test e2e bench scale fuzz images soak gen pins

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## Prepare this checkout for development (.venv, engine, simulator)
	@$(SETUP) verify --profile $(PROFILE)

engine: setup ## Build the engine module and the simulator again after a change in Rust

demo: ## Three acts on this machine, no cluster and no API key; ends in build/demo.html
	@$(SETUP) demo --profile demo
	@$(BIN)/pointsman demo $(DEMO)

cluster: ## A real Kubernetes on this machine, to play with; Ctrl-C removes it (first time: ten minutes to build)
	@$(SETUP) cluster
	@PYTHONPATH=tests:e2e $(BIN)/python -P -m harness $(CLUSTER)

verify: ## Formatting, lints, types, layers, generated files, unit, property, golden and engine tests (10 minutes at most)
	@$(SETUP) verify --profile dev
	@$(BIN)/python .ci/stages.py verify

test: ## Everything: verify, real Kubernetes, faults, official SDKs, built wheels, the demo (about 30 minutes on two cores, the first time with Kubernetes' build on top)
	@$(SETUP) test --profile demo
	@$(BIN)/python .ci/stages.py test

e2e: ## Only what needs a real Kubernetes: control plane and scenarios with real pods
	@$(SETUP) test --profile demo
	@$(BIN)/python .ci/stages.py test --only controlplane,e2e

bench: ## Added latency, throughput, CPU and memory beside nginx and a bare proxy; writes build/bench.json
	@$(SETUP) bench --profile release
	@PYTHONPATH=tests $(BIN)/python -P -m bench

scale: ## Hub, ledger, sidecars, webhooks and controller at full size (half an hour); writes build/scale.json
	@$(SETUP) test --profile demo
	@PYTHONPATH=tests:e2e $(BIN)/python -P -m scale $(SCALE)

fuzz: ## Everything that reads foreign bytes under libFuzzer, a minute a target (FUZZ="--seconds 3600")
	@$(PYTHON) .ci/fuzz.py $(FUZZ)

images: ## Both container images, from wheels built here (IMAGES="--help" lists the options)
	@$(SETUP) verify --profile release
	@$(BIN)/python .ci/images.py $(IMAGES)

soak: ## What takes its real time: two hours of faults, a million calls, every cut, a hub that is away (SOAK="-k every_cut")
	@$(SETUP) soak --profile demo
	@$(BIN)/python -m pytest tests/soak -m soak $(SOAK)

gen: ## Write every generated file again (CRDs, JSON schema, catalogue, reference, licences)
	@$(SETUP) python
	@$(BIN)/python -m pointsman_operator.generate --mode write
	@$(BIN)/python .ci/licences.py --mode write

pins: ## Resolve requirements/*.txt again from the members and requirements/*.in
	@$(SETUP) python
	$(COMPILE) operator/pyproject.toml requirements/dev.in -o requirements/dev.txt
	$(COMPILE) operator/pyproject.toml -c requirements/dev.txt -o requirements/operator.txt
	$(COMPILE) operator/pyproject.toml requirements/demo.in -c requirements/dev.txt -o requirements/demo.txt
	$(COMPILE) requirements/sdk2.in -o requirements/sdk2.txt
	$(COMPILE) requirements/clients.in -o requirements/clients.txt
	$(COMPILE) --no-deps requirements/node.in -o requirements/node.txt
	$(COMPILE) --no-deps requirements/signing.in -o requirements/signing.txt
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) --no-deps requirements/demo-model.in -o requirements/demo-model.txt
	$(COMPILE) --no-deps requirements/llama.in -c requirements/demo.txt -o requirements/llama.txt
