#!/bin/bash
# What packaging/ has, as far as Debian has the tools: `make check-packaging`, others.sh NAME. rpmbuild makes the packages
# from the tarball of `make dist`; what APKBUILD does is done by a shell; the Nix expression is evaluated.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1 version=${1##*-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "FAILED: $*" >&2
	exit 1
}
# has FOLDER FILE...
has() {
	local folder=$1 file
	shift
	for file in "$@"; do [ -s "$folder/$file" ] || fail "no $file in ${folder##*/}"; done
}

make -s dist
mkdir -p "$tmp/rpm/SOURCES" "$tmp/unpacked"
cp "build/$name.tar.gz" "$tmp/rpm/SOURCES/"
# Rust need not be a package.
rpmbuild --nodeps --noclean -bb -D "_topdir $tmp/rpm" packaging/rpm/libowfat_io.spec >"$tmp/log" 2>&1 \
	|| { tail -n 20 "$tmp/log" >&2; fail "rpmbuild"; }
for package in "$tmp"/rpm/RPMS/*/*.rpm; do
	rpm -qp --queryformat "   %{NAME} %{VERSION} (%{LICENSE})\n" "$package"
	rpm2cpio "$package" | cpio -idm --quiet -D "$tmp/unpacked"
done
has "$tmp/unpacked" usr/lib64/libowfat_io.so.0 usr/bin/owfat-io-run usr/include/owfat_io/io.h \
	usr/lib64/pkgconfig/libowfat_io.pc
[ -n "$(find "$tmp/unpacked" -name LICENSE-MIT)" ] || fail "rpm: no licence"
grep -q '^Libs.private: .' "$tmp/unpacked/usr/lib64/pkgconfig/libowfat_io.pc" || fail "Libs.private is empty"
echo "1. rpm: built from the tarball"

# What rpmbuild has built is taken again.
built=$(find "$tmp/rpm/BUILD" -maxdepth 2 -name "$name" -type d | head -n 1)
[ -d "$built" ] || fail "rpmbuild leaves no $name"
(
	set -e
	# shellcheck source=/dev/null
	. packaging/apk/APKBUILD
	[ "$pkgver" = "$version" ] || fail "APKBUILD: version $pkgver"
	# shellcheck disable=SC2034 # APKBUILD reads it
	pkgdir=$tmp/apk
	cd "$built"
	build && package
) >"$tmp/log" 2>&1 || { tail -n 20 "$tmp/log" >&2; fail "APKBUILD"; }
has "$tmp/apk" usr/lib/libowfat_io.so.0 usr/lib/libowfat_io.a usr/bin/owfat-io-check usr/share/doc/libowfat_io/LICENSE-MIT
echo "2. Alpine: build and package leave the files (by a shell, on glibc: there is no abuild here)"

# What nixpkgs would hand over, as far as the expression looks at it.
# shellcheck disable=SC2016 # Nix expands it
said=$(NIX_STATE_DIR=$tmp/nix NIX_STORE_DIR=$tmp/store NIX_LOG_DIR=$tmp/nix nix-instantiate --eval --strict -E '
	let p = import ./packaging/nix {
		lib = {
			importTOML = file: builtins.fromTOML (builtins.readFile file);
			cleanSource = path: toString path;
			licenses = { mit = "MIT"; asl20 = "Apache-2.0"; };
			platforms.linux = [ "x86_64-linux" ];
		};
		stdenv.mkDerivation = attributes: attributes;
		rustPlatform = { importCargoLock = { lockFile }: toString lockFile; cargoSetupHook = "hook"; };
		cargo = "cargo"; rustc = "rustc";
	}; in "${p.pname} ${p.version} ${builtins.toString (builtins.pathExists p.cargoDeps)}"') || fail "nix-instantiate"
[ "$said" = "\"libowfat_io $version 1\"" ] || fail "the Nix expression is of: $said"
echo "3. Nix: evaluated (not built: there is no nixpkgs here)"
echo "4. vcpkg: not run, there is none here"
