# Needs Python 3.11 or newer with pip, and make. Nothing else has to be installed or running.
PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo ui test test-redshift check fmt lint docs lock bench bench-quick year soak clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   export the sample events to an S3 server on this machine, and show what landed"
	@echo "make ui     browse it: the Dagster UI, with schedules and backfills running"
	@echo "make test   run the whole test suite"
	@echo "make test-redshift   run the destinations' suite against a Redshift cluster of your own"
	@echo "make fmt    format; make lint: ruff and mypy; make docs: write the generated reference"
	@echo "make year   run exports through a simulated year with all that goes wrong; make soak: 24 quiet hours"
	@echo "make bench  measure the exports beside their peers; make bench-quick: against the last time"
	@echo "make clean  remove all that these made"

demo: $(READY)
	@$(BIN)/batch-exports demo

ui: $(READY)
	@$(BIN)/batch-exports ui

# One process more than there are processors: tests wait for servers as well.
test: $(READY)
	@$(BIN)/python -m batch_exports_tests.browser.install
	$(BIN)/pytest --numprocesses $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder

# The suite of all destinations against a cluster of your own, which REDSHIFT_* variables name:
# see CONTRIBUTING.md.
test-redshift: $(READY)
	@test -n "$$REDSHIFT_HOST" || { echo "Set REDSHIFT_HOST and more: see CONTRIBUTING.md"; exit 2; }
	$(BIN)/pytest batch_exports_tests/destinations/redshift/test_destination.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict batch_exports

fmt: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python -m docs.generate

bench: $(READY) .venv-bench/.ready .venv-bench-ingestr/.ready
	$(BIN)/python -m benchmarks run
	$(BIN)/python -m benchmarks fixed-cost
	$(BIN)/python -m benchmarks plan-time
	$(BIN)/python -m benchmarks publish

# Against the parts of the limits' speed that benchmarks/guard.toml has; for a nightly run.
bench-quick: $(READY) .venv-bench/.ready
	$(BIN)/python -m benchmarks quick

# The peers; what cannot be installed here is left out of what is measured, with that reason.
.venv-bench/.ready: LOCK := requirements
.venv-bench-ingestr/.ready: LOCK := ingestr
.venv-bench/.ready .venv-bench-ingestr/.ready: $(UV) benchmarks/requirements.lock benchmarks/ingestr.lock
	@echo "Setting up: installing the peers of the benchmark into $(@D) ..."
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(@D)
	-@$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes benchmarks/$(LOCK).lock
	@touch $@

# A simulated year, in which servers are stopped for real; half an hour.
year: $(READY)
	$(BIN)/python -m simulation year

soak: $(READY)
	$(BIN)/python -m simulation soak

# Pinned versions with hashes, and no address of any package index.
lock: $(UV)
	$(UV) lock --upgrade --quiet
	$(UV) export --quiet --format requirements-txt --all-groups --all-extras --no-emit-project \
		--no-header --no-annotate --output-file requirements.lock
	$(UV) pip compile --quiet --no-header --no-annotate --generate-hashes --universal \
		--python-version 3.11 --extra clickhouse --constraint requirements.lock \
		--output-file deploy/requirements.lock pyproject.toml deploy/requirements.in
	for name in requirements ingestr; do \
		$(UV) pip compile --quiet --no-header --no-annotate --generate-hashes \
			--python-version 3.11 --output-file benchmarks/$$name.lock benchmarks/$$name.in; done

clean:
	-$(BIN)/batch-exports local down
	rm -rf .venv .venv-bench .venv-bench-ingestr .uv .local .tmp_dagster_home_*

# pip serves only to fetch uv, which installs the rest in seconds and needs no python3-venv package.
$(UV): requirements-uv.lock
	@echo "Setting up: fetching the installer ..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --require-hashes --no-deps \
		--upgrade --target .uv --requirement requirements-uv.lock
	@touch $(UV)

# Compiled at once: each run is a process, which imports two thousand modules, and where Python may
# not keep what it compiles (PYTHONDONTWRITEBYTECODE) that takes longer than the run.
$(READY): $(UV) requirements.lock pyproject.toml
	@echo "Setting up: installing pinned dependencies into .venv ..."
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q batch_exports
	@touch $(READY)
