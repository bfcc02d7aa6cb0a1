#!/bin/bash
# Programs that others wrote, each on libowfat 0.32, on 0.34 and on ours. Writes the table to TABLE.
# `check.sh STAGE LATER TABLE [SOURCES]`: the prefix of a finished install, the directory with libowfat 0.34, and one with
# the sources of programs, a directory each. Debian's two opentrackers are always there: the installed one, and sid's.
#
# A program has a recipe, `NAME.sh` here or beside its directory in SOURCES, where NAME is the directory's name up to the
# first dash. `recipe build SOURCES PROGRAM` builds it with CPPFLAGS, LDFLAGS and LIBS of the environment; `recipe work
# PROGRAM` has it work, and prints lines `what: result`. Of a result `N of M` all are wanted with our library.
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES # of the make that called: recipes call others
cd "$(dirname "$0")/../.."
stage=$1 later=$2 table=$3 sources=${4-}
here=c-tests/consumers
export tmp
tmp=$(mktemp -d)
chmod 755 "$tmp" # opentracker enters it as user nobody
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

fail() {
	echo "make check-consumers: $*" >&2
	exit 1
}

gcc -std=gnu11 -O2 $here/tracker.c -o "$tmp/tracker"
libraries=(0.32)
if [ -f "$later/version" ]; then libraries+=(0.34); else later=; fi
libraries+=(ours)
export PKG_CONFIG_PATH=$stage/lib/pkgconfig

# As <io.h> and as <libowfat/io.h>.
of_later="-isystem $PWD/$later/include -isystem $PWD/$later/include/libowfat"

# on LIBRARY COMMAND...: with the flags that a program is built with for it, and the paths that it runs with.
on() {
	local path=
	case $1 in
	0.32) CPPFLAGS='' LDFLAGS='' LIBS=-lowfat ;;
	0.34) CPPFLAGS="$of_later" LDFLAGS="-L$PWD/$later" LIBS=-lowfat path=$PWD/$later ;;
	ours)
		# Under it libowfat 0.34, which has all that is not the io layer's, in the oldest and the newest program.
		CPPFLAGS=$(pkg-config --cflags libowfat_io)
		LDFLAGS=$(pkg-config --libs-only-L libowfat_io)
		LIBS="-lowfat_io -lowfat"
		path=$stage/lib
		if [ -n "$later" ]; then
			CPPFLAGS+=" $of_later" LDFLAGS+=" -L$PWD/$later" path+=:$PWD/$later
		fi
		;;
	esac
	export CPPFLAGS LDFLAGS LIBS
	OWFAT_CONSUMER_PATH=$path "${@:2}"
}

# work NAME RECIPE LIBRARY PROGRAM [PRELOAD]: its lines go to the file of this name and library.
work() {
	OWFAT_CONSUMER_PRELOAD=${5-} on "$3" bash "$2" work "$4" >"$tmp/$1.$3" 2>"$tmp/said" </dev/null ||
		echo "works: no: $(grep -v '^$' "$tmp/said" | tail -n 1 | sed 's/^.*error: [^ ]*: //' | cut -c 1-100)" >>"$tmp/$1.$3"
}

# packaged NAME PROGRAM: as it is, with our library preloaded.
packaged() {
	names+=("$1")
	for library in "${libraries[@]}"; do
		local preload=
		if [ "$library" = ours ]; then preload=$stage/lib/libowfat_io.so.0; fi
		work "$1" $here/opentracker.sh "$library" "$2" "$preload"
	done
}

# built DIRECTORY: from its sources, which stay as they are.
built() {
	local name=${1##*/} recipe reason
	recipe=$sources/${name%%-*}.sh
	if [ ! -f "$recipe" ]; then recipe=$here/${name%%-*}.sh; fi
	names+=("$name")
	for library in "${libraries[@]}"; do
		if [ ! -f "$recipe" ]; then
			echo "builds: no recipe, ${name%%-*}.sh" >"$tmp/$name.$library"
			continue
		fi
		rm -rf "$tmp/copy"
		cp -r "$1" "$tmp/copy"
		if on "$library" bash "$recipe" build "$tmp/copy" "$tmp/program" >"$tmp/said" 2>&1; then
			work "$name" "$recipe" "$library" "$tmp/program"
		else
			reason=$(grep -m 1 -E 'error|undefined' "$tmp/said" || tail -n 1 "$tmp/said")
			echo "builds: no: $(sed 's/^.*error: //' <<<"$reason" | cut -c 1-100)" >"$tmp/$name.$library"
		fi
	done
}

names=()
packaged "opentracker $(dpkg-query -W -f='${Version}' opentracker)" "$(command -v opentracker)"
sid=$(
	skip() {
		echo "make check-consumers: without sid's opentracker: $1" >&2
		exit 0
	}
	work=$tmp/sid
	mkdir "$work"
	. c-tests/sid.sh
	unpack opentracker
	version_of opentracker
)
if [ -n "$sid" ]; then packaged "opentracker $sid" "$tmp/sid/unpacked/usr/bin/opentracker"; fi
if [ -n "$sources" ]; then
	[ -d "$sources" ] || fail "$sources is no directory"
	for directory in "$(realpath "$sources")"/*/; do
		if [ -d "$directory" ]; then built "${directory%/}"; fi
	done
fi

# result NAME LIBRARY WHAT
result() { sed -n "s/^$3: //p" "$tmp/$1.$2" | tr '|' '/' | head -n 1; }

# row CELL...
row() {
	printf '|'
	printf ' %s |' "$@"
	echo
}

{
	echo "# Programs of others"
	echo
	echo "Each was built and run with libowfat 0.32, with 0.34 and with this library. \`make check-consumers\` writes this page;"
	echo "\`SOURCES=folder\` adds the programs whose sources are in that folder. What the lines mean is in"
	echo "[\`c-tests/consumers\`](../c-tests/consumers/check.sh)."
	echo
	echo "$(date -u +%F), Linux $(uname -r | cut -d - -f 1), libowfat_io $(pkg-config --modversion libowfat_io)."
	echo
	columns=(program what)
	for library in "${libraries[@]}"; do
		case $library in
		0.32) columns+=("libowfat $(dpkg-query -W -f='${Version}' libowfat-dev)") ;;
		0.34) columns+=("libowfat $(cat "$later/version")") ;;
		ours) columns+=(libowfat_io) ;;
		esac
	done
	row "${columns[@]}"
	row "${columns[@]//*/---}"
	for name in "${names[@]}"; do
		cat "$tmp/$name".* | sed 's/: .*//' | awk '!seen[$0]++' | while IFS= read -r what; do
			cells=("$name" "$what")
			for library in "${libraries[@]}"; do cells+=("$(result "$name" "$library" "$what")"); done
			row "${cells[@]}"
		done
	done
} >"$tmp/table"
cp "$tmp/table" "$table"
cat "$table"

for name in "${names[@]}"; do
	while IFS= read -r line; do
		case $line in
		*": no"*) fail "$name with our library: $line" ;;
		*": "*" of "*)
			counts=${line##*: }
			[ "${counts% of *}" = "${counts#* of }" ] || fail "$name with our library: $line"
			;;
		esac
	done <"$tmp/$name.ours"
done
