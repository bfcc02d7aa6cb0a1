# To be included: `planted STATUS CASE...` runs cases of planted.c, which have to end with that status, because a checker
# that does not see what was planted would see nothing. Wants $here, $out, $CC and $OWFAT_IO_LIBDIR; runs $VALGRIND.
planted() {
  status=$1
  shift
  mkdir -p "$out/lib"
  for name in libowfat_io.so libowfat_io.so.0; do ln -sf "$OWFAT_IO_LIBDIR/libowfat_io.so" "$out/lib/$name"; done
  # shellcheck disable=SC2086 # a compiler with options
  $CC -std=c11 -Wall -Wextra -Werror -g -pthread -I "$here/../support" -I "$here/../../include" -o "$out/planted" \
    "$here/planted.c" -L "$out/lib" -lowfat_io
  for case in "$@"; do
    got=0
    # shellcheck disable=SC2086 # a command with options
    LD_LIBRARY_PATH="$out/lib" ${VALGRIND:-} "$out/planted" "$case" >"$out/log" 2>&1 || got=$?
    if [ "$got" != "$status" ]; then
      cat "$out/log"
      echo "planted $case: exit status $got, not $status" >&2
      exit 1
    fi
  done
}
