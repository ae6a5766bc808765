# Two commands do everything: `make repro` builds the model, `make test` passes the tests.
# Needs git, make and Python 3.11 or later; everything else goes into .venv.
PYTHON ?= python3
UV_VERSION := 0.13.9
# MB of the packages with torch's CUDA libraries, on Linux: what comes, and what .venv takes
DOWNLOAD := 3500
DISK := 7500

# bytecode is compiled once at installation: without it every step would take 12 s longer
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true

# The search path of programs and the addresses of MLflow's databases cannot hold these.
$(foreach character,: ? %,$(if $(findstring $(character),$(CURDIR)),\
  $(error the folder's path has a $(character), which other tools cannot deal with; rename it)))

.PHONY: help repro test check lock clean
help:
	@echo "make repro   set up .venv, then download, split, train, evaluate, register"
	@echo "make test    set up .venv with the test tools, then run the tests"
	@echo "make check   lint, format and type checks"
	@echo "make lock    resolve the dependencies of pyproject.toml anew"
	@echo "make clean   remove .venv"

repro: .venv/.installed .venv/plots.html
	$(private)
	@dvc repro
	@digits results

test: .venv/.tested
	$(private)
	@python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: .venv/.tested
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache

# What DVC needs before it runs. A process killed in writing leaves dvc.lock or DVC's own lock
# empty, and DVC then refuses everything; the results are still in its run cache. DVC keeps
# pickles in a folder that every user can write to, unless its configuration, which can hold
# nothing but ASCII, names another. And it wants to be told that there is no git.
PRIVATE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/digits/dvc
define private
	@find dvc.lock .dvc/tmp/rwlock -empty -delete 2>/dev/null || true
	@mkdir -p -m 700 .state
	@test -n "$$(printf %s "$(PRIVATE)" | LC_ALL=C tr -d '\40-\176')" || \
	  grep -qsF "$(PRIVATE)" .dvc/config.local || \
	  { mkdir -p -m 700 "$(PRIVATE)" && dvc config --local core.site_cache_dir "$(PRIVATE)"; } || true
	@test -e .git || grep -qs no_scm .dvc/config.local || dvc config --local core.no_scm true
endef

# $(call install,LOCK): uv where it can be had, it is five times faster; else pip. With uv, no file
# in .venv names this folder, so that a moved folder works and a copy runs its own code.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x .venv/bin/python || { free=$$(df -Pk . | awk 'NR == 2 {print int($$4 / 1024)}'); \
	  what="packages: $(DOWNLOAD) MB to download, $(DISK) MB of disk; $$free MB are free here"; \
	  test $$free -ge $(DISK) || what="$$what, too little; make room, or clone to another disk"; \
	  echo "$$what"; test $$free -ge $(DISK) || exit 2; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@test -x .venv/bin/uv || .venv/bin/python -m pip install --quiet uv==$(UV_VERSION) || echo "uv is not to be had; pip takes some minutes"
	@test ! -x .venv/bin/uv || grep -qs relocatable .venv/pyvenv.cfg || \
	  { .venv/bin/uv venv --quiet --relocatable --allow-existing --python .venv/bin/python .venv; \
	  printf '%s\n' '#!/bin/sh' 'exec "$$(dirname "$$0")/python" -m pip "$$@"' > .venv/bin/pip; \
	  rm -f .venv/bin/pip3* .venv/bin/activate.csh; }
	@echo "installing $(1) into .venv"
	@if [ -x .venv/bin/uv ]; then \
	  .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r $(1) && \
	  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e . && \
	  for path in .venv/lib/*/site-packages/__editable__.digits-*.pth; do \
	    echo ../../../.. > .venv/path && mv .venv/path "$$path"; done; \
	else \
	  .venv/bin/python -m pip install --quiet --require-hashes -r $(1) && \
	  .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@touch $@
endef

.venv/.installed: requirements.lock pyproject.toml
	$(call install,requirements.lock)

.venv/.tested: requirements-test.lock pyproject.toml
	$(call install,requirements-test.lock)
	@touch .venv/.installed

# The page of `dvc plots` with Vega inside it: DVC's own page asks another host for Vega.
VEGA := import js_lib_vega_embed as v; print(v.__path__[0] + "/static/js_lib_vega_embed/vega-embed-full.js")
.venv/plots.html: .venv/.installed .dvc/plots.html
	@vega=$$(python -c '$(VEGA)') && sed "/^<script>/r $$vega" .dvc/plots.html > $@
	@dvc config --local plots.html_template ../$@

# Versions and hashes of each extra; what several of them have is of one version.
LOCK := .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 \
  --generate-hashes --no-header --quiet
lock: .venv/.installed
	$(LOCK) --group build --extra train -o requirements.lock
	$(LOCK) --group build --extra train --group test -c requirements.lock -o requirements-test.lock
	$(LOCK) --extra registry -c requirements.lock -o requirements-registry.lock
	$(LOCK) -c requirements.lock -o requirements-base.lock

clean:
	rm -rf .venv
