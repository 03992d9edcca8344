# `make demo` and `make test` set everything up by themselves; they need python3.11 or newer, make and git.
# Use another interpreter with `make test PYTHON=python3.12`, another environment with VENV=folder.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
CASES ?= 20000
SEED ?= 0

INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed

.DEFAULT_GOAL := help
.PHONY: help demo lessons test fuzz check lint types docs clean

help:
	@echo "make demo    install, then compare seven networks in under three minutes: demo/report.html"
	@echo "make lessons run the five labs in quick mode, in less than four minutes: lessons/*.html"
	@echo "make test    install with what tests need, then run them"
	@echo "make fuzz    read 20,000 damaged files: CASES=20000 SEED=0 WORKERS=2"
	@echo "make check   tests, style, types and documentation: what a change has to pass"
	@echo "make docs    the documentation, in docs/_build/html"
	@echo "make clean   remove what was built, except results and the environment"

# A Python without ensurepip (Debian's, without python3-venv) gets its pip from the outer one.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "nablab needs python3.11 or newer; none is on the PATH" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "nablab needs python3.11 or newer; $(PYTHON) is older (set PYTHON=...)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) \
	  || { $(PYTHON) -m venv --without-pip --clear $(VENV) && $(PYTHON) -m pip --python $@ install -q pip; }

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $@

$(DEVELOPED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $(INSTALLED) $@

# Seven networks, three seeds; the shares are those that ship with the package, also where all images are here.
# A few epochs of the default recipe, which is a one-cycle schedule.
demo: $(INSTALLED)
	@rm -rf demo
	$(BIN)/nablab compare --epochs 4 --seeds 3 --fractions 0.1 --test-fraction 0.1 --out demo

# Prints what each lab found of its hand-out, and the time.
lessons: $(DEVELOPED)
	$(BIN)/nablab lesson run all --quick --out lessons

# One thread a process: the workers already use the cores.
test: $(DEVELOPED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

# Another SEED makes other cases. What is found is kept in tests/fuzz/findings, with the command that runs it again.
fuzz: $(DEVELOPED)
	cd tests && $(abspath $(BIN))/python -m fuzz --cases $(CASES) --seed $(SEED) --workers $(WORKERS)
	FUZZ_EXAMPLES=$$(( $(CASES) / 50 )) $(BIN)/python -m pytest tests/fuzz/test_headers.py --hypothesis-seed=$(SEED)

check: lint types test docs

lint: $(DEVELOPED)
	$(BIN)/ruff check src tests benchmarks docs tools
	$(BIN)/ruff format --check src tests benchmarks docs tools

types: $(DEVELOPED)
	$(BIN)/mypy

docs: $(DEVELOPED)
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo docs/_build/html/index.html

clean:
	rm -rf build dist lessons docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -prune -exec rm -rf {} +
