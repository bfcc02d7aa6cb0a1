#!/bin/bash
# The three ways in, each with one line of proof, and why to take one. `demo.sh STAGE [LIBOWFAT-0.34]`: the prefix of a
# finished install, and the directory with libowfat 0.34, if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
stage=$1
later=${2-}
tmp=$(mktemp -d)
chmod 755 "$tmp" # opentracker enters it as user nobody
servers=()

finish() {
	for pid in "${servers[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() {
	echo "demo: $*" >&2
	exit 1
}

# await COMMAND...: until the command succeeds, for at most 5 seconds.
await() {
	for _ in {1..100}; do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.05
	done
	fail "gave up waiting for: $*"
}

# port_of FILE: the number that a server announced in its output.
port_of() {
	await grep -q '^listening on ' "$1"
	sed -n 's/^listening on //p' "$1"
}

# bound_by PROGRAM SYMBOL LOG: the library to which the dynamic linker bound the program's symbol.
bound_by() {
	sed -n "s|.*binding file $1 .* to \([^ ]*\) .*normal symbol .$2'.*|\1|p" "$3" | head -n 1
}

hex() { od -An -v -tx1 | tr -d ' \n'; }

# udp PORT HEX: sends one datagram, prints the answer in hexadecimal.
udp() {
	exec 3<>"/dev/udp/127.0.0.1/$1"
	printf '%b' "$(sed 's/../\\x&/g' <<<"$2")" | dd bs=$((${#2} / 2)) count=1 iflag=fullblock status=none >&3
	timeout 5 dd bs=2048 count=1 status=none <&3 | hex
	exec 3>&-
}

export PKG_CONFIG_PATH=$stage/lib/pkgconfig
flags=$(pkg-config --cflags --libs libowfat_io)
export LD_LIBRARY_PATH=$stage/lib

# 1. A C program that knows only our library.
# shellcheck disable=SC2086 # the flags are words
gcc -O2 examples/echo.c $flags -o "$tmp/echo"
"$tmp/echo" >"$tmp/echo.out" &
servers+=($!)
port=$(port_of "$tmp/echo.out")
exec 3<>"/dev/tcp/127.0.0.1/$port"
echo "ping" >&3
IFS= read -r -t 5 answer <&3
exec 3>&-
[ "$answer" = ping ] || fail "the echo server answered '$answer'"
echo "1. pkg-config:    echo.c built with '${flags//$stage/PREFIX}' sends back '$answer'"

# 2. A web server on libowfat, its io layer taken from our library.
# shellcheck disable=SC2086
gcc -O2 c-tests/servers/web.c $flags -lowfat -o "$tmp/web"
mkdir "$tmp/www"
cp README.md "$tmp/www/"
LD_DEBUG=bindings LD_DEBUG_OUTPUT=$tmp/web.ld "$tmp/web" "$tmp/www" >"$tmp/web.out" &
web=$!
servers+=("$web")
port=$(port_of "$tmp/web.out")
curl -sS --max-time 5 "http://127.0.0.1:$port/README.md" | cmp - README.md || fail "the file differs"
await test -n "$(bound_by "$tmp/web" io_wait "$tmp/web.ld.$web")"
wait_from=$(bound_by "$tmp/web" io_wait "$tmp/web.ld.$web")
accept_from=$(bound_by "$tmp/web" socket_accept4 "$tmp/web.ld.$web")
[ "${wait_from##*/}" = libowfat_io.so.0 ] || fail "io_wait comes from '$wait_from'"
echo "2. -lowfat_io:    web.c sent README.md to curl, equal byte for byte;" \
	"io_wait from ${wait_from##*/}, socket_accept4 from ${accept_from##*/}"

# 3. Debian's opentracker, unchanged. It takes no port 0: try some until one is free.
hash=6f776661745f696f2064656d6f2e2e2e2e2e2e2e
mkdir "$tmp/tracker"
echo "$hash" >"$tmp/tracker/whitelist"
escaped=$(sed 's/../%&/g' <<<"$hash")
for _ in {1..20}; do
	port=$((20000 + RANDOM % 10000))
	"$stage/bin/owfat-io-run" opentracker -i 127.0.0.1 -p $port -P $port -d "$tmp/tracker" -w whitelist \
		>"$tmp/tracker.out" 2>&1 &
	tracker=$!
	servers+=("$tracker")
	sleep 0.2
	if kill -0 "$tracker" 2>/dev/null; then break; fi
done
url=http://127.0.0.1:$port
announce="info_hash=$escaped&peer_id=-demo000------------&port=1001&uploaded=0&downloaded=0&left=0&compact=1"
await curl -sS --max-time 5 --fail "$url/scrape?info_hash=$escaped"
grep -q "$stage/lib/libowfat_io.so" "/proc/$tracker/maps" || fail "opentracker does not have the library mapped"
# The white list is read by a thread of its own: until then the answer is a refusal.
http_announced() { curl -sS --max-time 5 "$url/announce?$announce" | tr -d '\0' | grep -q -a '^d8:completei1e'; }
await http_announced

reply=$(udp "$port" 0000041727101980000000000000beef)
[ "${reply:0:16}" = 000000000000beef ] || fail "UDP connect answered '$reply'"
zero8=0000000000000000
reply=$(udp "$port" "${reply:16:16}000000010000cafe${hash}2d64656d6f3030312d2d2d2d2d2d2d2d2d2d2d2d${zero8}${zero8}${zero8}\
00000000000000000000000000ffffffff03ea")
[ "${reply:0:16}" = 000000010000cafe ] || fail "UDP announce answered '$reply'"
seeders=$((16#${reply:32:8}))
[ "$seeders" = 2 ] || fail "UDP announce counts $seeders seeders, not 2"
scrape=$(curl -sS --max-time 5 "$url/scrape?info_hash=$escaped" | tr -d '\0')
[[ $scrape == *8:completei2e* ]] || fail "the scrape answered '$scrape'"
echo "3. owfat-io-run:  $(command -v opentracker) answers an HTTP announce, a UDP announce and a scrape: 2 seeders"

# 4. The same source on each library; see there. The tests hold our column.
harms=c-tests/servers/harms.c
libraries=("$(dpkg-query -W -f='${Version}' libowfat-dev)")
paths=("")
# Debian 13 has the headers in a folder of their own.
gcc -O2 -idirafter /usr/include/libowfat $harms -lowfat -o "$tmp/harms.0"
if [ -f "$later/version" ]; then
	libraries+=("$(cat "$later/version")")
	paths+=("$later")
	# As <io.h> and as <libowfat/io.h>.
	gcc -O2 -isystem "$later/include" -isystem "$later/include/libowfat" $harms -L"$later" -lowfat -o "$tmp/harms.1"
fi
# shellcheck disable=SC2086
gcc -O2 $harms $flags -o "$tmp/harms.ours"

# row WORDS KIND: what came of it with each library.
row() {
	printf '   %-50s' "$1"
	for i in "${!libraries[@]}"; do printf '%-22s' "$(LD_LIBRARY_PATH=${paths[i]} "$tmp/harms.$i" "$2")"; done
	"$tmp/harms.ours" "$2"
}

echo "4. why:           $harms on each library, counted just now"
printf '   %-50s' ''
for version in "${libraries[@]}"; do printf '%-22s' "libowfat $version"; done
echo "libowfat_io"
row "8 slow readers of an answer in chunks of 16 KiB" chunked
row "3,000,000 bytes passed on from another program" relayed
row "an error answer on a keep-alive connection" error
row "4 clients that pipeline 5 requests each" pipelined
