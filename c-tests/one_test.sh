#!/bin/sh
# `make t T=name`: one_test.sh CARGO NAME runs each test that has NAME in its name, in C or in Rust. The library was built
# before, for release; the tests themselves take less time to compile without optimisation.
set -eu
cargo=$1 name=$2
[ -n "$name" ] || { echo "make t: which test? make t T=name" >&2; exit 2; }

# has OPTION...: whether a test of that kind has the name.
has() { $cargo test --quiet --locked --features tools "$@" -- --list "$name" | grep -q ': test$'; }

# Compiling takes a while, so a kind of test that cannot have the name is left out.
last=${name##*::}
in_rust() { grep -rqE "fn [a-z0-9_]*$last|mod $last" src; }
in_c() { grep -rqF -e "$last" c-tests || find c-tests | grep -qF -e "$last"; }

found=
if { in_c || ! in_rust; } && has --test c; then
	found=1
	$cargo test --quiet --locked --features tools --test c -- "$name"
fi
if in_rust && has --lib; then
	found=1
	$cargo test --quiet --locked --features tools --lib -- "$name"
fi
[ -n "$found" ] || { echo "make t: no test has '$name' in its name" >&2; exit 1; }
