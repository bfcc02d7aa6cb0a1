#!/bin/sh
# libowfat_034.sh DIRECTORY: unpacks libowfat 0.34, as Debian sid has it, into DIRECTORY: its library and its headers,
# the second reference beside the installed 0.32. apt gets a list of sources and a state of its own, so the machine's
# are left as they are, and nothing is installed. Where the package cannot be had, one line says why and the status
# is 0: whoever compares with it finds no library in DIRECTORY, and skips.
set -u
directory=$1
wanted=0.34
packages="libowfat0t64 libowfat-dev"
[ -f "$directory/version" ] && exit 0

skip() {
    echo "libowfat $wanted is not compared with: $1"
    exit 0
}
for tool in apt-get apt-cache dpkg dpkg-deb; do
    command -v $tool > /dev/null || skip "no $tool here"
done
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
LC_ALL=C
export LC_ALL

# The mirror that this machine uses for Debian.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2> /dev/null | grep -m 1 '/debian/*$')
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work/sources" "$work/lists/partial" "$work/cache/archives/partial" "$work/unpacked"
{
    echo "Types: deb"
    echo "URIs: ${mirror:-http://deb.debian.org/debian}"
    echo "Suites: sid"
    echo "Components: main"
    echo "Targets: Packages"
    if [ -f $keyring ]; then echo "Signed-By: $keyring"; fi
} > "$work/sources/sid.sources"
: > "$work/status"

# its COMMAND...: apt's, on that state.
its() {
    command=$1
    shift
    "$command" -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" \
        -o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$work" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Update::Error-Mode=any "$@" > "$work/log" 2>&1
}
# Of apt's errors, the first.
reason() {
    grep -m 1 '^[EW]:' "$work/log" || tail -n 1 "$work/log"
}

its apt-get update || skip "$(reason)"
its apt-cache policy libowfat0t64
version=$(sed -n 's/^ *Candidate: //p' "$work/log")
case $version in
$wanted*) ;;
*) skip "Debian sid has libowfat0t64 ${version:-not at all}" ;;
esac
# apt puts packages where it stands.
# shellcheck disable=SC2086
(cd "$work" && its apt-get download $packages) || skip "$(reason)"
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/unpacked" || skip "$package cannot be unpacked"
done
library=$(find "$work/unpacked/usr/lib" -name libowfat.so.0 | head -n 1)
[ -f "$library" ] || skip "no libowfat.so.0 in libowfat0t64 $version"

# Whole, or not at all. The version comes last: with it the directory counts.
rm -rf "$directory"
mkdir -p "$directory"
cp -P "$(dirname "$library")"/libowfat.so* "$directory/" || exit 2
cp -r "$work/unpacked/usr/include" "$directory/include" || exit 2
echo "$version" > "$directory/version"
echo "libowfat $version is in $directory"
