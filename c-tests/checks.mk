# What checks, measures and shows the library; included by the Makefile above. `make help` lists it.

# The Debian packages that the demonstration and the checks use: this list is the only one.
DEMO_PACKAGES = gcc libc6-dev pkg-config libowfat-dev opentracker curl
CHECK_PACKAGES = $(DEMO_PACKAGES) g++ clang aria2 wrk strace valgrind libssl-dev openssl zlib1g-dev mandoc \
	abigail-tools libev-dev libevent-dev libuv1-dev cmake meson ninja-build
BENCH_PACKAGES = gcc libc6-dev iproute2 libowfat-dev opentracker libev-dev libevent-dev libuv1-dev wrk strace valgrind
DEB_PACKAGES = gcc libc6-dev dpkg-dev debhelper fakeroot
FIRST_PACKAGES = debootstrap git
CHECK_DIST_PACKAGES = gcc libc6-dev git meson ninja-build
RUST_WITH_SOURCE_PACKAGES = rustc-web cargo-web rust-web-src
i686_PACKAGES = gcc-i686-linux-gnu libc6-dev-i386-cross lib32gcc-s1
aarch64_PACKAGES = gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
s390x_PACKAGES = gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user
musl_PACKAGES = musl-tools
CHECK_PACKAGING_PACKAGES = gcc libc6-dev git rpm rpm2cpio cpio nix-bin
CHECK_DEB_PACKAGES = $(DEB_PACKAGES) lintian debootstrap

STAGE = $(CURDIR)/build/stage
CARGO_TEST = $(CARGO) test --release $(BUILD) --test c

.PHONY: demo demo-tools t check check-tools check-format check-lint check-unit check-c headers abi man libowfat-034 \
	check-browser check-kernels check-portable portable-library check-targets check-loom check-tsan check-asan check-valgrind check-deps \
	check-consumers check-dist check-deb check-packaging check-first check-toolchains check-docs hostile soak stress random-034 \
	mutants peers fuzz fuzz-corpus bench bench-tools

# $(call need,packages): installs what is missing as root, names it in one line otherwise.
need = @missing=; for p in $(1); do \
		dpkg-query -W -f='$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "make $@: needs these Debian packages:$$missing" >&2; exit 1; fi; \
	echo "make $@: installing$$missing"; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing

# Also those of one group, or one file: `make t T=behaviour::close`.
t: all ## build what is stale, and run the tests that have T= in their names
	@sh c-tests/one_test.sh $(CARGO) '$(T)'

demo-tools:
	$(call need,$(DEMO_PACKAGES))

check-tools:
	$(call need,$(CHECK_PACKAGES))
	@for t in fmt clippy; do $(CARGO) $$t --version >/dev/null 2>&1 \
		|| { echo "make $@: needs 'cargo $$t' (rustup component add rustfmt clippy;" \
			"Debian: rustfmt-web rust-web-clippy)" >&2; exit 1; }; done

# The second reference of the tests, unpacked from Debian sid beside the installed one; a line says if it cannot be had.
libowfat-034: ## fetch libowfat 0.34, the second reference
	@sh c-tests/libowfat_034.sh build/libowfat-0.34

demo: demo-tools all libowfat-034 ## the three ways in, each with a line of proof, and what libowfat does wrong
	@$(MAKE) -s install DESTDIR= prefix=$(STAGE)
	@bash c-tests/demo.sh $(STAGE) build/libowfat-0.34

check: check-tools all check-format check-lint check-unit check-c ## everything that is tested at each change
	@echo "make check: all passed"

check-format: ## rustfmt
	$(CARGO) fmt --check

check-lint: ## clippy, without a warning
	$(CARGO) clippy --all-targets $(BUILD) -- -D warnings

check-unit: ## tests written in Rust
	$(CARGO) test --lib --bins --test headers $(BUILD)
	$(CARGO) test --locked --manifest-path fuzz/library/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target)

# Built for release, as the library that the C programs link and the servers preload.
check-c: all libowfat-034 portable-library ## tests written in C, and real servers
	$(CARGO_TEST)
	$(PORTABLE_TEST) --skip fault --skip threads

# SOURCES= a folder with the sources of more programs, a directory each; see the script.
check-consumers: demo-tools all libowfat-034 ## programs of others on each library; writes docs/consumers.md
	$(call need,make zlib1g-dev)
	@$(MAKE) -s install DESTDIR= prefix=$(STAGE)
	@bash c-tests/consumers/check.sh $(STAGE) build/libowfat-0.34 docs/consumers.md $(SOURCES)

# A page with pictures from examples/files.c. Some hundred megabytes to install, so it stands apart.
check-browser: check-tools all ## a server for Chromium
	$(call need,chromium)
	OWFAT_IO_BROWSER=1 $(CARGO_TEST) -- browser::

