#!/bin/bash
# In a guest: the web application's worker, step by step (scenario 2), who only asks systemd (S29). Each step is left4me-worker as left4me inside a unit with
# the web unit's hardening; nothing is asked of systemd by root but what the host would do by itself.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
WORKER=$PWD/left4me-worker
RULES=/run/left4me/sudoers.d/left4me

make_database
install_game "$@"
install_web
insert_overlay 1
insert_overlay 2
insert_overlay 10 'echo started; sleep 1000; echo on'

# shellcheck source=tests/system/as-web.sh
. ./as-web.sh
reload

worker() { in_web worker python3 "$WORKER" "$@"; }
step() { # NAME ARGUMENT...
	local name=$1
	shift
	worker "$@"
	tap_result $? "$name" || diag "$OUT $ERR"
}
in_background() { # NAME ARGUMENT...
	local name=$1
	shift
	prepare_web "$name" python3 "$WORKER" "$@"
	systemctl start --no-block "as-web@$name.service"
}
# shellcheck disable=SC2317 # called by wait_for
{
	ended() { [ "$(property "as-web@$1.service" ActiveState)" != activating ]; }
	is_gone() { [ "$(property "left4me-server@$1" ActiveState)" = inactive ]; }
	waits_for_restart() { [ "$(property "left4me-server@$1" SubState)" = auto-restart ]; }
}
invocation() { property "left4me-server@$1" InvocationID; }
# What a run said, told from other runs by the first eight digits of its invocation.
said_by() { # INVOCATION
	journalctl --sync
	journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID="$1" | sort
}
shown_by() { # NAME INVOCATION
	sed -n "s/^${2:0:8} //p" "/opt/as-web/$1.out" | grep -v 'left4me-server@' | sort
}

# --- the worker's day ---------------------------------------------------------------------------------------------------

insert_server alpha 27015 0 2 1
step "reload" reload
is "$OUT" "" "nothing was refused"
is "$(property left4me-check.service Result)" success "the check was clean"

in_background follow log alpha 500
wait_for 60 pgrep -f 'left4me-worker log'
step "start" start alpha
ok "it is ready" wait_for 60 is_ready alpha
is "$(mounts)" alpha "it is mounted"
first=$(invocation alpha)
step "status" status
is "$OUT" "alpha running " "it runs, and nothing waits"
step "restart" restart alpha
ok "it is ready again" wait_for 60 is_ready alpha
second=$(invocation alpha)
step "log" log alpha 1
like "$OUT" "^${second:0:8} srcds_run: -game left4dead2" "the log of this run"
unlike "$OUT" "^${first:0:8}" "and not that of the run before"

# --- a server on which people play ----------------------------------------------------------------------------------------

insert_overlay 11
# Not in place of srcds_run: systemd 257 may take a unit's only process for nobody's child and then kills it at once on a stop.
put 755 "$STATE/overlays/11/srcds_linux" <a2s-server
insert_server busy 27040 0 11
step "reload with a server on which people play" reload
step "start busy" start busy
ok "busy is ready" wait_for 60 is_ready busy
busy=$(invocation busy)
sql "UPDATE servers SET port = 27041 WHERE name = 'busy'"
step "reload with another port" reload
! worker drain busy 0
is "$ERR" "left4me-worker: not restarted: 2 on busy" "two play, and a bot, on the port that it was started with"
is "$(invocation busy)" "$busy" "so it is left alone"
! worker drain alpha 0
is "$ERR" "left4me-worker: not restarted: alpha does not answer" "what does not answer is no empty server"
step "drain" drain busy 60
ok "busy is ready again" wait_for 60 is_ready busy
is "$(said_by "$busy" | grep asked | sort -r | paste -sd,)" "asked: 2 play,asked: 1 play,asked: 0 play" "it was asked until nobody played"
step "status of busy" status busy
is "$OUT" "busy running " "and restarted, so that nothing waits any more"
step "stop busy" stop busy
! worker drain busy
is "$ERR" "left4me-worker: busy is stopped: there is nothing to drain" "a server that does not run"
delete_server busy

# --- a row that goes -------------------------------------------------------------------------------------------------------

