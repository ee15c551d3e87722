# Every target sets itself up: a fresh machine needs Python 3.11, pip, gcc, g++, make and OpenGL's libraries (README).
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) 2>/dev/null || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests run side by side, one thread each (about 1.5 GB of memory a worker).
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
PACKAGES := shared plugins/lca_dataparsers plugins/lca_method plugins/genlca_method

.PHONY: help install demo test test-slow lint format bench clean

help:
	@echo "make install   create $(VENV) with the four packages and the tools"
	@echo "make demo      synthetic people -> training -> pictures and figures in outputs/demo (a few minutes on 2 cores)"
	@echo "make test      the default tests;  make test-slow: the rest"
	@echo "make lint      ruff and pyright"
	@echo "make bench     what benchmarks/ measures"

install: $(STAMP)

$(STAMP): constraints.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --python $(BIN)/python --constraints constraints.txt --build-constraints constraints.txt \
		$(addprefix -e ,$(PACKAGES)) \
		pytest pytest-xdist hypothesis webdataset ruff pyright
	@$(BIN)/python -c "import cv2, open3d, mediapipe" 2>$(VENV)/imports.log || { tail -n 1 $(VENV)/imports.log; \
		$(BIN)/python -c "from lca_shared.command_line import SYSTEM_LIBRARIES; print(SYSTEM_LIBRARIES)"; exit 1; }
	touch $@

demo: $(STAMP)
	$(BIN)/python scripts/demo.py

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m 'slow and not gpu and not network'

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python benchmarks/rasterize.py

clean:
	rm -rf outputs build dist
