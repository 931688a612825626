# Kith on a fresh machine: Python 3.11+ and make. Everything else comes from package registries, pinned with hashes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
.DEFAULT_GOAL := help
.PHONY: help install demo test coverage check faults up down bench engine lock clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kith needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@echo "kith: installing into $(VENV). Download: about 3.5 GB of Python packages (torch's Linux wheel is the CUDA build)"
	@echo "kith: and 175 MB of Java archives for Neo4j; cached for the next time."
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: install your system's python3-venv package"; exit 1; }
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r bootstrap.lock
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m graph.server.fetch
	@touch $(STAMP)

install: $(STAMP) ## Install everything into .venv (says the download size first)

demo: $(STAMP) ## Run the main job on a generated world and leave the stack up
	$(BIN)/kith demo

# Java's first compiler alone: a test's Neo4j does not live long enough to earn back what the second one costs.
test: $(STAMP) ## Run the tests on a real Neo4j and a real broker (their long forms: make faults)
	JDK_JAVA_OPTIONS=-XX:TieredStopAtLevel=1 $(BIN)/python -m pytest -m 'not long' --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations=10

coverage: $(STAMP) ## Run the tests and say which lines they reach (takes longer)
	$(BIN)/python -m pytest -m 'not long' --numprocesses 3 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered

check: $(STAMP) ## Format, lint, types, import rules, documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q --no-header tests/docs

faults: $(STAMP) ## Kill and freeze real processes; prove the promises
	FAULTS=full $(BIN)/python -m pytest tests/faults -v --timeout 7200
	$(BIN)/python -m pytest -m long tests/engine tests/graph tests/integration -v --timeout 7200

up: $(STAMP) ## Start the local stack
	$(BIN)/kith up

down: $(STAMP) ## Stop the local stack
	$(BIN)/kith down

bench: $(STAMP) ## Measure: export against row-wise reads
	$(BIN)/kith bench export

engine: $(STAMP) ## Put into dist/ what a training machine needs (docs/gpu.md)
	$(BIN)/uv build --wheel --no-build-isolation --python $(BIN)/python --out-dir dist
	cp engine.lock dist/

lock: $(STAMP) ## Resolve the dependencies again
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra train --extra dev --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --constraint requirements.lock --upgrade engine.in -o engine.lock
	$(MAKE) containers/service.lock containers/gpu.lock containers/build.lock

# The locks of the images: the versions of requirements.lock without what an image does not need. tests/containers fails
# when they fall behind; `make containers/service.lock containers/gpu.lock containers/build.lock` takes them along.
IMAGE_LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-header --no-annotate --constraints requirements.lock --excludes containers/left-out.txt

containers/service.lock: requirements.lock pyproject.toml containers/left-out.txt
	$(IMAGE_LOCK) pyproject.toml -o $@

containers/gpu.lock: requirements.lock pyproject.toml containers/left-out.txt
	$(IMAGE_LOCK) --extra train pyproject.toml -o $@

containers/build.lock: requirements.lock
	echo hatchling | $(IMAGE_LOCK) - -o $@

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache
