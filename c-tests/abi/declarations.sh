#!/bin/sh
# declarations.sh INCLUDE_DIR THEIRS DIFFERENCES: whatever a program can name of the io layer with libowfat's headers in the directory
# THEIRS, it finds with ours, of the same type: functions and C++ overloads, types, enumerators, macros. Prints how much it
# compared, and every difference; the status is 1 if there is one. DIFFERENCES is a script of sed: what it changes in our
# headers may differ.
#
# No header is parsed here if a compiler can say what is in it: gcc writes the prototypes (-aux-info), and compiles
# for each declaration a line that only compiles if ours is the same.
include=$1
theirs=$2
differences=$3
headers='uint16 uint32 uint64 tai taia array io iob'
if [ ! -f "$include/io.h" ] || [ ! -f "$theirs/io.h" ] || [ ! -f "$differences" ]; then
    echo "usage: declarations.sh INCLUDE_DIR THEIRS DIFFERENCES (the first two with io.h)" >&2
    exit 2
fi
. "$(dirname "$0")/../layout/common.inc"
needs gcc g++ clang clang++ abidiff

# Theirs, as files: without comments, one directive or statement a line, nothing included.
for h in $headers; do
    gcc -fpreprocessed -dD -E -P "$theirs/$h.h" 2> /dev/null
done > "$dir/text" || exit 2
for h in $headers; do echo "#include <$h.h>"; done > "$dir/all.h"
# (libowfat 0.34 names its headers as libowfat/io.h and so on.)
gcc -std=gnu11 -x c -I "$theirs" -I "$theirs/.." -fsyntax-only -aux-info "$dir/aux" "$dir/all.h" || exit 2
gcc -std=gnu11 -x c -I "$theirs" -I "$theirs/.." -E -dM "$dir/all.h" > "$dir/macros" || exit 2

# Lines "RESULT|NAME|ARGUMENTS". "()" is shown as a comment in the parentheses.
for h in $headers; do
    sed -n "s#^/\* [^ ]*/$h\.h:[0-9]*:[NO][CF] \*/ \(extern\|static\) \([^(]*[ *]\)\([a-z0-9_]*\) (\([^;]*\));.*#\2|\3|\4#p" \
        "$dir/aux" > "$dir/of_$h"
    [ -s "$dir/of_$h" ] || fail "no function found in $h.h"
done
cat "$dir"/of_* | sed 's|/\* ??? \*/||' | sort -u > "$dir/functions"

{
    cat "$dir/all.h"
    # What is a macro as well must be there as a function, whose address can be taken.
    sed -n 's/.*|\(.*\)|.*/#undef \1/p' "$dir/functions"
    awk -F '|' '{ printf "_Static_assert(__builtin_types_compatible_p(__typeof__(%s), %s(%s)), \"type of %s\");\n", $2, $1, $3, $2 }' \
        "$dir/functions"
    # In C before C23 a caller may pass what it likes to a function that is declared with ().
    echo '#if __STDC_VERSION__ < 202000L'
    awk -F '|' '$3 == "" { printf "void pass_to_%s(void) { %s(1, \"junk\"); }\n", $2, $2 }' "$dir/functions"
    echo '#endif'
    grep '^typedef [^{]*;$' "$dir/text"
    grep -oE '\b[A-Z][A-Z_]+ *= *[0-9]+' "$dir/text" | sed 's/\(.*[A-Z]\) *= *\(.*\)/_Static_assert(\1 == \2, "\1");/'
} > "$dir/t.c"
# Macros: those that are seen, with their values if they are numbers.
{
    cat "$dir/all.h"
    sed -n 's/^#define \([A-Za-z0-9_]*\).*/\1/p' "$dir/text" | sort -u | while read -r name; do
        line=$(grep -E "^#define $name([ (]|$)" "$dir/macros") || continue
        printf '#ifndef %s\n#error no macro %s\n#endif\n' "$name" "$name"
        value=$(echo "$line" | sed -n "s/^#define $name \([0-9][0-9]*\)$/\1/p")
        [ -z "$value" ] || echo "_Static_assert($name == $value, \"value of $name\");"
    done
} > "$dir/m.c"

