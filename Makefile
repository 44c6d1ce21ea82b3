# On a fresh machine run `make repro` and `make test`; `make help` lists all commands.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help setup repro rehearse verify test nightly lint fresh bench parity ui demo docs lock

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pix2street needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/.installed  ## Make .venv with the locked requirements

repro: setup  ## Run the pipeline; unchanged stages are skipped
	@pix2street profiles > /dev/null  # names former keys of params.yaml before DVC reads it
	dvc repro
	@pix2street profiles --better

rehearse: setup  ## Run all stages of a profile for Cityscapes on 24 drawn frames (PROFILE=cityscapes_oasis)
	python benchmarks/rehearsal.py $(or $(PROFILE),cityscapes) --out rehearsal

test: setup lint  ## Run the linter and the tests
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

nightly: setup  ## Run the long tests that `make test` leaves out
	python -m pytest -m nightly -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: setup
	ruff check .
	ruff format --check .

fresh: setup  ## Check that dvc.lock belongs to the present code and parameters
	@dvc repro --dry --allow-missing | grep 'up to date' || \
		{ echo "dvc.lock does not belong to the code or params.yaml: run make repro and commit dvc.lock"; exit 1; }

verify: setup  ## Run a clean clone of the last commit and compare its outputs with dvc.lock (OPTIONS=--tolerant)
	pix2street verify $(OPTIONS)

bench: setup  ## Time a training step and the tutorial's (with TORCH=step.py TORCH_PYTHON=python also PyTorch's)
	python benchmarks/step.py $(if $(TORCH),--torch $(TORCH)) $(if $(TORCH_PYTHON),--torch-python $(TORCH_PYTHON))

parity: setup  ## Compare the distances with those of torch-fidelity (installs PyTorch, 3 GB)
	python -m pip install --quiet --disable-pip-version-check -e '.[parity]'
	python -m pytest -s tests/metrics/test_parity.py

ui: setup  ## Open the MLflow UI on http://127.0.0.1:5000
	@echo 'all runs compared: http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=comparison&compareRunsMode=CHART'
	MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
		mlflow ui --host 127.0.0.1 --port 5000 --workers 1 $(if $(MLFLOW_TRACKING_URI),,--backend-store-uri sqlite:///mlflow.db)

demo: setup  ## Paint a street in the browser, on http://127.0.0.1:7860 (OPTIONS='--port 7861')
	pix2street demo $(OPTIONS)

docs: setup  ## Build the guide and the API reference into site/
	NO_MKDOCS_2_WARNING=true mkdocs build --strict

COMPILE = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --quiet

lock:  ## Update requirements.txt and requirements-gpu.txt from pyproject.toml (needs uv)
	$(COMPILE) --extra test --extra jax --extra judges --extra server --extra export --extra docs -o requirements.txt
	$(COMPILE) --extra gpu --constraints requirements.txt -o requirements-gpu.txt \
		$$(sed -nE 's/^([a-z0-9._-]+)==.*/--no-emit-package \1/p' requirements.txt)
	sed -i '/^# The following packages were excluded/,$$d' requirements-gpu.txt
