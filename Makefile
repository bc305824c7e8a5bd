# `make help` lists the targets. Needs Python 3.11 or newer, pip, make and git; nothing else.
SHELL := /bin/bash
PYTHON ?= python3
PROJECT ?= made
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := $(wildcard projects/*/demo.ipynb)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MPLBACKEND := agg

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format notebooks verify bench clean

help: ## List the targets
	@echo "usage: make TARGET [PROJECT=made]"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Create .venv and install everything but the benchmark peers

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV) (once; about a minute with a warm cache)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## Train, evaluate and show one project: make demo PROJECT=vae
	$(BIN)/dgm demo $(PROJECT)

test: $(VENV)/.installed ## Run the whole test suite, laws and doctests included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q

lint: $(VENV)/.installed ## Check formatting, code, every project and every review
	$(BIN)/black --check --quiet . || { echo "run: make format"; exit 1; }
	$(BIN)/ruff check --quiet .
	$(BIN)/dgm check
	$(BIN)/dgm review check

format: $(VENV)/.installed ## Format code and notebooks
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/black --quiet .

notebooks: $(VENV)/.installed ## Execute every notebook with the smoke preset
	DGM_PRESET=smoke OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --nbmake --nbmake-timeout=300 \
		-n 2 $(PROJECTS)

verify: $(VENV)/.installed ## Recompute every committed number (minutes; needs the data sets)
	$(BIN)/dgm verify

bench: $(VENV)/.benchmarks ## Measure our speed beside installable peers
	$(BIN)/python -m tests.benchmarks

$(VENV)/.benchmarks: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

clean: ## Remove the environment, the runs and the caches (data/ stays)
	rm -rf $(VENV) runs build .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
