# `make study` and `make test` need Python 3.11 and make, nothing else.
PYTHON ?= python3
STUDY_ARGS ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help venv test lint types docs study study-tiny bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(INSTALLED) ## the environment in .venv, with every extra

# One pip command, so that the bound on torch holds for everything that wants torch.
$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "blackbox needs Python 3.11 or newer, and '$(PYTHON)' is not." \
			"Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV); the first time takes a few minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[all,dev,docs]'
	@touch $@

test: $(INSTALLED) ## every test; PYTEST_ARGS="-m 'not slow'" for the quick ones
	$(BIN)/python -m pytest -n logical --dist worksteal $(PYTEST_ARGS)

lint: $(INSTALLED) ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

docs: $(INSTALLED) ## the documentation in docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

study: $(INSTALLED) ## the data-mixture study with its report
	$(BIN)/python -m studies.data_mixtures $(STUDY_ARGS)

study-tiny: ## the same study in seconds, to see that it runs
	@$(MAKE) --no-print-directory study STUDY_ARGS=--tiny

bench: ## the benchmarks there are, one command each
	@for file in studies/benchmarks/[a-z]*.py studies/benchmarks/*/__main__.py; do \
		name=$$(basename $${file%/__main__.py} .py); \
		echo "$(BIN)/python -m studies.benchmarks.$$name"; done

clean: ## what was built, but not runs/
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
