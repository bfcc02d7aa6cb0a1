# Build, check, show and install libowfat_io. Names and variables as in the GNU coding standards.

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
includedir = $(prefix)/include
pkgconfigdir = $(libdir)/pkgconfig
cmakedir = $(libdir)/cmake/owfat_io
datarootdir = $(prefix)/share
mandir = $(datarootdir)/man
man1dir = $(mandir)/man1
man3dir = $(mandir)/man3
man7dir = $(mandir)/man7
man1ext = .1
# libowfat's own pages, which have the same names, may be in the same directory. man(1) counts these as section 3 too.
man3ext = .3owfat
man7ext = .7
DESTDIR =

CARGO = cargo
RUSTC = rustc
INSTALL = install
INSTALL_DATA = $(INSTALL) -m 644
INSTALL_PROGRAM = $(INSTALL) -m 755

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
CHECK_DEB_PACKAGES = $(DEB_PACKAGES) lintian debootstrap

# Exactly the crates of Cargo.lock; the tools beside the library need some that the library does not.
BUILD = --locked --features tools

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
OLDEST_RUST := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
SONAME = libowfat_io.so.0
SHARED = libowfat_io.so.$(VERSION)
HEADERS = $(notdir $(wildcard include/*.h))
MAN1 = $(notdir $(basename $(wildcard man/*.1)))
MAN3 = $(notdir $(basename $(wildcard man/*.3)))
MAN7 = $(notdir $(basename $(wildcard man/*.7)))
# Prints the names that a page lists, its own first; it is found under each.
NAMES = sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([^ ]*\).*/\1/p'
RELEASE = $(or $(CARGO_TARGET_DIR),target)/release
STAGE = $(CURDIR)/build/stage

# What Rust's own library needs; the crate adds nothing to it. rustc replaces its output file, whatever that is,
# so never name a device here. A static program gets no libgcc_s: gcc_eh is the same unwinder as an archive.
FIND_STATIC_LIBS = echo | $(RUSTC) --crate-type staticlib --print native-static-libs -o build/empty.a - 2>&1 \
	| sed -n 's/^note: native-static-libs: //p' | sed 's/-lgcc_s\b/-lgcc_eh/'
CMAKE_FILES = owfat_io-config.cmake owfat_io-config-version.cmake
FILL = sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
	-e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' -e "s|@static_libs@|$$(cat build/static-libs)|" \
	-e 's|@soname@|$(SONAME)|' -e 's|@bindir@|$(bindir)|'

.NOTPARALLEL:
.PHONY: all toolchain headers abi man install uninstall clean demo demo-tools libowfat-034 \
	check check-tools check-format check-lint check-unit check-c \
	check-browser check-kernels check-targets check-loom check-tsan check-asan check-valgrind check-deps \
	hostile soak stress fuzz fuzz-corpus \
	bench bench-tools dist deb check-dist check-deb check-first

all: toolchain
	$(CARGO) build --release $(BUILD)
	@$(FIND_STATIC_LIBS) > build/static-libs.$$$$ && mv build/static-libs.$$$$ build/static-libs

# Says in one line what cargo, rustc and cc would fill a page with, or not say at all. The tests build several times at
# once: hence the process number in names of files.
toolchain:
	@fail() { echo "make $@: $$1" >&2; exit 1; }; \
	wanted="Rust $(OLDEST_RUST) or later, from rustup or as Debian's cargo-web"; \
	for t in $(firstword $(CARGO)) $(firstword $(RUSTC)); do \
		command -v $$t >/dev/null || fail "needs $$t: $$wanted"; done; \
	rust=$$($(RUSTC) -vV 2>&1) || fail "$(RUSTC) does not run: $$(echo "$$rust" | head -n 1)"; \
	host=$$(echo "$$rust" | sed -n 's/^host: //p'); \
	release=$$(echo "$$rust" | sed -n 's/^release: //p'); \
	printf '%s\n' $(OLDEST_RUST) "$$release" | sort -C -V || fail "$(RUSTC) is $$release: needs $$wanted"; \
	case $$host in *-linux-gnu*) ;; \
	*) fail "$(RUSTC) builds for $$host: only Linux with glibc (-linux-gnu) is supported" ;; esac; \
	mkdir -p build; \
	echo 'int main(void) { return 0; }' | cc -x c -o build/linked.$$$$ - 2>/dev/null \
		|| fail "needs a C compiler that links programs, under the name of cc (Debian: gcc libc6-dev)"; \
	rm build/linked.$$$$

