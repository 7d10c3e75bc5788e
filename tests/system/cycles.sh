#!/bin/bash
# Scenario 8: many start/stop cycles of four servers leave the mount table as it was; kills of the server and of the
# mount helper; a server whose first process ignores SIGINT. Each mount is the host's, though the helper is called
# from a unit with a namespace of its own (S23).
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
units=(left4me-server@{alpha,beta,gamma,off}.service)
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	sql "UPDATE servers SET enabled = 0"
	# Its top layer brings another srcds_run.
	insert_overlay 9
	install -o left4me -g left4me /opt/system-test/srcds/srcds_run-stubborn "$STATE/overlays/9/srcds_run"
	insert_server stubborn 27020 1 9
	insert_server victim 27021 0 1
	insert_server killed 27022 0 2
	# The victim is started again by hand, and by nothing else.
	for setting in victim:Restart=no killed:RestartSec=200ms; do
		mkdir -p "/etc/systemd/system/left4me-server@${setting%:*}.service.d"
		printf '[Service]\n%s\n' "${setting#*:}" >"/etc/systemd/system/left4me-server@${setting%:*}.service.d/50-test.conf"
	done
	exit
fi

now() { echo $((${EPOCHREALTIME/./} / 1000)); }
middle() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
has_new_invocation() { [ "$(property "$1" InvocationID)" != "$2" ]; }
is_in_state() { [ "$(property "$1" ActiveState)" = "$2" ]; }
all_listen() { [ "$(ss -Hltn | grep -cE ':2701[5-8] ')" = 4 ]; }
is_over() { is_in_state "$1" inactive || is_in_state "$1" failed; }

ok "the boot finishes" booted
ok "the stubborn server is ready" wait_for 60 is_ready stubborn
is "$(property left4me-server@stubborn TimeoutStopUSec)" 15s "it has 15 s to stop"

# --- the stubborn one; its 15 s run beside what follows -----------------------------------------------------------------

# systemd first takes a main process in a PID namespace of its own for nobody's child, and when the unit has no other process
# it does not wait for it; it looks again at a reload.
reload
systemctl stop --no-block left4me-server@stubborn
sleep 2
is "$(property left4me-server@stubborn ActiveState)" deactivating "it ignores SIGINT"

# --- SIGKILL of a server -----------------------------------------------------------------------------------------------

unit=left4me-server@killed.service
ok "a server starts" systemctl start "$unit"
ok "it is ready" wait_for 60 is_ready killed
is_back() { has_new_invocation "$unit" "$1" && is_in_state "$unit" active; } # FORMER-INVOCATION
is_back_or_failed() { is_in_state "$unit" failed || is_back "$1"; }
kills=0
while is_in_state "$unit" active && [ "$kills" -lt 20 ]; do
	invocation=$(property "$unit" InvocationID)
	systemctl kill --kill-whom=main --signal=KILL "$unit"
	kills=$((kills + 1))
	wait_for 60 is_back_or_failed "$invocation"
	is_in_state "$unit" failed || wait_for 60 is_ready killed
done
is "$kills" 10 "it was restarted after each of nine kills with SIGKILL, and not after the tenth"
is "$(property "$unit" ActiveState)/$(property "$unit" NRestarts)" failed/10 "now it is failed"
like "$(journal "$unit")" "Start request repeated too quickly" "because of the start limit"
is "$(mounts | grep killed)" "" "it is unmounted"
ok "reset-failed as the worker" worker /usr/bin/systemctl reset-failed "$unit"
ok "and it starts" worker /usr/bin/systemctl start "$unit"
ok "and is ready" wait_for 60 is_ready killed

# The child alone, and everything at once.
for whom in child all; do
	invocation=$(property "$unit" InvocationID)
	systemctl reset-failed "$unit"
	if [ "$whom" = child ]; then
		kill -KILL "$(pgrep --parent "$(property "$unit" MainPID)" srcds_linux)"
	else
		systemctl kill --signal=KILL "$unit"
	fi
	ok "SIGKILL of $whom: it comes back" wait_for 60 has_new_invocation "$unit" "$invocation"
	ok "SIGKILL of $whom: and is ready" wait_for 60 is_ready killed
	is "$(mounts | grep -c killed)" 1 "SIGKILL of $whom: mounted once"
done
ok "it stops" systemctl stop "$unit"
systemctl reset-failed "$unit" 2>/dev/null

# --- SIGKILL of the mount helper ---------------------------------------------------------------------------------------

unit=left4me-server@victim.service
helper_was_killed() { journal "$unit" | grep -q "Control process exited, code=killed, status=9"; }
helper_waits() { pgrep -f 'left4me-overlay mount .* victim'; }

