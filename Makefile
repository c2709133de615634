# rehab-gateway: 'make' lists what there is. Needs make, and Python 3.11 to 3.14 on 64-bit Linux.
#
#   make demo [FOR=60] [BEDS=2] [PORT=8080] [SPEED=1]    make test [ARGS="-k clock"]    PYTHON=python3.13 chooses one

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
V := .venv/bin
PIP := $(V)/python -m pip --disable-pip-version-check install --quiet --progress-bar off
ARGS ?=
JOBS ?= auto
# Tests of one file run one after another: they share what is dear to start.
AT_ONCE := -n $(JOBS) --maxprocesses 4 --dist loadfile

# Installs system packages where we may without asking; where we may not, whoever calls says what is left out.
define INSTALL_PACKAGES
install_packages() {
  command -v apt-get >/dev/null || return 1
  local as_root=()
  [ "$$(id -u)" = 0 ] || as_root=(sudo -n)
  "$${as_root[@]}" true 2>/dev/null || return 1
  echo "installing $$*"
  "$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
  "$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$$@" >/dev/null
}
endef

.PHONY: help setup demo test test-plain bench latency ward fleet load faults patients radio soak check package bundle sbom \
  vulnerabilities screens fuzz format docs system bare clean

help:
	@echo "make setup    prepare .venv (the others call it)"
	echo "make demo     everything on simulated devices, dashboard on http://127.0.0.1:8080; FOR=60 stops by itself"
	echo "make test     all tests, on all cores; ARGS=\"-k clock\" for some, JOBS=0 one after another"
	echo "make test-plain  the kernels' tests again, interpreted instead of compiled"
	echo "make faults   break every part while measurements flow, and count; QUICK=1 is below 8 minutes, ONLY=kill some"
	echo "make check    lint, types and the import rule"
	echo "make soak     1,000 reconnects of a simulated device: descriptors, tasks and memory stay flat; RECONNECTS=200"
	echo "make radio    every Bluetooth driver, and eight faults, over the real bluetoothd; MACHINE=1 in a virtual machine"
	echo "make fuzz     10 million inputs to every reader of untrusted bytes; QUICK=1 for 200 000"
	echo "make bench    what it costs, against goals and peers; a quarter of an hour; ARGS=\"--only ward\" for some"
	echo "make latency  how late a ward of twenty is, to the broker and to open pages, beside a busy core; three minutes"
	echo "make fleet    twenty gateways join, are upgraded in rings, one is thrown out, and nothing is lost; ARGS=\"--gateways 6\""
	echo "make ward     a demo of seventy beds, and how soon all its devices stream; four minutes; BEDS=20, SPEED=1"
	echo "make patients  fifty simulated patients do every timed test, beside the truth; half an hour; ARGS=\"--only tug\" for some"
	echo "make load     who still gets a page of the dashboard while it is attacked; three minutes; ARGS=\"--only slow\" for some"
	echo "make bare     README's prerequisites, proved in a bare Debian; SUITE=trixie for the newer one"
	echo "make screens  pictures of the pages for docs/images; ten minutes; ARGS=\"ward dock\" for some; ARGS=\"--looks FOLDER\" for all sizes"
	echo "make sbom     the bill of materials of what is in that package, without making it: dist/sbom.cdx.json"
	echo "make vulnerabilities  ask a public database about every package of that lock; needs a network"
	echo "make package  the Debian package of this Debian, with everything that runs in it; it comes to lie in dist/; SIGNING_KEY=FILE signs it"
	echo "make bundle STICK=FOLDER SIGNING_KEY=FILE  a stick for installing without a network, with all that it needs; FOR=12-amd64 for some"
	echo "make format   put the code into shape"
	echo "make docs     the reference pages that are made from the code"
	echo "make clean    remove .venv and everything made"

setup: .venv/ready

