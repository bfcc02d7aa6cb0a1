#!/bin/sh
# Do the unit tests notice when the code is wrong? cargo-mutants changes one place at a time in the modules that are pure
# logic, and runs their tests. What they let pass must be in docs/testing.md, with the reason why no program can see it.
#
# Usage: mutants.sh CARGO, from the root of the tree. Works on a copy, in build/mutants.
set -eu

cargo=$1
# How many of a hundred must be caught.
wanted=95
out=$PWD/build/mutants

mkdir -p "$out/tree"
find "$out/tree" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
tar -c --exclude=./build --exclude=./target --exclude=./fuzz/target --exclude=./.git . | tar -x -C "$out/tree"
cd "$out/tree"
# A test that fails without a mutant would catch everything.
$cargo test --quiet --locked --features tools --lib

# The files, and the tests that are about them. A run fails when it misses one: that is judged at the end.
: > "$out/caught.txt"
: > "$out/missed.txt"
while read -r files tests; do
	echo "make mutants: $files"
	rm -rf mutants.out
	# shellcheck disable=SC2086
	$cargo mutants --in-place --baseline=skip --timeout 30 --build-timeout 300 --file "$files" --features tools \
		--cargo-arg=--locked -- --lib $tests < /dev/null > "$out/log.txt" 2>&1 || true
	cat mutants.out/caught.txt mutants.out/timeout.txt >> "$out/caught.txt"
	cat mutants.out/missed.txt >> "$out/missed.txt"
done <<'MODULES'
src/event_loop/news.rs news
src/interest.rs interest slot deliver
src/timer.rs timer deadlines
src/batch/plan.rs batch
src/batch/filter.rs batch filter
src/array.rs array
src/mux/*.rs mux
MODULES

cd "$out/../.."
caught=$(wc -l < "$out/caught.txt") missed=$(wc -l < "$out/missed.txt")
echo "make mutants: $caught of $((caught + missed)) were caught"
[ $((caught * 100)) -ge $(((caught + missed) * wanted)) ] || exit 1
# Lines move, so a mutant is known by its file and by what it changes.
status=0
while read -r mutant; do
	change=$(printf '%s' "${mutant#*: }" | sed 's/|/\\|/g')
	if ! grep -qF "| \`${mutant%%:*}\` | \`$change\` |" docs/testing.md; then
		echo "not caught, and not in docs/testing.md: $mutant"
		status=1
	fi
done < "$out/missed.txt"
exit $status
