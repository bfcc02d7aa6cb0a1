#!/bin/sh
# The tests of the crate polling, as they are in the crate, on our library: see docs/peers.md. They are downloaded for the
# run and are in no commit.
#
# Usage: run.sh CARGO DIRECTORY-OF-THE-LIBRARY, from the root of the tree.
set -eu

cargo=$1 library=$(cd "$2" && pwd)
out=$PWD/build/peers

rm -rf "$out/src" "$out/tests" "$out/vendor"
mkdir -p "$out/lib"
cp -r c-tests/peers/Cargo.toml c-tests/peers/Cargo.lock c-tests/peers/src "$out"
for name in libowfat_io.so libowfat_io.so.0; do ln -sf "$library/libowfat_io.so" "$out/lib/$name"; done
cd "$out"
$cargo vendor --quiet --locked vendor > /dev/null
cp -r vendor/polling/tests .
# One at a time, because the process has one loop. That flag is the crate's own, for a backend that is as poll(2): it has no
# edges, and waits in whole milliseconds.
for backend in epoll poll; do
	echo "the tests of polling, over $backend"
	OWFAT_IO_BACKEND=$backend LD_LIBRARY_PATH="$out/lib" \
		RUSTFLAGS="-L native=$out/lib --cfg polling_test_poll_backend" \
		$cargo test --quiet --locked --target-dir "$out/target" --test '*' -- --test-threads 1
done
