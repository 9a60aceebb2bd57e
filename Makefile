# make demo: DMFT of the Mott transition from an empty database     make test: the whole suite
# make doc: the documentation as HTML in doc/_build
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# one BLAS thread per process: ranks and workers share the machine
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test doc lint clean
demo: $(VENV)/.demo
	$(BIN)/mlsolver demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist worksteal

doc: $(VENV)/.test
	$(BIN)/python -m sphinx -W --keep-going doc doc/_build

lint: $(VENV)/.test
	$(BIN)/pip install --quiet ruff && $(BIN)/ruff check .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.py pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[plot]"
	touch $@

$(VENV)/.test: setup.py pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[mpi,plot,test,doc]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info doc/_build doc/auto_examples
