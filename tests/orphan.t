#!/bin/bash
# The reading child ends with its parent, also after it has given up root: the kernel forgets a parent-death signal
# when a process changes its user (prctl(2)), and systemd waits for a generator's processes at boot. And a parent whose
# time is over while it reads, on a machine that stands still, leaves the host's own units: templates for what runs.
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
# It has the database open once it has become the user and ends with its parent.
reads() { [ "$(readers)" = 1 ] && find "/proc/$(pgrep -u 980 -f -- "--root=$root")/fd" -lname '*/left4me.db' | grep -q .; }
none_reads() { [ "$(readers)" = 0 ]; }
wait_for() { # COMMAND: 20 s and more
	for ((i = 0; i < 1000; i++)); do
		"$1" && break
		sleep 0.02
	done
}

"${BUILD:-build}/left4me-generator" check --root="$root" >/dev/null 2>&1 &
parent=$!
wait_for reads
is "$(readers)" 1 "a child reads a view that never ends, as the file's owner"
# Stopped, it does not come to the end of its own time.
pkill -STOP -u 980 -f -- "--root=$root"
kill -KILL "$parent"
wait "$parent" 2>/dev/null
wait_for none_reads
is "$(readers)" 0 "it is gone with its parent"

units=$root/run/systemd/generator
mkdir -p "$units"
"${BUILD:-build}/left4me-generator" --root="$root" "$units" 2>/dev/null &
parent=$!
wait_for reads
kill -STOP "$parent"
sleep 5.2
kill -CONT "$parent"
wait "$parent"
is "$?" 1 "a generator that stood still for all its time gives up"
for name in left4me.target left4me-server@.service left4me-server@.service.d/10-hardening.conf build-overlay@.service left4me-reload.service; do
	ok "$name is there all the same" test -s "$units/$name"
done
is "$(find "$units" -name '.*' -o -name '*.new')" "" "and nothing half done"
wait_for none_reads
is "$(readers)" 0 "the child is gone"
done_testing
