#!/bin/bash
# The first minutes of a new user in a fresh folder: `make check-first`. Every error that they may meet is one line, and
# the commands of README.md work as they stand there; how long each takes is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."
. c-tests/packages/folder.sh
TIMEFORMAT='   %0R s'

make_folder
install_packages make
inside useradd -m user
git clone -q . "$folder/home/user/libowfat_io"
inside chown -R user: /home/user

as_user() { inside su - user -c "cd libowfat_io && $1"; }
# Compilers that are not here: what they say of themselves is all that is asked.
for rustc in "old 1.63.0 x86_64-unknown-linux-gnu" "other 1.95.0 x86_64-unknown-freebsd" \
	"good 1.95.0 x86_64-unknown-linux-gnu" "musl 1.95.0 x86_64-unknown-linux-musl"; do
	read -r name release host <<<"$rustc"
	printf '#!/bin/sh\necho "release: %s"\necho "host: %s"\n' "$release" "$host" >"$folder/usr/local/bin/rustc-$name"
	chmod 755 "$folder/usr/local/bin/rustc-$name"
done

# one_line COMMAND BEGINNING: the user's command fails, and says one line, which begins so, and make's own last one.
one_line() {
	local said
	if said=$(as_user "$1 2>&1"); then fail "$1 succeeded: $said"; fi
	said=$(grep -v '^make.*: \*\*\* ' <<<"$said" || true)
	[[ $said == "$2"* && $said != *$'\n'* ]] || fail "$1 should say '$2…', not: $said"
	echo "   $said"
}
echo "1. what is missing:"
one_line "make" "make toolchain: needs cargo: Rust 1.85 or later"
one_line "make demo" "make demo-tools: needs these Debian packages: gcc "
one_line "make check" "make check-tools: needs these Debian packages: gcc "
one_line "make deb" "make deb: needs these Debian packages: gcc "
one_line "make install" "make install: no target/release/libowfat_io.so yet: run make first"
one_line "make CARGO=true RUSTC=rustc-old" "make toolchain: rustc-old is 1.63.0: needs Rust 1.85 or later"
one_line "make CARGO=true RUSTC=rustc-other" "make toolchain: rustc-other builds for x86_64-unknown-freebsd: only Linux with"
for rustc in rustc-good rustc-musl; do one_line "make CARGO=true RUSTC=$rustc" "make toolchain: needs a C compiler"; done

# commands SECTION N: the Nth block of commands of a section of README.md, as it stands.
commands() {
	awk -v section="$1" -v wanted="$2" '/^## / { here = $0 == "## " section } /^```$/ { open = 0 }
		here && open && block == wanted { print } /^```sh$/ { open = 1; block += here }' README.md
}
# follow RUN SECTION N: gives each line of these commands to RUN.
follow() {
	local line
	[ -n "$(commands "$2" "$3")" ] || fail "README.md has no commands $3 under $2"
	while IFS= read -r line; do
		echo "   \$ $line"
		time "$1" "$line" >"$folder/tmp/said" 2>&1 </dev/null || { tail -n 40 "$folder/tmp/said" >&2; fail "$line"; }
	done < <(commands "$2" "$3")
}
as_root() { inside sh -c "cd /home/user/libowfat_io && $1"; }

echo "2. README.md, by a user whose Rust, as that of rustup, is not root's:"
follow as_root "Install" 2
# Where a proxy stands between, its certificate is the machine's.
cp -L /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
install_packages sudo pkg-config
echo 'user ALL=(ALL) NOPASSWD: ALL' >"$folder/etc/sudoers.d/user"
inside su - user -c 'mkdir bin && echo PATH=\$PATH:\$HOME/bin >>.profile'
inside sh -c 'mv /usr/bin/cargo /usr/bin/rustc /home/user/bin'
follow as_user "Install" 4
inside sh -c 'mv /home/user/bin/* /usr/bin'
# shellcheck disable=SC2016 # the folder's shell expands it
inside sh -c 'cd /home/user/libowfat_io/c-tests && flags=$(pkg-config --cflags --libs libowfat_io) &&
	cc -o /tmp/consumer consumers/consumer.c $flags && cc -I support -o /tmp/old kernel/old.c $flags'

echo "3. an old kernel:"
old="/tmp/old epoll_pwait2=ENOSYS --"
# shellcheck disable=SC2086 # several words
said=$(inside $old /tmp/consumer 2>&1)
[ "$said" = "the event came" ] || fail "without epoll_pwait2: $said"
echo "   $said"
# shellcheck disable=SC2086 # several words
said=$(inside env OWFAT_IO_BACKEND=io_uring $old /tmp/consumer 2>&1)
wanted=$'libowfat_io: OWFAT_IO_BACKEND names no backend (epoll, poll); using epoll\nthe event came'
[ "$said" = "$wanted" ] || fail "OWFAT_IO_BACKEND=io_uring: $said"
echo "   ${said%%$'\n'*}"

echo "4. README.md, by root:"
follow as_root "Two commands" 1

echo "5. the packages:"
follow as_root "Install" 1
said=$(inside owfat-io-check /usr/bin/opentracker) || fail "owfat-io-check: $said"
[[ $said == *owfat-io-run* ]] || fail "owfat-io-check: $said"
