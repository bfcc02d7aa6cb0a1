#!/bin/sh
# promise: Structures and symbols
# declarations_032.sh INCLUDE_DIR: our headers declare everything that those of Debian's libowfat-dev (0.32) do, as they do.
here=$(dirname "$0")
# Debian 12 has them where every compiler looks.
libowfat=/usr/include/libowfat
[ -f $libowfat/iob.h ] || libowfat=/usr/include
[ -f $libowfat/iob.h ] || { echo "declarations_032.sh: needs libowfat-dev" >&2; exit 2; }
exec sh "$here/../abi/declarations.sh" "$1" $libowfat "$here/../abi/debian.sed"
