#!/bin/bash
# targets/check.sh CARGO TARGET: the library for another machine, C library or system, as far as this machine can show
# it. Debian's Rust, which has the source of Rust's own library, builds that for the target too.
#
# | TARGET | what runs |
# |---|---|
# | i686 | unit tests, layout, the behaviour suite: natively, on glibc |
# | aarch64 | the same under qemu's user mode |
# | musl | the same natively, with the shared library and in static programs |
# | s390x | unit tests under qemu's user mode: another byte order |
# | freebsd, netbsd, openbsd, dragonfly, macos | nothing: the portable build is compiled (`make check-portable` runs it) |
set -euo pipefail
cargo=$1 target=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
out=$root/build/targets/$target
rust=$root/build/targets/rust
mkdir -p "$out"

# With `std`, and what its tests need.
built() {
  local command=$1
  shift
  RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo "$command" --locked --lib --target "$triple" \
    -Zbuild-std=std,panic_unwind,test --target-dir "$rust" "$@"
}

# What is compiled must be without a warning, as at home.
compiled() {
  RUSTFLAGS='-D warnings' built check
  echo "check-targets: $target: compiled, not run"
}

# linker RUSTFLAGS...: how programs for the target are linked.
linked_by() {
  local name
  name=$(echo "$triple" | tr a-z- A-Z_)
  export "CARGO_TARGET_${name}_LINKER=$1"
  shift
  export "CARGO_TARGET_${name}_RUSTFLAGS=$*"
}

# emulated_by COMMAND: what programs for the target are run by.
emulated_by() {
  export EMULATOR="$*"
  export "CARGO_TARGET_$(echo "$triple" | tr a-z- A-Z_)_RUNNER=$*"
}

# qemu's user mode does not start programs of its machine by execve (as the cases of trace and stats do with themselves),
# tell TCP_INFO as the kernel has it, or keep to RLIMIT_AS; it refuses a length that would wrap around; and it takes more
# descriptors of a message than it passes on, which nobody can close.
under_qemu="--skip ::exec:: --skip ::trace --skip ::stats
  --skip header_and_body_share_a_segment --skip without_address_space --skip all_threads_or_none
  --skip huge_length_is_cut --skip of_several_descriptors"

# unit_tests [OPTION...]
unit_tests() { built test --release -- "$@"; }

# Ours and libowfat's own headers, these away from those of this machine's C library.
layout() {
  mkdir -p "$out/libowfat"
  dpkg -L libowfat-dev | grep '/include/.*\.h$' | xargs cp -t "$out/libowfat"
  local compile="$CC -std=c11 -Wall -Wextra -Werror -fsyntax-only $root/c-tests/layout/layout.c"
  $compile -DHAS_AUTOFREE=1 -I "$root/include"
  $compile -DHAS_AUTOFREE=0 -isystem "$out/libowfat"
}

# behaviour CC [OPTION...]: the suite, in programs that this compiler has linked with the library.
behaviour() {
  local cc=$1
  shift
  CC=$cc OWFAT_IO_LIBDIR=$rust/$triple/release CARGO_TARGET_DIR=$root/build/targets/runner \
    "$cargo" test --release --locked --features tools --test c -- behaviour:: "$@"
}

# answers SERVER: a static echo server, which says back what it is told.
answers() {
  local line
  exec 3< <(exec timeout 20 "$1")
  read -r -u 3 line
  exec 4<>"/dev/tcp/127.0.0.1/${line##*[!0-9]}"
  echo "from a static server" >&4
  read -r -t 10 -u 4 line
  [ "$line" = "from a static server" ]
}

case $target in
i686)
  triple=i686-unknown-linux-gnu CC=i686-linux-gnu-gcc
  linked_by $CC
  unit_tests
  layout
  built build --release
  behaviour "$CC -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64"
  ;;
aarch64)
  triple=aarch64-unknown-linux-gnu CC=aarch64-linux-gnu-gcc
  linked_by $CC
  emulated_by qemu-aarch64 -L /usr/aarch64-linux-gnu
  unit_tests
  layout
  built build --release
  # shellcheck disable=SC2086 # options
  behaviour "$CC" $under_qemu
  ;;
musl)
  triple=x86_64-unknown-linux-musl CC=musl-gcc
  $CC -O2 -fPIC -Wall -Wextra -Werror -c -o "$out/unwind.o" "$here/unwind.c"
  unwinder="$out/unwind.o $(gcc -print-file-name=libgcc_eh.a)"
  echo "INPUT($unwinder)" > "$out/libgcc_s.so"
  linked_by $CC -Ctarget-feature=-crt-static -Clink-self-contained=no "-Lnative=$out"
  unit_tests
  layout
  built build --release
  # The kernel's headers and iob_internal.h. Programs that hide functions of the C library are written for glibc's.
  behaviour "$CC -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include" --skip faults --skip ::memory::
  # shellcheck disable=SC2086 # two files
  $CC -static -std=c11 -Wall -Wextra -Werror -pthread -I include -o "$out/echo" examples/echo.c \
    "$rust/$triple/release/libowfat_io.a" $unwinder
  answers "$out/echo"
  ;;
s390x)
  triple=s390x-unknown-linux-gnu
  linked_by s390x-linux-gnu-gcc
  emulated_by qemu-s390x -L /usr/s390x-linux-gnu
  unit_tests
  ;;
freebsd | netbsd | openbsd | dragonfly) triple=x86_64-unknown-$target && compiled && exit ;;
macos) triple=aarch64-apple-darwin && compiled && exit ;;
*) echo "check-targets: no target '$target': see the table in $0" >&2; exit 2 ;;
esac
echo "check-targets: $target: all passed"
