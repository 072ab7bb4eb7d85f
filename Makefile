# One environment, made once, from a lock with hashes; every other target stands on it.
# `make PYTHON=python3.12 …` picks the interpreter, `JOBS=4` the test workers.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install -qq --no-deps
COMMA := ,
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test storm check lint bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## a paper session of 30 seconds, then the proof that it replays
	@$(BIN)/mm demo

test: $(READY) ## the test suite, without the storms
	@$(BIN)/pytest -n $(JOBS) --dist worksteal

storm: $(READY) ## the long seeded suites
	@$(BIN)/pytest -n $(JOBS) --dist worksteal -m storm

check: lint ## what CI asks: lint, types, tests, all branches of floors 0 to 3
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/pytest -n $(JOBS) --dist worksteal --cov --cov-report=term

lint: $(READY) ## ruff and mypy
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

bench: $(READY) ## every benchmark, beside its baseline
	@for bench in benchmarks/bench_*.py; do \
	    echo "== $$bench"; $(BIN)/python "$$bench" || exit 1; \
	done

# One lock for all supported Pythons and platforms. `make lock UPGRADE=--upgrade` takes newer ones.
lock: $(BIN)/uv ## write requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	    --all-extras --generate-hashes --no-annotate --no-header \
	    --no-emit-index-url --no-emit-find-links $(UPGRADE) -o requirements.lock pyproject.toml
	@echo "requirements.lock: $$(grep -c '==' requirements.lock) packages"

clean: ## remove the environment and every cache
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	@find mm tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/uv:
	@$(MAKE) --no-print-directory $(READY)

# $(call step,what,command): one line with the time it took; a failure stops with its output.
define step
@printf '  %-42s' '$(1)'; begin=$$(date +%s); \
    if $(2); then echo "$$(($$(date +%s) - begin)) s"; else echo failed; exit 1; fi
endef

define PYTHON_CHECK
import sys; v = sys.version_info[:2]; \
sys.exit(0 if (3, 11) <= v < (3, 15) else "mm needs Python 3.11 to 3.14, and $(PYTHON) is %d.%d: \
try make PYTHON=python3.11" % v)
endef

# Everything is pinned and hashed, so pip resolves nothing; `pip check` proves that nothing is missing.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	    echo "mm needs Python 3.11 to 3.14, and $(PYTHON) is not here: try make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c '$(PYTHON_CHECK)'
	@echo "Setting up $(VENV), once:"
	$(call step,create it,test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV))
	$(call step,bring its installer up to date,sed -n '/^pip==/$(COMMA)/[^\\]$$/p' requirements.lock \
	    > $(VENV)/pip.lock && $(INSTALL) --require-hashes -r $(VENV)/pip.lock)
	$(call step,install the locked packages (300 MB),$(INSTALL) --no-compile \
	    --require-hashes --only-binary :all: -r requirements.lock)
	$(call step,install mm,$(INSTALL) --no-build-isolation -e .)
	$(call step,check that nothing is missing,$(BIN)/python -m pip check >/dev/null)
	$(call step,compile the kernels,$(BIN)/mm compile --json >/dev/null)
	@touch $@