.venv/ready: requirements/dev.lock requirements/node.lock pyproject.toml hatch_build.py
	@$(INSTALL_PACKAGES)
	command -v $(PYTHON) >/dev/null || { echo "setup: there is no $(PYTHON): sudo apt install python3 python3-venv"; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || {
	  echo "setup: $$($(PYTHON) --version) will not do: make setup PYTHON=python3.13 (3.11 to 3.14)"; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.maxsize <= 1 << 32 or sys.platform != "linux")' || {
	  echo "setup: this needs 64-bit Linux: install Debian amd64 or arm64, or Raspberry Pi OS 64-bit"; exit 1; }
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || {
	  install_packages python3-venv || { echo "setup: python3-venv is missing: sudo apt install python3-venv"; exit 1; }; }
	if ! $(V)/python -c 'import pip' 2>/dev/null; then
	  echo "setup: making .venv with $$($(PYTHON) --version)"
	  $(PYTHON) -m venv --clear .venv
	fi
	echo "setup: installing $$(grep -c '^[a-z].*==' requirements/dev.lock) locked packages (about a minute)"
	$(PIP) --require-hashes -r requirements/dev.lock
	if ! command -v npm >/dev/null; then
	  echo "setup: installing npm, which fetches the dashboard's plotting library"
	  $(PIP) --require-hashes -r requirements/node.lock
	fi
	echo "setup: installing rehab-gateway"
	$(PIP) --no-deps --no-build-isolation -e .
	echo "setup: ready"
	touch $@

demo: setup
	@exec $(V)/rehab-gateway demo $(if $(FOR),--for $(FOR)) $(if $(BEDS),--beds $(BEDS)) $(if $(PORT),--port $(PORT)) \
	  $(if $(SPEED),--speed $(SPEED))

test: setup system
	@PATH="$$PATH:/usr/sbin" $(V)/python -m pytest $(AT_ONCE) $(ARGS)

faults: FAULTS := yes
faults: setup system
	@PATH="$$PATH:/usr/sbin" $(V)/python -m tests.faults $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(FROM),--from $(FROM)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(JOBS),--jobs $(JOBS))

ward: setup
	@PATH="$$PATH:/usr/sbin" $(V)/python -m benchmarks.whole_ward $(if $(BEDS),--beds $(BEDS)) $(if $(SPEED),--speed $(SPEED))

patients: setup
	@$(V)/python -m benchmarks.fifty_patients $(ARGS)

load: setup
	@$(V)/python -m benchmarks.pressure $(ARGS)

# What tests and faults need of the system beyond README's first line: Debian's package = a program of it, or a library.
# Where it cannot be had, what needs it is skipped with the reason; in CI that is a failure.
SYSTEM := mosquitto=mosquitto victoria-metrics=victoria-metrics chromium=chromium firefox-esr=firefox-esr \
  nginx-light=nginx nftables=nft iproute2=ip libfaketime=libfaketimeMT.so.1 systemd=systemd-analyze dbus-daemon=dbus-daemon gcc=gcc libc6-dev=crt1.o \
  postgresql=pg_ctlcluster influxdb=influxd prometheus=promtool rsyslog=rsyslogd rsyslog-gnutls=lmnsd_gtls.so strace=strace busybox-static=busybox \
  openssh-client=sftp openssh-sftp-server=sftp-server libatomic1=libatomic.so.1 # the last for the Node.js that Playwright brings
SYSTEM_FAULTS := qemu-system-x86=qemu-system-x86_64 e2fsprogs=mke2fs mount=mount