headers:
	OWFAT_IO_UPDATE_HEADERS=1 $(CARGO) test --locked --test headers

# The committed description of the binary interface, c-tests/abi/libowfat_io.xml.
abi:
	OWFAT_IO_UPDATE=1 $(CARGO) test --release $(BUILD) --test c -- --exact layout::abi

# The synopses, after a change of the headers: read first whether the page still says what they do.
man:
	OWFAT_IO_UPDATE=1 $(CARGO) test --release $(BUILD) --test c -- man::synopses

# Builds nothing: root needs no Rust.
install:
	@[ -f $(RELEASE)/libowfat_io.so ] || { echo "make $@: nothing is built yet: run make first" >&2; exit 1; }
	$(INSTALL) -d $(DESTDIR)$(libdir) $(DESTDIR)$(pkgconfigdir) $(DESTDIR)$(cmakedir) $(DESTDIR)$(bindir) \
		$(DESTDIR)$(includedir)/owfat_io/libowfat $(DESTDIR)$(man1dir) $(DESTDIR)$(man3dir) $(DESTDIR)$(man7dir)
	$(INSTALL_DATA) $(RELEASE)/libowfat_io.so $(DESTDIR)$(libdir)/$(SHARED)
	ln -sf $(SHARED) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libowfat_io.so
	$(INSTALL_DATA) $(RELEASE)/libowfat_io.a $(DESTDIR)$(libdir)/libowfat_io.a
	$(INSTALL_DATA) $(HEADERS:%=include/%) $(DESTDIR)$(includedir)/owfat_io
	for h in $(HEADERS); do ln -sf ../$$h $(DESTDIR)$(includedir)/owfat_io/libowfat/$$h || exit 1; done
	$(FILL) pkgconfig/libowfat_io.pc.in > $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	for f in $(CMAKE_FILES); do \
		$(FILL) pkgconfig/$$f.in > $(DESTDIR)$(cmakedir)/$$f && chmod 644 $(DESTDIR)$(cmakedir)/$$f || exit 1; done
	$(FILL) pkgconfig/owfat-io-run.in > $(DESTDIR)$(bindir)/owfat-io-run
	$(INSTALL_PROGRAM) $(RELEASE)/owfat-io-check $(RELEASE)/owfat-io-trace $(DESTDIR)$(bindir)
	chmod 644 $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	chmod 755 $(DESTDIR)$(bindir)/owfat-io-run
	for p in $(MAN1); do $(INSTALL_DATA) man/$$p.1 $(DESTDIR)$(man1dir)/$$p$(man1ext) || exit 1; done
	for p in $(MAN7); do $(INSTALL_DATA) man/$$p.7 $(DESTDIR)$(man7dir)/$$p$(man7ext) || exit 1; done
	for p in $(MAN3); do \
		$(INSTALL_DATA) man/$$p.3 $(DESTDIR)$(man3dir)/$$p$(man3ext) || exit 1; \
		for n in $$($(NAMES) man/$$p.3 | tail -n +2); do \
			ln -sf $$p$(man3ext) $(DESTDIR)$(man3dir)/$$n$(man3ext) || exit 1; done; done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(bindir)/owfat-io-,check run trace) $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	rm -f $(CMAKE_FILES:%=$(DESTDIR)$(cmakedir)/%)
	rm -f $(addprefix $(DESTDIR)$(libdir)/,libowfat_io.a libowfat_io.so $(SONAME) $(SHARED))
	rm -f $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/libowfat/%) $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/%)
	rm -f $(MAN1:%=$(DESTDIR)$(man1dir)/%$(man1ext)) $(MAN7:%=$(DESTDIR)$(man7dir)/%$(man7ext))
	for n in $$($(NAMES) man/*.3); do rm -f $(DESTDIR)$(man3dir)/$$n$(man3ext) || exit 1; done
	for d in $(includedir)/owfat_io/libowfat $(includedir)/owfat_io $(cmakedir); do \
		if [ -d $(DESTDIR)$$d ]; then rmdir $(DESTDIR)$$d; fi; done

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
		|| { echo "make $@: needs 'cargo $$t' (rustup component add rustfmt clippy;" \
			"Debian: rustfmt-web rust-web-clippy)" >&2; exit 1; }; done

# The second reference of the tests, unpacked from Debian sid beside the installed one; a line says if it cannot be had.
libowfat-034:
	@sh c-tests/libowfat_034.sh build/libowfat-0.34

demo: demo-tools all
	@$(MAKE) -s install DESTDIR= prefix=$(STAGE)
	@bash c-tests/demo.sh $(STAGE)

check: check-tools all check-format check-lint check-unit check-c
	@echo "make check: all passed"

check-format:
	$(CARGO) fmt --check

check-lint:
	$(CARGO) clippy --all-targets $(BUILD) -- -D warnings

check-unit:
	$(CARGO) test --lib --bins --test headers $(BUILD)
	$(CARGO) test --locked --manifest-path fuzz/library/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target)

# Built for release, as the library that the C programs link and the servers preload.
check-c: all libowfat-034
	$(CARGO) test --release $(BUILD) --test c

# A page with pictures from servers/files.c. Some hundred megabytes to install, so it stands apart.
check-browser: check-tools all
	$(call need,chromium)
	OWFAT_IO_BROWSER=1 $(CARGO) test --release $(BUILD) --test c -- browser::

# Older kernels and sandboxes: see the script. Some twenty minutes.
check-kernels: check-tools all
	sh c-tests/kernel/check.sh $(CARGO)

# Other machines, C libraries and systems, one after the other; TARGET= for one. The script tells what runs of each. An
# hour for all of them, for each builds Rust's own library.
check-targets: TARGET = i686 aarch64 musl s390x
check-targets: check-tools
	$(call need,$(RUST_WITH_SOURCE_PACKAGES) $(foreach t,$(TARGET),$($(t)_PACKAGES)))
	@for t in $(TARGET); do bash c-tests/targets/check.sh $(CARGO) $$t || exit 1; done

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

# What is committed, with every crate that Cargo.lock names: it builds without a network. The same commit makes the same
# bytes.
DIST = libowfat_io-$(VERSION)

dist: toolchain
	rm -rf build/dist && mkdir -p build/dist
	git archive --prefix=$(DIST)/ HEAD | tar -x -C build/dist
	cd build/dist/$(DIST) && $(CARGO) vendor --quiet --locked --sync fuzz/Cargo.toml vendor > /dev/null
	mkdir build/dist/$(DIST)/.cargo
	printf '[source.%s]\n%s\n' crates-io 'replace-with = "vendored"' vendored 'directory = "vendor"' \
		> build/dist/$(DIST)/.cargo/config.toml
	tar -c --sort=name --format=gnu --mtime=@$$(git log -1 --format=%ct) --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX -C build/dist $(DIST) | gzip -9n > build/$(DIST).tar.gz
	rm -rf build/dist

check-dist:
	$(call need,$(CHECK_DIST_PACKAGES))
	@bash c-tests/packages/dist.sh $(DIST)

# A copy of the tree as it stands, because dpkg leaves its results beside what it builds. Rust need not be a package,
# so dpkg is not asked (-d): the build says what it misses.
deb:
	$(call need,$(DEB_PACKAGES))
	rm -rf build/deb && mkdir -p build/deb/source
	tar -c --exclude=./build --exclude=./target --exclude=./fuzz/target --exclude=./.git . | tar -x -C build/deb/source
	cd build/deb/source && dpkg-buildpackage -b -uc -us -d

check-deb:
	$(call need,$(CHECK_DEB_PACKAGES))
	@$(MAKE) -s deb
	@bash c-tests/packages/deb.sh

check-first:
	$(call need,$(FIRST_PACKAGES))
	@bash c-tests/packages/first.sh
