#!/bin/sh
# AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer: asan.sh CARGO TARGET-DIRECTORY. The library and its
# unit tests are instrumented by rustc, the C programs by gcc, whose runtime serves both. Rust's own library is not:
# that would take its source. Debug assertions are on, and with them Rust's checks of what unsafe functions are given.
set -eu
here=$(dirname "$0") cargo=$1 target=$(realpath -m "$2")/asan
host=$(rustc -vV | sed -n 's/^host: //p')
out=build/memory
# More memory than there is has to be answered by the library, not by the sanitizer.
asan=detect_stack_use_after_return=1:allocator_may_return_null=1
export ASAN_OPTIONS=$asan:detect_leaks=1

instrumented() {
  # --target, or build scripts would be instrumented too
  RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=address -Cforce-frame-pointers=yes' CARGO_PROFILE_DEV_OPT_LEVEL=1 \
    "$cargo" "$@" --lib --target "$host" --target-dir "$target"
}
instrumented test
instrumented build

export OWFAT_IO_LIBDIR="$target/$host/debug"
export CC='gcc -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
# Each has to be reported: sanitizers leave with 1.
. "$here/planted.sh"
planted 1 leak overflow freed shift

"$cargo" test --release --locked --features tools --test c -- behaviour::
# Those whose processes or costs are not looked at from outside. One that is told to end leaves its clients as they are.
export ASAN_OPTIONS=$asan:detect_leaks=0
for server in web files chat proxy echo tls gzip loops prefork pool; do
  "$cargo" test --release --locked --features tools --test c -- "servers::$server" --skip helgrind --skip cost_no_memory
done
echo "AddressSanitizer: unit tests, behaviour and servers: nothing reported; what was planted was"
