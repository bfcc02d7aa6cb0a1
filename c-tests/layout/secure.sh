#!/bin/sh
# secure.sh LIBRARY: in a set-user-ID program the library obeys no variable of the environment, which is that of
# whoever started it. Really runs one, linked with the archive beside LIBRARY, as the user nobody. Status 77: this
# cannot be done here.
here=$(dirname "$0")
archive=$(dirname "$1")/libowfat_io.a
if [ ! -f "$archive" ]; then
    echo "usage: secure.sh LIBRARY (with libowfat_io.a beside it)" >&2
    exit 2
fi
for tool in cc setpriv; do
    command -v $tool > /dev/null || { echo "secure.sh: needs $tool" >&2; exit 2; }
done
skip() {
    echo "$1"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "only root can make a program that runs as another user"
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
cc -std=c11 -Wall -Wextra -Werror -pthread -I "$here/../support" -I "$here/../../include" -o "$dir/plain" "$here/secure.c" \
    "$archive" -lgcc_s -lm || exit 1
cp "$dir/plain" "$dir/secure" && chmod 755 "$dir/plain" && chmod 4755 "$dir/secure" || exit 2
# as_nobody PROGRAM VARIABLE=VALUE...: one line of what it says, on both outputs.
as_nobody() {
    program=$1
    shift
    setpriv --reuid 65534 --regid 65534 --clear-groups env "$@" "$dir/$program" 2>&1 | tr '\n' ' '
}
failed=0
# expect WHAT PROGRAM VARIABLE=VALUE...
expect() {
    expected=$1
    shift
    said=$(as_nobody "$@")
    [ "$said" = "$expected " ] || { echo "FAILED: $*: $said"; echo "    instead of: $expected"; failed=1; }
}

[ "$(as_nobody secure | cut -d ' ' -f 1-2)" = "secure 1" ] || skip "the set-user-ID bit has no effect in $dir"
expect "secure 0 backend epoll" plain
expect "secure 0 backend poll" plain OWFAT_IO_BACKEND=poll
expect "secure 1 backend epoll" secure
expect "secure 1 backend epoll" secure OWFAT_IO_BACKEND=poll
# A name that is none gets a line on standard error, where it counts.
expect "secure 1 backend epoll" secure OWFAT_IO_BACKEND=nonsense

# The files of a program that is watched: made by the plain one only.
mkdir "$dir/watched" && chmod 777 "$dir/watched" || exit 2
as_nobody secure "OWFAT_IO_TRACE=$dir/watched/secure" "OWFAT_IO_STATS=$dir/watched/secure" > /dev/null
as_nobody plain "OWFAT_IO_TRACE=$dir/watched/plain" "OWFAT_IO_STATS=$dir/watched/plain" > /dev/null
made=$(ls "$dir/watched" | sed 's/[0-9]*$//' | tr '\n' ' ')
[ "$made" = "plain plain. " ] || { echo "FAILED: files of the watched programs: $made"; failed=1; }

# These are all: whatever else the library looked up would be a name in it, or a call of getenv.
names=$(grep -aoE 'OWFAT_[A-Z]+_[A-Z_]+' "$1" | sort -u | tr '\n' ' ')
[ "$names" = "OWFAT_IO_BACKEND OWFAT_IO_STATS OWFAT_IO_TRACE " ] || { echo "FAILED: variables of the library: $names"; failed=1; }
[ $failed = 0 ] && echo "${names}are obeyed in a plain program, ignored in a set-user-ID one"
