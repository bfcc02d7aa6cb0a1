#!/bin/sh
# promise: Structures and symbols
# abi.sh LIBRARY: the binary interface is the one that c-tests/abi/libowfat_io.xml describes. LIBRARY is the shared
# library with debug information. abidiff compares the description with what our headers declare, and says what a
# difference means for programs; signatures.awk compares the headers with what rustc compiled. With
# OWFAT_IO_UPDATE=1 the description is written anew (`make abi`), but an incompatible one only under a new SONAME.
here=$(dirname "$0")
abi=$here/../abi
library=$1
if [ ! -f "$library" ] || [ ! -f "$abi/stub.sh" ]; then
    echo "usage: abi.sh LIBRARY (with ../abi beside the script)" >&2
    exit 2
fi
. "$here/common.inc"
needs abidw abidiff gcc

sh "$abi/stub.sh" "$here/../../include" "$dir/headers.so" || exit 2
# Nothing of this machine, and nothing that moves with a line of a header.
abidw --no-show-locs --no-comp-dir-path --no-corpus-path --no-architecture --no-elf-needed --no-parameter-names \
    --type-id-style hash --out-file "$dir/headers.xml" "$dir/headers.so" || exit 2
sed -i "s|path='[^']*'|path='headers'|" "$dir/headers.xml"
committed=$abi/libowfat_io.xml
soname_of() { sed -n "1s/.* soname='\([^']*\)'.*/\1/p" "$1"; }

if [ -n "${OWFAT_IO_UPDATE-}" ] && [ "$(soname_of "$committed")" != "$(soname_of "$dir/headers.xml")" ]; then
    cp "$dir/headers.xml" "$committed" || exit 2
elif ! abidiff --no-added-syms "$committed" "$dir/headers.xml"; then
    fail "incompatible: programs that are built already break. If that is meant, give it a new SONAME, and then make abi"
elif [ -n "${OWFAT_IO_UPDATE-}" ]; then
    cp "$dir/headers.xml" "$committed" || exit 2
elif ! abidiff "$committed" "$dir/headers.xml"; then
    fail "the interface has grown, which is compatible: make abi, and commit the description"
fi

# io_wait and io_check are declared void, as libowfat declares them, and leave its count in the result register;
# io_sigpipe and iob_addbuf_internal are there to interpose libowfat's, and in no header.
signatures() {
    abidw "$1" | awk -f "$abi/signatures.awk" | sort
}
signatures "$dir/headers.so" > "$dir/headers"
signatures "$library" | sed -e 's/^\(io_wait\|io_check\)() -> s64$/\1() -> void/' -e '/^io_sigpipe(/d' \
    -e '/^iob_addbuf_internal(/d' > "$dir/compiled"
diff "$dir/headers" "$dir/compiled" || fail "the headers (<) are not what the library does (>)"
echo "signatures: $(wc -l < "$dir/compiled") functions compared"
[ -s "$dir/compiled" ] && [ $failed = 0 ]
