# Docent's commands. `make help` lists them; PORT, HOST, DATABASE_URL, REDIS_URL and OPENAI_API_KEY are passed on.
# Without DATABASE_URL and REDIS_URL all targets start their own PostgreSQL and Valkey, and stop them again.

PYTHON ?= python3
UV ?= uv
WORKERS ?= 3

BIN := .venv/bin
SERVERS := $(BIN)/python -m config.devservers run
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --only-binary :all: --require-hashes
COMPILE := $(UV) pip compile --quiet --generate-hashes --only-binary :all: --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --custom-compile-command 'make requirements'
# Each test process, and each process that a test starts, would compile all of our modules anew.
unexport PYTHONDONTWRITEBYTECODE
# Output of parallel checks stays together, where this make knows how.
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
BENCHMARKS ?= hot_read ingest.events ingest.imports whole_build
NODE_TOOLS := tests/contracts/node
NODE_STAMP := $(NODE_TOOLS)/node_modules/.package-lock.json
# mypy takes as long as all others together, and runs beside the tests.
QUICK_CHECKS := lint format-check conventions imports migrations-check

.DEFAULT_GOAL := help
.PHONY: audit contract-tools litellm tracing help demo up test suite slow check lint format format-check conventions types imports migrations-check bench drills requirements openapi \
	clean

##@ Run

demo: .venv/service ## The whole service with data to look at (PORT=8000); Ctrl-C stops it
	@exec $(BIN)/python -m config.local demo

up: .venv/service ## The whole service, empty or as you left it (PORT=8000); Ctrl-C stops it
	@exec $(BIN)/python -m config.local up

##@ Test

test: .venv/dev ## Every check, then every test, against its own servers
	@$(MAKE) --no-print-directory --keep-going -j 2 $(TOGETHER) $(QUICK_CHECKS)
	@$(MAKE) --no-print-directory --keep-going -j 2 types suite

suite: .venv/dev
	@echo "Tests"
	@$(SERVERS) --ephemeral test -- $(BIN)/pytest -q -n $(WORKERS) --dist loadfile -m "not drill and not slow"

check: .venv/dev ## Lint, format, conventions, imports, migrations and types, side by side
	@$(MAKE) --no-print-directory --keep-going -j 2 $(TOGETHER) types $(QUICK_CHECKS)

bench: .venv/dev ## The benchmarks; comparisons with peers are written to docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks.report $(BENCHMARKS)

slow: .venv/dev ## The tests that are too slow for `make test`
	@$(SERVERS) --ephemeral slow -- $(BIN)/pytest -q -n $(WORKERS) --dist loadfile -m slow

drills: .venv/dev ## Break things on purpose, at full length (.ci/run has the short form)
	@DRILLS=long $(SERVERS) --ephemeral drills -- $(BIN)/pytest -q -s -m "drill or slow" tests

audit: .venv-audit/done .venv/bin/python ## Known vulnerabilities of the pinned packages, if a source of advisories is reachable
	@$(BIN)/python -m tests.advisories .venv-audit/bin/pip-audit requirements.txt requirements-dev.txt

litellm: .venv-litellm/done ## Another OpenAI-compatible server for one drill, in .venv-litellm (750 MB)

tracing: .venv-tracing/done ## The optional packages for traces and error reports, for their tests, in .venv-tracing

contract-tools: .venv/contracts $(NODE_STAMP) ## Linters and client generators for the contract tests (needs Node.js and Java)

##@ Check

lint: .venv/dev ## Ruff's rules
	@echo "Lint"
	@$(BIN)/ruff check --quiet .

format-check: .venv/dev ## Check the format
	@echo "Format"
	@$(BIN)/ruff format --quiet --check . || { echo "Run 'make format'."; exit 1; }

conventions: .venv/dev ## Sizes and docstrings, as docs/conventions.md asks
	@echo "Conventions"
	@$(BIN)/python -m tests.conventions

types: .venv/dev ## mypy, strict
	@echo "Types"
	@$(BIN)/mypy --no-error-summary --explicit-package-bases .

imports: .venv/dev ## The import contracts of docs/architecture.md
	@echo "Import contracts"
	@$(BIN)/lint-imports --no-logo > .venv/imports.log || { cat .venv/imports.log; exit 1; }

migrations-check: .venv/dev ## Check that models and migrations agree, and that migrations are reversible
	@echo "Migrations"
	@DJANGO_SETTINGS_MODULE=config.settings.test \
		$(SERVERS) --ephemeral check -- $(BIN)/python manage.py migrations_check

##@ Change

format: .venv/dev ## Format and fix what can be fixed
	@$(BIN)/ruff check --quiet --fix --exit-zero .
	@$(BIN)/ruff format .

requirements: ## Pin the packages of requirements*.in, with hashes
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-embedded.in -o requirements-embedded.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt
	$(COMPILE) requirements-contracts.in -o requirements-contracts.txt
	$(COMPILE) requirements-litellm.in -o requirements-litellm.txt
	$(COMPILE) requirements-audit.in -o requirements-audit.txt
	$(COMPILE) requirements-tracing.in -o requirements-tracing.txt

openapi: .venv/dev ## Regenerate docs/api/openapi.yaml after a change of the API
	@DJANGO_SETTINGS_MODULE=config.settings.test AI_SIMULATED= \
		$(BIN)/python manage.py spectacular --skip-checks --validate --fail-on-warn --file docs/api/openapi.yaml

clean: ## Remove data, logs and caches (var/), and the virtual environment
	rm -rf $(NODE_TOOLS)/node_modules
	rm -rf var .venv .venv-audit .venv-litellm .venv-tracing .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache htmlcov .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## This list
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make TARGET" } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- The virtual environment: each stamp is as new as the requirements that were installed for it. --------------------

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Docent needs Python 3.11 or newer; choose one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Creating .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "The venv module is missing or incomplete (on Debian: apt install python3-venv)."; exit 1; }

.venv/service: requirements.txt requirements-embedded.txt | .venv/bin/python
	@echo "Installing the service's packages"
	@$(PIP_INSTALL) -r requirements.txt -r requirements-embedded.txt
	@touch $@

.venv/contracts: requirements-contracts.txt .venv/dev
	@echo "Installing the generator of clients for the contract tests"
	@$(PIP_INSTALL) -r requirements-contracts.txt
	@touch $@

# npm's own record of what it installed; as new as the lock file when they agree.
$(NODE_STAMP): $(NODE_TOOLS)/package-lock.json
	@echo "Installing the linters and the TypeScript client's packages"
	@cd $(NODE_TOOLS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.venv-litellm/done: requirements-litellm.txt
	@echo "Installing LiteLLM"
	@$(PYTHON) -m venv .venv-litellm
	@.venv-litellm/bin/python -m pip install --quiet --quiet --disable-pip-version-check --only-binary :all: \
		--require-hashes -r requirements-litellm.txt
	@touch $@

# A folder for PYTHONPATH, apart from the others: redis-py loads OpenTelemetry where it is installed.
.venv-tracing/done: requirements-tracing.txt .venv/bin/python
	@echo "Installing the packages for traces and error reports"
	@rm -rf .venv-tracing
	@$(PIP_INSTALL) --target .venv-tracing -r requirements-tracing.txt
	@touch $@

.venv-audit/done: requirements-audit.txt
	@echo "Installing pip-audit"
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --quiet --disable-pip-version-check --only-binary :all: \
		--require-hashes -r requirements-audit.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/service
	@echo "Installing the tools for tests and checks"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@
