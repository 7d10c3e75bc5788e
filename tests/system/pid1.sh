#!/bin/bash
# The web application leaves directories within directories in its /dev/shm, and ends. Then its user puts links to a file system that
# never answers in place of the overlays and of the database, and has units started that use them. PID 1 serves everybody else meanwhile.
# shellcheck disable=SC2016,SC2119,SC2317 # wait_for evaluates; functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh

if [ "${1-}" = prepare ]; then
	set -e
	make_host
	insert_overlay 10 'echo built'
	mknod -m 666 /dev/fuse c 10 229
	printf '[Service]\nRestart=always\nRestartSec=100ms\nExecStart=/bin/sleep infinity\n' >/etc/systemd/system/bystander.service
	printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' >/etc/systemd/system/other.service
	exit
fi
booted
systemctl start bystander

# --- what the last unit of the user leaves in /dev/shm -------------------------------------------------------------------

# So many need more than PID 1's stack of 8 MiB where it may open as many files; a guest in namespaces may not.
put 755 "$STATE/.venv/bin/nest" <<-'END'
	#!/usr/bin/python3 -I
	import os, time
	os.chdir("/dev/shm")
	for _ in range(40000):
	    os.mkdir("d")
	    os.chdir("d")
	print("40000 directories", flush=True)
	time.sleep(1000)
END
has_nested() { journal "$1" | grep -q '^40000 directories'; } # UNIT
mv "$STATE/.venv/bin/gunicorn" "$STATE/.venv/bin/flask" .
for unit in left4me-web:gunicorn left4me-workshop-refresh:flask; do
	ln -s nest "$STATE/.venv/bin/${unit#*:}"
	unit=${unit%:*}
	systemctl restart --no-block "$unit"
	ok "$unit: they are made" wait_for 60 has_nested "$unit"
	is "$(find /dev/shm -maxdepth 1 -user left4me)" "" "$unit: none in the host's"
	systemctl stop left4me-workshop-refresh 2>/dev/null
	systemctl start left4me-stop
	is "$(pgrep -u left4me -l)" "" "$unit: nothing of the user runs"
	ok "$unit: systemctl answers" timeout 10 systemctl is-active dbus
	is "$(journalctl --no-pager -b -o cat _PID=1 | grep -c 'shared memory')" 0 "$unit: PID 1 has nothing to remove"
done
rm "$STATE"/.venv/bin/{nest,gunicorn,flask}
mv gunicorn flask "$STATE/.venv/bin/"
systemctl start left4me.target
ok "servers start again" wait_for 30 eval 'is_ready alpha && is_ready beta && is_ready gamma'

# --- a file system that never answers -------------------------------------------------------------------------------------

mkdir -m 1777 /var/tmp/hang
runuser -u left4me -- python3 hang.py /var/tmp/hang >hang.log 2>&1 &
wait_for 60 eval "grep -q ^ready hang.log || ! kill -0 $!"
if ! grep -q ^ready hang.log; then
	skip "no FUSE here: $(tail -n 1 hang.log)"
	done_testing
	exit
fi
trap=$(sed -n 's/^ready //p' hang.log)
there=/proc/$trap/root/var/tmp/hang/merged

# What others do takes no more than a second each.
within_a_second() { # COMMAND...
	local begin=${EPOCHREALTIME/./} status
	timeout -k 1 10 "$@" >/dev/null 2>&1
	status=$?
	[ "$status" -eq 0 ] && [ $(((${EPOCHREALTIME/./} - begin) / 1000)) -lt 1000 ]
}
is_back() { [[ $(timeout -k 1 5 systemctl show --property=MainPID --value bystander) =~ ^[1-9] ]] && ! kill -0 "$1"; } # FORMER-PID
bystander_comes_back() {
	local pid
	pid=$(timeout -k 1 5 systemctl show --property=MainPID --value bystander) || return 1
	kill "$pid"
	wait_for 20 is_back "$pid"
}
others_go_on() { # LABEL
	ok "$1: systemctl answers" within_a_second systemctl is-active dbus
	ok "$1: another unit starts" within_a_second systemctl start other
	ok "$1: sudo answers" within_a_second runuser -u left4me -- sudo -n -l
	ok "$1: a service that is restarted comes back" bystander_comes_back
	ok "$1: a daemon-reload ends" timeout -k 1 20 systemctl daemon-reload
	unlike "$(cat /proc/1/wchan /proc/1/stack 2>/dev/null)" 'fuse|request_wait_answer' "$1: PID 1 does not wait for it"
}

# --- the overlays ------------------------------------------------------------------------------------------------------

