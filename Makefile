# Every target a person or CI uses; `make help` lists them.
PYTHON ?= python3
PYTHON311 ?= python3.11
VENV := .venv
BLENDER := .venv-blender
BIN := $(VENV)/bin
JOBS ?= auto
PYTEST_ARGS ?=
PORT ?= 8089
FUZZ_MINUTES ?= 45
FAST := tests/client tests/contracts tests/docs tests/fuzzing tests/mock_server tests/security tests/testkit
PROJECTS := pyproject.toml client/pyproject.toml client/conductor/version.py
INSTALL := python -m pip install --quiet --disable-pip-version-check
UNINSTALL := python -m pip uninstall -qq --yes --disable-pip-version-check conductor-mock

.DEFAULT_GOAL := help
.PHONY: help demo demo-execute demo-blender serve check format test-fast test test-all flake fuzz mutants prove bench dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## run the documented quick start up to its downloaded frames; KEEP=1 leaves a farm to look at
	@mkdir -p build
	@$(BIN)/conductor-mock demo $(if $(KEEP),--keep --ready-file build/ready.json $(if $(filter-out 8089,$(PORT)),--port $(PORT)),--folder build/demo)

demo-execute: $(VENV)/.examples ## render 24 frames of the example's ray tracer for real, and make a contact sheet
	@$(BIN)/conductor-mock run --execute --speed 60 -- \
	  $(BIN)/python examples/render.py raytracer --folder build/demo-execute

demo-blender: $(BLENDER)/.blender ## render 12 frames with Blender for real (Python 3.11, 370 MB are downloaded once)
	@$(BLENDER)/bin/conductor-mock run --execute -- \
	  $(BLENDER)/bin/python examples/render.py blender --folder build/demo-blender

serve: $(VENV)/.installed ## serve the fake on port 8089 (PORT=... another) with a throw-away data directory
	@mkdir -p build
	@$(BIN)/conductor-mock serve --ephemeral --port $(PORT) --ready-file build/ready.json

check: $(VENV)/.dev ## lint, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy client mock_server contracts tests benchmarks docs
	$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: screenshots
screenshots: $(VENV)/.dev ## write every page, light, dark and as on a phone, into build/screenshots (needs Chromium)
	PYTHONPATH=tests $(BIN)/python -m browser.screenshots

.PHONY: docs site
docs: $(VENV)/.dev ## write the pages and tables that are made from code and contract
	$(BIN)/python docs/generate.py

site: $(VENV)/.dev ## build the documents into build/site, a site that loads nothing from elsewhere
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html; its search wants a server: python3 -m http.server --directory build/site"

test-fast: $(VENV)/.dev ## what to run after a save: no processes, few examples, half a minute
	HYPOTHESIS_PROFILE=fast $(BIN)/pytest -q -n $(JOBS) -m "not slow and not prove" $(FAST) $(PYTEST_ARGS)

test: $(VENV)/.dev ## the whole test suite (PYTEST_ARGS adds options)
	$(BIN)/pytest -n $(JOBS) --durations 10 $(PYTEST_ARGS)

test-all: $(VENV)/.dev ## the suite on every supported Python that is found, 3.10 to 3.13, and the client's on 3.9
	$(BIN)/nox $(if $(PYTEST_ARGS),-- $(PYTEST_ARGS))

flake: $(VENV)/.dev ## the suite ten times with eight workers, which find what depends on order or load
	for run in 1 2 3 4 5 6 7 8 9 10; do echo "run $$run of 10"; $(BIN)/pytest -q -n 8 $(PYTEST_ARGS) || exit 1; done

.PHONY: flake-kit
flake-kit: $(VENV)/.dev ## the suite of the test kit twenty times, in parallel and in any order
	for run in $$(seq 20); do echo "run $$run of 20"; $(BIN)/pytest -q -n $(JOBS) tests/testkit $(PYTEST_ARGS) || exit 1; done

fuzz: $(VENV)/.dev ## the property tests and schemathesis with new examples for FUZZ_MINUTES=45
	HYPOTHESIS_PROFILE=fuzz FUZZ_MINUTES=$(FUZZ_MINUTES) $(BIN)/pytest -n $(JOBS) -m "(hypothesis or schemathesis) and not prove" $(PYTEST_ARGS)

mutants: $(VENV)/.dev ## plant small faults in a MODULE, one at a time, and name those that its tests let through
	PYTHONPATH=tests $(BIN)/python -m mutants $(MODULE) $(if $(TESTS),--tests "$(TESTS)") $(if $(SAMPLE),--sample $(SAMPLE))

prove: $(VENV)/.dev ## the long proofs, of which make test runs small forms
	$(BIN)/pytest -n $(JOBS) --timeout 7200 -m prove --durations 20 $(PYTEST_ARGS)
	$(BIN)/python benchmarks/farm.py

bench: $(VENV)/.dev ## measure; prints tables for docs/figures.md
	$(BIN)/python benchmarks/submission.py
	$(BIN)/python benchmarks/service.py
	$(BIN)/python benchmarks/task_list.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/compare_downloads.py

dist: $(VENV)/.dev ## build wheels and sdists of both distributions into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist client
	$(BIN)/python -m build --no-isolation --outdir dist .

clean: ## remove what the other targets made
	rm -rf $(VENV) $(BLENDER) .venv-vendor .nox .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "conductor-mock needs Python 3.10 or newer; name one with 'make PYTHON=python3.12 ...'" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Both distributions are installed by one call: neither is on an index. What was installed when they were still one goes
# first, because pip would remove it last, and with it the files that the client has put in its place.
$(VENV)/.installed: $(PROJECTS) $(VENV)/.created
	@echo "installing into $(VENV); once, and it takes a minute"
	@$(BIN)/$(UNINSTALL)
	@$(BIN)/$(INSTALL) --editable './client[cli]' --editable .
	@touch $@

$(VENV)/.examples: $(VENV)/.installed
	@$(BIN)/$(INSTALL) --editable './client[cli]' --editable '.[examples]'
	@touch $@

$(BLENDER)/.blender: $(PROJECTS)
	@echo "installing Blender as a Python module into $(BLENDER)"
	@$(PYTHON311) -m venv $(BLENDER)
	@$(BLENDER)/bin/$(UNINSTALL)
	@$(BLENDER)/bin/$(INSTALL) --editable './client[cli]' --editable '.[blender]'
	@touch $@

$(VENV)/.dev: $(PROJECTS) $(VENV)/.created
	@echo "installing into $(VENV), with what development needs; once, and it takes a minute or two"
	@$(BIN)/$(UNINSTALL)
	@$(BIN)/$(INSTALL) --editable './client[cli]' --editable '.[dev]'
	@touch $@ $(VENV)/.installed
