# What one does in a checkout: make run, make test, make lint, make clean.
#
# Everything is written below this directory. Only `make test` and `make bench` go beyond, where they may: they install
# the programs that the integration tests and the measurements run, by apt-get.

PYTHON ?= python3
BIN := .venv/bin

export PIP_CACHE_DIR := $(CURDIR)/.venv/cache
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test lint bench image dev tools clean

help:
	@echo "make run    a registry on localhost:5000, its data in var/registry"
	@echo "make test   all tests"
	@echo "make lint   style and types"
	@echo "make bench  measure beside docker-registry and nginx, into bench/results/; quicker: BENCH=--quick"
	@echo "make image  build the container image by buildah, on a base of Debian's packages; as root"
	@echo "make clean  remove what the others made, but for var/"

# Any REGISTRY_* variable overrides a key of the file.
run: .venv/run.stamp
	@if [ -z "$${REGISTRY_STORAGE:-}$${REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY:-}" ]; then \
		export REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY="$(CURDIR)/var/registry"; \
	fi; \
	exec $(BIN)/twistd --nodaemon --pidfile= dregistry --config etc/dregistry.yml

# Tests whose programs are missing are skipped, by name.
test: dev tools
	$(BIN)/python -m pytest

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=examples/dregistry-sqlite $(BIN)/mypy --package dregistry_sqlite

bench: dev
	@sh bench/install-tools .venv/opt
	$(BIN)/python bench/run.py $(BENCH)

# The image localhost/dregistry, in the storage of buildah and podman; as root.
image: dev
	PYTHON=$(CURDIR)/$(BIN)/python sh image/build

dev: .venv/dev.stamp

tools:
	@PYTHON=$(CURDIR)/$(BIN)/python sh tests/integration/install-tools .venv/opt

.venv/run.stamp: pyproject.toml
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis _trial_temp* .coverage*
	rm -f twisted/plugins/dropin.cache
	find dregistry tests twisted -name __pycache__ -type d -prune -exec rm -rf {} +
