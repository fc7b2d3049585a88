# Everything runs in a virtual environment of its own; Python >= 3.11 is all that is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: demo test lint bench esorex-plugin workflows clean

$(BIN)/soxs: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

demo: $(BIN)/soxs
	PATH="$(abspath $(BIN)):$$PATH" bash benchmarks/demo.sh $(DEMO)

test: $(BIN)/soxs
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(BIN)/soxs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(BIN)/soxs
	$(BIN)/python benchmarks/bench.py

esorex-plugin: $(BIN)/soxs
	$(BIN)/soxs esorex install

workflows: $(BIN)/soxs
	$(BIN)/python -m soxs_recipes.workflows

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
