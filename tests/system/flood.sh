#!/bin/bash
# Servers and builds flood the journal: everybody's older lines stay, nobody waits, and what a game says at its loudest is all
# there. Then left4me(7)'s recipe for a journal of their own, from its text, with systemctl status, the worker and its sudo rules.
# shellcheck disable=SC2016,SC2317 # scripts of the guest; functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
# shellcheck source=tests/system/bystander.sh
. ./bystander.sh
GAME=$STATE/installation/srcds_run

flooding_game() { # SIZE
	printf '#!/bin/sh\nexec python3 -I %s/installation/flood.py %s\n' "$STATE" "$1" | put 755 "$GAME"
}

if [ "${1-}" = prepare ]; then
	set -e
	make_host
	bystander_prepare
	insert_overlay 5 'exec python3 -I /overlay/flood.py "$(cat /overlay/size)"'
	insert_overlay 6 'echo hello from the build; exit 3'
	install -o left4me -g left4me flood.py "$STATE/overlays/5/"
	install -o left4me -g left4me flood.py "$STATE/installation/"
	# The journal as a host has it, but small; with the limits that journald has by default.
	rm /etc/systemd/journald.conf.d/system-test.conf
	mkdir -p /var/log/journal
	printf '[Journal]\nSystemMaxUse=128M\n' >/etc/systemd/journald.conf.d/small.conf
	exit
fi
ok "the boot finishes" booted
bystander_calm 5
cp -p "$GAME" game

fresh_journal() {
	journalctl --rotate --quiet
	journalctl --vacuum-size=1 --quiet 2>/dev/null
	systemctl restart systemd-journald	# it counts anew
	logger -t sshd "marker: accepted password"
	journalctl --sync
}
markers() { journalctl --no-pager -b -o cat -t sshd | grep -c marker; }
usage() { journalctl --disk-usage | sed 's/.* take up \([^ ]*\) .*/\1/'; }

flood() { # UNIT SIZE COMMAND...: until COMMAND has ended
	local unit=$1 size=$2
	shift 2
	flooding_game "$size"
	echo "$size" | put 644 "$STATE/overlays/5/size"
	systemctl start --no-block "$unit"
	wait_for 60 pgrep -f '/flood\.py '
	"$@"
	systemctl stop "$unit"
	journalctl --sync
	lines=$(journalctl --no-pager -o cat "_SYSTEMD_UNIT=$unit" | grep -c '^flood')
	systemctl reset-failed "$unit" 2>/dev/null
	return 0
}

# Without the limits, what the flood does. A unit's limit of 0 is journald's own, 10 000 in 30 s.
unlimited() {
	mkdir -p /etc/systemd/system/left4me-server@.service.d
	printf '[Service]\nLogRateLimitIntervalSec=0\nLogFilterPatterns=\n' >/etc/systemd/system/left4me-server@.service.d/90-less.conf
	systemctl daemon-reload
}
evicted() { [ "$(markers)" = 0 ]; }
unlimited
fresh_journal
began=${EPOCHREALTIME/./}
flood left4me-server@off.service 48000 wait_for 200 evicted
took=$(((${EPOCHREALTIME/./} - began) / 1000))
is "$(markers)" 0 "without the limits a flood evicts the marker, in $took ms (journal $(usage), $lines lines kept)"
rm /etc/systemd/system/left4me-server@.service.d/90-less.conf
systemctl daemon-reload

# With them, for longer than that; on a machine with other work not as long as it would take.
FLOOD_TIME=$((took < 4000 ? took / 1000 + 2 : 6))
[ -z "$LONG" ] || FLOOD_TIME=$((took / 500 + 10))
for unit in left4me-server@off.service build-overlay@5.service; do
	for size in 48000 60 8000; do
		# A build has journald's own rate: in a journal as small as this one, long lines that pass do evict.
		[ "${unit%@*} $size" != "build-overlay 8000" ] || continue
		fresh_journal
		bystander_watch "$unit, lines of $size bytes" flood $unit $size sleep $FLOOD_TIME
		# Of the longest lines none is kept: that they come is seen below, where the limit is off.
		[ "$size" -ge 8192 ] || ok "$unit: it is a flood" test "$lines" -gt 0
		is "$(markers)" 1 "$unit: a flood of lines of $size bytes evicts nothing (journal $(usage), $lines lines kept)"
	done
done

# The web application has journald's sockets: entries of 6 MiB by its own, a memory file each, and by syslog's lines as
# long as a datagram may be, with line breaks in them.
put 755 "$STATE/.venv/bin/gunicorn" <<-'APP'
	#!/usr/bin/python3 -I
	import array, fcntl, os, socket, struct, syslog, time
	big, taken = 6 << 20, {"journal": 0, "syslog": 0}
	with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
	    for _ in range(40):
	        with os.fdopen(os.memfd_create("entry", os.MFD_ALLOW_SEALING), "wb") as file:
	            file.write(b"MESSAGE=flood\nDATA\n" + struct.pack("<Q", big) + os.urandom(big) + b"\n")
	            file.flush()
	            fcntl.fcntl(file, fcntl.F_ADD_SEALS, 15)
	            for kind in ["journal"] + 60 * ["syslog"]:
	                try:
	                    if kind == "journal":
	                        s.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()]))], 0,
	                                  "/run/systemd/journal/socket")
	                    else:
	                        s.sendto(b"<13>flood: " + b"\n".join(os.urandom(2000).hex().encode() for _ in range(25)), "/dev/log")
	                    taken[kind] += 1
	                except OSError:
	                    pass
	syslog.syslog("by syslog")
	print("sent:", taken, flush=True)
	time.sleep(1000)
