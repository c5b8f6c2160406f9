# Two commands: `make demo` and `make test`. Both install what they need; they start from Python 3.11 or newer.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
# The stamps of the two sets of packages: those that Snug runs with, and those of its tests as well.
RUN := .venv/.snug-run
DEV := .venv/.snug-dev
# Those of the documentation site, which no test needs but its own in `make test-all`.
DOCS := .venv/.snug-docs
# What the package is made of: it is built again when one of these is newer than the stamp.
PARTS := pyproject.toml hatch_build.py $(wildcard client/web/*.mjs client/web/*.json) client/web/node.py \
  $(shell find client/web/src client/web/patches -type f 2>/dev/null)
# Compiled modules are kept: tests start hundreds of processes, and compiling takes each longer than starting.
unexport PYTHONDONTWRITEBYTECODE
# Pytest workers. Two cores: many tests wait for a network, and four at a time keep both cores busy.
WORKERS ?= 4
PYTEST := .venv/bin/python -m pytest
SPREAD := -n $(WORKERS) --max-worker-restart=0
# Coverage of crypto/ is measured under its own tests alone: meetings take three times as long under it.
OF_CRYPTO := tests/crypto tests/mls tests/policy tests/vectors

.PHONY: demo check check-tests test test-all test-crypto test-page coverage setup setup-demo page note browsers hosting \
  webkit lint docs bench fuzz adversary model model-all wheel deb image release lock screenshots clean

demo: $(RUN)
	.venv/bin/snug demo

# While working: under a minute.
check: $(DEV)
	@$(MAKE) --no-print-directory -j3 -O lint test-page check-tests

check-tests: $(DEV)
	$(PYTEST) -n 2 -q --tier check $$(.venv/bin/python -m tests.tiers)

# `make test-all` runs every test in every combination: before a release, and before an issue is closed.
test: TIER := test
test: MEANWHILE := test-page test-crypto
test-all: TIER := all
test-all: MEANWHILE := test-page coverage lint
test-all: export SNUG_EVERY_MIX := 1
test-all: hosting webkit $(DOCS)
# What only computes runs meanwhile, for the time in which the others wait; its output comes after theirs.
test test-all: $(DEV) browsers page
	@nice -n 5 $(MAKE) --no-print-directory -k $(MEANWHILE) > .meanwhile 2>&1 & meanwhile=$$!; \
	trap "kill $$meanwhile" INT TERM; \
	echo 'The tests of crypto/ and the units of the page run meanwhile: .meanwhile has their output'; \
	$(PYTEST) $(SPREAD) --tier $(TIER) $(addprefix --ignore=,$(OF_CRYPTO)); tests=$$?; \
	wait $$meanwhile; meanwhile=$$?; cat .meanwhile; \
	$(if $(filter all,$(TIER)),$(PYTEST) --tier alone || tests=1;) exit $$((tests | meanwhile))

test-crypto: $(DEV)
	$(PYTEST) -n 2 $(OF_CRYPTO) -o cache_dir=.pytest_cache/crypto

coverage: $(DEV)
	$(PYTEST) -n 2 $(OF_CRYPTO) --cov --cov-report= -o cache_dir=.pytest_cache/crypto
	.venv/bin/coverage report --fail-under=95 --include='crypto/*' --format=total

# The page's unit tests need no browser.
test-page: $(DEV)
	.venv/bin/python client/web/node.py unit

# The packages of each of the two commands.
setup-demo: $(RUN)
setup: $(DEV)

# uv, from PyPI, into an environment of its own if it is not on the path
.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet 'uv>=0.8'

# Neither removes the packages of the other (--inexact): demo and test may alternate.
$(RUN): $(PARTS) $(if $(findstring .uv,$(UV)),.uv/bin/uv)
	@echo "Installing what Snug runs with (about 220 MB on disk) and building its page:"
	$(UV) sync --inexact --no-dev
	@touch $@

$(DEV): $(PARTS) $(if $(findstring .uv,$(UV)),.uv/bin/uv)
	@echo "Installing what Snug and its tests run with (about 850 MB on disk) and building the page:"
	$(UV) sync --inexact
	@# Tests are compiled when they are first collected: once, here, and not by all workers at the same time.
	-@$(PYTEST) --collect-only --quiet --quiet >/dev/null
	@touch $@

# the meeting page, the landlord's window, the lecture's projector and its page for phones, unless they are built of these sources already
page: $(DEV)
	.venv/bin/python client/web/node.py

# what the page is known by, into the release notes: whenever the page has changed
note: $(DEV)
	.venv/bin/python client/web/node.py note

# Chromium, Firefox and fonts, for the tests of the page: installed where that can be done, else asked for
browsers:
	.ci/browsers

$(DOCS): $(DEV)
	@echo "Installing what builds the documentation (about 70 MB on disk):"
	$(UV) sync --inexact --group docs
	@touch $@

# nginx, Caddy, coturn, Prometheus, nftables, NATS and Tor, for the tests of operators' pages, of several machines and of
# proxies
hosting:
	.ci/hosting

# WebKitGTK, which holds no meeting, for the tests of the page's views and its cryptography
webkit:
	.ci/webkit

lint: $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python client/web/node.py check

# The documentation as a site, in build/site. Dead links, missing pages and stale commands are errors.
docs: $(DOCS)
	$(PYTEST) -q $(addprefix tests/docs/test_,commands.py docs.py generated.py labels.py)
	.venv/bin/python -m sphinx --quiet --fail-on-warning --keep-going -c docs/site -d build/doctrees . build/site
	@echo "The documentation is in build/site/index.html"

bench: $(DEV) page
	.venv/bin/snug bench forward
	.venv/bin/snug bench room
	.venv/bin/snug bench join
	.venv/bin/snug bench memory
	.venv/bin/snug bench page

# A million inputs for everything that reads what others sent: about half an hour of one core. FUZZ names targets,
# RUNS and SEED say how many and which; a find is kept in fuzz-finds.
RUNS ?= 1000000
SEED ?= $(shell date +%Y%m%d)
fuzz: $(DEV)
	.venv/bin/python -m tests.fuzz.run --runs $(RUNS) --seed $(SEED) $(FUZZ)
	SNUG_FUZZ=$(RUNS) SNUG_SEED=$(SEED) .venv/bin/python client/web/node.py unit sdp.fuzz

# The protocol's models in docs/model, checked with Spin: minutes; `make model-all` takes larger sizes, for some
# minutes. Without spin or gcc, both say so and check nothing.
model: $(DEV)
	@.venv/bin/python -m tests.model.run

model-all: $(DEV)
	@.venv/bin/python -m tests.model.run --all

# An adversary that looks for steps that break a meeting, for ten minutes: MINUTES or HOURS say how long, SEED where to
# begin. A find is printed as a script, and kept in adversary-finds.
adversary: $(DEV)
	PYTHONHASHSEED=0 .venv/bin/python -m tests.adversary.search $(if $(MINUTES),--minutes $(MINUTES)) $(if $(HOURS),--hours $(HOURS)) \
	  --seed $(SEED)

# Debian's package of the server, and an OCI image of it: both into dist. The image needs mmdebstrap and umoci.
deb: $(DEV) page
	UV=$(UV) packaging/build/deb

image: deb
	packaging/build/image $$(ls -t dist/snug-server_*.deb | head -1)

# The wheel of these sources, into dist: of any clone or unpacked archive. Nothing but what building needs is installed.
wheel:
	@$(PYTHON) packaging/build/wheel.py

# Wheel, sdist, checksums, bill of materials and page hash of the tag that is checked out, into dist/VERSION
release:
	@$(PYTHON) packaging/build/release.py --check
	@$(MAKE) --no-print-directory $(DEV)
	.venv/bin/python packaging/build/release.py

# The versions and hashes of all packages that Snug runs with, for every system; without a registry's address
lock: $(if $(findstring .uv,$(UV)),.uv/bin/uv)
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --extra nodes --generate-hashes --no-header \
	  --no-emit-index-url --annotation-style line --output-file packaging/build/locked.txt pyproject.toml

# every view, light and dark, on a phone and on a wide screen: some minutes. Those on pages are kept in git, no others.
screenshots: $(DEV) browsers
	.venv/bin/python -m tests.web.screenshots docs/images

clean:
	rm -rf .venv .uv build client/web/node_modules server/page/bundle server/page/landlord server/page/projector server/page/phone server/page/.built
