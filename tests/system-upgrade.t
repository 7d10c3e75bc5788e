#!/bin/bash
# From the version before the fortress to this one, on a host that runs: tests/system/upgrade.sh. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

# The last version whose overlays were mounted on runtime/NAME/merged, and which read the database as its owner.
before=bdb8e2d38aa99376cd45781f75db96098ffb7342

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
git cat-file -e "$before^{commit}" 2>/dev/null || skip_all "this clone has no commit $before, the version before"
tests/debian-13 make >/dev/null 2>&1 || skip_all "no Debian 13 root can be made here"
scratch upgrade
chmod 755 "$SCRATCH"

# In SCRATCH: both versions as packages, and as compiled sources, ready for `make install`. What lintian says is
# system-package.t's.
build() {
	mkdir "$SCRATCH/old" "$SCRATCH/new"
	git archive "$before" | tar -x -C "$SCRATCH/old"
	tar -c --exclude=./build --exclude=./.git . | tar -x -C "$SCRATCH/new"
	# shellcheck disable=SC2016 # $1 is the inner shell's
	tests/debian-13 run -b "$SCRATCH" bash -euc 'cd "$1"
		rm -f /usr/bin/lintian
		for version in old new; do
			make -C $version deb
			mv $version/build/left4me_*_amd64.deb $version.deb
			rm -rf $version/build/deb
			make -C $version -j2 all
			make -C $version install DESTDIR="$1/stage"
		done' - "$SCRATCH"
}
if ! said=$(build 2>&1); then
	ok "both versions are built" false
	diag "$(tail -n 30 <<<"$said")"
	done_testing
fi
tests/system/tap ns -r compiler -p tests/system/upgrade.sh "$SCRATCH"/{old,new,old.deb,new.deb}
