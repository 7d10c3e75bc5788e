#!/bin/bash
# Scenario 1: the state directory is a link to a disk that somebody unlocks after the boot, and on it is what a crashed writer
# left, which the web application takes its time to roll back. Nobody reloads, and nobody looks: the host comes up by itself.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	# A transaction that was spilled into the database, and killed.
	sql "PRAGMA journal_mode = DELETE" >/dev/null
	runuser -u left4me -- python3 - "$DATABASE" <<-'END' || :
		import os, signal, sqlite3, sys
		writer = sqlite3.connect(sys.argv[1], isolation_level=None)
		writer.execute("PRAGMA cache_size = 10")
		writer.execute("BEGIN IMMEDIATE")
		writer.execute("UPDATE servers SET port = 27777 WHERE name = 'alpha'")
		writer.execute("INSERT INTO overlays (id, name, kind, script) VALUES (99, 'x', 'script', ?)", ("#" * 500000,))
		os.kill(os.getpid(), signal.SIGKILL)
	END
	mkdir /var/disk /srv/disk
	mv "$STATE" /var/disk/left4me
	ln -s /srv/disk/left4me "$STATE"
	cat >/etc/systemd/system/unlock.service <<-'END'
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/usr/bin/test -e /run/unlocked
	END
	# Shorter than on a host, where a try comes every 15 s, and a failing web application takes half a minute to its limit.
	mkdir /etc/systemd/system/left4me-{activate.timer,web.service}.d
	printf '[Timer]\nOnUnitInactiveSec=\nOnUnitInactiveSec=2s\nOnActiveSec=0\n' >/etc/systemd/system/left4me-activate.timer.d/50-test.conf
	printf '[Service]\nRestartSec=100ms\n' >/etc/systemd/system/left4me-web.service.d/50-test.conf
	echo "/var/disk /srv/disk none bind,nofail,x-systemd.requires=unlock.service 0 0" >>/etc/fstab
	exit
fi

tried_again() { [ "$(property left4me-activate.service InactiveEnterTimestampMonotonic)" -gt "$1" ]; } # TIMESTAMP
another_try() { wait_for 60 tried_again "$(property left4me-activate.service InactiveEnterTimestampMonotonic)"; }
is_active() { [ "$(property "$1" ActiveState)" = active ]; }
uptime_ms() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }

ok "the boot finishes" booted 120
ok "a try, and another" another_try
is "$(property left4me-activate.service Result)/$(property left4me-activate.timer ActiveState)" exec-condition/active \
	"nothing can be read: it is tried again"
is "$(reload_count)" 0 "without a reload"
is "$(property srv-disk.mount ActiveState)" inactive "no try mounts anything"
# Its Result= depends on systemd's version.
web_gave_up() { [ "$(property left4me-web.service ActiveState)" = failed ]; }
ok "the web application has met its start limit" wait_for 60 web_gave_up

# It holds SQLite's lock as whoever rolls back does.
cat >roll-back.py <<'END'
import fcntl, sys, time
database = open(sys.argv[1], "r+b")
fcntl.lockf(database, fcntl.LOCK_EX, 512, 0x40000000)
print("locked", flush=True)
time.sleep(1000)
END
ok "a writer's journal is there" test -s /var/disk/left4me/left4me.db-journal
setpriv --reuid left4me --regid left4me --clear-groups python3 roll-back.py /var/disk/left4me/left4me.db >locked &
writer=$!
ok "which the web application begins to roll back" wait_for 60 test -s locked
touch /run/unlocked
systemctl reset-failed unlock.service
systemctl start srv-disk.mount
ok "the disk is there: another try" another_try
is "$(property left4me-activate.service Result)/$(reload_count)" exec-condition/0 "it is not done: no reload"
like "$(runuser -u left4me -- left4me-generator check --rows)" "locked" "check --rows says so"

kill "$writer"
gone=$(uptime_ms)
is_over() { [ "$(property left4me-activate.timer ActiveState)" = inactive ]; }
ok "then it comes up by itself" wait_for 60 is_over
ok "with the servers" wait_for 60 is_active left4me-server@alpha
echo "# alpha ran $(($(property left4me-server@alpha ActiveEnterTimestampMonotonic) / 1000 - gone)) ms after the rows could be read"
checked() { [ "$(property left4me-check.service SubState)" = dead ]; }
ok "the check has run" wait_for 60 checked
host_is_up "by itself"
is "$(sed -n 's/^port=//p' /run/left4me/mounted/alpha)" 27015 "with what was committed"
is "$(property left4me-web.service ActiveState)" active "the web application is active"
is "$(reload_count)" 1 "one reload"
sleep 5
is "$(reload_count)/$(property left4me-activate.timer SubState)" 1/dead "and the timer does no more"

# --- later, on a host that runs: the rows are lost, and those of the last reading ----------------------------------------

mv /var/disk/left4me/left4me.db lost
rm /run/left4me/last-good
reload
unit=/run/systemd/generator/left4me-server@alpha.service
fails "without rows alpha has no unit" test -e $unit
ok "it runs on" is_active left4me-server@alpha
systemctl stop left4me-server@beta
fails "the check finds it" systemctl start left4me-check.service
ok "from then on it is tried" another_try
is "$(reload_count)" 2 "and no more than that"
mv lost /var/disk/left4me/left4me.db
back=$(uptime_ms)
ok "it comes up by itself again" wait_for 60 is_over
echo "# $(($(uptime_ms) - back)) ms after the rows could be read"
ok "alpha has its unit" test -e $unit
ok "alpha runs as before" is_active left4me-server@alpha
ok "what is wanted starts, as at a boot" wait_for 60 is_active left4me-server@beta
is "$(reload_count)" 3 "by one reload"
unlike "$(manager_log)" "vanished from the unit file|ordering cycle" "no command vanished, no cycle"
done_testing
