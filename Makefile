# Targets: run, test, check, bench, faults, compat. Each installs what it needs into .venv; stamps make the second time quick.
# Paths are relative, and tools are called as modules, so that the directory may have any name.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := --require-hashes --no-deps
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet --strip-extras --allow-unsafe \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
FAULTS_SEED ?= $(shell date +%s)
# Tests start hundreds of bridges: without bytecode each would compile every module anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test check format bench faults compat docs lock clean programs

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' Makefile

run: .venv/runtime.stamp ## serve routes/ on 127.0.0.1:9099
	@echo 'Alertbridge serves routes/ on http://127.0.0.1:9099. Try next, from another terminal:'
	@echo
	@echo '    $(BIN)/alertbridge fire severity=critical alertname=Demo'
	@echo '    $(BIN)/alertbridge incidents list'
	@echo
	@exec $(BIN)/python -m bridge serve --config routes

test: .venv/dev.stamp programs ## run every test
	@$(BIN)/python -m pytest

check: .venv/dev.stamp ## lint, format, types, layers
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint Dockerfile

format: .venv/dev.stamp ## let the formatter decide
	@$(BIN)/python -m ruff check --fix-only --quiet .
	@$(BIN)/python -m ruff format .

bench: .venv/dev.stamp programs ## measure beside a real Alertmanager; ONLY=part,part JSON=file COUNT=alerts
	@$(BIN)/python -m bench $(if $(ONLY),--only '$(ONLY)') $(if $(JSON),--json '$(JSON)') $(if $(COUNT),--count '$(COUNT)')

faults: .venv/dev.stamp programs ## crashes, power loss, replicas, failovers; QUICK=1, N=factor, FAULTS_SEED=n repeats a run
	@echo 'FAULTS_SEED=$(FAULTS_SEED)'
	@FAULTS_SEED='$(FAULTS_SEED)' $(BIN)/python -m tests.faults

compat: .venv/dev.stamp programs ## the bridge beside a real Alertmanager; N=histories ROUTES=cases SEED=n ONLY=routes|histories|twin[:numbers]
	@N='$(N)' ROUTES='$(ROUTES)' SEED='$(SEED)' ONLY='$(ONLY)' $(BIN)/python -m tests.compat

docs: .venv/docs.stamp ## build the manual into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

lock: .venv/dev.stamp ## write requirements/*.txt anew from pyproject.toml
	@$(COMPILE) -o requirements/build.txt --all-build-deps --only-build-deps pyproject.toml
	@$(COMPILE) -o requirements/runtime.txt pyproject.toml
	@$(COMPILE) -o requirements/dev.txt --extra dev -c requirements/runtime.txt -c requirements/build.txt pyproject.toml
	@$(COMPILE) -o requirements/docs.txt --extra docs -c requirements/dev.txt pyproject.toml

clean: ## remove what the targets made, except var/
	@rm -rf .venv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

programs: .venv/dev.stamp
	@$(BIN)/python -m tests.programs

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo 'Alertbridge needs Python 3.11 to 3.13; say which with: make PYTHON=/path/to/python3.12 …' >&2; exit 1; }
	@echo 'making .venv' && $(PYTHON) -m venv .venv

.venv/runtime.stamp: pyproject.toml requirements/build.txt requirements/runtime.txt | .venv/bin/python
	@echo 'installing requirements/runtime.txt'
	@$(PIP) install $(LOCKED) -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/runtime.stamp
	@echo 'installing requirements/dev.txt'
	@$(PIP) install $(LOCKED) -r requirements/dev.txt
	@touch $@

.venv/docs.stamp: requirements/docs.txt .venv/runtime.stamp
	@echo 'installing requirements/docs.txt'
	@$(PIP) install $(LOCKED) -r requirements/docs.txt
	@touch $@
