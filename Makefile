# The two commands are `make book` and `make test`; each makes .venv first where it is missing.
# Paths below are relative, so the project may lie in a folder whose name has spaces.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help book pdf epub test test-all outputs course bench clean

# Python 3.11 or later that makes .venv; `make book PYTHON=/path/to/python3.12` overrides it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; \
	done)
RUN := .venv/bin/python -m
STAMP := .venv/.made

help:  ## this list
	@echo "Speech emotion recognition with the Dual-Sequence LSTM: a book and a package"
	@echo
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1|/' | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

book: $(STAMP)  ## run every chapter on the built-in corpus and build the book: _build/html/index.html
	@$(RUN) tools.book build

pdf: $(STAMP)  ## the book for paper, with Chromium: _build/book.pdf
	@$(RUN) tools.printing pdf

epub: $(STAMP)  ## the book for a reader of books, with Chromium: _build/book.epub
	@$(RUN) tools.printing epub

test: $(STAMP)  ## lint, unit tests, doctests, every notebook, the built pages
	@$(RUN) tools.check

test-all: $(STAMP)  ## the same, and what is slow: every notebook once more on another corpus
	@$(RUN) tools.check --all

outputs: $(STAMP)  ## run the chapters and store their outputs in book/*.ipynb, before a commit
	@$(RUN) tools.book store

SEED ?= 2026

course: $(STAMP)  ## the kit for teachers: _build/course and _build/course.zip
	@$(RUN) tools.course build --seed $(SEED)

bench: $(STAMP)  ## speed, as ratios within one run: a table, and book/results/benchmarks/cpu.json
	@$(RUN) benchmarks --out book/results/benchmarks/cpu.json

clean:  ## remove what was built (the environment in .venv stays)
	rm -rf _build .pytest_cache .ruff_cache .benchmarks
	find . -name .venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

$(STAMP): requirements.txt pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or later was not found; install it, or say: make book PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi
	@echo "Making the environment in .venv (one to five minutes, once)"
	"$(PYTHON)" -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e book
	@touch $(STAMP)
