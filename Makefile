# Everything a contributor needs: `make demo`, `make check`, `make test`. Each sets up what it needs by itself.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The OpenVINO plugin is built for x86-64 Linux; elsewhere the plain runtime serves.
RUNTIME ?= $(if $(and $(filter x86_64,$(shell uname -m)),$(filter Linux,$(shell uname -s))),openvino,cpu)
export ORT_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo check test fuzz soak format docs install parts bench figures deb systemd-test vm-test clean

install: $(VENV)/installed

demo: $(VENV)/runs  ## the daemon at work on a bundled video, until Ctrl-C; SECONDS=20 ends it
	@$(BIN)/edged demo $(if $(SECONDS),--seconds $(SECONDS))

$(VENV)/runs: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing edged into $(VENV), once"
	$(BIN)/pip install --quiet --editable '.[$(RUNTIME),demo]'
	touch $@

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[$(RUNTIME),demo,dev]'
	touch $@

check: install  ## format, lint, types, layers, tables in docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/findings.py --check
	$(BIN)/python docs/metrics.py --check
	$(BIN)/python docs/figures.py --check

docs: install  ## the tables of docs/mqtt.md, from the topics and the schemas
	$(BIN)/python -m edged.mqtt.schemas
	$(BIN)/python -m edged.service.status_schema
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/findings.py
	$(BIN)/python docs/metrics.py

parts:  ## the real broker and the real camera server that the tests use
	sh tests/install-parts.sh

# These act as another user, who may not enter the folders that pytest-xdist makes for its workers.
ALONE := tests/integration/test_model_store_commands.py tests/integration/test_model_add.py

test: install parts  ## all cores; a file of those that start daemons, brokers and cameras stays on one
	$(BIN)/python -m pytest -n auto tests/unit tests/contracts
	$(BIN)/python -m pytest -n auto --dist loadfile $(addprefix --ignore=,$(ALONE)) tests/integration
	$(BIN)/python -m pytest $(ALONE)
	$(BIN)/python -m pytest -n auto --dist loadfile tests/e2e

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: install parts  ## bytes that went wrong at every door, a minute each; ARGS="gate --mutants 2000 --seed 1" for some
	PYTHONPATH=tests:tests/e2e nice $(BIN)/python -m fuzz $(ARGS)

soak: install parts  ## kills, then random faults of every kind, SECONDS=600 of each; ARGS="--seed 7 --every 60" for the faults
	EDGED_SOAK_S=$(or $(SECONDS),600) $(BIN)/python -m pytest -s tests/e2e/test_outbox.py
	PYTHONPATH=tests:tests/e2e $(BIN)/python -m soak --seconds $(or $(SECONDS),600) $(ARGS)

bench: install parts  ## what docs/performance.md shows, measured again; ARGS="1 2 --rounds 7 --peers" for some of it
	$(BIN)/python -m benchmarks.performance $(ARGS)

figures: install  ## what the model cards claim, measured again
	$(BIN)/python models/parcel-codes/train/evaluate.py models/parcel-codes/1 models/parcel-codes-int8/1
	$(BIN)/python models/bearing-vibration/train/evaluate.py

deb: install  ## a Debian package, in dist/, for the release and the architecture that this runs on; RUNTIME=cpu
	$(BIN)/python packaging/deb.py --runtime $(RUNTIME) $(ARGS)

systemd-test: install  ## boots a Debian and does to its edged what happens to boxes; as root, five to ten minutes
	EDGED_SYSTEMD_TESTS=1 $(BIN)/python -m pytest -s tests/systemd

vm-test: install  ## power cuts, clocks that jump, a want of memory, in virtual machines; as root, CUTS=3
	EDGED_VM_TESTS=1 EDGED_VM_CUTS=$(or $(CUTS),3) $(BIN)/python -m pytest -s tests/vm

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
