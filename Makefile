# PYTHON=python3.12 picks another interpreter. Everything is installed into .venv, nothing outside it.
PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.ready
DEMO_EPOCHS ?= 15
# Where bytecode writing is off, every start would cost ten seconds more: compile at install time.
export UV_COMPILE_BYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check docs format lock clean

help:  ## print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## build .venv with everything that development needs

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "medvision needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -q -c requirements.lock uv && $(PY) -m uv pip install -q -c requirements.lock -e '.[dev]' \
		|| $(PY) -m pip install -q -c requirements.lock -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## draw a simulated knee data set, train on it and evaluate (minutes)
	test -d data/simulated/knee_sections || $(PY) -m medvision.samples knee_sections data/simulated/knee_sections
	$(PY) -m medvision.fit experiments/knee_sections.yaml --name=demo --data.root=data/simulated/knee_sections \
		--data.image_size=96 --trainer.max_epochs=$(DEMO_EPOCHS)

test: $(STAMP)  ## the fast tests, on as many cores as there are
	$(PY) -m pytest -m "not slow" -n auto --maxprocesses 8 --dist loadfile

test-slow: $(STAMP)  ## the slow tests: real training, several processes, a built wheel
	$(PY) -m pytest -m slow -n 2 --dist loadfile

check: $(STAMP)  ## lint, format, types, and the documentation
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(MAKE) docs

docs: $(STAMP)  ## build the site into build/docs, without a network
	$(PY) -m sphinx -b html -W --keep-going -q -E -d build/doctrees docs build/docs

format: $(STAMP)  ## put the code into its format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: $(STAMP)  ## write requirements.lock anew with today's versions
	$(PY) -m uv pip compile -q --universal --upgrade --python-version 3.11 --all-extras --no-emit-package medvision-lightning pyproject.toml -o requirements.lock

clean:  ## remove .venv and everything that a tool has cached
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache build dist
