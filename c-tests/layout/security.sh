#!/bin/sh
# security.sh: each test that SECURITY.md names exists.
root=$(dirname "$0")/../..
names=$(grep -oE '`[A-Za-z0-9_:]+`' "$root/SECURITY.md" | tr -d '`' \
    | grep -E '^(layout|stress)::|^[a-z][A-Za-z0-9]*(_[A-Za-z0-9]+){3,}$')
failed=0
for name in $names; do
    case $name in
    layout::*) [ -f "$root/c-tests/layout/${name#layout::}.sh" ] ;;
    stress::*) [ -f "$root/c-tests/stress/${name#stress::}.c" ] ;;
    *) grep -rqE "TEST\($name\)|fn $name\(\)" "$root/c-tests" "$root/src" ;;
    esac || { echo "FAILED: SECURITY.md names $name, which is no test"; failed=1; }
done
echo "tests named: $(echo "$names" | wc -l)"
[ -n "$names" ] && [ $failed = 0 ]
