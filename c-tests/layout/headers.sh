#!/bin/sh
# promise: Structures and symbols
# headers.sh INCLUDE_DIR: our headers compile without a warning alone, together and among libowfat's, in every
# C and C++ that programs use, under each of their names; and layout.c holds for ours and for libowfat's.
# Prints what it checked; the status is 1 if anything failed.
here=$(dirname "$0")
include=$1
if [ ! -f "$include/io.h" ] || [ ! -f "$include/libowfat/io.h" ]; then
    echo "usage: headers.sh INCLUDE_DIR (with io.h and libowfat/io.h)" >&2
    exit 2
fi
# Debian 12 has them where every compiler looks.
libowfat=/usr/include/libowfat
[ -f $libowfat/buffer.h ] || libowfat=/usr/include
[ -f $libowfat/buffer.h ] || { echo "headers.sh: needs libowfat-dev" >&2; exit 2; }
. "$here/common.inc"
needs gcc clang g++ clang++
checked=0

ours='uint64.h uint32.h uint16.h tai.h taia.h array.h io.h iob.h'
# Headers of libowfat-dev that programs include beside the io layer.
theirs='buffer.h byte.h case.h cdb.h critbit.h dns.h errmsg.h fmt.h iarray.h iopause.h ip4.h ip6.h isset.h mmap.h
    ndelay.h open.h openreadclose.h rangecheck.h readclose.h scan.h socket.h str.h stralloc.h textcode.h'
c='c99 gnu99 c11 gnu11 c17 c2x'
cxx='c++11 c++14 c++17 c++20'
strict='-Wall -Wextra -Wpedantic -Werror'

# compile COMPILER FLAGS FILE WHAT
compile() {
    checked=$((checked + 1))
    case $1 in *++) language=c++ ;; *) language=c ;; esac
    # The flags are words.
    # shellcheck disable=SC2086
    if ! "$1" -x $language -fsyntax-only -pthread $2 "$3" > "$dir/log" 2>&1; then
        failed=$((failed + 1))
        echo "FAILED: $1 $2: $4"
        sed 's/^/    /; 12q' "$dir/log"
    fi
}

# headers COMPILER FLAGS HEADERS: in this order, and once more because of the guards.
headers() {
    for h in $3 $3; do echo "#include <$h>"; done > "$dir/t.c"
    echo 'int main(void) { return 0; }' >> "$dir/t.c"
    compile "$1" "$2 -I $include -idirafter $libowfat" "$dir/t.c" "$3"
}

said() {
    echo "$1: $checked compilations"
    checked=0
}

# every HEADERS: with each compiler and standard.
every() {
    for std in $c; do
        for cc in gcc clang; do headers $cc "-std=$std $strict" "$1"; done
    done
    for std in $cxx; do
        for cc in g++ clang++; do headers $cc "-std=$std $strict" "$1"; done
    done
}

reverse() {
    reversed=
    for word in $1; do reversed="$word $reversed"; done
    echo "$reversed"
}

for h in $ours; do every "$h"; done
said "each header alone"

every "$ours"
every "$(reverse "$ours")"
every "$(for h in $ours; do echo "libowfat/$h $h"; done)"
every "libowfat/iob.h iob.h"
said "all together, under both names"

# As many programs in C++ include headers of C, needed or not.
{
    echo 'extern "C" {'
    for h in $ours; do echo "#include <$h>"; done
    echo '}'
} > "$dir/extern.cc"
for std in $cxx; do
    for cc in g++ clang++; do compile $cc "-std=$std $strict -I $include" "$dir/extern.cc" 'all within extern "C"'; done
done
said 'within extern "C"'

for h in $ours; do
    headers gcc "-std=c11 $strict -DNO_UINT64_MACROS -DNO_UINT32_MACROS -DNO_UINT16_MACROS" "$h"
    headers gcc "-std=gnu89 -Wall -Wextra -Werror" "$h"
done
said "functions in place of macros; gnu89"

every "$ours $theirs"
every "$theirs $ours"
every "$(reverse "$theirs") $(reverse "$ours")"
# (ip4.h does not include what it needs.)
for h in $theirs; do
    headers gcc "-std=c11 $strict" "stddef.h $h io.h iob.h"
    headers gcc "-std=c11 $strict" "io.h iob.h $h"
    headers gcc "-std=c11 $strict" "iob.h $h array.h taia.h"
done
said "among libowfat's headers"

for cc in gcc clang; do
    compile $cc "-std=c11 $strict -DHAS_AUTOFREE=1 -I $include" "$here/layout.c" "layout, ours"
    compile $cc "-std=c11 $strict -DHAS_AUTOFREE=1 -I $include/libowfat" "$here/layout.c" "layout, ours as libowfat/"
    compile $cc "-std=c11 $strict -DHAS_AUTOFREE=0 -isystem $libowfat" "$here/layout.c" "layout, libowfat's"
done
said "layout.c"

for cc in "gcc -std=c11" "g++ -std=c++11 -x c++"; do
    # The flags are words.
    # shellcheck disable=SC2086
    if $cc $strict -fsanitize=undefined -fno-sanitize-recover=all -I "$include" -o "$dir/macros" \
        "$here/macros.c" > "$dir/log" 2>&1 && "$dir/macros" >> "$dir/log" 2>&1; then
        echo "macros.c: ran ($cc)"
    else
        failed=$((failed + 1))
        echo "FAILED: macros.c, status $? ($cc)"
        cat "$dir/log"
    fi
done

# C++ must ask the linker for the plain names. (Of some there are overloads: which is meant, the type says.)
cat > "$dir/t.cc" << 'END'
#define NO_UINT32_MACROS
#define NO_UINT64_MACROS
#include <iob.h>
void (*of_32_bits)(char *, uint32) = uint32_pack;
void (*of_64_bits)(char *, uint64) = uint64_pack;
void *used[] = {(void *)tai_add, (void *)taia_add, (void *)array_cat, (void *)io_wait, (void *)iob_send};
END
g++ -c -I "$include" -o "$dir/t.o" "$dir/t.cc" && nm -u "$dir/t.o" | awk '{ print $NF }' | sort > "$dir/names"
if [ "$(grep -cxE '(uint32|uint64)_pack|tai_add|taia_add|array_cat|io_wait|iob_send' "$dir/names")" = 7 ]; then
    echo "C++ linkage: 7 names"
else
    failed=$((failed + 1))
    echo "FAILED: C++ linkage:" $(cat "$dir/names")
fi
[ $failed = 0 ]
