# `make help` lists the targets. Needs Python 3.11 or newer, pip, make and git; nothing else.
SHELL := /bin/bash
PYTHON ?= python3
PROJECT ?= made
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := $(wildcard projects/*/demo.ipynb)
FORMS := $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MPLBACKEND := agg

.DEFAULT_GOAL := help
.PHONY: help install newest checker demo test project lint workflows format notebooks verify site bench clean

help: ## List the targets
	@echo "usage: make TARGET [PROJECT=made]"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Create .venv and install everything but the benchmark peers

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV) (once; about a minute with a warm cache)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

newest: ## Create .venv with the newest version of every dependency, whatever constraints.txt says
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[dev]'
	$(BIN)/python -m pip list --format=freeze
	@touch $(VENV)/.installed

checker: ## Create .venv with what dgm check, guard and affected need: no torch, seconds
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement .ci/checker.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .

demo: $(VENV)/.installed ## Train, evaluate and show one project: make demo PROJECT=vae
	$(BIN)/dgm demo $(PROJECT)

test: $(VENV)/.installed ## Run the whole test suite, laws and doctests included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q

project: $(VENV)/.installed ## Tests and notebook of one project under its budget: make project PROJECT=vae
	$(BIN)/dgm ci projects $(PROJECT)

lint: $(VENV)/.installed workflows ## Check formatting, code, workflows, every project and every review
	$(BIN)/black --check --quiet . || { echo "run: make format"; exit 1; }
	$(BIN)/ruff check --quiet .
	$(BIN)/dgm check
	$(BIN)/dgm review check

workflows: $(VENV)/.installed ## Check the workflows and forms of .github, without a network
	$(BIN)/zizmor --offline --quiet --no-progress --pedantic .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(FORMS)
	@if command -v actionlint > /dev/null; then actionlint; \
		else echo "actionlint is not installed: skipped"; fi

format: $(VENV)/.installed ## Format code and notebooks
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/black --quiet .

notebooks: $(VENV)/.installed ## Execute every notebook with the smoke preset
	DGM_PRESET=smoke OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --nbmake --nbmake-timeout=300 \
		-n 2 $(PROJECTS)

verify: $(VENV)/.installed ## Recompute every committed number (minutes; needs the data sets)
	$(BIN)/dgm verify

site: $(VENV)/.installed ## Build the public site into build/site
	$(BIN)/dgm site build

bench: $(VENV)/.benchmarks ## Measure our speed beside installable peers
	$(BIN)/python -m tests.benchmarks

$(VENV)/.benchmarks: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

clean: ## Remove the environment, the runs and the caches (data/ stays)
	rm -rf $(VENV) runs build .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