system:
	@$(INSTALL_PACKAGES)
	missing=()
	for need in $(SYSTEM) $(if $(FAULTS),$(SYSTEM_FAULTS)); do
	  PATH="$$PATH:/usr/sbin:/sbin" command -v "$${need#*=}" >/dev/null ||
	    compgen -G "/usr/lib/*/$${need#*=}" >/dev/null || compgen -G "/usr/lib/*/faketime/$${need#*=}" >/dev/null ||
	    compgen -G "/usr/lib/*/rsyslog/$${need#*=}" >/dev/null ||
	    missing+=("$${need%%=*}")
	done
	[ $${#missing[@]} = 0 ] || install_packages "$${missing[@]}" ||
	  echo "test: some tests are skipped for want of system packages: sudo apt install $${missing[*]}"

# The list of prerequisites, proved in a Debian with nothing in it; needs root, and says what else.
bare:
	@tests/bare/run $(or $(SUITE),bookworm)

screens: setup system
	@$(V)/python -m tests.screens $(ARGS)

# Needs Debian's own python3 and python3-venv. Installed from it, nothing is fetched and nothing is compiled but kernels.
package: setup
	@$(V)/python -m installer.build $(foreach key,$(SIGNING_KEY),--key $(key)) $(ARGS)

# Refuses where anything is missing, and says what makes it. A stick again: ARGS=--check.
bundle: setup
	@$(if $(STICK),,echo "bundle: where to? make bundle STICK=FOLDER"; exit 1)
	$(V)/python -m installer.bundle $(STICK) $(foreach key,$(SIGNING_KEY),--key $(key)) $(if $(FOR),--for $(FOR)) $(ARGS)

sbom: setup
	@$(V)/python -m installer.bill_of_materials $(ARGS)

# Asks OSV about name and version of each package, or another database of that kind: URL=. An error both where something is
# known and where nobody answered: the last line says which.
vulnerabilities: setup build/audit/ready
	@status=0
	build/audit/venv/bin/pip-audit --vulnerability-service osv $(if $(URL),--osv-url $(URL)) --disable-pip --require-hashes \
	  --requirement requirements/package.lock 2> build/audit/said || status=$$?
	if grep -q '^Traceback\|ConnectionError' build/audit/said; then
	  echo "vulnerabilities: the database did not answer, so nothing was found out of any package (build/audit/said)"; exit 1
	fi
	grep -v 'only enforces hash presence' build/audit/said || true
	exit $$status

# In an environment of its own: it is no dependency of the product.
build/audit/ready: requirements/audit.lock
	@echo "vulnerabilities: installing pip-audit in build/audit"
	$(V)/python -m venv --clear build/audit/venv
	build/audit/venv/bin/python -m pip --disable-pip-version-check install --quiet --progress-bar off --require-hashes \
	  -r requirements/audit.lock
	touch $@

check: setup
	@$(V)/ruff check .
	$(V)/ruff format --check .
	$(V)/mypy
	$(V)/python -m pytest -q tests/test_imports.py

# Needs root, bluetoothd and /dev/vhci (modprobe hci_vhci), or with MACHINE=1 qemu, busybox and Debian's apt-get; ends with
# 77 where one is missing.
radio: setup
	@$(V)/python -m tests.radio $(if $(MACHINE),--machine) $(ARGS)

soak: setup system
	@RECONNECTS=$(or $(RECONNECTS),1000) PATH="$$PATH:/usr/sbin" $(V)/python -m pytest -q -s tests/gateway/run/test_reconnects.py

# Twenty gateways on one machine: some with a 'run' process, the rest made of the product's agent, outbox and publisher.
fleet: setup system
	@PATH="$$PATH:/usr/sbin" $(V)/python -m tests.gateway.fleet.twenty $(ARGS)

# The fuzzer lives in an environment of its own: it is no dependency of the product.
fuzz: setup build/fuzz/ready
	@$(V)/python -m tests.fuzz $(ARGS)

build/fuzz/ready: requirements/fuzz.lock
	@echo "fuzz: installing the coverage-guided fuzzer in build/fuzz"
	$(V)/python -m venv --clear build/fuzz/venv
	build/fuzz/venv/bin/python -m pip --disable-pip-version-check install --quiet --progress-bar off --require-hashes \
	  -r requirements/fuzz.lock
	site=$$(build/fuzz/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	$(V)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$site/product.pth
	touch $@

# The kernels as plain Python: what numba would hide (an index out of range, an unset name) shows here. Of the long tests
# only those that compare with plain numpy or with the compiled kernel: the rest would take a quarter of an hour.
PLAIN := $(addprefix tests/dsp/test_,cycle.py gait.py heart.py rhythm.py) $(addprefix tests/gateway/clocks/test_,device_clock.py timeline.py)

test-plain: setup
	@export NUMBA_DISABLE_JIT=1
	$(V)/python -m pytest $(AT_ONCE) -q -m "not compiled" $(PLAIN) $(ARGS)
	$(V)/python -m pytest -q tests/dsp -k "plain or numpy or uncompiled" $(ARGS)

bench: setup
	@PYTHON=$(PYTHON) benchmarks/peers.sh && peers="--peers build/peers/bin/python" ||
	  { peers=; echo "bench: without the peers, which could not be installed"; }
	$(V)/python -m benchmarks $$peers $(ARGS)

latency: setup system
	@PATH="$$PATH:/usr/sbin" $(V)/python -m benchmarks.latency $(ARGS)

format: setup
	@$(V)/ruff check --fix . || true
	$(V)/ruff format .

docs: setup
	@$(V)/python -m config.reference > docs/configuration.md
	$(V)/python -m gateway.cli.reference
	$(V)/python -m installer.licences > docs/assurance/licences.md
	$(V)/python -m tests.assurance

clean:
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis gateway/dashboard/static/vendor
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
