# Two commands: `make demo` and `make test`. Both set up what they need, from a bare Python 3.11 or newer.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
STAMP := .venv/.snug-setup

.PHONY: demo test test-cores test-live test-page setup page note browsers lint bench fuzz screenshots clean

demo: setup
	.venv/bin/snug demo

# crypto/ is measured where it is tested by itself: meetings would take three times as long under the measure.
# What only reckons, or looks at views alone, runs beside what waits for sockets and clocks; their lines come mixed.
PURE := tests/crypto tests/mls tests/policy tests/vectors
RECKONS := tests/session tests/interop $(wildcard tests/web/test_session_*.py) \
  tests/web/test_axe.py tests/web/test_room_views.py tests/web/test_seal.py tests/web/test_views.py tests/web/test_words_fit.py

test: setup browsers page lint
	$(MAKE) --no-print-directory -j2 test-cores test-live

test-cores:
	.venv/bin/python -m pytest $(PURE) --cov --cov-report=term
	.venv/bin/coverage report --fail-under=95 --include='crypto/*' --format=total
	.venv/bin/python -m pytest $(RECKONS)
	$(MAKE) --no-print-directory test-page

# what of the page needs no browser
test-page: setup
	.venv/bin/python client/web/node.py unit

test-live:
	.venv/bin/python -m pytest $(addprefix --ignore=,$(PURE) $(RECKONS))

setup: $(STAMP)

# uv, from PyPI, into an environment of its own if there is none on the path
.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet 'uv>=0.8'

$(STAMP): pyproject.toml $(if $(findstring .uv,$(UV)),.uv/bin/uv)
	$(UV) sync --quiet
	touch $(STAMP)

# the meeting page and the landlord's window, unless they are built of these sources already
page: setup
	.venv/bin/python client/web/node.py

# what the page is known by, into the release notes: whenever the page has changed
note: setup
	.venv/bin/python client/web/node.py note

# Chromium, Firefox and fonts, for the tests of the page: installed where that can be done, else asked for
browsers:
	.ci/browsers

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python client/web/node.py check

bench: setup page
	.venv/bin/snug bench forward
	.venv/bin/snug bench room
	.venv/bin/snug bench join
	.venv/bin/snug bench memory
	.venv/bin/snug bench page

# A million inputs for everything that reads what others sent: about half an hour of one core. FUZZ names targets,
# RUNS and SEED say how many and which; a find is kept in fuzz-finds.
RUNS ?= 1000000
SEED ?= $(shell date +%Y%m%d)
fuzz: setup
	.venv/bin/python -m tests.fuzz.run --runs $(RUNS) --seed $(SEED) $(FUZZ)
	SNUG_FUZZ=$(RUNS) SNUG_SEED=$(SEED) .venv/bin/python client/web/node.py unit sdp.fuzz

# every view, light and dark, on a phone and on a wide screen: some minutes. The README's are kept in git, no others.
screenshots: setup browsers
	.venv/bin/python -m tests.web.shots docs/images

clean:
	rm -rf .venv .uv client/web/node_modules server/page/bundle server/page/landlord server/page/.built
