#!/bin/sh
# left4me-overlay umount-stopped: what stopped servers have left goes, and nothing else.
. tests/overlay/common.sh

untold() {      # PATTERN DESCRIPTION
	[ "$status" = 1 ] && grep -q "$1" "$err" && [ "$(wc -l <"$err")" = 1 ]
	ok "$2"
}
all_mounted() { sed -n 's|.* - overlay left4me:\([^ ]*\) .*|\1|p' /proc/self/mountinfo | sort | xargs; }
fresh
for name in busy gone late runs; do
	run mount --started=port=27015,unit=0123456789abcdef $name 1 installation
done
run mount hand 1 installation
run umount-stopped
untold "'/run/systemd/units' does not say which servers run" "without systemd's word no server has stopped"
mkdir -p /run/systemd/units
for name in late runs; do
	ln -s 0123456789abcdef /run/systemd/units/invocation:left4me-server@$name.service
done
run umount-stopped
untold "'/run/systemd/units' does not say which servers run" "... nor where journald does not run by it"
is "$(all_mounted)" "busy gone hand late runs" "... and all stay"
ln -s 0123456789abcdef /run/systemd/units/invocation:systemd-journald.service
(cd /run/left4me/server/busy/merged && exec sleep 1000) &
holder=$!
while [ "$(readlink /proc/$holder/cwd)" != /run/left4me/server/busy/merged ]; do sleep 0.01; done
# A lock keeps the unmount of gone waiting, and late stops in that time: this round finds it, or the next.
flock /run/left4me/server/gone sh -c 'sleep 2; rm /run/systemd/units/invocation:left4me-server@late.service' &
while flock -n /run/left4me/server/gone true; do sleep 0.01; done
run umount-stopped
is "$status" 1 "one that is in use is a failure"
grep -q "cannot unmount '/run/left4me/server/busy/merged'" "$err"
ok "... which names it"
is "$(all_mounted)" "busy hand runs" "... and keeps neither another nor one that stops meanwhile; what runs stays, and what was mounted by hand"
is "$(ls /run/left4me/mounted /run/left4me/view | sed '/:$/d; /^$/d' | paste -sd' ')" "busy hand runs left4me-server@busy left4me-server@hand left4me-server@runs" \
	"record and note go with the mount"
kill $holder
wait
run umount-stopped
is "$status $(all_mounted)" "0 hand runs" "later it is unmounted"
echo unit=0123456789abcdef >/run/left4me/mounted/ghost
run umount-stopped
[ "$status" = 0 ] && [ ! -e /run/left4me/mounted/ghost ]
ok "a record without a mount is removed"
run umount-stopped a
is "$status" 2 "it takes no argument"
run --dry-run umount-stopped
is "$status" 2 "... and has no dry run"
finish
