#!/bin/sh
# debian.sh: what debian/ and the Meson wrap repeat is what the sources say: the version, the symbols, and the crates
# whose authors debian/copyright has to name because their code is in the packages.
here=$(dirname "$0")
. "$here/common.inc"
cd "$here/../.." || exit 2

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# A Debian revision may follow.
sed -n '1s/.*(\([^)-]*\).*/\1/p' debian/changelog | grep -qxF "$version" || fail "debian/changelog does not begin with $version"
wrap=c-tests/consumers/meson/subprojects
for line in "$wrap/libowfat_io.wrap:directory = libowfat_io-$version" \
    "$wrap/libowfat_io.wrap:source_filename = libowfat_io-$version.tar.gz" \
    "$wrap/packagefiles/libowfat_io/meson.build:project('libowfat_io', 'c', version: '$version')"; do
    grep -qxF "${line#*:}" "${line%%:*}" || fail "${line%%:*} does not say: ${line#*:}"
done

sed -n 's/^ \(.*\)@Base .*/\1/p' debian/libowfat-io0.symbols | sort > "$dir/symbols"
sort c-tests/symbols.txt | diff - "$dir/symbols" || fail "c-tests/symbols.txt (<), debian/libowfat-io0.symbols (>)"

"${CARGO-cargo}" tree --locked --features tools --edges normal,no-proc-macro --prefix none --format '{p}' > "$dir/tree" \
    || exit 1
sed -e '/^owfat_io /d' -e 's/ v.*//' "$dir/tree" | sort -u > "$dir/crates"
# Where two versions are needed, the directory of one bears it.
sed -n 's|^Files: vendor/\(.*\)\*/\*$|\1|p' debian/copyright | sort > "$dir/named"
diff "$dir/crates" "$dir/named" || fail "crates in the packages (<), debian/copyright (>)"
echo "version $version, $(wc -l < "$dir/symbols") symbols, $(wc -l < "$dir/crates") crates"
[ -s "$dir/crates" ] && [ $failed = 0 ]