as_left4me "mv overlays o && ln -s $there overlays"
systemctl start --no-block build-overlay@10
others_go_on "a build"
ok "it is refused" wait_for 60 eval "journal build-overlay@10 | grep -q \"'$STATE/overlays' leads through a symbolic link\""
systemctl start --no-block left4me-server@off
sleep 1
others_go_on "a build and a server"
kill -KILL "$(pgrep -P "$trap")" "$trap"
as_left4me "rm overlays && mv o overlays"
ok "the build has failed" wait_for 60 eval '[ "$(property build-overlay@10 ActiveState)" = failed ]'
systemctl stop left4me-server@off

# --- the database ------------------------------------------------------------------------------------------------------

runuser -u left4me -- python3 hang.py /var/tmp/hang >hang.log 2>&1 &
wait_for 60 grep -q ^ready hang.log
trap=$(sed -n 's/^ready //p' hang.log)
there=/proc/$trap/root/var/tmp/hang/merged
as_left4me "mv left4me.db kept && ln -s $there/10 left4me.db"
ok "the activation ends" timeout 20 systemctl start left4me-activate
is "$(property left4me-activate Result)" exec-condition "since it follows no link"
ok "the activation: systemctl answers" within_a_second systemctl is-active dbus
ok "the activation: another unit starts" within_a_second systemctl start other
unlike "$(cat /proc/1/wchan /proc/1/stack 2>/dev/null)" 'fuse|request_wait_answer' "the activation: PID 1 does not wait for it"
said=$(COLUMNS=250 timeout -k 1 20 left4me-generator status)
like "$said" "^alpha +running " "the activation: status says what runs"
like "$said" "^unknown without rows: .*is a symbolic link" "the activation: and what it cannot know"
kill -KILL "$(pgrep -P "$trap")" "$trap"
as_left4me "rm left4me.db && mv kept left4me.db"

# --- the database's own file system, as fusermount mounts it for its user -----------------------------------------------

as_left4me "mkdir net"
python3 hang.py "$STATE/net" 980 >net.log 2>&1 &
net=$!
wait_for 60 grep -q ^ready net.log
printf '[host]\ndatabase = %s/net/10/left4me.db\n' "$STATE" >/etc/left4me/left4me.conf.d/50-net.conf
ok "a reload ends" timeout -k 1 20 systemctl daemon-reload
like "$(cat /run/left4me/report)" "net/10/left4me.db: could not be read within 3 seconds; the rows of" "it gives up and has the last good rows"
systemctl start --no-block build-overlay@10
ok "a build looks for its script in it" wait_for 60 eval 'pgrep -u left4me -f left4me-fetch-script'
others_go_on "a build that waits for its script"
ok "the helper's alarm ends it" wait_for 60 eval '[ "$(property build-overlay@10 Result)" = signal ]'
ok "nobody of root's waits in it" wait_for 60 eval '! pgrep -u root -f left4me-fetch-script'
# What a check asks of the same file system, and of one in place of ROOT.
said=$(timeout -k 1 20 left4me-generator check 2>/dev/null)
is "$?" 2 "a check ends, and could not look"
like "$said" "^$STATE/net/10/left4me\.db: no answer within 2 s: neither this nor what comes after it has been looked at" \
	"it says where it has had no answer"
printf '[host]\nroot = %s/net/10\ndatabase = %s\n' "$STATE" "$DATABASE" >/etc/left4me/left4me.conf.d/50-net.conf
said=$(timeout -k 1 20 left4me-generator check 2>/dev/null)
is "$?" 2 "a check of a root that does not answer ends, too"
like "$said" "^$STATE/net/10: no answer within 2 s" "and says so"
like "$(COLUMNS=250 timeout -k 1 20 left4me-generator status | tr -s ' \n' ' ')" " alpha running .* left behind: unknown" \
	"status shows what runs, and what it cannot know"
ok "nobody of root's waits there" wait_for 60 eval '! pgrep -u root -f "left4me-generator check"'
systemctl start --no-block left4me-check.service
ok "left4me-check.service ends, too" wait_for 60 eval '[ "$(property left4me-check ActiveState)" = failed ]'
is "$(property left4me-check Result)/$(property left4me-check ExecMainStatus)" exit-code/2 "and says that it could not look"
systemctl reset-failed left4me-check
rm /etc/left4me/left4me.conf.d/50-net.conf
kill -KILL "$net"
wait "$net" 2>/dev/null
umount -l "$STATE/net"
ok "with the file system gone the process is" wait_for 60 eval '! pgrep -f left4me-fetch-script'
ok "the build has failed by then" wait_for 60 eval '[ "$(property build-overlay@10 ActiveState)" = failed ]'
ok "with its database it builds again" eval 'systemctl daemon-reload && systemctl start build-overlay@10'
systemctl reset-failed
systemctl restart left4me-server@alpha
ok "servers start as before" wait_for 60 is_ready alpha
done_testing
