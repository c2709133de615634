PYTHON ?= python3
V := .venv/bin

.PHONY: setup check format
setup: .venv/ready

.venv/ready: requirements/dev.lock pyproject.toml
	test -x $(V)/python || $(PYTHON) -m venv .venv
	$(V)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	$(V)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

check: setup
	$(V)/ruff check . && $(V)/ruff format --check . && $(V)/mypy

format:
	$(V)/ruff check --fix . ; $(V)/ruff format .
