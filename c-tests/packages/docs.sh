#!/bin/bash
# docs.sh SUITE: the commands that README.md, the other pages and the manual show, run as they stand in a fresh Debian, one
# after the other: `make check-docs`. In pages they are the blocks that begin with ```sh, in the manual of sections 1 and 7
# what is displayed. docs.txt names those that are treated otherwise, and why.
set -euo pipefail
cd "$(dirname "$0")/../.."
. c-tests/packages/folder.sh
suite=$1
rules=c-tests/packages/docs.txt

# PAGE TAB COMMAND, a line each.
commands() {
	git ls-files '*.md' | sed 's/^README.md$/0 &/; t; s/^/1 /' | sort | cut -c 3- | while IFS= read -r page; do
		sed -n '/^```sh$/,/^```$/{/^```/d; p}' "$page" | sed -e ':a' -e '/\\$/{N; s/\\\n *//; ba}' | sed "s|^|$page\t|"
	done
	for page in man/*.1 man/*.7; do
		sed -n -e 's/^\.Dl //p' -e '/^\.Bd -literal/,/^\.Ed/{/^\./d; p}' "$page" | sed 's/\\e/\\/g; s/\\-/-/g' \
			| sed -e ':a' -e '/\\$/{N; s/\\\n *//; ba}' | sed "s|^|$page\t|"
	done
}
# rule COMMAND: what is done with it.
rule() {
	awk -v command="$1" -F ' [|] ' '/^#/ { next } index(command, $2) == 1 { print $1 }' $rules
}

commands >"$folder.commands"
trap 'rm -rf "$folder" "$folder.log" "$folder.commands"' EXIT
# A rule for nothing is a rule that somebody forgot.
grep -v '^#' $rules | sed 's/^.* | //' | while IFS= read -r start; do
	cut -f 2 "$folder.commands" | grep -qF -- "$start" || fail "no page has the command that $rules names: $start"
done

make_folder "$suite"
git clone -q . "$folder/src"
cp -L /etc/ssl/certs/ca-certificates.crt "$folder/tmp/"
# What a Debian machine has, and what a server needs that the pages call yours.
install_packages sudo pkg-config gcc libc6-dev libowfat-dev opentracker less binutils

# One shell for all pages, which ends with its first failure. `web` is what the pages call a server of yours.
frame='set -e
cd /src
cp c-tests/servers/web.c server.c
server=
serve() { # NAME COMMAND
	[ -e web ] || cc -o web examples/echo.c $(pkg-config --cflags --libs libowfat_io)
	[ -z "$server" ] || { kill "$server"; wait "$server" || true; }
	echo "   \$ $2 &"
	eval "exec $2" >/tmp/served 2>&1 </dev/null &
	server=$!
	for i in $(seq 100); do
		for p in $(pidof "$1"); do ! ls -l "/proc/$p/fd" | grep -q socket: || return 0; done
		sleep 0.1
	done
	cat /tmp/served
	return 1
}
run() {
	echo "   \$ $1"
	eval "$1" >/tmp/said 2>&1 </dev/null || { status=$?; tail -n 30 /tmp/said; exit $status; }
}
'
quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# script: what the shell does, with what comes first at the beginning.
script() {
	local page command what here='' first='' rest=''
	while IFS=$'\t' read -r page command; do
		if [ "$page" != "$here" ]; then
			here=$page
			rest+="echo $page:"$'\n'
		fi
		what=$(rule "$command")
		case $what in
		*"on "*) [[ $what == *"on $suite"* ]] || continue ;;
		esac
		case $what in
		*first*) first+="run $(quoted "$command")"$'\n' ;;
		"skip "*) rest+="echo $(quoted "   - $command: ${what#skip }")"$'\n' ;;
		"serve "*) rest+="serve ${what#serve } $(quoted "$command")"$'\n' ;;
		*) rest+="run $(quoted "$command")"$'\n' ;;
		esac
	done <"$folder.commands"
	# Where a proxy stands between, its certificate is the machine's; that of the package would take its place.
	printf '%s\n' "$frame" "$first" 'cp /tmp/ca-certificates.crt /etc/ssl/certs/' "$rest"
}
script >"$folder/tmp/script"
inside bash /tmp/script || fail "$suite"
echo "make check-docs: $suite: the commands of the pages do what they should"
