#!/bin/sh
# dependencies.sh: the library contains the crates that dependencies.txt lists, with their licences, and no others, on
# whatever machine; and Cargo.lock, which holds their versions and checksums, is complete. What the tests and the build
# use is not in it: see deny.toml.
here=$(dirname "$0")
. "$here/common.inc"

cd "$here/../.." || exit 2
"${CARGO-cargo}" tree --locked --edges normal --target all --prefix none --format '{p} {l}' > "$dir/tree" || exit 1
# NAME vVERSION LICENCE; this crate has a path, too, and "(*)" ends what was listed before.
sed -e '/^owfat_io /d' -e 's/ (\*)$//' -e 's/ v[^ ]*//' "$dir/tree" | sort -u > "$dir/found"
diff "$here/dependencies.txt" "$dir/found" || { echo "FAILED: dependencies.txt (<), cargo (>)"; exit 1; }
echo "crates in the library: $(wc -l < "$dir/found")"
