# Every target builds the virtual environment .venv first; a checksum of pyproject.toml says when anew.
# Needs git, make and Python 3.11 or newer (PYTHON=… names one). Writes only inside the checkout.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv/bin
RUN := $(VENV)/python
CACHE := $(CURDIR)/.cache

# Caches and temporary files stay inside the checkout.
export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_cache := $(CACHE)/npm
export npm_config_update_notifier := false
export HYPOTHESIS_STORAGE_DIRECTORY := $(CACHE)/hypothesis
export TMPDIR := $(CACHE)/tmp
export PYTHON
# Another project's modules must not leak in.
unexport PYTHONPATH
unexport PYTHONHOME

CODE := docs phoenix_actors pytest_phoenix_actors.py supervisors tests tools $(wildcard benchmarks examples)
LINT_IMPORTS := $(VENV)/lint-imports --no-logo --cache-dir .cache/import_linter
END_TO_END := $(wildcard tests/e2e)
BENCHMARKS := $(wildcard benchmarks/bench_*.py)

.PHONY: help
help: ## this list
	@echo "make <target>:"
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

.PHONY: environment
environment:
	@mkdir -p .cache/tmp
	@python=$$(tools/find_python.sh) && "$$python" tools/environment.py

.PHONY: node
node: environment
	@tools/node_modules.sh

.PHONY: demo
demo: environment ## a supervised client heals three faults, on the loopback server or PHOENIX_URL=ws://…
	@$(RUN) -m phoenix_actors demo

.PHONY: check
check: style types floors test ## style, types, floors and tests

.PHONY: test
test: environment node ## the tests; those that need Node or Erlang skip without it
	@$(RUN) -m pytest

.PHONY: style
style: environment ## ruff: layout and lint
	@$(VENV)/ruff format --check $(CODE)
	@$(VENV)/ruff check $(CODE)

.PHONY: format
format: environment ## rewrite the code in the project's layout
	@$(VENV)/ruff format $(CODE)
	@$(VENV)/ruff check --fix $(CODE)

.PHONY: types
types: environment ## mypy --strict over the packages, tests and tools
	@$(RUN) -m mypy

.PHONY: floors
floors: environment ## import-linter: who may import whom
	@$(LINT_IMPORTS)

.PHONY: contract
contract: environment node ## the tests, and the contract items shown, failing and not shown yet
	@$(RUN) -m pytest --quiet --no-header --contract-report=.cache/contract.json

.PHONY: differential
differential: environment ## 2,000 drawn scenarios here and on OTP, from a random seed (or OTP_SEED=…)
	@seed=$${OTP_SEED:-$$($(RUN) -c 'import secrets; print(secrets.randbelow(2**32))')} && \
		echo "OTP_SEED=$$seed" && \
		OTP_SCENARIOS=$${OTP_SCENARIOS:-2000} OTP_SEED=$$seed $(RUN) -m pytest -rs tests/differential

.PHONY: stress
stress: environment ## a million asks, thousands of restarts and trees, switching threads each microsecond
	@STRESS=1 $(RUN) -m pytest -s -o faulthandler_timeout=1800 --durations=0 tests/concurrency/test_stress.py

# Tests that take long have the time that they ask for before a hang is assumed.
LONG := $(RUN) -m pytest -o faulthandler_timeout=3600

.PHONY: chaos
chaos: environment ## for CHAOS_SECONDS=300, from CHAOS_SEED=…, everything fails at random; cycles and a flood
	@CHAOS_SECONDS=$${CHAOS_SECONDS:-300} CHAOS_CYCLES=$${CHAOS_CYCLES:-500} CHAOS_FLOOD=200000 \
		$(LONG) tests/concurrency/test_chaos.py tests/concurrency/test_cycles.py tests/e2e/test_overflow.py

.PHONY: fuzz
fuzz: environment ## FUZZ_FRAMES=1000000 damaged inbound frames, from a random seed (or FUZZ_SEED=…)
	@FUZZ_FRAMES=$${FUZZ_FRAMES:-1000000} $(LONG) tests/properties/test_phoenix_fuzz.py

.PHONY: e2e
e2e: environment node ## the end-to-end suite, on the loopback server or PHOENIX_URL=ws://…
	@$(if $(END_TO_END),$(RUN) -m pytest $(END_TO_END),$(call not_available,e2e))

.PHONY: coverage
coverage: environment node ## the tests under branch coverage, with the lines that no test runs
	@$(RUN) -m coverage run -m pytest
	@$(RUN) -m coverage report

.PHONY: bench
bench: environment ## the benchmarks, each a table, and JSON and a plot in .cache/
	@$(if $(BENCHMARKS),$(RUN_BENCHMARKS),$(call not_available,bench))

.PHONY: docs
docs: environment ## the documentation site in .cache/site, its links checked
	@rm -rf .cache/site .cache/doctrees
	@$(RUN) -m sphinx -q -W --keep-going -b html -d .cache/doctrees docs .cache/site
	@$(RUN) tools/check_site.py .cache/site

.PHONY: package
package: environment ## wheel and source distribution, installed outside the checkout and used there
	@env -u TMPDIR $(RUN) tools/check_package.py

.PHONY: build
build: environment ## wheel and source distribution in dist/
	@$(RUN) -m hatchling build -d dist

.PHONY: clean
clean: ## remove everything the other targets made
	@rm -rf .venv .cache dist build tests/conformance/js/node_modules
	@find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# One that fails, or misses its aim, does not keep the others from being run.
RUN_BENCHMARKS = failed=0; for file in $(BENCHMARKS); do \
	json=".cache/$$(basename "$$file" .py).json"; \
	$(RUN) "$$file" --json "$$json" || failed=1; \
	$(RUN) benchmarks/plot.py "$$json" || failed=1; done; exit $$failed
not_available = echo "make $(1): not available in this version" >&2; exit 1
