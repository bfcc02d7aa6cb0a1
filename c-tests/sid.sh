# Sourced: packages of Debian sid, unpacked and not installed. apt gets a list of sources and a state of its own in $work,
# so the machine's are left as they are. Whoever sources it has made $work and a function `skip` that takes the reason.
for tool in apt-get apt-cache dpkg dpkg-deb; do
    command -v $tool > /dev/null || skip "no $tool here"
done
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

# version_of PACKAGE: that sid has.
version_of() {
    its apt-cache policy "$1"
    sed -n 's/^ *Candidate: //p' "$work/log"
}

# unpack PACKAGE...: below $work/unpacked. apt puts packages where it stands.
unpack() {
    (cd "$work" && its apt-get download "$@") || skip "$(reason)"
    for package in "$work"/*.deb; do
        dpkg-deb -x "$package" "$work/unpacked" || skip "$package cannot be unpacked"
    done
}
