#!/bin/bash
# make deb, lintian, and the package on a host: tests/system/package.sh. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
tests/debian-13 make >/dev/null 2>&1 || skip_all "no Debian 13 root can be made here"
scratch package
chmod 755 "$SCRATCH"

# In SCRATCH: the package, the same a version later, what lintian said and the libraries of what is in it.
build() {
	mkdir "$SCRATCH/src"
	tar -c --exclude=./build --exclude=./.git . | tar -x -C "$SCRATCH/src"
	# shellcheck disable=SC2016 # $1 is the inner shell's
	tests/debian-13 run -b "$SCRATCH" bash -euc 'cd "$1"
		make -C src deb >lintian
		sed -i "/^make/d; /^deploy/d; /^build/d" lintian
		mv src/build/left4me_*_amd64.deb left4me_1.deb
		dpkg-deb -R left4me_1.deb later
		find later -type f -exec objdump -p {} + 2>/dev/null | sed -n "s/^ *NEEDED *//p" >needed
		sed -i "s/^Version: .*/Version: 2/" later/DEBIAN/control
		dpkg-deb --root-owner-group -b later left4me_2.deb' - "$SCRATCH"
}
if ! said=$(build 2>&1); then
	ok "make deb" false
	diag "$said"
	done_testing
fi
tests/system/tap ns -r base -p -T 600 tests/system/package.sh "$SCRATCH"/{left4me_1.deb,left4me_2.deb,lintian,needed}
