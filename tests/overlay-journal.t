#!/bin/sh
# left4me-overlay: what an operator finds in the journal and on stderr.
# shellcheck disable=SC2119,SC2319 # ok() reads $?
. tests/overlay/common.sh

fresh
mkdir "$stage/flags"

# told ARGUMENT...: $told is all that the helper said.
told()
{
	told=$(python3 "$here/journal.py" "$stage/flags" "$overlay" --root="$R" "$@")
}

# has LINE DESCRIPTION
has()
{
	echo "$told" | grep -qxF -- "$1"
	ok "$2"
	echo "$told" | grep -qxF -- "$1" || echo "$told" | sed 's/^/# /'
}

# id VERB-RESULT: the MESSAGE_ID that the manual page gives
id()
{
	sed -n "/^\\.It Li $1\$/{n;s/^\\.Li //p;}" deploy/man/left4me-overlay.8
}

told mount a 2 1 installation
has "native MESSAGE=mounted '$M' from 3 layers" "mount: the message"
has "native LEFT4ME_INSTANCE=a" "... LEFT4ME_INSTANCE="
has "native LEFT4ME_LAYERS=2 1 installation" "... LEFT4ME_LAYERS="
has "native MESSAGE_ID=$(id mounted)" "... the MESSAGE_ID of the manual page"
has "native OBJECT_SYSTEMD_UNIT=left4me-server@a.service" "... the unit, for systemctl status"
has "native SYSLOG_IDENTIFIER=left4me-overlay" "... the program"
has "native PRIORITY=6" "... as information"
has "status 0" "... success"
! echo "$told" | grep -q '^stderr'
ok "... nothing on stderr"
told mount a 2 1 installation
has "native MESSAGE_ID=$(id unchanged)" "mount again: its own MESSAGE_ID"
(cd "$M" && exec sleep 60) &
holder=$!
while [ "$(readlink "/proc/$holder/cwd")" != "$M" ]; do sleep 0.01; done
busy="cannot unmount '$M': a process still uses it, which fuser -vm '$M' names"
told umount a
has "native MESSAGE=$busy" "a failure: the message in the journal"
has "native MESSAGE_ID=$(id failed)" "... with its MESSAGE_ID"
has "native PRIORITY=3" "... as an error"
has "stderr left4me-overlay: $busy" "... and on a stderr that is not the journal"
has "status 1" "... failure"
touch "$stage/flags/stream"
told umount a
has "native MESSAGE=$busy" "where stderr is the journal: the message"
! echo "$told" | grep -q '^stderr'
ok "... once only"
rm "$stage/flags/stream"
kill $holder
wait $holder 2>/dev/null
told umount a
has "native MESSAGE_ID=$(id unmounted)" "umount: its MESSAGE_ID"
has "native MESSAGE=unmounted '$M'" "... and message"
has "native LEFT4ME_INSTANCE=a" "... LEFT4ME_INSTANCE="
told umount a
has "native MESSAGE_ID=$(id unchanged)" "umount of nothing: its MESSAGE_ID"
told mount a 9 installation
has "native LEFT4ME_LAYERS=9 installation" "a refused mount names the layers it was given"
run umount a

touch "$stage/flags/stream"
told mount A 9 installation
has "stderr left4me-overlay: 'A' is not the name of an instance" "a usage error reaches the stream"
has "status 2" "... with its status"
touch "$stage/flags/stuck"
start=$(date +%s)
told mount a 9 installation
has "stderr left4me-overlay: layer 9 is missing: '$R/overlays/9'; left4me-generator check says what helps" \
	"a stuck journal: the message goes to stderr"
told mount a 1 installation
has "status 0" "... a mount succeeds all the same"
[ "$(cat "$M/who")" = 1 ] && [ $(($(date +%s) - start)) -lt 20 ]
ok "... within a few seconds"
rm "$stage/flags/stuck" "$stage/flags/stream"
run umount a

rm -r /run/systemd
run mount a 1 installation && [ ! -s "$err" ] && run umount a && [ ! -s "$err" ]
ok "without a journal all goes well in silence"
run mount a 9 installation
refused 1 "layer 9 is missing" "... and failures are on stderr"
mkdir -p /run/systemd/journal
python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind("/run/systemd/journal/socket")'
run mount a 9 installation
refused 1 "layer 9 is missing" "... with a socket that nobody listens on too"
finish
