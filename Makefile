# The commands of this project; `make help` lists them. The virtual environment is made and kept up to date
# by itself: it is installed again when pyproject.toml or constraints.txt has changed.

SHOPPERS ?= 1000
ENV := .venv/bin
INSTALL = $(ENV)/pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run rehearse test lint check bench lighthouse texts clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s%s\n", $$1, $$2 }' Makefile

run: .venv/runs  ## start store, gate and shop; Ctrl-C stops them
	@$(ENV)/waitroom run

rehearse: .venv/runs  ## send SHOPPERS=1000 simulated shoppers through the running sale
	@$(ENV)/waitroom rehearse --shoppers $(SHOPPERS)

test: .venv/tests  ## run all tests, on real servers and in a real browser
	@.ci/install
	$(ENV)/python -m pytest --cov

lint: .venv/tests  ## check style and types
	$(ENV)/ruff check
	$(ENV)/ruff format --check
	$(ENV)/mypy

check: lint test  ## everything that CI checks

bench: .venv/tests  ## measure against a bare aiohttp application
	@.ci/install
	$(ENV)/python -m tests.bench.run

lighthouse: .venv/tests  ## let Lighthouse judge the waiting page; needs npx, and fetches it
	@.ci/install
	$(ENV)/python -m tests.bench.browser

texts: .venv/runs  ## collect the pages' texts for translators, in templates/locale; NEW=es adds a language
	$(call catalogues,waitroom,pyproject.toml)
	$(call catalogues,shop,shop-texts.toml)

# The template and the catalogues of a domain, by a mapping.
define catalogues
	$(ENV)/pybabel -q extract -F $(2) -k plural:1,2 -k count:1,2 --sort-by-file --add-location=file --no-wrap --omit-header \
		-o templates/locale/$(1).pot .
	$(if $(NEW),$(ENV)/pybabel -q init -D $(1) -l $(NEW) -i templates/locale/$(1).pot -d templates/locale)
	$(ENV)/pybabel -q update -D $(1) --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap \
		-i templates/locale/$(1).pot -d templates/locale
endef

clean:  ## remove the virtual environment and what the tools left; the data in .waitroom stays
	rm -rf .venv *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$python -m venv .venv && exit; \
		rm -rf .venv; echo "make: $$python cannot make a virtual environment; Debian's package for it is python3-venv" >&2; exit 1; \
	done; echo "make: this needs Python 3.11 or newer, and there is no such python3 on the PATH" >&2; exit 1

.venv/runs: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing into .venv"
	@$(INSTALL) -e .
	@touch $@

.venv/tests: .venv/runs
	@$(INSTALL) -e '.[dev]'
	@touch $@
