#!/bin/bash
# Attacks by the user left4me, who owns the database, its directory and all below it, and by an ordinary user. The last part
# pins the limits that SECURITY.md admits: when one of them falls, that document is to be changed with it.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	exit
fi

as_other() { runuser -u other -- bash -c "$1"; }                    # COMMANDS
describes_alpha() { property left4me-server@alpha Description; }

ok "the boot finishes" booted
ok "the servers are up" wait_for 60 is_ready gamma

# --- the place of the database -----------------------------------------------------------------------------------------

sqlite3 /root/roots.db "BEGIN; $(cat views.sql) INSERT INTO generator_instances (name, port) VALUES ('evil', 27500); COMMIT"

# Replaces the database, reloads, and looks at what became of a server.
replace() { # LABEL EXPECTED-REPORT COMMANDS
	local before=$SECONDS
	as_left4me "mv left4me.db keep && $3"
	ok "$1: daemon-reload" systemctl daemon-reload
	ok "$1: within 15 s" test $((SECONDS - before)) -le 15
	like "$(head -n 1 /run/left4me/report)" "$2" "$1: the report says why"
	is "$(describes_alpha)" "Left 4 Dead 2 server alpha" "$1: the units stay"
	is "$(property left4me-server@evil LoadState)$(property left4me-server@evil Description)" \
		"loadedLeft 4 Dead 2 server evil, not in the database" "$1: no row of another database"
	as_left4me "rm -rf left4me.db left4me.db-* && mv keep left4me.db"
}
replace "database a link to root's" "is a symbolic link" "ln -s /root/roots.db left4me.db"
replace "database a link to a device" "is a symbolic link" "ln -s /dev/zero left4me.db"
replace "database a FIFO" "is not a regular file" "mkfifo left4me.db"
replace "database a directory" "is not a regular file" "mkdir left4me.db"
replace "database of a terabyte" "not a database" "truncate -s 1T left4me.db"
replace "log a link to a file of root's" "symbolic link" "cp keep left4me.db && ln -s /etc/shadow left4me.db-wal"
replace "log an endless device" "unable to open" "cp keep left4me.db && ln -s /dev/zero left4me.db-wal && touch left4me.db-shm"

# --- the process that parses it ----------------------------------------------------------------------------------------

as_left4me "mv left4me.db keep && sqlite3 left4me.db \"BEGIN; $(cat views.sql endless.sql) COMMIT\""
# It has the database open once it has given up all its rights. Stopped, it stays as it is while it is looked at.
descriptors() { find "/proc/$reader/fd" -type l -printf '%l\n'; }
reader() {
	reader=$(pgrep -u left4me -x left4me-generat) && descriptors | grep -qx "$DATABASE" && kill -STOP "$reader"
}
reload &
wait_for 60 reader
cp "/proc/$reader/status" status
descriptors | sed 's/:.*//' | sort -u >descriptors
kill -CONT "$reader" 2>/dev/null
wait $!
is "$(sed -n -e 's/^\(Uid\|Gid\|CapPrm\|CapEff\|NoNewPrivs\):\t/\1 /p' status | tr '\t' ' ' | paste -sd,)" \
	"Uid 980 980 980 980,Gid 980 980 980 980,CapPrm 0000000000000000,CapEff 0000000000000000,NoNewPrivs 1" \
	"the reading process of a real reload is not root and cannot become it"
like "$(grep ^Groups: status)" '^Groups:\s*$' "it has no group of root's"
like "$(cat descriptors)" "pipe" "it has the pipe to its parent"
is "$(grep -vE '^(/dev/null|/dev/kmsg|pipe|/var/lib/left4me/left4me.db)$' descriptors)" "" "nor a descriptor but its pipe, its database and the log's"
as_left4me "rm left4me.db && mv keep left4me.db"
reload

