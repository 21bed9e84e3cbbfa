# Two commands matter: `make demo` runs the main job on a real clip, `make test` runs all that CI runs.
PYTHON ?= python3
BIN := .venv/bin
# Processes that share the tests, each with one thread; `make test JOBS=1` runs them in one process.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest
ifneq ($(JOBS),1)
PYTEST := OMP_NUM_THREADS=1 $(PYTEST) -n $(JOBS) --dist loadgroup
endif

.PHONY: venv demo test quick lint types unit docs wheel oldest clean

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

# Lint, types and the tests that are not marked slow.
quick: lint types venv
	$(PYTEST) -m "not slow"

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy

unit: venv
	$(PYTEST)

# The documentation as a site, in site/.
docs: venv
	$(BIN)/python scripts/build_site.py --output site

# Source distribution and wheel, in dist/, without network.
wheel: venv
	$(BIN)/python -m build --no-isolation

# Tests on the oldest supported Python and dependencies; needs uv and a package registry.
oldest:
	scripts/test_oldest.sh

clean:
	rm -rf .venv demo-output site dist
