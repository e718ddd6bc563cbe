# Everything a developer does; `make` alone lists it.
PYTHON ?= python3
UPGRADE ?= --upgrade
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.installed
OLDEST := .venv-oldest
# what vitcli needs, and what its extras and its development need besides; in one file they would be too large
LOCKS := requirements.lock requirements-dev.lock
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	--no-annotate --no-header
# compiled bytecode makes every import three times faster
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install lock format lint types test test-cov test-slow test-all test-gpu test-oldest bench-gpu check demo
.PHONY: readme docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  %-11s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv with the locked versions and vitcli itself

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say make PYTHON=python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode $(LOCKS)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

lock: ## renew both lock files from pyproject.toml; make lock UPGRADE= keeps the versions that still do
	@# all of it is resolved at once, so that the two files agree, and is then divided
	cat $(LOCKS) > $(VENV)/whole.lock
	$(COMPILE) --all-extras $(UPGRADE) pyproject.toml --output-file $(VENV)/whole.lock
	cp $(VENV)/whole.lock requirements.lock
	$(COMPILE) --constraints $(VENV)/whole.lock pyproject.toml --output-file requirements.lock
	cp $(VENV)/whole.lock requirements-dev.lock
	$(COMPILE) --all-extras --constraints $(VENV)/whole.lock pyproject.toml --output-file requirements-dev.lock \
		$$(sed -nE 's/^([A-Za-z0-9._-]+)==.*/--no-emit-package \1/p' requirements.lock | sort --unique)

format: install ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install ## format, rules and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: install ## mypy, strict
	$(BIN)/mypy

test: install ## the default suite
	$(BIN)/pytest

test-cov: install ## the default suite, and how much of vitcli it runs; half as long again
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	@# processes that a test kills, or keeps from writing, leave half a file
	PYTHONWARNINGS="ignore:Couldn't use data file" $(BIN)/coverage combine --quiet
	rm -f .coverage.*
	@echo "coverage: $$($(BIN)/coverage report --format=total) % of vitcli's lines"

test-all: install ## the default suite and the slow tests
	$(BIN)/pytest -m "not gpu"

test-slow: install ## the slow tests alone
	$(BIN)/pytest -m slow

test-gpu: install ## the tests that need a GPU
	$(BIN)/pytest -m gpu

test-oldest: install ## the default suite with the oldest versions that pyproject.toml admits
	test -x $(OLDEST)/bin/python || $(BIN)/python -m venv $(OLDEST)
	$(UV) pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct --compile-bytecode \
		--editable ".[az,dev,gs,heic,onnx,s3,search,serve]"
	$(OLDEST)/bin/pytest

bench-gpu: install ## the net beside its peers on a GPU, as it is and compiled
	$(BIN)/python benchmarks/net.py --device cuda --json runs/bench/net-gpu.json

check: lint types test ## lint, types and the default suite

demo: install ## train on drawn images, test, and say where everything lies; some minutes on two cores
	$(BIN)/vitcli fit --config configs/shapes.yaml --run.name demo
	$(BIN)/vitcli test --run.name "$$(ls -t runs | grep -m 1 '^demo')" --ckpt_path best

readme: install ## write into README.md what its commands print
	$(BIN)/python -m tests.readme

docs: install ## write into docs/attention.md the numbers of its nets, and draw its pictures
	$(BIN)/python -m tests.docs.attention

clean: ## remove the environment, caches and runs
	rm -rf $(VENV) $(OLDEST) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.*
	rm -rf build dist runs wandb
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