# A directory of the database's that changes places with a link to root's, while it is read. The process becomes the user
# before it looks at any path: so whose it is counts once it has the file.
as_left4me "mkdir data && sqlite3 data/left4me.db \"BEGIN; $(cat views.sql endless.sql) COMMIT\" && ln -s /root/data link"
cp -r "$STATE/data" /root/data && chown -R root: /root/data
printf '[host]\ndatabase = %s/data/left4me.db\n' "$STATE" >/etc/left4me/left4me.conf.d/50-data.conf
SWAP='import ctypes
libc = ctypes.CDLL(None)
while True:
    libc.renameat2(-100, b"link", -100, b"data", 2)'
WATCH='import os
while True:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{pid}/comm").read() == "left4me-generat\n":
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                    if target.endswith("left4me.db"):
                        status = open(f"/proc/{pid}/status").read().split("\n")
                        print([line.split()[1] for line in status if line.startswith("Uid:")][0], target, flush=True)
        except OSError:
            pass'
as_left4me "exec python3 -c '$SWAP'" &
swap=$!
python3 -c "$WATCH" >seen &
watch=$!
# Each finds now the one, now the other.
for i in {1..60}; do
	systemctl daemon-reload
	[ "$i" -lt 6 ] || [ ! -s seen ] || break
done
kill "$watch" "$swap"
pkill -u left4me -f renameat2
wait "$watch" "$swap"
is "$(sed 's@ .*/@ @' seen | sort -u)" "980 left4me.db" \
	"in a directory that changes places with a link to root's: nobody but the user reads"
unlike "$(cat seen)" " /root" "and nobody reads root's"
rm -r /etc/left4me/left4me.conf.d/50-data.conf /root/data
as_left4me "rm -rf data link"
reload

# --- links below the state directory -----------------------------------------------------------------------------------

owners() { stat -c '%U:%G %a %n' /etc /root /etc/shadow /usr; }
before=$(owners; ls /etc)
as_left4me "mv overlays o && ln -s /etc overlays && mv runtime r && ln -s /root runtime && mv installation i && ln -s /etc/shadow installation"
systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/left4me.conf >/dev/null 2>&1
is "$(owners; ls /etc)" "$before" "systemd-tmpfiles at boot follows no link of left4me's"
fails "a server whose runtime/ is a link does not start" worker /usr/bin/systemctl start left4me-server@off.service
as_left4me "rm overlays runtime installation && mv o overlays && mv r runtime && mv i installation"
for part in . upper work; do
	systemctl stop left4me-server@off.service      # or Restart= starts it amid the change
	systemctl reset-failed left4me-server@off 2>/dev/null
	as_left4me "rm -rf runtime/off && if [ $part = . ]; then ln -s /etc runtime/off; else mkdir runtime/off && ln -s /etc runtime/off/$part; fi"
	fails "a server whose runtime/NAME/$part is a link does not start" worker /usr/bin/systemctl start left4me-server@off.service
done
is "$(owners; ls /etc)" "$before" "and nothing is made where they lead"
is "$(findmnt --raw --noheadings --types overlay --output TARGET | grep -v "^/run/left4me/server/\|^/$")" "" "nor mounted"
systemctl stop left4me-server@off.service      # or Restart= starts it later
as_left4me "rm -rf runtime/off"

# --- the web application's own view ------------------------------------------------------------------------------------

put 755 "$STATE/.venv/bin/look" <<-'END'
	#!/bin/bash
	for path in /etc/left4me/host.env /etc/left4me/left4me.conf /etc/left4me/x /run/left4me/x /run/left4me/sudoers.d/x /run/left4me/root/x \
		/run/systemd/generator/x /run/systemd/system/x /etc/systemd/system/x /usr/local/libexec/left4me/x /usr/local/libexec/left4me/left4me-overlay \
		/etc/sudoers.d/x /proc/sys/kernel/core_pattern /opt/left4me/src/x /sys/fs/cgroup/x; do
		(: >>"$path") 2>/dev/null && echo "sees: writes $path"
	done
	(: >>/var/lib/left4me/written) && echo "sees: writes its state"
	for path in /home/other /root /run/left4me/last-good /run/left4me/sudoers.d/left4me /etc/shadow; do
		(ls "$path/." || cat "$path") >/dev/null 2>&1 && echo "sees: reads $path"
	done
	unshare -U true 2>/dev/null && echo "sees: makes a user namespace"
	unshare -m true 2>/dev/null && echo "sees: makes a mount namespace"
	mount -t tmpfs none /tmp 2>/dev/null && echo "sees: mounts"
	for pid in /proc/[0-9]*; do [ "$(stat -c %U "$pid" 2>/dev/null)" = root ] && echo "sees: sees a process of root's"; done
	sudo -n true 2>/dev/null && echo "sees: any command by sudo"
	sudo -n -l | grep -c NOPASSWD: | sed 's/^/sees: rules /'
