# A fresh Debian in a folder of its own, for the scripts beside. What is mounted is mounted in a namespace that ends
# with the command; the folder goes when the script ends, however it ends.
folder=$(mktemp -d /var/tmp/owfat-io.XXXXXX)
chmod 755 "$folder" # users of the folder have to get in
trap 'rm -rf "$folder" "$folder.log"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# make_folder [SUITE]: Debian's mirror, and the names, the certificates and the trust in dates of this machine, which may
# lead through a proxy.
make_folder() {
	[ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root"
	local suite=${1-bookworm} mirror=http://deb.debian.org
	debootstrap --variant=minbase "$suite" "$folder" $mirror/debian >"$folder.log" 2>&1 \
		|| { tail -n 5 "$folder.log" >&2; rm -f "$folder.log"; fail "debootstrap"; }
	cp -L /etc/resolv.conf /etc/hosts "$folder/etc/"
	printf 'deb %s %s main\n' $mirror/debian "$suite" >"$folder/etc/apt/sources.list"
	if [ "$suite" != sid ]; then
		printf 'deb %s %s-updates main\n' $mirror/debian "$suite" >>"$folder/etc/apt/sources.list"
		printf 'deb %s %s-security main\n' $mirror/debian-security "$suite" >>"$folder/etc/apt/sources.list"
	fi
	apt-config dump | grep '^Acquire::Check-' >"$folder/etc/apt/apt.conf.d/dates" || true
	# As a Debian machine has it: without what is only recommended, to be quick.
	echo 'APT::Install-Recommends "false";' >"$folder/etc/apt/apt.conf.d/recommends"
	inside apt-get -qq update
}

# inside COMMAND...: as root of the folder, with nothing of the caller's environment. Its processes end with it.
inside() {
	unshare --mount --pid --fork --kill-child sh -c \
		'mount -t proc proc "$0/proc" && mount -t devpts -o newinstance,ptmxmode=666 devpts "$0/dev/pts" && exec chroot "$0" "$@"' \
		"$folder" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

install_packages() {
	inside apt-get -qq -y install "$@" >"$folder/install.log" 2>&1 || { tail -n 20 "$folder/install.log" >&2; fail "apt-get install $*"; }
	rm "$folder/install.log"
}
