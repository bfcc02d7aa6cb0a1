#!/bin/sh
# promises.sh INCLUDE: each promise of docs/behaviour.md (a heading of the third level) has a test with its tag, and each
# tag names a promise. In c-tests/behaviour a tag stands right above its TEST; a script or a program may have one anywhere.
. "$(dirname "$0")/common.inc"
cd "$1/.." || exit 2
# complain WHAT FILE: fails if the file is not empty.
complain() {
    [ ! -s "$2" ] || { sed "s/^/$1: /" "$2"; failed=1; }
}

sed -n 's/^### //p' docs/behaviour.md | sort > "$dir/promises"
grep -rhE --include='*.c' --include='*.cc' --include='*.sh' '^(/\*|#) promise: ' c-tests \
    | sed -E 's,^[^:]*: (.*)$,\1,; s, \*/$,,' | sort -u > "$dir/tags"
[ -s "$dir/promises" ] || fail "docs/behaviour.md has no promises"
uniq -d "$dir/promises" > "$dir/twice"
comm -23 "$dir/promises" "$dir/tags" > "$dir/untested"
comm -13 "$dir/promises" "$dir/tags" > "$dir/unknown"
awk '/^\/\* promise: / { tag = FILENAME ": " $0; next }
    tag != "" && !/^TEST\(/ { print tag }
    { tag = "" }
    END { if (tag != "") print tag }' c-tests/behaviour/*.c c-tests/behaviour/*.cc > "$dir/astray"
complain "two promises of one name" "$dir/twice"
complain "a promise without a test" "$dir/untested"
complain "a tag that names no promise" "$dir/unknown"
complain "a tag that stands above no TEST" "$dir/astray"
exit $failed
