# The two commands of the README. Windows and own environments: see there for the plain ones.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test format clean-venv

quickstart: .venv/.installed
	$(BIN)/python train.py
	$(BIN)/python test.py

test: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/.installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/.installed-dev: requirements-dev.txt requirements-extra.txt requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch .venv/.installed $@

clean-venv:
	rm -rf .venv
