# Build, install and package libowfat_io. Names and variables as in the GNU coding standards. What checks and measures it
# is in c-tests/checks.mk.

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
includedir = $(prefix)/include
pkgconfigdir = $(libdir)/pkgconfig
cmakedir = $(libdir)/cmake/owfat_io
datarootdir = $(prefix)/share
docdir = $(datarootdir)/doc/libowfat_io
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
# CARGO_BUILD_TARGET, for cargo and for this file, names another machine or C library to build for.
RELEASE = $(or $(CARGO_TARGET_DIR),target)$(CARGO_BUILD_TARGET:%=/%)/release

# What Rust's own library needs; the crate adds nothing to it. rustc replaces its output file, whatever that is,
# so never name a device here. A static program gets no libgcc_s: gcc_eh is the same unwinder as an archive.
FIND_STATIC_LIBS = echo | $(RUSTC) $(CARGO_BUILD_TARGET:%=--target %) --crate-type staticlib \
	--print native-static-libs -o build/empty.a - 2>&1 \
	| sed -n 's/^note: native-static-libs: //p' | sed 's/-lgcc_s\b/-lgcc_eh/'
STATIC_LIBS = $(RELEASE)/libowfat_io.static-libs
CMAKE_FILES = owfat_io-config.cmake owfat_io-config-version.cmake
FILL = sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
	-e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' -e "s|@static_libs@|$$(cat $(STATIC_LIBS))|" \
	-e 's|@soname@|$(SONAME)|' -e 's|@bindir@|$(bindir)|'

.NOTPARALLEL:
.PHONY: all help toolchain install uninstall clean dist deb

all: toolchain ## build the library and the tools (the default)
	$(CARGO) build --release $(BUILD)
	@[ -f $(RELEASE)/libowfat_io.so ] || { echo "make $@: the target makes static programs only:" \
		"set RUSTFLAGS=-Ctarget-feature=-crt-static for a shared library" >&2; exit 1; }
	@libs=$$($(FIND_STATIC_LIBS)); \
	[ -n "$$libs" ] || { echo "make $@: $(RUSTC) does not say what its own library needs" >&2; exit 1; }; \
	echo "$$libs" > $(STATIC_LIBS).$$$$ && mv $(STATIC_LIBS).$$$$ $(STATIC_LIBS)

help: ## this text
	@awk -F': .*## |: ## ' '/^[a-z0-9-]+:.* ## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Says in one line what cargo, rustc and cc would fill a page with, or not say at all. The tests build several times at
# once: hence the process number in names of files.
toolchain:
	@fail() { echo "make $@: $$1" >&2; exit 1; }; \
	wanted="Rust $(OLDEST_RUST) or later, from rustup or as Debian's cargo-web"; \
	for t in $(firstword $(CARGO)) $(firstword $(RUSTC)); do \
		command -v $$t >/dev/null || fail "needs $$t: $$wanted"; done; \
	rust=$$($(RUSTC) -vV 2>&1) || fail "$(RUSTC) does not run: $$(echo "$$rust" | head -n 1)"; \
	target=$(or $(CARGO_BUILD_TARGET),$$(echo "$$rust" | sed -n 's/^host: //p')); \
	release=$$(echo "$$rust" | sed -n 's/^release: //p'); \
	printf '%s\n' $(OLDEST_RUST) "$$release" | sort -C -V || fail "$(RUSTC) is $$release: needs $$wanted"; \
	case $$target in *-linux-gnu* | *-linux-musl*) ;; \
	*) fail "$(RUSTC) builds for $$target: only Linux with glibc or musl (-linux-gnu, -linux-musl) is supported" ;; esac; \
	mkdir -p build; \
	echo 'int main(void) { return 0; }' | cc -x c -o build/linked.$$$$ - 2>/dev/null \
		|| fail "needs a C compiler that links programs, under the name of cc (Debian: gcc libc6-dev)"; \
	rm build/linked.$$$$