END
# By /proc/PID/root one process is given what another sees, where the kernel lets it look into that.
VIEWS='import os, time
own, end, seen = open("/proc/self/cgroup").read(), time.monotonic() + 8, set()
while time.monotonic() < end:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            group = open(f"/proc/{pid}/cgroup").read()
            if group != own and os.listdir(f"/proc/{pid}/root"):
                seen.add(group.strip().rpartition("/")[2])
        except OSError:
            pass
print("views:", *sorted(seen), flush=True)'
put 755 "$STATE/.venv/bin/views" <<<"#!/usr/bin/python3
$VIEWS"
printf '#!/bin/sh\n%s/.venv/bin/look\n%s/.venv/bin/views\nexec sleep infinity\n' "$STATE" "$STATE" | put 755 "$STATE/.venv/bin/gunicorn"
ln -sf look "$STATE/.venv/bin/flask"
systemctl restart left4me-web
systemctl start left4me-workshop-refresh
for unit in left4me-web left4me-workshop-refresh; do
	ok "$unit tried" wait_for 60 eval "journal $unit | grep -q 'sees: rules'"
	rules=0
	[ $unit != left4me-web ] || rules=$(grep -c '^left4me ALL=(root) NOPASSWD: /' /run/left4me/sudoers.d/left4me)
	is "$(journal $unit | sed -n 's/^sees: //p' | paste -sd,)" "writes its state,rules $rules" \
		"$unit writes its state, reads no secret of root's, and has the literal commands alone, or none"
done

# --- what others of the same user see ------------------------------------------------------------------------------------

# They run again and again meanwhile, and the web application beside the refresh. By themselves they take some hundredths of a
# second: each is held for one, as its own user in its own sandbox, so that it is there when it is looked for.
hold() { # UNIT LINE...
	mkdir -p "/etc/systemd/system/$1.service.d"
	printf '%s\n' '[Service]' "${@:2}" >"/etc/systemd/system/$1.service.d/50-held.conf"
}
hold left4me-check ExecStartPre='/bin/sleep 1'
mapfile -t conditions < <(grep '^ExecCondition=' /run/systemd/generator/left4me-activate.service)
hold left4me-activate ExecCondition= ExecCondition='/bin/sleep 1' "${conditions[@]}"
systemctl daemon-reload
views() { # UNIT
	local loops
	CURSOR=$(journal_cursor)
	while :; do
		systemctl reset-failed left4me-check.service
		systemctl start left4me-check.service
	done >/dev/null 2>&1 &
	loops=$!
	while :; do
		systemctl restart left4me-activate.service
	done >/dev/null 2>&1 &
	loops+=" $!"
	systemctl restart "$1"
	wait_for 60 eval "journalctl --no-pager -o cat --after-cursor='$CURSOR' -u $1 | grep '^views:' >views"
	kill $loops && wait $loops
	cat views
}
ln -sf views "$STATE/.venv/bin/flask"
for unit in left4me-web left4me-workshop-refresh; do
	is "$(views $unit)" "views:" "$unit has no view but its own, whoever else of its user runs"
done
for unit in left4me-check left4me-activate; do
	mkdir -p /etc/systemd/system/$unit.service.d
	printf '[Service]\nAmbientCapabilities=\n' >/etc/systemd/system/$unit.service.d/50-without.conf
