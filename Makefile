# The only words one needs:
#   make demo    the whole story in one command: a made world, a model, a live stream, the desk
#   make test    the tests (`make test-slow` runs the long ones too)
#   make check   format, lint, types, import layers, documents
#   make bench NAME=kernel    one benchmark, rivals side by side (QUICK=1 for under a minute)
#   make docs    the pictures in docs/, taken anew from the real pages
# Each does its own set-up in .venv; nothing needs to be installed beforehand but git, make and Python 3.11 or newer.
# They install PyTorch first. To name the build yourself (a smaller one, or one for your GPU), in a fresh clone or
# after `make clean`:
#   make demo TORCH="torch==2.13.0 --index-url ADDRESS"     or TORCH=path/to/torch-2.13.0-....whl

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
# Which build of PyTorch trains the networks: anything that pip's install takes. Serving never needs it.
TORCH ?= torch==2.13.0
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test test-slow check format bench docs changelog clean help
.DEFAULT_GOAL := help

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

.venv/python:
	@test -n "$(PYTHON)" || { echo "Tocsin needs Python 3.11 or newer; none was found. Install it, or run: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# First and without what it needs: the rest is taken from where all the rest is taken from, at the pinned versions.
.venv/torch.installed: .venv/python constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(TORCH)
	@touch $@

# One stamp for each set of packages, so that a demo does not wait for browsers' drivers and rivals.
.venv/%.installed: .venv/torch.installed pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@

demo: .venv/learn,networks.installed
	$(BIN)/tocsin demo $(ARGS)

test: .venv/dev.installed
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

test-slow: .venv/dev.installed
	$(BIN)/python -m pytest $(ARGS)

check: .venv/dev.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_docs.py

format: .venv/dev.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev.installed
	@test -f benchmarks/$(NAME).py || { echo "Name one: make bench NAME=... with one of: $(basename $(notdir $(wildcard benchmarks/*.py)))"; exit 1; }
	$(BIN)/python benchmarks/$(NAME).py

docs: .venv/dev.installed
	$(BIN)/python docs/make_pictures.py

changelog: .venv/dev.installed
	$(BIN)/towncrier build --yes

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
