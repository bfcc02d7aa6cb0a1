#!/bin/sh
# promise: Structures and symbols
# symbols.sh LIBRARY: the shared library exports what c-tests/symbols.txt lists and nothing else, has the SONAME that
# programs were promised, is never unmapped, and needs no libowfat. The status is 1 if anything is otherwise.
root=$(dirname "$0")/../..
list=$root/c-tests/symbols.txt
library=$1
if [ ! -f "$library" ] || [ ! -f "$list" ]; then
    echo "usage: symbols.sh LIBRARY (with ../symbols.txt beside the script)" >&2
    exit 2
fi
. "$(dirname "$0")/common.inc"
needs nm readelf

# Names and kinds: all are functions (T), because data of libowfat's must not be interposed.
nm -D --defined-only "$library" > "$dir/nm" || exit 2
awk '{ print $NF }' "$dir/nm" | sort > "$dir/found"
sort "$list" > "$dir/listed"
for name in $(comm -13 "$dir/found" "$dir/listed"); do fail "missing: $name"; done
for name in $(comm -23 "$dir/found" "$dir/listed"); do fail "not listed: $name"; done
for name in $(awk '$(NF - 1) != "T" { print $NF }' "$dir/nm"); do fail "no function: $name"; done
echo "symbols: $(wc -l < "$dir/found") exported, $(wc -l < "$dir/listed") listed"

readelf -dW "$library" > "$dir/dynamic" || exit 2
soname=$(sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p' "$dir/dynamic")
echo "SONAME: $soname"
# The packages, the description of the interface and the promise of the README are for this name.
for line in "Makefile:SONAME = $soname" "debian/libowfat-io0.symbols:$soname libowfat-io0 #MINVER#" \
    "c-tests/abi/libowfat_io.xml:soname='$soname'"; do
    grep -qF "${line#*:}" "$root/${line%%:*}" || fail "SONAME is $soname, and ${line%%:*} has no line: ${line#*:}"
done
grep -qF "interface of \`$soname\` only grows" "$root/README.md" || fail "SONAME is $soname, and README.md promises another"
grep -q 'FLAGS_1.*NODELETE' "$dir/dynamic" || fail "no NODELETE flag"
! grep 'NEEDED.*libowfat' "$dir/dynamic" || fail "depends on libowfat"
echo "needs:$(sed -n 's/.*NEEDED.*\[\(.*\)\]/ \1/p' "$dir/dynamic" | tr -d '\n')"
[ $failed = 0 ]
