#!/bin/bash
# The recipe of opentracker, see check.sh. It may have announces refused and lists of all torrents.
set -euo pipefail
features="-DWANT_ACCESSLIST_WHITE -DWANT_FULLSCRAPE"

case $1 in
build)
	# Variables on the command line stand above those of its makefile.
	make -C "$2" opentracker CFLAGS="-O2 -pthread -w $CPPFLAGS $features" LDFLAGS="$LDFLAGS $LIBS -lm -lz -pthread"
	mv "$2/opentracker" "$3"
	;;
work)
	directory=$tmp/work
	rm -rf "$directory"
	mkdir "$directory"
	chmod 755 "$directory"
	"$tmp/tracker" list >"$directory/whitelist"
	# It takes no port 0: try some until one is free.
	for _ in {1..20}; do
		port=$((20000 + RANDOM % 10000))
		LD_LIBRARY_PATH=$OWFAT_CONSUMER_PATH LD_PRELOAD=$OWFAT_CONSUMER_PRELOAD \
			"$2" -i 127.0.0.1 -p $port -P $port -d "$directory" -w whitelist >"$directory/said" 2>&1 &
		pid=$!
		trap 'kill $pid 2>/dev/null || true' EXIT
		for _ in {1..100}; do
			if ! kill -0 $pid 2>/dev/null || : 2>/dev/null </dev/tcp/127.0.0.1/$port; then break; fi
			sleep 0.02
		done
		if kill -0 $pid 2>/dev/null; then break; fi
		grep -q 'undefined symbol' "$directory/said" && break
	done
	kill -0 $pid 2>/dev/null || {
		cat "$directory/said" >&2
		exit 1
	}
	"$tmp/tracker" "$port"
	;;
esac
