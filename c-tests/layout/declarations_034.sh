#!/bin/sh
# promise: Structures and symbols
# declarations_034.sh INCLUDE_DIR: our headers declare everything that those of libowfat 0.34 do, as they do, and compile
# among the other headers of 0.34. Status 77: libowfat 0.34 is not here.
here=$(dirname "$0")
include=$1
theirs=$here/../../build/libowfat-0.34/include
[ -f "$theirs/libowfat/iob.h" ] || { echo "no libowfat 0.34: make libowfat-034"; exit 77; }
sh "$here/../abi/declarations.sh" "$include" "$theirs/libowfat" "$here/../abi/0.34.sed" || exit 1

dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
ours=$(cd "$include/libowfat" && ls *.h)
system='stddef.h sys/types.h'
failed=0
compiled=0
# compile COMPILER HEADER...
compile() {
    compiler=$1
    shift
    printf '#include <%s>\n' "$@" > "$dir/t.c"
    # The flags are words.
    # shellcheck disable=SC2086
    $compiler -fsyntax-only -pthread $with -isystem "$theirs" "$dir/t.c" > "$dir/log" 2>&1
}
for cc in gcc clang "g++ -x c++" "clang++ -x c++"; do
    # (Not all of 0.34's own are C++.)
    with=
    others=
    for h in $(cd "$theirs/libowfat" && ls *.h | grep -vxF "$ours"); do
        if compile "$cc" $system "libowfat/$h"; then others="$others libowfat/$h"; fi
    done
    with="-I $include"
    for order in "$system $others $ours" "$ours $system $others"; do
        compiled=$((compiled + $(echo $others | wc -w)))
        if ! compile "$cc" $order; then
            failed=1
            echo "FAILED: $cc, with" $order
            sed 's/^/    /; 12q' "$dir/log"
        fi
    done
done
echo "among other headers of 0.34: $compiled, with four compilers and in two orders"
[ $compiled -gt 0 ] && [ $failed = 0 ]
