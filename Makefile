# Each target sets up .venv by itself; PYTHON=/path/to/python chooses the interpreter. On Windows see README.md.
PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help env lab test test-fast test-browser unit nbval notebooks notebooks-check evidence soak bench lint lock wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-16s %s\n", $$1, $$2}' Makefile

env:
	@PYTHON='$(PYTHON)' sh tools/setup_env.sh

lab: env  ## open JupyterLab at the first notebook
	@$(PY) tools/lab.py

test: lint unit notebooks-check nbval  ## all tests but those of the browser and of speed

test-fast: env  ## the tests that take a moment
	MPLBACKEND=Agg $(PY) -m pytest -q -m "not slow and not browser and not bench"

test-browser: env  ## a learner's first five minutes in a real JupyterLab and Chromium
	$(PY) -m pytest -m browser tests/browser

lint: env  ## style, types and the floors of the house
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -c "from importlinter.cli import lint_imports_command as run; run()"

unit: env
	MPLBACKEND=Agg $(PY) -m pytest -m "not browser and not bench"

nbval: env
	EDAKIT_CHECK=1 $(PY) -m pytest --nbval --nbval-sanitize-with tests/notebooks/sanitize.cfg --nbval-cell-timeout=60 \
		--timeout=120 -q notebooks

notebooks: env  ## execute and normalise the notebooks
	$(PY) tools/notebooks.py

notebooks-check: env  ## execute them and compare with the files
	$(PY) tools/notebooks.py --check

evidence: env  ## run every seed behind the notebooks' statistics again
	EDAKIT_EVIDENCE=again $(PY) tools/notebooks.py

soak: env  ## property tests with ever new examples: make soak MINUTES=30
	$(PY) tools/soak.py $(or $(MINUTES),10)

bench: env  ## measure beside the peers, write benchmarks/results.json
	@$(PY) -m uv pip install --quiet --python $(PY) --require-hashes -r benchmarks/requirements.lock \
		|| echo "the peers could not be installed: those that are missing will be skipped"
	$(PY) benchmarks/run.py

lock: env  ## pin the newest versions in requirements.lock and benchmarks/requirements.lock
	$(PY) -m uv pip compile --quiet --universal --upgrade --generate-hashes --no-header --python-version 3.11 \
		--extra lab --extra dev pyproject.toml -o requirements.lock
	$(PY) -m uv pip compile --quiet --universal --upgrade --generate-hashes --no-header --python-version 3.11 \
		--extra bench --constraint requirements.lock pyproject.toml -o benchmarks/requirements.lock

wheel: env  ## build dist/edakit-*.whl
	$(PY) -m hatchling build -t wheel

clean:  ## remove .venv and everything built
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