# The functions once more, and what only C++ has: a function that says that it throws nothing, an overload.
# A line of C++ each, which asks for an overload of these arguments and this result.
overload() {
    awk '{
        sub(/^inline /, "")
        sub(/ *\{$/, "")
        open = index($0, "(")
        arguments = substr($0, open)
        result = substr($0, 1, open - 1)
        match(result, /[a-z0-9_]+$/)
        name = substr(result, RSTART)
        result = substr(result, 1, RSTART - 1)
        printf "template <typename F> struct overload_%d;\n", NR
        printf "template <typename R, typename... A> struct overload_%d<R(A...)> {\n", NR
        printf "  static_assert(std::is_same<R, decltype(%s(std::declval<A>()...))>::value, \"%s%s\");\n};\n", \
            name, name, arguments
        printf "template struct overload_%d<%s%s>;\n", NR, result, arguments
    }'
}
grep '^inline ' "$dir/text" > "$dir/overloads"
{
    echo '#include <type_traits>'
    echo '#include <utility>'
    cat "$dir/all.h"
    awk -F '|' '{ printf "%s(*const type_of_%s)(%s) = %s;\n", $1, $2, $3, $2 }' "$dir/functions"
    echo '#if __cplusplus >= 201703L'
    sed -n 's/^\([a-z0-9]*\*\{0,1\}\) *\(array_[a-z0-9]*\)(\(.*\)) *noexcept;$/\1 (*const throws_nothing_\2)(\3) noexcept = \2;/p' \
        "$dir/text" | tee "$dir/throws_nothing"
    echo '#endif'
    overload < "$dir/overloads"
} > "$dir/t.cc"
[ "$(wc -l < "$dir/throws_nothing")" = "$(grep -c 'noexcept;' "$dir/text")" ] || fail "not every noexcept was understood"
[ "$(grep -c '^template struct' "$dir/t.cc")" = "$(wc -l < "$dir/overloads")" ] || fail "not every overload was understood"

mkdir "$dir/ours" || exit 2
for h in "$include"/*.h; do
    sed -f "$differences" "$h" > "$dir/ours/$(basename "$h")" || exit 2
done

# compile COMPILER FLAGS FILE
compile() {
    # The flags are words.
    # shellcheck disable=SC2086
    if ! $1 $2 -fsyntax-only -pthread -I "$dir/ours" "$3" > "$dir/log" 2>&1; then
        fail "$1 $2: what is declared in $theirs is not, or is otherwise, in ours"
        grep -E 'error' "$dir/log" | head -n 30 | sed "s|$dir/||"
    fi
}
for cc in gcc clang; do
    for std in gnu11 c17 c2x; do compile $cc "-std=$std" "$dir/t.c"; done
    compile $cc "-std=gnu11 -DNO_UINT16_MACROS -DNO_UINT32_MACROS -DNO_UINT64_MACROS" "$dir/t.c"
    compile $cc -std=gnu11 "$dir/m.c"
done
for cc in g++ clang++; do
    for std in c++11 gnu++17 c++20; do compile $cc "-std=$std" "$dir/t.cc"; done
done

# Structures: offsets and sizes of members.
stub=$(dirname "$0")/stub.sh
sh "$stub" "$dir/ours" "$dir/ours.so" && sh "$stub" "$theirs" "$dir/theirs.so" || exit 2
abidiff --no-added-syms "$dir/theirs.so" "$dir/ours.so" || fail "a program built with $theirs expects otherwise"

echo "$theirs: $(wc -l < "$dir/functions") functions, $(grep -c '|$' "$dir/functions") of them with ()," \
    "$(wc -l < "$dir/throws_nothing") that throw nothing, $(wc -l < "$dir/overloads") overloads," \
    "$(grep -c '^typedef' "$dir/t.c") types, $(grep -c ifndef "$dir/m.c") macros," \
    "$(grep -cE '^_Static_assert\([A-Z]' "$dir/t.c") enumerators"
[ $failed = 0 ]
