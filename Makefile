# Build, check, show and install libowfat_io. Names and variables as in the GNU coding standards.

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
includedir = $(prefix)/include
pkgconfigdir = $(libdir)/pkgconfig
datarootdir = $(prefix)/share
mandir = $(datarootdir)/man
man1dir = $(mandir)/man1
man3dir = $(mandir)/man3
man1ext = .1
# libowfat's own pages, which have the same names, may be in the same directory. man(1) counts these as section 3 too.
man3ext = .3owfat
DESTDIR =

CARGO = cargo
RUSTC = rustc
INSTALL = install
INSTALL_DATA = $(INSTALL) -m 644
INSTALL_PROGRAM = $(INSTALL) -m 755

# The Debian packages that the demonstration and the checks use: this list is the only one.
DEMO_PACKAGES = gcc libc6-dev pkg-config libowfat-dev opentracker curl
CHECK_PACKAGES = $(DEMO_PACKAGES) g++ clang aria2 wrk strace valgrind libssl-dev openssl zlib1g-dev mandoc \
	abigail-tools libev-dev libevent-dev libuv1-dev
BENCH_PACKAGES = gcc libc6-dev iproute2 libowfat-dev opentracker libev-dev libevent-dev libuv1-dev wrk strace valgrind

# Exactly the crates of Cargo.lock; the tools beside the library need some that the library does not.
BUILD = --locked --features tools

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
SONAME = libowfat_io.so.0
SHARED = libowfat_io.so.$(VERSION)
HEADERS = $(notdir $(wildcard include/*.h))
MAN1 = $(notdir $(basename $(wildcard man/*.1)))
MAN3 = $(notdir $(basename $(wildcard man/*.3)))
# Prints the names that a page lists, its own first; it is found under each.
NAMES = sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([^ ]*\).*/\1/p'
RELEASE = $(or $(CARGO_TARGET_DIR),target)/release
STAGE = $(CURDIR)/build/stage

# What Rust's own library needs; the crate adds nothing to it. rustc replaces its output file, whatever that is,
# so never name a device here. A static program gets no libgcc_s: gcc_eh is the same unwinder as an archive.
STATIC_LIBS = $(shell mkdir -p build && echo \
	| $(RUSTC) --crate-type staticlib --print native-static-libs -o build/empty.a - 2>&1 \
	| sed -n 's/^note: native-static-libs: //p' | sed 's/-lgcc_s\b/-lgcc_eh/')
FILL = sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
	-e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' -e 's|@static_libs@|$(STATIC_LIBS)|' \
	-e 's|@soname@|$(SONAME)|'

.NOTPARALLEL:
.PHONY: all headers abi man install uninstall clean demo demo-tools \
	check check-tools check-format check-lint check-unit check-c \
	check-loom check-tsan check-asan check-valgrind check-deps hostile soak stress fuzz fuzz-corpus bench bench-tools

all:
	$(CARGO) build --release $(BUILD)

headers:
	OWFAT_IO_UPDATE_HEADERS=1 $(CARGO) test --locked --lib headers

# The committed description of the binary interface, c-tests/abi/libowfat_io.xml.
abi:
	OWFAT_IO_UPDATE=1 $(CARGO) test --release $(BUILD) --test c -- --exact layout::abi

# The synopses, after a change of the headers: read first whether the page still says what they do.
man:
	OWFAT_IO_UPDATE=1 $(CARGO) test --release $(BUILD) --test c -- man::synopses

install: all
	$(INSTALL) -d $(DESTDIR)$(libdir) $(DESTDIR)$(pkgconfigdir) $(DESTDIR)$(bindir) \
		$(DESTDIR)$(includedir)/owfat_io/libowfat $(DESTDIR)$(man1dir) $(DESTDIR)$(man3dir)
	$(INSTALL_DATA) $(RELEASE)/libowfat_io.so $(DESTDIR)$(libdir)/$(SHARED)
	ln -sf $(SHARED) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libowfat_io.so
	$(INSTALL_DATA) $(RELEASE)/libowfat_io.a $(DESTDIR)$(libdir)/libowfat_io.a
	$(INSTALL_DATA) $(HEADERS:%=include/%) $(DESTDIR)$(includedir)/owfat_io
	for h in $(HEADERS); do ln -sf ../$$h $(DESTDIR)$(includedir)/owfat_io/libowfat/$$h || exit 1; done
	$(FILL) pkgconfig/libowfat_io.pc.in > $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	$(FILL) pkgconfig/owfat-io-run.in > $(DESTDIR)$(bindir)/owfat-io-run
	$(INSTALL_PROGRAM) $(RELEASE)/owfat-io-check $(RELEASE)/owfat-io-trace $(DESTDIR)$(bindir)
	chmod 644 $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	chmod 755 $(DESTDIR)$(bindir)/owfat-io-run
	for p in $(MAN1); do $(INSTALL_DATA) man/$$p.1 $(DESTDIR)$(man1dir)/$$p$(man1ext) || exit 1; done
	for p in $(MAN3); do \
		$(INSTALL_DATA) man/$$p.3 $(DESTDIR)$(man3dir)/$$p$(man3ext) || exit 1; \
		for n in $$($(NAMES) man/$$p.3 | tail -n +2); do \
			ln -sf $$p$(man3ext) $(DESTDIR)$(man3dir)/$$n$(man3ext) || exit 1; done; done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(bindir)/owfat-io-,check run trace) $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	rm -f $(addprefix $(DESTDIR)$(libdir)/,libowfat_io.a libowfat_io.so $(SONAME) $(SHARED))
	rm -f $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/libowfat/%) $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/%)
	rm -f $(MAN1:%=$(DESTDIR)$(man1dir)/%$(man1ext))
	for n in $$($(NAMES) man/*.3); do rm -f $(DESTDIR)$(man3dir)/$$n$(man3ext) || exit 1; done
	for d in owfat_io/libowfat owfat_io; do \
		if [ -d $(DESTDIR)$(includedir)/$$d ]; then rmdir $(DESTDIR)$(includedir)/$$d; fi; done

clean:
	$(CARGO) clean
	rm -rf build

# $(call need,packages): installs what is missing as root, names it in one line otherwise.
need = @missing=; for p in $(1); do \
		dpkg-query -W -f='$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "make $@: needs these Debian packages:$$missing" >&2; exit 1; fi; \
	echo "make $@: installing$$missing"; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing

demo-tools:
	$(call need,$(DEMO_PACKAGES))

check-tools:
	$(call need,$(CHECK_PACKAGES))
	@for t in fmt clippy; do $(CARGO) $$t --version >/dev/null 2>&1 \
		|| { echo "make $@: needs 'cargo $$t' (rustup component add rustfmt clippy)" >&2; exit 1; }; done

demo: demo-tools
	@$(MAKE) -s install DESTDIR= prefix=$(STAGE)
	@bash c-tests/demo.sh $(STAGE)

check: check-tools all check-format check-lint check-unit check-c
	@echo "make check: all passed"

check-format:
	$(CARGO) fmt --check

check-lint:
	$(CARGO) clippy --all-targets $(BUILD) -- -D warnings

check-unit:
	$(CARGO) test --lib --bins $(BUILD)
	$(CARGO) test --locked --manifest-path fuzz/library/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target)

# Built for release, as the library that the C programs link and the servers preload.
check-c: all
	$(CARGO) test --release $(BUILD) --test c

# Built apart, because the flag builds everything anew.
check-loom:
	RUSTFLAGS='--cfg loom' $(CARGO) test --locked --release --test models \
		--target-dir $(or $(CARGO_TARGET_DIR),target)/loom

# The C side alone: see the script.
check-tsan: check-tools all
	sh c-tests/tsan/check.sh $(RELEASE)

# The advisories are on the network, outside crates.io.
check-deps:
	@$(CARGO) deny --version >/dev/null 2>&1 \
		|| { echo "make $@: needs 'cargo deny' (cargo install --locked cargo-deny)" >&2; exit 1; }
	$(CARGO) deny --locked --all-features check bans licenses sources
	@if $(CARGO) deny fetch db >/dev/null 2>&1; \
	then $(CARGO) deny --locked --all-features check --disable-fetch advisories; \
	else echo "make $@: the RustSec database cannot be fetched here: advisories were not checked"; fi

# The Rust side and the C side: see the script.
check-asan: check-tools
	sh c-tests/memory/asan.sh $(CARGO) $(or $(CARGO_TARGET_DIR),target)

# An hour and more, for valgrind runs one thread at a time and some fifty times slower.
check-valgrind: check-tools all
	sh c-tests/memory/valgrind.sh $(CARGO) $(RELEASE)

# Ten attacks of each kind; the table has what the servers used.
hostile: check-tools all
	OWFAT_IO_HOSTILE=10 $(CARGO) test --release $(BUILD) --test c -- --test-threads 1 hostile::
	@cat build/hostile.txt

# Twenty minutes; SECONDS= for less or more.
soak: check-tools all
	OWFAT_IO_SOAK=$(or $(SECONDS),1200) $(CARGO) test --release $(BUILD) --test c -- soak::

# A minute on each backend, one after the other, and 10,000 random programs; OWFAT_IO_SEED= repeats what a failure
# printed.
stress: check-tools all
	OWFAT_IO_STRESS=60 $(CARGO) test --release $(BUILD) --test c -- --test-threads 1 stress::
	OWFAT_IO_RANDOM=10000 $(CARGO) test --release $(BUILD) --test c -- --nocapture random::

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

fuzz: check-tools
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
fuzz-corpus:
	@set -e; for t in $(TARGET); do \
		$(FUZZ_DIR)/target/$(FUZZ_HOST)/release/$$t $(FUZZ_RUN) -set_cover_merge=1 -use_counters=0 \
			fuzz/corpus/$$t $(FUZZ_DIR)/$$t; \
	done

bench-tools:
	$(call need,$(BENCH_PACKAGES))

# CASE=echo measures one case, LOOPS="epoll ours" fewer of the loops.
bench: bench-tools all
	@CASE='$(CASE)' LOOPS='$(LOOPS)' OWFAT_IO_LIBDIR='$(or $(OWFAT_IO_LIBDIR),$(RELEASE))' \
		$(CARGO) bench $(BUILD) --quiet --bench bench