done
mkdir -p /etc/systemd/system/left4me-workshop-refresh.service.d
printf '[Service]\nPrivateUsers=no\n' >/etc/systemd/system/left4me-workshop-refresh.service.d/50-without.conf
systemctl daemon-reload
is "$(views left4me-web)" "views: left4me-activate.service left4me-check.service" "without their capability the check and the activation lend it theirs"
like "$(views left4me-workshop-refresh)" "left4me-web.service" "and without a user namespace the refresh looks into the web application"
rm /etc/systemd/system/left4me-*.service.d/50-{held,without}.conf
systemctl daemon-reload

# --- other users -------------------------------------------------------------------------------------------------------

for file in "$DATABASE" /run/left4me/last-good /run/left4me/sudoers.d/left4me /etc/left4me/web.env /etc/left4me/host.env; do
	ok "$file is there" test -e "$file"
	fails "another user does not read $file" as_other "cat $file"
done
# Each of these may be a file system of its own.
looked_at='/ /etc /run /tmp /usr /var /var/lib /var/tmp'
is "$(as_other "find $looked_at -xdev -path /run/left4me/sudoers.d -print -quit")" /run/left4me/sudoers.d "another user's look comes as far as /run"
as_other "find $looked_at -xdev \( -path '*left4me*' -o -path '*l4d2*' \) -writable ! -type l 2>/dev/null" >writable
is "$(grep -v '^/opt/system-test' writable)" "" "another user writes no file of the project's"
fails "another user has no command by sudo" as_other "sudo -n /usr/bin/systemctl restart left4me-reload.service"
fails "another user starts no server" as_other "systemctl --no-ask-password start left4me-server@off.service"

# --- what is admitted --------------------------------------------------------------------------------------------------

as_left4me "mv installation/srcds_run game"
put 755 $STATE/installation/srcds_run <<-'END'
	#!/bin/bash
	(: </dev/tcp/127.0.0.1/8000) && echo "reaches loopback"
	python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('\0of-the-host'); print('reaches an abstract socket')"
	grep -q ':1F40 00000000:0000 0A' /proc/self/net/tcp && echo "lists a listener"
	python3 -IB - <<-'PROGRAM'
		import socket, sys
		sys.path.insert(0, "/usr/local/libexec/left4me/selftest.d")
		from probes.network import socket_of_32_bits
		try:
		    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
		except OSError as error:
		    print("netlink by 64-bit code:", error.strerror)
		print("netlink by 32-bit code:", socket_of_32_bits({"own": "/tmp"}, 16, 3, 0))
	PROGRAM
	echo tried
	trap 'exit 130' INT
	sleep infinity &
	wait
END
python3 -c "
import socket, time
a, b = socket.socket(), socket.socket(socket.AF_UNIX)
b.bind('\0of-the-host'), b.listen(), a.bind(('127.0.0.1', 8000)), a.listen()
time.sleep(1000)" &
listener=$!
wait_for 60 eval ': </dev/tcp/127.0.0.1/8000'
worker /usr/bin/systemctl start left4me-server@off.service
wait_for 60 eval 'run_log off | grep -q ^tried'
kill "$listener"
wait "$listener" 2>/dev/null
is "$(run_log off | grep -E '^(reaches|lists) ' | paste -sd,)" "reaches loopback,reaches an abstract socket,lists a listener" \
	"limit: a server reaches loopback and abstract sockets, and lists the host's sockets"
is "$(run_log off | grep '^netlink' | paste -sd,)" \
	"netlink by 64-bit code: Address family not supported by protocol,netlink by 32-bit code: 0" \
	"limit: 32-bit code makes sockets that 64-bit code cannot"
worker /usr/bin/systemctl stop left4me-server@off.service
as_left4me "mv game installation/srcds_run"

like "$(as_other "cat /run/systemd/generator/left4me-server@alpha.service")" "hostport [0-9]+ .map c1m1_hotel" "limit: everybody reads a server's arguments"
done_testing
