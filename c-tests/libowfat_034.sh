#!/bin/sh
# libowfat_034.sh DIRECTORY: unpacks libowfat 0.34, as Debian sid has it, into DIRECTORY: its library and its headers,
# the second reference beside the installed 0.32. Nothing is installed. Where the package cannot be had, one line says why
# and the status is 0: whoever compares with it finds no library in DIRECTORY, and skips.
set -u
directory=$1
wanted=0.34
[ -f "$directory/version" ] && exit 0

skip() {
    echo "libowfat $wanted is not compared with: $1"
    exit 0
}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/sid.sh"

version=$(version_of libowfat0t64)
case $version in
$wanted*) ;;
*) skip "Debian sid has libowfat0t64 ${version:-not at all}" ;;
esac
unpack libowfat0t64 libowfat-dev
library=$(find "$work/unpacked/usr/lib" -name libowfat.so.0 | head -n 1)
[ -f "$library" ] || skip "no libowfat.so.0 in libowfat0t64 $version"

# Whole, or not at all. The version comes last: with it the directory counts.
rm -rf "$directory"
mkdir -p "$directory"
cp -P "$(dirname "$library")"/libowfat.so* "$directory/" || exit 2
cp -r "$work/unpacked/usr/include" "$directory/include" || exit 2
echo "$version" > "$directory/version"
echo "libowfat $version is in $directory"
