#!/bin/sh
# The behaviour suite under valgrind's memcheck: valgrind.sh CARGO LIBRARY-DIRECTORY. No error, no memory that nobody can
# reach, and when a case has shut the library down none that the library has allocated at all: see t_account in t.h.
set -eu
here=$(dirname "$0") cargo=$1
out=build/memory
OWFAT_IO_LIBDIR=$(realpath "$2") CC=gcc
VALGRIND="valgrind -q --error-exitcode=66 --leak-check=full --errors-for-leak-kinds=definite,possible"
VALGRIND="$VALGRIND --suppressions=$(realpath "$here")/valgrind.supp"
export OWFAT_IO_LIBDIR CC VALGRIND

. "$here/planted.sh"
planted 66 leak overflow unset freed

"$cargo" test --release --locked --features tools --test c -- behaviour::
echo "memcheck: nothing reported; what was planted was"
