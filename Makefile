# What one does with this source tree. `make` lists it.

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
ENVIRONMENT ?= debian:12
SOAK ?= 50
BUSY ?= 0
COUNT ?= 20
FUZZ_SECONDS ?= 60

export CARGO
# Where rustup puts cargo, for shells that do not know yet; what is in the path already wins.
export PATH := $(PATH):$(HOME)/.cargo/bin

target = $(or $(CARGO_TARGET_DIR),target)
built = $(target)/release/pyro

.PHONY: help host-packages build run test test-nested test-python test-integrations check generate bench soak nightly fuzz wheel sdist install clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

host-packages: ## check that this host has what is needed, and install what is not there
	@scripts/host-packages

build: host-packages ## build the program
	$(CARGO) build --release --locked -p pyro

run: build ## build everything, then run git in a microVM
	$(built) run $(ENVIRONMENT) -- git --version

test: host-packages ## run all tests; the last line is their sum
	@scripts/test

test-nested: host-packages ## test KVM in a machine that QEMU emulates; as root, half an hour; NESTED=--short for its proof alone
	@scripts/test-nested $(NESTED)

test-python: host-packages ## test the Python package alone; PYTHON=python3 chooses the interpreter
	@scripts/test-python

test-integrations: host-packages ## test the adapters to frameworks, with their own conformance suites
	@scripts/test-integrations

check: host-packages ## check form, lints, generated pages, licences of dependencies
	@scripts/check

generate: ## write docs/reference and Python's methods from the definitions in the code
	$(CARGO) run --locked -p pyro-dev -- generate

bench: build ## measure whole runs, beside podman and runsc, into docs/benchmarks.md; COUNT=20
	$(CARGO) run --release --locked -p pyro-dev -- bench --write --count $(COUNT)

soak: host-packages ## run many commands at once and look for what is left; SOAK=50 runs, beside BUSY=0 threads that compute
	$(CARGO) build --locked -p pyro
	$(CARGO) run --locked -p pyro-dev -- soak --count $(SOAK) --busy $(BUSY) --pyro $(target)/debug/pyro

nightly: host-packages ## what takes hours: everything in full, a soak of 1000, KVM in emulation, half an hour of fuzzing each
	PYRO_TEST_FULL=1 scripts/test
	PYRO_TEST_ENVIRONMENT=debian:13 scripts/test
	PYRO_TEST_ENVIRONMENT=debian:13-agent scripts/test
	$(MAKE) --no-print-directory soak SOAK=1000
	$(MAKE) --no-print-directory soak SOAK=1000 BUSY=4
	scripts/test-nested
	$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=1800

fuzz: ## fuzz what takes bytes from outside, each target for a minute; FUZZ_SECONDS=60
	@scripts/host-packages --fuzz
	@scripts/fuzz --seconds $(FUZZ_SECONDS)

wheel: host-packages ## build the Python package, program included, into dist/
	@scripts/wheel

sdist: ## pack the sources of the Python package into dist/
	@scripts/wheel --sdist

install: build ## install the program, its manual pages and completions; PREFIX=/usr/local
	install -D -m 755 $(built) $(DESTDIR)$(PREFIX)/bin/pyro
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 docs/reference/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	@scripts/install-completions $(built) $(DESTDIR)$(PREFIX)/share

clean: ## remove what was built
	$(CARGO) clean
	rm -rf dist
