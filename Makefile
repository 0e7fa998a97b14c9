# Two commands do all the set-up: `make demo` and `make test`. Each makes its own .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS ?= constraints.txt
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
WORKERS ?= 2

.PHONY: demo tiny test test-all install lint format bench clean

# torch comes first: with it in place nothing else asks for another build of it
$(VENV)/installed: pyproject.toml $(CONSTRAINTS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install $$(grep -h '^torch==' $(CONSTRAINTS) || echo torch)
	$(PIP) install --constraint $(CONSTRAINTS) --editable '.[data,dev]'
	touch $@

install: $(VENV)/installed

# peers that only benchmarks/ compare with
$(VENV)/bench-installed: $(VENV)/installed
	$(PIP) install --constraint $(CONSTRAINTS) --editable '.[data,dev,bench]'
	touch $@

demo: install
	$(BIN)/manyshot demo --out runs/demo

# the bundled model anew, from nothing; goes on where it stopped
tiny: install
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m manyshot.pretraining train recipes/tiny.yaml runs/tiny
	$(BIN)/python -m manyshot.pretraining pack runs/tiny/stages/long runs/tiny/bundled

test: install
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow and not gpu'

test-all: install
	$(BIN)/python -m pytest -n $(WORKERS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/bench-installed
	$(BIN)/python benchmarks/training_speed.py --json

clean:
	rm -rf $(VENV) runs
