# Every target makes what it needs in .venv; nothing is installed outside this folder.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .venv/bin/uv
ARGS ?=
# Test processes: much of a test is waiting for another process to start.
WORKERS ?= 3

.PHONY: setup demo serve test test-cluster test-chaos lint bench clean lock

setup: .venv/.ready .venv/dbos-app/.ready

.venv/.ready: requirements.lock pyproject.toml
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	test -x $(UV) || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip install --quiet --python .venv/bin/python --require-hashes --requirement requirements.lock
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable .
	touch $@

# The sample application pins its own dbos (the last one with the Conductor client), so it has its own environment.
.venv/dbos-app/.ready: .venv/.ready examples/app/requirements.lock
	test -x .venv/dbos-app/bin/python || $(UV) venv --quiet --python .venv/bin/python .venv/dbos-app
	$(UV) pip install --quiet --python .venv/dbos-app/bin/python --require-hashes --requirement examples/app/requirements.lock
	touch $@

demo: setup
	.venv/bin/podium demo $(ARGS)

serve: setup
	.venv/bin/podium serve $(ARGS)

test: setup
	.venv/bin/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

# Minutes of kills, suspended processes and faults, one after the other (docs/reliability.md).
test-chaos: setup
	.venv/bin/python -m pytest -m chaos $(ARGS)

# Real Kubernetes: builds its programs from their Go modules once (about ten minutes, kept outside this folder).
test-cluster: setup
	.venv/bin/python -m sandbox.control_plane.binaries
	.venv/bin/python -m tests.cluster $(ARGS)

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy service workflows steps web sandbox tests
	.venv/bin/lint-imports

bench: setup
	.venv/bin/python -m tests.bench $(ARGS)

# Resolves anew; the lock names versions and hashes only, so any package index can serve it (docs/decisions/0001).
lock: .venv/.ready
	$(UV) pip compile --quiet pyproject.toml --extra sandbox --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements.lock
	$(UV) pip compile --quiet examples/app/requirements.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file examples/app/requirements.lock

clean:
	rm -rf .venv .podium build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
