#!/bin/sh
# stub.sh INCLUDE_DIR LIBRARY: makes a shared library, with debug information, that defines every function which
# io.h, iob.h and what they include from INCLUDE_DIR declare. It does nothing: abidw reads in it what those headers
# say. gcc itself writes the prototypes (-aux-info), so no header is parsed here. Its SONAME is that of the Makefile.
include=$1
library=$2
source=${library%.so}.c
prototypes=${library%.so}.txt
soname=$(sed -n 's/^SONAME = //p' "$(dirname "$0")/../../Makefile")
set -e
printf '#define NO_UINT%s_MACROS\n' 16 32 64 > "$source"
printf '#include "%s.h"\n' io iob uint16 >> "$source"
# libowfat 0.34 names its headers as libowfat/io.h and so on.
gcc -std=gnu11 -I "$include" -I "$include/.." -fsyntax-only -aux-info "$prototypes" "$source"
# A line is "/* FILE:LINE:NC */ extern PROTOTYPE;"; "()" is shown as a comment in the parentheses.
for header in uint16 uint64 uint32 tai taia array io iob; do
    sed -n "s|^/\* [^ ]*/$header\.h:[0-9]*:[NO]C \*/ extern \(.*\);.*|\1 { __builtin_trap(); }|p" "$prototypes"
done | sed 's|(/\* ??? \*/)|(void)|' >> "$source"
# C23 lets a definition leave out the names of parameters.
gcc -std=gnu2x -g -I "$include" -I "$include/.." -shared -fPIC -Wl,-soname,"$soname" -o "$library" "$source"