delete_server alpha
pid=$(property left4me-server@alpha MainPID)
step "reload without the row" reload
is "$OUT" "" "nothing was refused"
is "$(property left4me-server@alpha ActiveState) $(property left4me-server@alpha MainPID)" "active $pid" "it still runs"
is "$(mounts)" alpha "it is still mounted"
step "status of one" status alpha
is "$OUT" "alpha running not in the database" "and it is said to have no row"
! worker status nosuch
tap_result $? "there is no status of a server that is not there"
like "$ERR" "there is no server 'nosuch'" "which is said"
is "$(grep -o 'systemctl [a-z-]* left4me-server@.*' $RULES)" "systemctl stop left4me-server@alpha.service" \
	"of all that changes it, stop is left"
for verb in start restart reset-failed; do
	! worker $verb alpha
	tap_result $? "$verb is denied"
done
step "log without the row" log alpha
like "$OUT" "^${second:0:8} srcds_run: -game left4dead2" "still the log of this run"
step "stop" stop alpha
is "$(property left4me-server@alpha ActiveState)" inactive "it is down"
is "$(findmnt --list --noheadings --output TARGET,SOURCE | grep alpha)" "" "nothing is left in findmnt"
step "once more" stop alpha
step "reload when it is down" reload
is "$(grep -c left4me-server@ $RULES)" 0 "its last rules are gone"
step "stop without a rule: it does not run" stop alpha
! worker start alpha
tap_result $? "start without a row is refused"
like "$ERR" "left4me-worker: unknown: it has no row" "which is the reason"
insert_server toolate 27030 0
! worker start toolate
like "$ERR" "left4me-worker: not reloaded yet" "of a new row, that there was no reload"
sql "UPDATE servers SET port = 28500 WHERE name = 'toolate'"
step "reload with a row that is refused" reload
! worker start toolate
like "$ERR" "left4me-worker: refused: .*\(instance 'toolate'\), port: 28500" "of a refused row, why"
sql "UPDATE servers SET port = 27030, arguments = '+ip 1' WHERE name = 'toolate'"
step "reload with a row that is advised against" reload
like "$OUT" "arguments of instance 'toolate': \+ip competes" "which the report says"
is "$(python3 -c 'from sandboxed_script import *; print(why_denied("left4me-server@toolate.service", "sudo: broken"))')" "sudo: broken" \
	"and is not taken for a refusal"
delete_server toolate
step "reload" reload
! worker log alpha
tap_result $? "log without a rule is refused"
like "$ERR" . "... with a reason: $ERR"

# --- deleted at other moments -------------------------------------------------------------------------------------------

insert_server stopping 27016 0 1
insert_server restarting 27017 0 1
insert_server crashed 27018 0 1
install -d /run/systemd/system/left4me-server@.service.d
# Slow enough to be met: none goes down before it may, which is said where they see it. What has crashed restarts before the
# worker's patience of 15 s is at its end.
printf '%s\n' '[Service]' TimeoutStopSec=infinity RestartSec=12 \
	"ExecStop=/bin/sh -c 'until [ -e $STATE/steam/may-stop ]; do sleep 0.1; done'" \
	>/run/systemd/system/left4me-server@.service.d/50-slow.conf
step "reload" reload
for name in stopping restarting crashed; do
	step "start $name" start $name
done
for name in stopping restarting crashed; do
	ok "$name is ready" wait_for 60 is_ready $name
done
systemctl kill --signal=KILL left4me-server@crashed.service
ok "crashed waits for its restart" wait_for 60 waits_for_restart crashed
systemctl stop --no-block left4me-server@stopping.service
systemctl restart --no-block left4me-server@restarting.service
sql "DELETE FROM servers"
systemctl daemon-reload
is "$(property left4me-server@stopping SubState) $(property left4me-server@restarting SubState)" "stop stop" "both still go down"
is "$(grep -o 'systemctl [a-z-]* left4me-server@.*' $RULES)" "systemctl stop left4me-server@restarting.service
systemctl stop left4me-server@stopping.service" "what goes down can be stopped; what waits for a restart does not run"
touch "$STATE/steam/may-stop"
for name in stopping restarting crashed; do
	step "stop $name" stop $name
	ok "$name is down, and not failed" wait_for 60 is_gone $name