# Older kernels and sandboxes: see the script. Some twenty minutes.
check-kernels: check-tools all ## older kernels and sandboxes
	sh c-tests/kernel/check.sh $(CARGO)

# What other systems get, on this one: unit tests, and the behaviour suite in programs that load it. A directory of its
# own, because the flag builds everything anew. `make check` leaves out what takes long.
PORTABLE = $(or $(CARGO_TARGET_DIR),target)/portable
PORTABLE_CARGO = RUSTFLAGS='--cfg owfat_portable' CARGO_TARGET_DIR=$(PORTABLE) $(CARGO)
PORTABLE_TEST = OWFAT_IO_PORTABLE=$(PORTABLE)/release $(CARGO_TEST) -- ::portable

check-portable: check-tools all portable-library ## the build for systems without epoll, as far as it runs here
	$(PORTABLE_CARGO) clippy --all-targets $(BUILD) -- -D warnings
	$(PORTABLE_CARGO) test --lib $(BUILD)
	$(PORTABLE_TEST)

portable-library: toolchain
	$(PORTABLE_CARGO) build --release --lib --locked

# Other machines, C libraries and systems, one after the other; TARGET= for one. The script tells what runs of each. An
# hour for all of them, for each builds Rust's own library.
check-targets: TARGET = i686 aarch64 musl s390x freebsd netbsd openbsd dragonfly macos
check-targets: check-tools ## other machines, C libraries and systems; TARGET=
	$(call need,$(RUST_WITH_SOURCE_PACKAGES) $(foreach t,$(TARGET),$($(t)_PACKAGES)))
	@for t in $(TARGET); do bash c-tests/targets/check.sh $(CARGO) $$t || exit 1; done

# Built apart, because the flag builds everything anew.
check-loom: ## what threads agree on, in every order
	RUSTFLAGS='--cfg loom' $(CARGO) test --locked --release --test models \
		--target-dir $(or $(CARGO_TARGET_DIR),target)/loom

# The C side alone: see the script.
check-tsan: check-tools all ## ThreadSanitizer
	sh c-tests/tsan/check.sh $(RELEASE)

# The advisories are on the network, outside crates.io.
check-deps: ## licences and known weaknesses of the crates
	@$(CARGO) deny --version >/dev/null 2>&1 \
		|| { echo "make $@: needs 'cargo deny' (cargo install --locked cargo-deny)" >&2; exit 1; }
	$(CARGO) deny --locked --all-features check bans licenses sources
	@if $(CARGO) deny fetch db >/dev/null 2>&1; \
	then $(CARGO) deny --locked --all-features check --disable-fetch advisories; \
	else echo "make $@: the RustSec database cannot be fetched here: advisories were not checked"; fi

# The Rust side and the C side: see the script.
check-asan: check-tools ## AddressSanitizer and UndefinedBehaviorSanitizer
	sh c-tests/memory/asan.sh $(CARGO) $(or $(CARGO_TARGET_DIR),target)

# An hour and more, for valgrind runs one thread at a time and some fifty times slower.
check-valgrind: check-tools all ## memcheck
	sh c-tests/memory/valgrind.sh $(CARGO) $(RELEASE)

# Ten attacks of each kind; the table has what the servers used.
hostile: check-tools all ## hostile peers, ten attacks of each kind
	OWFAT_IO_HOSTILE=10 $(CARGO_TEST) -- --test-threads 1 hostile::
	@cat build/hostile.txt

# Twenty minutes; SECONDS= for less or more.
soak: check-tools all ## checks at random, and mixed load on all servers; SECONDS=
	OWFAT_IO_SOAK=$(or $(SECONDS),1200) $(CARGO_TEST) -- soak::

# A minute on each backend, one after the other, and 10,000 random programs; OWFAT_IO_SEED= repeats what a failure
# printed.
stress: check-tools all ## threads and random programs, longer
	OWFAT_IO_STRESS=60 $(CARGO_TEST) -- --test-threads 1 stress::
	OWFAT_IO_RANDOM=10000 $(CARGO_TEST) -- --nocapture random::

# 0.34 shares most defects of 0.32 and has some of its own; all are in one list.
random-034: check-tools all libowfat-034 ## random programs, beside libowfat 0.34
	OWFAT_IO_REFERENCE=0.34 OWFAT_IO_RANDOM=2000 $(CARGO_TEST) -- --nocapture random::

# Two hours: some hundred changes, each of which is built and tested.
mutants: toolchain ## whether the unit tests notice changes of the code
	@$(CARGO) mutants --version >/dev/null 2>&1 \
		|| { echo "make $@: needs 'cargo mutants' (cargo install --locked cargo-mutants)" >&2; exit 1; }
	@sh c-tests/mutants.sh $(CARGO)

