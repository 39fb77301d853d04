# What people type. Everything runs from a fresh clone; the first target
# installs what the distribution has to give (contrib/install-packages).

CARGO ?= cargo
DEMO ?=

.PHONY: all build demo test check unit e2e bench deb rpm clean

all: build

build:
	contrib/install-packages build
	$(CARGO) build --release --locked --workspace --bins

# A server to try, without root: `make demo DEMO="--port 2143"`.
demo: build
	target/release/roostd --demo $(DEMO)

test: packages unit e2e

.PHONY: packages
packages:
	contrib/install-packages test

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# No test waits without a limit of its own; the timeout is for what was missed.
unit:
	timeout --kill-after=10 1800 $(CARGO) test --locked --workspace --exclude roost-tests

# Against the built executables; users, PAM files and peers' settings live in
# a namespace where the tests run as root.
e2e:
	$(CARGO) build --locked --workspace --bins
	$(CARGO) test --locked -p roost-tests --no-run
	contrib/fetch-courier target/peers/courier
	contrib/make-root target/peers/debian
	tests/run

# Roost and Dovecot under the same load (tests/bench/README.md); needs root.
# `make bench BENCH="--quick --only fetch"` for less.
BENCH ?= --output tests/bench/RESULTS.md
bench: packages
	$(CARGO) build --release --locked --workspace --bins
	tests/in-namespace target/release/roost-bench $(BENCH)

# Packages in target/packages. `PROFILE=dev` packs the executables of the tests.
PROFILE ?= release
BINARIES = target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

deb:
	contrib/install-packages package
	$(CARGO) build --profile $(PROFILE) --locked --workspace --bins
	packaging/make-deb $(BINARIES)

rpm:
	contrib/install-packages package
	$(CARGO) build --profile $(PROFILE) --locked --workspace --bins
	packaging/make-rpm $(BINARIES)

clean:
	$(CARGO) clean