APP
fresh_journal
systemctl restart left4me-web
ok "left4me-web: it has sent all" wait_for 60 eval 'journal left4me-web | grep -q "^sent:"'
is "$(markers)" 1 "left4me-web: entries of 6 MiB evict nothing (journal $(usage), $(journal left4me-web | grep ^sent:))"
like "$(journal left4me-web)" "^by syslog$" "left4me-web: syslog is there for what is shorter"
mkdir -p /etc/systemd/system/left4me-web.service.d
printf '[Service]\nInaccessiblePaths=\nLogFilterPatterns=\n' >/etc/systemd/system/left4me-web.service.d/50-less.conf
systemctl daemon-reload
fresh_journal
systemctl restart left4me-web
ok "left4me-web: with the drop-in all evict the marker" wait_for 60 evicted
rm -r /etc/systemd/system/left4me-web.service.d
systemctl daemon-reload
systemctl stop left4me-web

# The loudest that a game is known to be: all variables listed, three times in a row; 3500 lines each time.
fresh_journal
put 755 "$GAME" <<-'GAME'
	#!/bin/bash
	for round in 1 2 3; do
		seq -f "sv_some_variable_of_the_game_%g : 1 : , \"sv\", \"rep\" : what it is for, as cvarlist prints it" 3500
	done
	echo all said
	trap 'exit 130' INT
	sleep infinity &
	wait
GAME
systemctl restart left4me-server@alpha
ok "a loud game" wait_for 60 eval 'run_log alpha | grep -q "^all said"'
is "$(run_log alpha | grep -c ^sv_some)" 10500 "10 500 lines at once: each is there"
systemctl stop left4me-server@alpha

cp -p game "$GAME"

# --- the recipe ---------------------------------------------------------------------------------------------------------

# left4me(7)'s block NUMBER of that section.
block() {
	awk -v wanted="$1" '/^\.S[hs] / { inside = /A journal of their own/ } /^\.Ed/ { in_block = 0 }
		inside && in_block && n == wanted { gsub(/\\e/, "\\"); print } /^\.Bd/ && inside { in_block = 1; n++ }' left4me.7
}
block 1 >recipe
ok "left4me(7) has the recipe: $(wc -l <recipe) lines" test "$(wc -l <recipe)" -ge 5
ok "it runs" bash -e recipe
ok "sudo takes its rules" visudo -c
cp -r /usr/local/share/left4me/examples /opt/worker
ok "the worker's copy is edited" eval "cd /opt/worker && $(block 2)"
like "$(grep ^JOURNAL /opt/worker/sandboxed_script.py)" '"--namespace", "\+left4me"' "the worker's copy knows the namespace"
worker /usr/bin/systemctl start left4me-server@off.service
# is_ready looks where the lines are no longer.
is_ready_there() { journalctl --no-pager --namespace +left4me -o cat -u "left4me-server@$1" | grep -q 'srcds_linux: ready'; }
ok "a server starts and says so" wait_for 60 is_ready_there off
like "$(systemctl status --no-pager -n 50 left4me-server@off)" 'srcds_linux: ready' "systemctl status shows its lines"
sync_journal
for sudo in sudo sudo-rs; do
	said=$(runuser -u left4me -- env SUDO=$sudo python3 /opt/worker/left4me-worker log off)
	like "$said" 'Started left4me-server@off' "the worker, by $sudo: systemd's lines"
	like "$said" 'srcds_linux: ready' "and the server's"
	said=$(runuser -u left4me -- env SUDO=$sudo python3 /opt/worker/left4me-worker build 6 2>&1)
	like "$said" '^hello from the build' "a build's, by $sudo"
	like "$said" 'ExecMainStatus=3' "and how it ended"
done
fails "the worker reads no other unit there" worker /usr/bin/journalctl --namespace +left4me --no-pager -a -o json -n 200 -u sshd.service
systemctl stop left4me-server@off
unlimited
fresh_journal
flood left4me-server@off.service 48000 sleep $FLOOD_TIME
is "$(markers)" 1 "with it even a flood without limits evicts nothing of the host's (journal $(usage))"
ok "though it is kept: $(journalctl --no-pager --namespace left4me -o cat -u left4me-server@off | grep -c ^flood) lines" \
	eval 'journalctl --no-pager --namespace left4me -o cat -u left4me-server@off | grep -q ^flood'
done_testing
