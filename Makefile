.PHONY: setup demo test bench quality lint lock plugin
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.ready
# Generated sources are not among them.
CPP := $(shell find plugin/ofx tests/tools -name '*.cpp' -o -name '*.h')
# Where "make quality" puts good and bad cases.
PICTURES ?= build/quality

setup: $(STAMP)

$(STAMP): requirements.lock requirements-setup.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Cleanplate needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements-setup.lock
	$(VENV)/bin/uv pip sync --quiet --python $(VENV)/bin/python --require-hashes requirements.lock
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	touch $(STAMP)

lock:
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade requirements.in -o requirements.lock --custom-compile-command "make lock"
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade requirements-setup.in -o requirements-setup.lock --custom-compile-command "make lock"
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade requirements-cross.in -o requirements-cross.lock --custom-compile-command "make lock"

demo: $(STAMP)
	$(VENV)/bin/cleanplate demo

bench: $(STAMP) plugin
	$(VENV)/bin/python -m plugin.measuring.bench
	$(VENV)/bin/python -m plugin.measuring.bench_networks
	$(VENV)/bin/python -m plugin.measuring.bench_host
	$(VENV)/bin/python -m plugin.measuring.quality --minutes 1 --pictures $(PICTURES)

quality: $(STAMP)
	$(VENV)/bin/python -m plugin.measuring.quality --pictures $(PICTURES)

test: $(STAMP)
	$(VENV)/bin/python -m pytest -q

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/clang-format --dry-run -Werror $(CPP)
	$(VENV)/bin/mypy

include plugin/ofx/plugin.mk
