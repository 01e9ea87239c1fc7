# make demo        from a simulated scan to maps, a table and pictures, in demo-output/
# make test        style, spelling and all tests
# make lint        style and spelling alone
# make fuzz        5,000 damaged files of every kind that is read, some ten minutes
# make benchmark   time, memory and accuracy at the paper's size, half an hour on a machine doing nothing else
# make clean       remove what the others made
#
# Everything is installed once into .venv from PyPI, with the first Python that works. Choose another by PYTHON=...

.PHONY: demo test lint fuzz benchmark clean
.DEFAULT_GOAL := demo

# pyenv leaves commands in the path that fail when run, and Debian a python without venv: try what is needed.
PYTHON ?= $(shell for name in python3.12 python3.11 python3.13 python3.10; do \
	if $$name -c "import sys, venv, ensurepip" >/dev/null 2>&1; then echo $$name; break; fi; done)
BIN := .venv/bin
STAMP := .venv/installed.stamp
export MPLBACKEND := Agg
# Threads of the libraries under numpy would only get in the way of those that share the work, and of other tests.
export OMP_NUM_THREADS ?= 1
# The off-screen view of VTK, where there is no display.
export VTK_DEFAULT_OPENGL_WINDOW ?= vtkEGLRenderWindow

demo: $(STAMP)
	@$(BIN)/python Testing/demo.py

test: lint
	@# In the order of names: files of few tests, which would come last, hold the longest ones.
	@$(BIN)/python -m pytest -q --numprocesses auto --dist loadfile --no-loadscope-reorder Testing/Python

lint: $(STAMP)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/codespell

fuzz: $(STAMP)
	@$(BIN)/python Testing/fuzz.py --cases 5000 --show

benchmark: $(STAMP)
	@$(BIN)/python Testing/Benchmarks/benchmark.py
	@$(BIN)/python Testing/Benchmarks/registration.py
	@$(BIN)/python Testing/Benchmarks/simulation.py

$(STAMP): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "No usable Python found. Wanted: python3.12, python3.11, python3.13 or python3.10 with venv and pip," >&2; \
		echo "for instance from python.org, conda, or 'apt install python3 python3-venv'." >&2; exit 2; fi
	@$(BIN)/python -c "import pip" >/dev/null 2>&1 || { echo "Making .venv with $(PYTHON)"; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing from PyPI into .venv (once, about 1.4 GB with the libraries of 3D Slicer)"
	@# Python compiles what is imported, when it is; pip would compile all there is, for half a minute.
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --editable '.[cli,report,stats,batch,mrml,test]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info demo-output .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
