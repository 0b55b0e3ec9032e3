# Two commands do all of it: `make demo` and `make test`. Both set up .venv first, once.

PYTHON ?= python3
BIN := .venv/bin
TORCH := $(shell grep '^torch==' constraints.txt)
TORCHVISION := $(shell grep '^torchvision==' constraints.txt)
CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: demo test test-all lint bench

demo: .venv/installed
	$(BIN)/erlangen run padding --preset quick

test: .venv/installed lint
	$(BIN)/python -m pytest -q -n auto --dist loadfile

test-all: .venv/installed lint
	$(BIN)/python -m pytest -q -m '' -n auto --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo > .venv/layers.txt || { cat .venv/layers.txt; exit 1; }

bench: .venv/installed
	$(BIN)/python benchmarks/command_line.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/padding.py
	$(BIN)/python benchmarks/graph.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/gpt.py
	$(BIN)/python benchmarks/gpt_generate.py

# On Linux the registry's torch brings gigabytes of CUDA packages. Without an NVIDIA driver the CPU build is asked for by name, from
# wherever pip is set up to look, then from PyTorch's own index; only where neither has one for this Python does the registry's come.
# torchvision, which timm imports, must be of the same kind: built for CUDA it does not import beside a torch for the CPU.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "erlangen needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	if [ "$$(uname)" = Linux ] && ! nvidia-smi > /dev/null 2>&1; then \
	  if $(BIN)/pip install --quiet '$(TORCH)+cpu' 2> /dev/null || \
	    $(BIN)/pip install --quiet --index-url $(CPU_INDEX) '$(TORCH)' 2> /dev/null; then \
	    $(BIN)/pip install --quiet --no-deps '$(TORCHVISION)+cpu' 2> /dev/null || \
	    $(BIN)/pip install --quiet --no-deps --index-url $(CPU_INDEX) '$(TORCHVISION)' 2> /dev/null || true; \
	  else \
	    echo "No CPU build of $(TORCH) for this Python: installing the registry's, which brings about 5 GB of CUDA libraries." >&2; \
	  fi; \
	fi
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,graph,images,onnx,gpt,ray]'
	touch $@
