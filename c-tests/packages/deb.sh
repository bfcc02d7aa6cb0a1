#!/bin/bash
# What becomes of the packages of `make deb` on a Debian machine: `make check-deb`. lintian; then in a fresh folder they
# are installed on nothing but what they name, used, put beside libowfat-dev, upgraded, and purged without a trace.
set -euo pipefail
cd "$(dirname "$0")/../.."
. c-tests/packages/folder.sh
names=(libowfat-io0 libowfat-io-dev libowfat-io-tools)

mkdir -p build/deb/from
git archive --prefix=source/ HEAD | tar -x -C build/deb/from
(cd build/deb/from/source && dpkg-buildpackage -S -uc -us -d) >build/deb/from/log 2>&1 || { tail -n 20 build/deb/from/log >&2; fail "source"; }
lintian --allow-root --display-info --pedantic --fail-on error,warning,info,pedantic build/deb/*.changes build/deb/from/*.changes \
	|| fail "lintian"
echo "1. lintian: nothing, pedantic things included"

# version_of DIRECTORY: the packages' version.
version_of() { dpkg-deb -f "$1"/libowfat-io0_*.deb Version; }

# The same sources under a higher version, beside the first.
next=build/deb/next
mkdir -p $next
(
	cd build/deb/source
	cp debian/changelog ../changelog
	trap 'mv ../changelog debian/changelog' EXIT
	sed -i '1s/(\(.*\))/(\1+next)/' debian/changelog
	dpkg-buildpackage -b -uc -us -d -nc >../next.log 2>&1 || { tail -n 20 ../next.log >&2; exit 1; }
)
for p in build/deb/*+next_*; do mv "$p" $next/; done

make_folder
mkdir -p "$folder/debs" "$folder/src"
cp -r build/deb/*.deb $next "$folder/debs/"
cp -r debian c-tests --parents "$folder/src/"

# Everything but what every installation changes.
files() {
	inside find / -xdev \( -path /proc -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \
		-o -path /etc/ld.so.cache -o -path /tmp -o -path /debs -o -path /src -o -path /dev \) -prune -o -print | sort
}
# installed VERSION: all three are, whole.
installed() {
	local p
	for p in "${names[@]}"; do
		[ "$(inside dpkg-query -W -f '${db:Status-Status} ${Version}' "$p")" = "installed $1" ] || fail "$p is not at $1"
	done
	[ -z "$(inside dpkg --audit)" ] && inside dpkg --verify "${names[@]}" || fail "dpkg does not find $1 whole"
}
debs() { (cd "$folder" && ls "$1"/libowfat-io0_*.deb "$1"/libowfat-io-dev_*.deb "$1"/libowfat-io-tools_*.deb) | sed 's|^|/|'; }
use() {
	local t
	for t in consumer tracker; do
		# shellcheck disable=SC2016 # the folder's shell expands it
		inside sh -c 'AUTOPKGTEST_TMP=$(mktemp -d) "$0" >/tmp/said 2>&1' /src/debian/tests/$t \
			|| { tail -n 30 "$folder/tmp/said" >&2; fail "debian/tests/$t"; }
		tail -n 1 "$folder/tmp/said" | sed 's/^/   /'
	done
}

files >"$folder/tmp/bare"
inside dpkg -i $(debs debs | grep -v -e -dev_) >/dev/null
inside owfat-io-run true && inside owfat-io-check --help >/dev/null
inside dpkg --purge libowfat-io-tools libowfat-io0 >/dev/null
files | diff "$folder/tmp/bare" - || fail "the library and the tools left this behind"
echo "2. the library and the tools need nothing but an empty Debian, and leave it as it was"

# The development package names its own needs; libowfat-dev has the same header names.
install_packages $(debs debs)
installed "$(version_of build/deb)"
inside dpkg --purge "${names[@]}" >/dev/null
install_packages libowfat-dev libssl-dev gcc pkg-config cmake make opentracker curl
files >"$folder/tmp/before"
install_packages $(debs debs)
installed "$(version_of build/deb)"
# has PACKAGE FILE...: compressed or not.
has() {
	local package=$1 file
	inside dpkg -L "$package" | sed 's/\.gz$//' >"$folder/tmp/files"
	shift
	for file in "$@"; do grep -qxF "/usr/share/$file" "$folder/tmp/files" || fail "$package has no /usr/share/$file"; done
}
has libowfat-io0 doc/libowfat-io0/copyright doc/libowfat-io0/changelog
has libowfat-io-dev doc/libowfat-io-dev/{copyright,README.md,moving.md,behaviour.md,other-loops.md} man/man3/{libowfat_io,io_wait}.3owfat
# What README.Debian and libowfat_io(7) lead an admin to.
has libowfat-io-tools doc/libowfat-io-tools/{copyright,README.Debian,moving.md,examples/owfat-io.conf} man/man7/libowfat_io.7 \
	man/man1/owfat-io-{check,run,trace}.1
inside dpkg -L libowfat-io-dev | sed -n 's|.*/examples/||p' | sort | diff <(git ls-files examples | sed 's|.*/||' | sort) - \
	|| fail "examples/ (<) is not what libowfat-io-dev has (>)"
use
echo "3. installed beside libowfat-dev, and used"

install_packages $(debs debs/next)
installed "$(version_of $next)"
use
echo "4. upgraded to $(version_of $next), and used"

inside dpkg --purge "${names[@]}" >/dev/null
files | diff "$folder/tmp/before" - || fail "purging left this behind"
! inside ldconfig -p | grep libowfat_io || fail "the linker still knows the library"
echo "5. purged: nothing is left"