done
is "$(mounts)" "" "nothing is mounted"
rm /run/systemd/system/left4me-server@.service.d/50-slow.conf
step "reload" reload
is "$(grep -c left4me-server@ $RULES)" 0 "no rule is left"

# shellcheck disable=SC2317 # wait_for calls it
shows_all() { [ "$(shown_by follow "$1")" = "$(said_by "$1")" ]; } # INVOCATION
wait_for 60 shows_all "$second"
systemctl stop as-web@follow
is "$(shown_by follow "$first")" "$(said_by "$first")" "it has every line of the first run, also the first ones"
is "$(shown_by follow "$second")" "$(said_by "$second")" "and of the second"
like "$(cat /opt/as-web/follow.out)" "^${first:0:8} Starting left4me-server@alpha" "systemd's own lines belong to a run too"

# --- builds -------------------------------------------------------------------------------------------------------------

# Its overlay is deleted while it runs.
in_background build build 10
ok "a build has started" wait_for 60 grep -qx started /opt/as-web/build.out
sql "DELETE FROM overlays WHERE id = 10"
step "reload without the overlay" reload
is "$(grep -o 'systemctl [a-z-]* build-overlay@10.*' $RULES)" "systemctl stop build-overlay@10.service" "it can be stopped, not started"
step "cancel" cancel 10
ok "it has ended" wait_for 60 ended build
# At times systemd 257 takes the first process of PrivatePIDs= for "not our child" and does not see how it ended.
like "$(cat /opt/as-web/build.err)" "left4me-worker: build-overlay@10.service failed: Result=(signal ExecMainStatus=9|success ExecMainStatus=0)" \
	"by a signal"
is "$(tail -n +2 /opt/as-web/build.out)" started "and did not go on"
like "$(head -n 1 /opt/as-web/build.out)" '^left4me-overlay: the build stands on the generation of ' "after the line that says what it stands on"
step "reload" reload
is "$(grep -c build-overlay@10 $RULES)" 0 "its rules are gone"

# sudo that logs what it runs, as left4me(7) has it: then a follower of a log ends as ever.
echo 'Defaults log_output, log_input' >/etc/sudoers.d/10-site
echo 'Defaults:left4me !log_output, !log_input' >/etc/sudoers.d/50-left4me-no-log
insert_overlay 12 'for i in 1 2 3; do echo line $i; sleep 0.2; done'
step "reload with another overlay" reload
step "build" build 12
is "$(grep '^line' <<<"$OUT" | paste -sd' ')" "line 1 line 2 line 3" "sudo logs others' commands: a build shows all it says"
is "$(find /var/log/sudo-io -type f 2>/dev/null | wc -l)" 0 "nothing of it is logged"
ok "and no follower stays" wait_for 60 eval '! pgrep -x journalctl'
rm /etc/sudoers.d/10-site /etc/sudoers.d/50-left4me-no-log

# Ctrl-C on a terminal is a SIGINT to all that runs there.
insert_overlay 13 'echo started; sleep 1000; echo on'
step "reload with one more" reload
setsid setpriv --reuid left4me --regid left4me --clear-groups python3 "$WORKER" build 13 >typed.out 2>typed.err &
ok "a build on a terminal has started" wait_for 60 grep -qx started typed.out
kill -INT -- "-$!"
wait "$!"
is "$?/$(tail -n 1 typed.err | cut -d: -f-2)" "1/left4me-worker: build-overlay@13.service cancelled" "Ctrl-C cancels it"
like "$(property build-overlay@13 ActiveState)" "^(failed|inactive)$" "and it does not go on"

is "$(pgrep -x journalctl | wc -l)" 0 "no journalctl is left behind"
is "$(failed_units | grep -v '^\(build-overlay\|as-web\)@')" "" "no unit has failed but builds"
is "$(systemctl list-units --plain --no-legend 'left4me-server@*' | grep -c .)" 0 "no server is known any more"
done_testing