# Builds nothing: root needs no Rust.
install: ## install below prefix=, DESTDIR= and so on
	@for f in libowfat_io.so libowfat_io.a owfat-io-check owfat-io-trace $(notdir $(STATIC_LIBS)); do \
		[ -s $(RELEASE)/$$f ] || { echo "make $@: no $(RELEASE)/$$f yet: run make first" >&2; exit 1; }; done
	$(INSTALL) -d $(DESTDIR)$(docdir) $(DESTDIR)$(libdir) $(DESTDIR)$(pkgconfigdir) $(DESTDIR)$(cmakedir) $(DESTDIR)$(bindir) \
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
	$(INSTALL_DATA) LICENSE-APACHE LICENSE-MIT $(DESTDIR)$(docdir)
	for p in $(MAN1); do $(INSTALL_DATA) man/$$p.1 $(DESTDIR)$(man1dir)/$$p$(man1ext) || exit 1; done
	for p in $(MAN7); do $(INSTALL_DATA) man/$$p.7 $(DESTDIR)$(man7dir)/$$p$(man7ext) || exit 1; done
	for p in $(MAN3); do \
		$(INSTALL_DATA) man/$$p.3 $(DESTDIR)$(man3dir)/$$p$(man3ext) || exit 1; \
		for n in $$($(NAMES) man/$$p.3 | tail -n +2); do \
			ln -sf $$p$(man3ext) $(DESTDIR)$(man3dir)/$$n$(man3ext) || exit 1; done; done

uninstall: ## take away what install has put there
	rm -f $(addprefix $(DESTDIR)$(bindir)/owfat-io-,check run trace) $(DESTDIR)$(pkgconfigdir)/libowfat_io.pc
	rm -f $(CMAKE_FILES:%=$(DESTDIR)$(cmakedir)/%)
	rm -f $(addprefix $(DESTDIR)$(libdir)/,libowfat_io.a libowfat_io.so $(SONAME) $(SHARED))
	rm -f $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/libowfat/%) $(HEADERS:%=$(DESTDIR)$(includedir)/owfat_io/%)
	rm -f $(MAN1:%=$(DESTDIR)$(man1dir)/%$(man1ext)) $(MAN7:%=$(DESTDIR)$(man7dir)/%$(man7ext))
	for n in $$($(NAMES) man/*.3); do rm -f $(DESTDIR)$(man3dir)/$$n$(man3ext) || exit 1; done
	rm -f $(DESTDIR)$(docdir)/LICENSE-APACHE $(DESTDIR)$(docdir)/LICENSE-MIT
	for d in $(docdir) $(includedir)/owfat_io/libowfat $(includedir)/owfat_io $(cmakedir); do \
		if [ -d $(DESTDIR)$$d ]; then rmdir $(DESTDIR)$$d; fi; done

clean: ## remove what was built
	$(CARGO) clean
	rm -rf build

# What is committed, with every crate that Cargo.lock names: it builds without a network. The same commit makes the same
# bytes.
DIST = libowfat_io-$(VERSION)

dist: toolchain ## a tarball with every crate
	rm -rf build/dist && mkdir -p build/dist
	git archive --prefix=$(DIST)/ HEAD | tar -x -C build/dist
	cd build/dist/$(DIST) && $(CARGO) vendor --quiet --locked --sync fuzz/Cargo.toml vendor > /dev/null
	mkdir build/dist/$(DIST)/.cargo
	printf '[source.%s]\n%s\n' crates-io 'replace-with = "vendored"' vendored 'directory = "vendor"' \
		> build/dist/$(DIST)/.cargo/config.toml
	tar -c --sort=name --format=gnu --mtime=@$$(git log -1 --format=%ct) --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX -C build/dist $(DIST) | gzip -9n > build/$(DIST).tar.gz
	rm -rf build/dist

# A copy of the tree as it stands, because dpkg leaves its results beside what it builds. Rust need not be a package,
# so dpkg is not asked (-d): the build says what it misses.
deb: ## Debian packages in build/deb
	$(call need,$(DEB_PACKAGES))
	rm -rf build/deb && mkdir -p build/deb/source
	tar -c --exclude=./build --exclude=./target --exclude=./fuzz/target --exclude=./.git . | tar -x -C build/deb/source
	cd build/deb/source && dpkg-buildpackage -b -uc -us -d

include c-tests/checks.mk
