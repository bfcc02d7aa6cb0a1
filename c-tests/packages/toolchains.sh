#!/bin/bash
# toolchains.sh SUITE: with the Rust that this Debian has as a package, and no other, everything compiles and the
# demonstration runs: `make check-toolchains`. Debian 13 has the oldest Rust that Cargo.toml promises; there the library is
# also built for another machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
. c-tests/packages/folder.sh
suite=$1
case $suite in
bookworm) rust="cargo-web rustc-web" ;;
*) rust="cargo rustc" ;;
esac

make_folder "$suite"
# shellcheck disable=SC2086 # words
install_packages $rust make gcc libc6-dev pkg-config libowfat-dev opentracker curl ca-certificates
# Where a proxy stands between, its certificate is the machine's.
cp -L /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
git clone -q . "$folder/src"

# step WHAT COMMAND
step() {
	inside sh -c "cd /src && $2" >"$folder/tmp/said" 2>&1 || { tail -n 30 "$folder/tmp/said" >&2; fail "$suite: $1"; }
	echo "   $1"
}
echo "$suite, $(inside rustc --version):"
step "the library, the tools and all tests compile" "cargo check --locked --features tools --all-targets"
step "the models compile" "RUSTFLAGS='--cfg loom' cargo check --locked --test models --target-dir target/loom"
step "the fuzz targets compile" "cargo check --locked --tests --manifest-path fuzz/library/Cargo.toml"
step "make demo" "make demo"

if [ "$suite" = trixie ]; then
	inside sh -c 'dpkg --add-architecture arm64 && apt-get -qq update'
	install_packages libstd-rust-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	there="CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc"
	step "make for aarch64" "make $there && make install $there prefix=/usr DESTDIR=/image"
	for file in lib/libowfat_io.so bin/owfat-io-check; do
		step "$file is for aarch64" "readelf -h /image/usr/$file | grep -q 'Machine: *AArch64'"
	done
	step "Libs.private is not empty" "grep '^Libs.private: -l' /image/usr/lib/pkgconfig/libowfat_io.pc"
fi
