#!/bin/sh
# abi_debian.sh: of the io layer's symbols in Debian's libowfat.so.0 (0.32), and in that of 0.34 if it is here, this library
# has all but those that c-tests/abi/debian.txt explains. What the headers declare: declarations_032.sh, declarations_034.sh.
here=$(dirname "$0")
. "$here/common.inc"
needs nm

sed -n 's/^\([a-z_]*\) .*/\1/p' "$here/../abi/debian.txt" | sort > "$dir/explained"
sort "$here/../symbols.txt" > "$dir/ours"
# not_provided LIBRARY: its symbols that this library has not, in the file missing.
not_provided() {
    nm -D --defined-only "$1" | awk '{ print $NF }' \
        | grep -E '^(io|iob|iom|array|tai|taia|uint16|uint32|uint64|alt|first)_' | sort > "$dir/theirs"
    comm -23 "$dir/theirs" "$dir/ours" > "$dir/missing"
    [ -s "$dir/theirs" ] || fail "no symbols in $1"
    echo "symbols of $1: $(wc -l < "$dir/theirs"), not provided: $(wc -l < "$dir/missing")"
}

library=$(cc -print-file-name=libowfat.so.0)
[ -f "$library" ] || { echo "abi_debian.sh: needs libowfat-dev" >&2; exit 2; }
not_provided "$library"
diff "$dir/explained" "$dir/missing" || fail "libowfat.so.0 and this library differ otherwise (>) than debian.txt says (<)"

library=$here/../../build/libowfat-0.34/libowfat.so.0
if [ -f "$library" ]; then
    not_provided "$library"
    for name in $(comm -13 "$dir/explained" "$dir/missing"); do fail "0.34 has $name, and debian.txt does not explain it"; done
fi
[ $failed = 0 ]