# It waits for the lock of the instance: killed before it has mounted.
install -d -m 700 /run/left4me/server /run/left4me/server/victim
exec 9</run/left4me/server/victim
flock 9
systemctl start --no-block "$unit"
ok "the helper waits for the lock" wait_for 60 helper_waits
pkill -KILL -f 'left4me-overlay mount .* victim'
ok "killed before the mount: the start fails" wait_for 60 helper_was_killed
exec 9<&-
# A start that comes while ExecStopPost= runs joins the job that has failed, and reset-failed then makes that a success.
ok "killed before the mount: it is over" wait_for 60 is_over "$unit"
systemctl reset-failed "$unit"
ok "killed before the mount: the next start works" systemctl start "$unit"
ok "killed before the mount: it is ready" wait_for 60 is_ready victim
is "$(mounts | grep -c victim)" 1 "killed before the mount: mounted once"
ok "it stops" systemctl stop "$unit"

# Killed at each of the calls that make the mount.
conf=/run/systemd/system/$unit.d/60-kill.conf
mkdir -p "${conf%/*}"
for call in fsopen:1 fsconfig:1 fsmount:1 move_mount:1 sendmsg:1 exit_group:1; do
	label="killed at ${call%:*}"
	cat >"$conf" <<END
[Service]
ExecStartPre=
ExecStartPre=+/usr/bin/strace -qq -e trace=${call%:*} -e inject=${call%:*}:signal=KILL:when=${call#*:} /usr/local/libexec/left4me/left4me-overlay mount %i 1 installation
Restart=no
END
	systemctl daemon-reload
	cursor=$(journal_cursor)
	fails "$label: the start fails" systemctl start "$unit"
	like "$(log_since "$cursor" "$unit")" "killed by SIGKILL" "$label: it was killed"
	ok "$label: it is over" wait_for 60 is_over "$unit"
	is "$(mounts | grep victim)" "" "$label: nothing stays mounted"
	rm "$conf"
	systemctl daemon-reload
	systemctl reset-failed "$unit"
	ok "$label: the next start works" systemctl start "$unit"
	ok "$label: it is ready" wait_for 60 is_ready victim
	is "$(mounts | grep -c victim)" 1 "$label: mounted once"
	systemctl stop "$unit"
done
systemctl reset-failed "$unit" 2>/dev/null

# --- the stubborn one again --------------------------------------------------------------------------------------------

ok "the stubborn server is over" wait_for 60 is_over left4me-server@stubborn
begin=$(property left4me-server@stubborn ActiveExitTimestampMonotonic)
end=$(property left4me-server@stubborn InactiveEnterTimestampMonotonic)
echo "# the stubborn server was gone after $(((end - begin) / 1000)) ms"
ok "after its 15 s" test $((end - begin)) -ge 14900000 -a $((end - begin)) -le 25000000
like "$(journal left4me-server@stubborn)" "State 'stop-sigterm' timed out. Killing" "by SIGKILL"
is "$(mounts)" "" "nothing is mounted"
is "$(pgrep -c srcds_linux)" 0 "no server is left"
systemctl reset-failed left4me-server@stubborn

# --- many cycles ---------------------------------------------------------------------------------------------------------

before=$(mount_table)
failures=0
cycles=${LONG:+100}
for ((cycle = 1; cycle <= ${cycles:=25}; cycle++)); do
	systemctl reset-failed "${units[@]}" 2>/dev/null
	systemctl start "${units[@]}" || failures=$((failures + 1))
	# A SIGINT before srcds_run has got to its first line is lost.
	wait_for 60 all_listen || failures=$((failures + 1))
	if [ "$cycle" = 10 ]; then
		for name in alpha beta gamma off; do
			ok "cycle $cycle: $name is ready" wait_for 60 is_ready "$name"
		done
		is "$(mounts | wc -l)" 4 "cycle $cycle: four are mounted"
	fi
	for unit in "${units[@]}"; do
		begin=$(now)
		systemctl stop "$unit" || failures=$((failures + 1))
		echo $(($(now) - begin)) >>/root/stops
	done
done
is "$failures" 0 "all starts and stops of $cycles cycles of four servers succeeded"
is "$(mount_table)" "$before" "the mount table is as before (S34)"
is "$(find "$STATE"/runtime/*/work -mindepth 1 | wc -l)" 0 "nothing is left in the work directories"
is "$(pgrep -c srcds)" 0 "no process is left"
is "$(find "$STATE/runtime" -maxdepth 2 ! -user left4me | wc -l)" 0 "all directories are left4me's (S6)"
median=$(middle </root/stops)
echo "# stop: median $median ms, slowest $(sort -n /root/stops | tail -n 1) ms of $(wc -l </root/stops)"
# The bar is 500 ms on an idle machine; this one may be busy.
ok "the median stop took $median ms, at most 1500" test "$median" -le 1500
systemctl start "${units[@]}"
ok "once more" wait_for 60 all_listen
systemctl stop "${units[@]}"
is "$(failed_units)" "" "a stop is no failure" || diag "$(journalctl -o cat --no-pager -n 30 -u 'left4me-server@*')"
done_testing