# Downloads that crate, whose tests are in no commit of ours.
peers: all ## the tests of the crate polling, on this library
	@sh c-tests/peers/run.sh $(CARGO) $(RELEASE)

# Ten minutes on each target (SECONDS= for less or more), one after the other, beginning with the corpora in
# fuzz/corpus. What is new is added to build/fuzz; a finding is left there too, in a file that
# `make fuzz TARGET=border INPUT=file` runs alone. The flags are those of `cargo fuzz`, which works as well; this needs
# no nightly compiler.
FUZZ_TARGETS = machine plan border
TARGET = $(FUZZ_TARGETS)
INPUT =
FUZZ_FLAGS = --cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cforce-frame-pointers -Cpasses=sancov-module \
	$(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)
FUZZ_HOST = $(shell $(RUSTC) -vV | sed -n 's/^host: //p')
FUZZ_DIR = $(CURDIR)/build/fuzz
# No limit on memory as a whole: the thread that watches it would close the library's ways for programs of one thread.
FUZZ_RUN = -rss_limit_mb=0 -malloc_limit_mb=512 -timeout=20 -max_len=600 -len_control=0 -print_final_stats=1

fuzz: check-tools ## fuzzing; TARGET=, SECONDS=, INPUT=
	RUSTC_BOOTSTRAP=1 RUSTFLAGS='$(FUZZ_FLAGS)' $(CARGO) build --release --manifest-path fuzz/Cargo.toml \
		--target $(FUZZ_HOST) --target-dir $(FUZZ_DIR)/target
	@set -e; for t in $(TARGET); do \
		mkdir -p $(FUZZ_DIR)/$$t; \
		if [ -n '$(INPUT)' ]; then set -- '$(INPUT)'; \
		else set -- -max_total_time=$(or $(SECONDS),600) $(FUZZ_DIR)/$$t fuzz/corpus/$$t; fi; \
		echo "make fuzz: $$t"; \
		$(FUZZ_DIR)/target/$(FUZZ_HOST)/release/$$t $(FUZZ_RUN) -artifact_prefix=$(FUZZ_DIR)/$$t- "$$@"; \
	done

# From what `make fuzz` has left, the inputs that reach code which those in fuzz/corpus do not.
fuzz-corpus: ## keep what fuzzing has found to reach
	@set -e; for t in $(TARGET); do \
		$(FUZZ_DIR)/target/$(FUZZ_HOST)/release/$$t $(FUZZ_RUN) -set_cover_merge=1 -use_counters=0 \
			fuzz/corpus/$$t $(FUZZ_DIR)/$$t; \
	done

bench-tools:
	$(call need,$(BENCH_PACKAGES))

# CASE=echo measures one case, LOOPS="epoll ours" fewer of the loops.
bench: bench-tools all ## measure everything; CASE=, LOOPS=
	@CASE='$(CASE)' LOOPS='$(LOOPS)' OWFAT_IO_LIBDIR='$(or $(OWFAT_IO_LIBDIR),$(RELEASE))' \
		$(CARGO) bench $(BUILD) --quiet --bench bench

check-dist: ## the tarball, built without a network
	$(call need,$(CHECK_DIST_PACKAGES))
	@bash c-tests/packages/dist.sh $(DIST)

check-deb: ## the packages, in a fresh Debian
	$(call need,$(CHECK_DEB_PACKAGES))
	@$(MAKE) -s deb
	@bash c-tests/packages/deb.sh

check-packaging: ## the packages of other systems, where their tools are here
	$(call need,$(CHECK_PACKAGING_PACKAGES))
	@bash c-tests/packages/others.sh $(DIST)

# SUITE= for one of them.
check-toolchains check-docs: SUITE = bookworm trixie
check-toolchains: ## everything compiles with the Rust that Debian 12 and 13 have
	$(call need,$(FIRST_PACKAGES))
	@for s in $(SUITE); do bash c-tests/packages/toolchains.sh $$s || exit 1; done

check-docs: ## the commands of all pages, in a fresh Debian 12 and 13
	$(call need,$(FIRST_PACKAGES))
	@for s in $(SUITE); do bash c-tests/packages/docs.sh $$s || exit 1; done

check-first: ## the commands of the README, in a fresh Debian
	$(call need,$(FIRST_PACKAGES))
	@bash c-tests/packages/first.sh

# What is generated and committed.

headers: ## write include/*.h anew
	OWFAT_IO_UPDATE_HEADERS=1 $(CARGO) test --locked --test headers

# The committed description of the binary interface, c-tests/abi/libowfat_io.xml.
abi: all ## write the description of the binary interface anew
	OWFAT_IO_UPDATE=1 $(CARGO_TEST) -- --exact layout::abi

# The synopses, after a change of the headers: read first whether the page still says what they do.
man: all ## write the synopses of the manual pages anew
	OWFAT_IO_UPDATE=1 $(CARGO_TEST) -- man::synopses
