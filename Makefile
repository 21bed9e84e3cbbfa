# Two commands matter: `make demo` runs the main job on a real clip, `make test` runs all that CI runs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv demo test lint types unit clean

venv: .venv/.installed

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch torchvision
	$(BIN)/pip install --quiet -e '.[dev]'
	scripts/install_test_browser.sh .venv
	touch $@

demo: venv
	$(BIN)/python scripts/demo.py --output demo-output

test: lint types unit

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy

unit: venv
	$(BIN)/python -m pytest

clean:
	rm -rf .venv demo-output
