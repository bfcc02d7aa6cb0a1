# Build, check, show and install libowfat_io. Names and variables as in the GNU coding standards.

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
includedir = $(prefix)/include
pkgconfigdir = $(libdir)/pkgconfig
DESTDIR =

CARGO = cargo
RUSTC = rustc
INSTALL = install
INSTALL_DATA = $(INSTALL) -m 644
INSTALL_PROGRAM = $(INSTALL) -m 755

# The Debian packages that the demonstration and the checks use: this list is the only one.
DEMO_PACKAGES = gcc libc6-dev pkg-config libowfat-dev opentracker curl
CHECK_PACKAGES = $(DEMO_PACKAGES) g++ clang aria2 wrk strace valgrind libssl-dev openssl zlib1g-dev
BENCH_PACKAGES = gcc libc6-dev iproute2 libowfat-dev opentracker libev-dev libevent-dev libuv1-dev wrk strace valgrind

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
SONAME = libowfat_io.so.0
SHARED = libowfat_io.so.$(VERSION)
HEADERS = $(notdir $(wildcard include/*.h))
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
.PHONY: all headers install uninstall clean demo demo-tools check check-tools check-format check-lint check-unit \
	check-c check-loom check-tsan hostile soak stress bench bench-tools

all:
	$(CARGO) build --release

headers:
	OWFAT_IO_UPDATE_HEADERS=1 $(CARGO) test --lib headers

install: all
	$(INSTALL) -d $(DESTDIR)$(libdir) $(DESTDIR)$(pkgconfigdir) $(DESTDIR)$(bindir) \
		$(DESTDIR)$(includedir)/owfat_io/libowfat
	$(INSTALL_DATA) $(RELEASE)/libowfat_io.so $(DESTDIR)$(libdir)/$(SHARED)
	ln -sf $(SHARED) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libowfat_io.so
	$(INSTALL_DATA) $(RELEASE)/libowfat_io.a $(DESTDIR)$(libdir)/libowfat_io.a
	$(INSTALL_DATA) $(HEADERS:%=include/%) $(DESTDIR)$(includedir)/owfat_io
	for h in $(HEADERS); do ln -sf ../$$h $(DESTDIR)$(includedir)/owfat_io/libowfat/$$h || exit 1; done
	$(FILL) pkgconfig/libowfat_io.pc.in > $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	$(FILL) pkgconfig/owfat-io-run.in > $(DESTDIR)$(bindir)/owfat-io-run
	chmod 644 $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	chmod 755 $(DESTDIR)$(bindir)/owfat-io-run

uninstall:
	rm -f $(DESTDIR)$(bindir)/owfat-io-run $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	rm -f $(addprefix $(DESTDIR)$(libdir)/,libowfat_io.a libowfat_io.so $(SONAME) $(SHARED))
	rm -f $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/libowfat/%) $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/%)
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
	$(CARGO) clippy --all-targets -- -D warnings

check-unit:
	$(CARGO) test --lib

# Built for release, as the library that the C programs link and the servers preload.
check-c:
	$(CARGO) test --release --test c

# Built apart, because the flag builds everything anew.
check-loom:
	RUSTFLAGS='--cfg loom' $(CARGO) test --release --test models --target-dir $(or $(CARGO_TARGET_DIR),target)/loom

# The C side alone: see the script.
check-tsan: check-tools all
	sh c-tests/tsan/check.sh $(RELEASE)

# Ten attacks of each kind; the table has what the servers used.
hostile: check-tools
	OWFAT_IO_HOSTILE=10 $(CARGO) test --release --test c -- --test-threads 1 hostile::
	@cat build/hostile.txt

# Twenty minutes; SECONDS= for less or more.
soak: check-tools
	OWFAT_IO_SOAK=$(or $(SECONDS),1200) $(CARGO) test --release --test c -- soak::

# A minute on each backend, one after the other; OWFAT_IO_SEED= repeats what a failure printed.
stress: check-tools
	OWFAT_IO_STRESS=60 $(CARGO) test --release --test c -- --test-threads 1 stress::

bench-tools:
	$(call need,$(BENCH_PACKAGES))

# CASE=echo measures one case, LOOPS="epoll ours" fewer of the loops. The library is the one that cargo builds for
# the bench itself: `all` would only build it a second time.
bench: bench-tools
	@CASE='$(CASE)' LOOPS='$(LOOPS)' OWFAT_IO_LIBDIR='$(or $(OWFAT_IO_LIBDIR),$(RELEASE)/deps)' \
		$(CARGO) bench --quiet --bench bench
