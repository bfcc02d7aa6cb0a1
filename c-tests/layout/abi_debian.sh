#!/bin/sh
# abi_debian.sh INCLUDE_DIR: a program built with the headers of Debian's libowfat-dev finds in this library the
# functions, arguments and structures that it expects, but for what c-tests/abi/debian.sed and debian.txt explain.
# The headers are compared, because Debian's libowfat.so.0 has no debug information; of the library, the symbols.
here=$(dirname "$0")
abi=$here/../abi
include=$1
if [ ! -f "$include/io.h" ] || [ ! -f "$abi/stub.sh" ]; then
    echo "usage: abi_debian.sh INCLUDE_DIR (with io.h, and ../abi beside the script)" >&2
    exit 2
fi
for tool in abidiff gcc nm; do
    command -v $tool > /dev/null || { echo "abi_debian.sh: needs $tool" >&2; exit 2; }
done
[ -f /usr/include/io.h ] || { echo "abi_debian.sh: needs libowfat-dev" >&2; exit 2; }
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
LC_ALL=C
export LC_ALL
failed=0
fail() {
    echo "FAILED: $1"
    failed=1
}

mkdir "$dir/ours" || exit 2
for header in "$include"/*.h; do
    sed -f "$abi/debian.sed" "$header" > "$dir/ours/$(basename "$header")" || exit 2
done
sh "$abi/stub.sh" "$dir/ours" "$dir/ours.so" && sh "$abi/stub.sh" /usr/include "$dir/debian.so" || exit 2
abidiff --no-added-syms "$dir/debian.so" "$dir/ours.so" || fail "a program built with Debian's headers expects otherwise"

library=$(dpkg-query -L libowfat0 | grep '/libowfat\.so\.0$')
[ -f "$library" ] || { echo "abi_debian.sh: needs libowfat0" >&2; exit 2; }
nm -D --defined-only "$library" | awk '{ print $NF }' \
    | grep -E '^(io|iob|iom|array|tai|taia|uint32|uint64|alt|first)_' | sort > "$dir/theirs"
sort "$here/../symbols.txt" | comm -23 "$dir/theirs" - > "$dir/missing"
sed -n 's/^\([a-z_]*\) .*/\1/p' "$abi/debian.txt" | sort | diff - "$dir/missing" \
    || fail "libowfat.so.0 and this library differ otherwise (>) than debian.txt says (<)"
echo "symbols of libowfat.so.0: $(wc -l < "$dir/theirs"), not provided: $(wc -l < "$dir/missing")"
[ -s "$dir/theirs" ] && [ $failed = 0 ]
