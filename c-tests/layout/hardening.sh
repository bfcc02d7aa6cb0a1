#!/bin/sh
# hardening.sh LIBRARY: the shared library is linked so that an error in any program has less to work with. The status
# is 1 if anything is otherwise.
library=$1
if [ ! -f "$library" ]; then
    echo "usage: hardening.sh LIBRARY" >&2
    exit 2
fi
. "$(dirname "$0")/common.inc"
needs readelf
# is WHAT PATTERN FILE, isnt WHAT PATTERN FILE: extended regular expressions.
is() {
    grep -qE "$2" "$3" || { echo "FAILED: no $1"; failed=1; }
}
isnt() {
    ! grep -E "$2" "$3" || { echo "FAILED: $1"; failed=1; }
}

readelf -lW "$library" > "$dir/segments" && readelf -dW "$library" > "$dir/dynamic" || exit 2
is "segment that the linker makes read-only after relocation (relro)" '^ *GNU_RELRO' "$dir/segments"
is "binding of every symbol at the start (now), without which relro is half done" '\(FLAGS_1\).*\bNOW\b' "$dir/dynamic"
is "statement that the stack is not for code" '^ *GNU_STACK .* RW +0' "$dir/segments"
isnt "memory that is both written and executed" '^ *[A-Z_]+ +0x.* RWE +0x' "$dir/segments"
isnt "relocations in code (textrel)" 'TEXTREL' "$dir/dynamic"
isnt "a directory of this build to look for libraries in" 'R(UN)?PATH' "$dir/dynamic"
[ $failed = 0 ] && echo "relro, now, stack without code, nothing written and executed, no relocations in code, no path"
