#!/bin/bash
# The tarball of `make dist`: `make check-dist`, dist.sh NAME. Made twice it has the same bytes; without a network, a
# cache of crates or git it builds, installs, and serves Meson as a wrap.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

make -s dist
mv "build/$name.tar.gz" "$tmp/"
umask 077
TZ=Asia/Tokyo make -s dist
umask 022
cmp "$tmp/$name.tar.gz" "build/$name.tar.gz" || fail "the same commit made two tarballs"
echo "1. $name.tar.gz: $(wc -c <"build/$name.tar.gz") bytes, the same when made twice"

# Cargo finds no crates but the tarball's, and the kernel no network, where it lets us take it away.
alone() {
	local rustup=${RUSTUP_HOME-$HOME/.rustup} cut=()
	if unshare --net true 2>/dev/null; then cut=(unshare --net); fi
	"${cut[@]}" env -u CARGO_TARGET_DIR -u MAKEFLAGS -u MAKELEVEL CARGO_HOME="$tmp/cargo" RUSTUP_HOME="$rustup" \
		CARGO_NET_OFFLINE=true "$@"
}

tar -xzf "build/$name.tar.gz" -C "$tmp"
alone make -s -C "$tmp/$name" all
alone make -s -C "$tmp/$name" install DESTDIR="$tmp/image" prefix=/usr
[ -f "$tmp/image/usr/lib/libowfat_io.so.0" ] && [ -x "$tmp/image/usr/bin/owfat-io-check" ] || fail "not all was installed"
"$tmp/image/usr/bin/owfat-io-check" --help >/dev/null
echo "2. it builds and installs without a network"

cp -r c-tests/consumers "$tmp/"
cp "build/$name.tar.gz" "$tmp/consumers/meson/subprojects/packagefiles/"
alone meson setup --wrap-mode=forcefallback "$tmp/wrapped" "$tmp/consumers/meson" >"$tmp/log" || { cat "$tmp/log"; fail "meson setup"; }
alone ninja -C "$tmp/wrapped" >"$tmp/log" || { cat "$tmp/log"; fail "ninja"; }
said=$("$tmp/wrapped/consumer")
[ "$said" = "the event came" ] || fail "the consumer said: $said"
! ldd "$tmp/wrapped/consumer" | grep owfat || fail "the consumer has a shared library, not the archive"
echo "3. a Meson program builds it as a wrap"
