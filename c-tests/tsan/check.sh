#!/bin/sh
# The C tests with threads under ThreadSanitizer: check.sh LIBRARY-DIRECTORY. The C side is instrumented. The library
# is not: -Zsanitizer=thread needs a nightly compiler and a standard library that is built with it.
set -eu
here=$(dirname "$0")
out=build/tsan
mkdir -p "$out/lib"
for name in libowfat_io.so libowfat_io.so.0; do ln -sf "$(realpath "$1")/libowfat_io.so" "$out/lib/$name"; done
# A case may leave threads behind: its process is its own.
export LD_LIBRARY_PATH="$out/lib" TSAN_OPTIONS="suppressions=$here/suppressions.txt report_thread_leaks=0"

wraps=$(sed -n 's/^\(HANDS_OVER\|IS_GIVEN\)([^,]*, *\(io_[a-z]*\),.*/-Wl,--wrap=\2/p' "$here/order.c")
build() {
  # shellcheck disable=SC2086 # a list of options
  gcc -std=c11 -Wall -Wextra -Werror -g -O1 -fsanitize=thread -pthread -I "$here/../support" -I "$here/../../include" \
    -o "$out/$(basename "$1" .c)" "$1" "$here/order.c" $wraps -L "$out/lib" -lowfat_io
}
# Runs a program, which has to end by itself with status $1.
run() {
  expected=$1 status=0
  shift
  timeout 120 "$@" >"$out/log" 2>&1 || status=$?
  # 77: cannot run here
  if [ $status != "$expected" ] && [ $status != 77 ]; then
    cat "$out/log"
    echo "$*: exit status $status, not $expected" >&2
    exit 1
  fi
}

build "$here/handed.c"
run 0 "$out/handed"
run 66 "$out/handed" racy
n=0
for source in "$here"/../behaviour/threads*.c "$here"/../behaviour/iom_threads.c; do
  program=$out/$(basename "$source" .c)
  build "$source"
  for case in $("$program" --list); do
    run 0 "$program" "$case"
    n=$((n + 1))
  done
done
build "$here/../stress/torture.c"
for backend in epoll poll; do OWFAT_IO_BACKEND=$backend run 0 "$out/torture" 5; done
echo "ThreadSanitizer: $n cases and the torture test, nothing reported; the race on purpose was"
