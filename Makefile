# The chores, one word each. `make run` and `make test` need Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV ?= .venv
SYSTEM ?= .venv-system
DOCS ?= .venv-docs
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test coverage system docs reference screenshots check fix prove fuzz soak compat compat-latest bench lock wheel clean

help: ## List the chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

# On a terminal the server's own error stays the last line: make adds none.
run: $(VENV)/installed ## Install, serve, print the table (ARGS="--port 0" passes options)
	@$(BIN)/mockserver serve $(ARGS) || { status=$$?; test -t 2 || exit $$status; }

test: $(VENV)/installed-test ## Run the whole suite (ARGS="-k cpg" passes options)
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

coverage: $(VENV)/installed-test ## The same with branches counted: what is never run (ARGS="-k cpg")
	@$(BIN)/python -m pytest -n auto --dist worksteal --cov=mockserver --cov-branch --cov-report=term-missing:skip-covered $(ARGS)

system: $(SYSTEM)/installed ## Tests with a browser, a balancer, other toolchains (ARGS="-k page")
	@$(SYSTEM)/bin/python -m pytest -p no:randomly contract_tests/system $(ARGS)

docs: $(DOCS)/installed ## Build the documentation into build/docs; a dead link is an error
	@rm -rf build/docs build/doctrees
	@$(DOCS)/bin/python -m sphinx --quiet --fail-on-warning --builder html --doctree-dir build/doctrees docs build/docs $(ARGS)
	@echo "Open build/docs/index.html"

reference: $(VENV)/installed-test ## Render the tables of the documentation from the code
	@$(BIN)/python -m contract_tests.docs.render_reference

screenshots: $(SYSTEM)/installed ## The pictures of the documentation (ARGS="FOLDER --all")
	@$(SYSTEM)/bin/python -m contract_tests.system.screenshots $(ARGS)

check: $(VENV)/installed-test ## Lint, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(VENV)/installed-test ## Format, and mend what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

prove: $(VENV)/installed-test ## Plant every defect, and see its proof fail (ARGS="cpg")
	@$(BIN)/python -m contract_tests.prove.facts $(ARGS)
	@$(BIN)/python -m contract_tests.prove.clients $(ARGS)

fuzz: $(VENV)/installed-test ## Fuzz a server in a process of its own (ARGS="--requests 1000000 --seed 490")
	@$(BIN)/python -m contract_tests.fuzz $(ARGS)

soak: $(VENV)/installed-test ## Sandboxes, faults and killed processes for minutes (ARGS="--minutes 10")
	@$(BIN)/python -m contract_tests.soak $(ARGS)

sessions: $(VENV)/installed-test ## Random sessions: restore, fork, import, rewind (ARGS="1000 200")
	@$(BIN)/python -m contract_tests.machines.sessions $(or $(ARGS),1000 200)

compat: ## Socket tests with the oldest and newest libraries (PYTHONS="python3.12 python3.13")
	@$(PYTHON) -m contract_tests.compat oldest newest $(PYTHONS:%=--python %)

compat-latest: ## The same with what the registry has today, pinned nowhere
	@$(PYTHON) -m contract_tests.compat latest $(PYTHONS:%=--python %)

bench: $(VENV)/installed-test ## Measure speed against every target (needs wrk; ARGS="--quick")
	@$(BIN)/python -m benchmarks.bench $(ARGS)

lock: ## Pin the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --output-file requirements-build.lock requirements-build.in
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --extra client --extra generate --output-file requirements.lock pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --extra test --extra dev --constraint requirements.lock \
	  --constraint requirements-build.lock \
	  --output-file contract_tests/requirements.lock pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --extra test --constraint contract_tests/requirements.lock \
	  --output-file contract_tests/system/requirements.lock \
	  pyproject.toml contract_tests/system/requirements.in
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --output-file docs/requirements.lock docs/requirements.in
	for set in oldest newest; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --constraint requirements-build.lock \
	    --output-file contract_tests/compat/$$set.txt \
	    pyproject.toml contract_tests/compat/tests.in contract_tests/compat/$$set.in || exit 1; done

wheel: $(VENV)/installed-test ## Build the wheel into dist/
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## Remove the environment and what was built
	rm -rf $(VENV) $(SYSTEM) $(DOCS) .venv-compat-* dist build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version.split()[0] + ": make run PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock requirements-build.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV): about 20 seconds, this time only"
	@$(PIP) install --require-hashes --requirement requirements.lock --requirement requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/installed-test: contract_tests/requirements.lock $(VENV)/installed
	@echo "Installing what tests need into $(VENV): about 30 seconds, this time only"
	@$(PIP) install --require-hashes --requirement contract_tests/requirements.lock
	@touch $@

$(SYSTEM)/installed: contract_tests/system/requirements.lock requirements-build.lock pyproject.toml
	@echo "Installing into $(SYSTEM): about a minute, this time only"
	@$(PYTHON) -m venv $(SYSTEM)
	@$(SYSTEM)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes \
	  --requirement contract_tests/system/requirements.lock --requirement requirements-build.lock
	@$(SYSTEM)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps \
	  --no-build-isolation --no-index --editable .
	@touch $@

$(DOCS)/installed: docs/requirements.lock
	@echo "Installing what builds the documentation into $(DOCS): about 20 seconds, this time only"
	@$(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes \
	  --requirement docs/requirements.lock
	@touch $@
