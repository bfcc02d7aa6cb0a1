#!/bin/sh
# The behaviour suite on older and on locked-down kernels, one after the other: check.sh CARGO. Each call that the library,
# or the C library for it, can do without is refused alone and with all others, as unknown (ENOSYS) and as forbidden (EPERM,
# which the profiles of older containers answer). Linked servers run too where several are refused. See runner/kernel.rs.
set -eu
cargo=$1 out=build/kernels
singly="accept4 close_range epoll_create1 epoll_pwait2 eventfd2 preadv2 pwritev2"
mkdir -p build
: >$out.txt

# rules ERROR CALL...: as old.c wants them
rules() {
  error=$1
  shift
  printf "%s=$error," "$@" | sed 's/,$//'
}

# trials RULES ARGUMENT...
trials() {
  begun=$(date +%s) refused=$1
  shift
  if OWFAT_IO_KERNEL=$refused "$cargo" test --release --locked --features tools --test c -- "$@" >$out.last 2>&1; then
    sed -n "s|^test result: ok\. \([0-9]* passed\); .* \([0-9]*\) ignored;.*|\1, \2 skipped|p" $out.last |
      sed "s|\$|, $(($(date +%s) - begun)) s: $1 with $refused|"
    cat $out.last >>$out.txt
  else
    sed -n '/^failures:/,$p' $out.last
    echo "check-kernels: $1 with $refused failed" >&2
    exit 1
  fi
}

# What the programs need themselves (accept4), that has other trials beside it, or is looked at from outside.
servers() {
  trials "$1" servers:: --skip ::poll --skip gzip:: --skip pool:: --skip hostile:: --skip soak:: \
    --skip tracker:: --skip swarm:: --skip check:: --skip install:: --skip trace:: --skip cost:: --skip wakes_ \
    --skip browser::
}

for error in ENOSYS EPERM; do
  for call in $singly; do trials "$(rules $error "$call")" behaviour::; done
  # shellcheck disable=SC2086 # a list
  for together in "$(rules $error $singly)" "$(rules $error epoll_create1 epoll_create)" \
    "$(rules $error $singly epoll_create)"; do
    trials "$together" behaviour::
    servers "$together"
  done
done
echo "skipped, and how often:"
sed -n 's/^test .*ignored (\(.*\))$/\1/p' $out.txt | sort | uniq -c
