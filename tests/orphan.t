#!/bin/bash
# The reading child ends with its parent, also after it has given up root: the kernel forgets a parent-death signal
# when a process changes its user (prctl(2)), and systemd waits for a generator's processes at boot.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: only then the child changes its user"
umask 022
scratch orphan
root=$SCRATCH
chmod 755 "$root"
mkdir -p "$root/etc/left4me" "$root/var/lib/left4me"
cat tests/lib/views.sql tests/lib/endless.sql | sqlite3 "$root/var/lib/left4me/left4me.db"
chown -R 980:980 "$root/var/lib/left4me"

readers() { pgrep -u 980 -fc -- "--root=$root"; }

"${BUILD:-build}/left4me-generator" check --root="$root" >/dev/null 2>&1 &
parent=$!
for ((i = 0; i < 100; i++)); do
	[ "$(readers)" = 1 ] && break
	sleep 0.02
done
is "$(readers)" 1 "a child reads a view that never ends, as the file's owner"
kill -KILL "$parent"
wait "$parent" 2>/dev/null
sleep 0.3
is "$(readers)" 0 "it is gone with its parent"
done_testing
