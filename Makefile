# Two commands: `make demo` and `make test`. Each sets up .venv from pinned requirements first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# uv does not read pip's find-links; a machine that offers its own build of torch that way hands
# it on here. Elsewhere uv picks torch's build for the machine: CPU where there is no GPU.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
ifeq ($(strip $(UV_FIND_LINKS)),)
export UV_TORCH_BACKEND ?= auto
unexport UV_FIND_LINKS
endif
export DO_NOT_TRACK := true

# uv compiles nothing as it installs. What is imported is then compiled once and kept, here also
# where the environment forbids it, as images of containers often do: else every process compiles
# torch, TensorFlow and the rest again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev setup-airflow demo airflow test test-quick lint bench clean

help:  ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"

INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python -c requirements/constraints.txt

$(VENV)/.setup: $(BIN)/uv requirements/constraints.txt pyproject.toml
	@echo "Setting up $(VENV) (about 4 GB, a few minutes on a first run) ..."
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.setup-dev: $(BIN)/uv requirements/constraints.txt pyproject.toml
	@echo "Setting up $(VENV) with what tests need (about 4 GB, a few minutes on a first run) ..."
	$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.setup

setup: $(VENV)/.setup  ## Set up .venv to run mmrl

setup-dev: $(VENV)/.setup-dev  ## Set up .venv to work on mmrl

# Airflow's pins must not meet TensorFlow's and torch's, so it has an environment of its own.
.venv-airflow/.setup: $(BIN)/uv requirements/airflow.txt
	@echo "Setting up .venv-airflow (300 MB) ..."
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-airflow
	$(BIN)/uv pip install --quiet --python .venv-airflow/bin/python -r requirements/airflow.txt
	@touch $@

setup-airflow: .venv-airflow/.setup  ## Set up .venv-airflow

demo: setup  ## Run the whole path on simulated posts (4 to 8 minutes on 2 cores)
	$(BIN)/mmrl demo --home demo

airflow: setup setup-airflow  ## Start Airflow on loopback with mmrl's DAGs (MMRL_HOME=...)
	@deploy/airflow/start.sh

test: setup-dev setup-airflow  ## Lint, type-check, check the import contracts and run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-quick: setup-dev  ## Run the tests that are not slow (under 3 minutes on 2 cores)
	$(BIN)/pytest -m "not slow" -n 3 --dist loadfile --no-loadscope-reorder

lint: setup-dev  ## Lint, format, type-check and check the import contracts only
	$(BIN)/python -m mmrl.stages > dags/mmrl_stages.json
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: setup-dev  ## Repeat the figures of docs/benchmarks.md (long)
	$(BIN)/python -m benchmarks

clean:  ## Remove the environment and the demo's home
	rm -rf $(VENV) .venv-airflow demo
