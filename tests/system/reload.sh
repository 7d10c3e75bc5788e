#!/bin/bash
# In a guest: left4me-reload.service. Success means that the caller's rows are in, calls at once share a reload, a second lies
# between two, nobody waits without end, and no failed unit is left.
# shellcheck disable=SC2016,SC2317 # functions that ok and wait_for call; wait_for evaluates
# shellcheck source=tests/system/guest.sh
. ./guest.sh
UNIT=left4me-reload.service
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	exit
fi

is_inactive() { [ "$(property "$UNIT" ActiveState)" = inactive ]; }
has_job() { systemctl list-jobs --no-legend | grep -q "$UNIT"; }
now() { echo $((${EPOCHREALTIME/./} / 1000)); }
# Of the reloads since the last call of this: begin and end, in ms.
mark() {
	journalctl --sync
	journalctl --no-pager -b -n 1 --show-cursor | sed -n 's/^-- cursor: //p' >cursor
}
reloads() {
	journalctl --sync
	journalctl --no-pager -b --after-cursor="$(cat cursor)" -o short-unix _PID=1 | awk '
		/Reload(ing)? requested from client/ { begin = $1 }
		/Reloading finished/ { printf "%d %d\n", begin * 1000, $1 * 1000 }'
}
shortest_pause() { reloads | awk 'NR > 1 && (least == "" || $1 - end < least) { least = $1 - end } { end = $2 } END { print least }'; }

ok "the boot finishes" booted
is "$(property $UNIT UnitFileState) $(property $UNIT WantedBy)$(property $UNIT RequiredBy)" "generated " "the unit is wanted by nothing"

# --- one call -----------------------------------------------------------------------------------------------------------

# From systemd's answer to the end of the pause, in ms.
pause() {
	sync_journal
	journalctl --no-pager -b --after-cursor="$(cat cursor)" -o short-unix -u "$UNIT" | awk '
		/: Started left4me-reload/ { begin = $1 }
		/Deactivated successfully/ { printf "%d\n", ($1 - begin) * 1000 }'
}
mark
ok "a call succeeds" reload
is "$(reloads | wc -l)" 1 "it is one reload"
read -r begin end < <(reloads)
ok "the unit ends by itself" wait_for 60 is_inactive
[ "$(pause)" -gt 900 ] || [ $((end - begin)) -gt 800 ]
tap_result $? "who calls alone does not wait for the pause" ||
	diag "the end comes $(pause) ms behind the answer, a reload took $((end - begin)) ms"

# --- a database that does not answer --------------------------------------------------------------------------------------

# The generator waits for it, and PID 1 for the generator.
view=$(sql "SELECT sql FROM sqlite_schema WHERE name = 'generator_layers'")
sql "DROP VIEW generator_layers; CREATE VIEW generator_layers AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)
	SELECT CAST(NULL AS TEXT) AS instance, 1 AS position, 1 AS overlay FROM n WHERE i < 0"
mark
ok "a reload succeeds" reload
like "$(cat /run/left4me/report)" "could not be read within" "without the database"
sql "DROP VIEW generator_layers; $view"
ok "so does the next one" reload
ok "the next reload comes 20 s after: $(shortest_pause) ms" test "$(shortest_pause)" -ge 20000
is "$(cat /run/left4me/report)" "" "with the database"
ok "and the pause is over" wait_for 60 is_inactive
ok "as short as before" test ! -e /run/systemd/generator/$UNIT.d

# --- what systemd makes of it ---------------------------------------------------------------------------------------------

# Each unit that it reads for a server costs each reload time, and once more for each client that waits, who is told of it.
told() { # PATTERN: what its clients are told of
	systemd-run --quiet --unit=told --service-type=exec --property=StandardOutput=truncate:/run/told busctl --json=short \
		--match="type='signal',interface='org.freedesktop.systemd1.Manager',member='UnitNew'" monitor
	# systemd says nothing before somebody asks to be told.
	SYSTEMCTL_FORCE_BUS=1 systemd-run --quiet --wait --unit=waits sleep 1000 &
	# The monitor hears of them once it is there, as of that which comes behind all others.
	wait_for 60 eval 'systemd-run --quiet --wait true; grep -q . /run/told'
	systemctl daemon-reload
	systemd-run --quiet --wait --unit=last true
	wait_for 60 grep -q '"last.service"' /run/told
	systemctl stop told waits
	wait
	python3 -c 'import json, sys
print(*sorted({json.loads(line)["payload"]["data"][0] for line in open("/run/told")}), sep="\n")' | grep -E "$1"
}
ok "alpha is ready" wait_for 60 is_ready alpha
# It looks for a mount on the directory of each mount, too.
is "$(told alpha | xargs)" "left4me-server@alpha.service run-left4me-server-alpha-merged.mount run-left4me-server-alpha.mount" \
	"of a server systemd reads its unit and its mount, no more"

# --- success means that the row is in -----------------------------------------------------------------------------------

# Ten callers with a row each, at any moment of the others' reloads. Only what takes the row in gives it a sudo rule.
may_start() { runuser -u left4me -- sudo -n -l /usr/bin/systemctl start "left4me-server@$1.service" >/dev/null 2>&1; }
caller() { # NUMBER
	local round
	for round in 1 2 3 4; do
		sleep 0.$((RANDOM % 9))$((RANDOM % 9))
		insert_server "row-$1-$round" $((27100 + 10 * $1 + round)) 0 || echo "$1-$round: not inserted"
		reload || echo "$1-$round: status $?"
		may_start "row-$1-$round" || echo "$1-$round: not in"
	done
}
mark
begin=$(now)
for number in {1..10}; do
	caller "$number" &
done >said 2>&1
wait
is "$(cat said)" "" "40 calls of ten callers: each succeeds, and each row is in"
took=$(($(now) - begin))
count=$(reloads | wc -l)
ok "they share $count reloads in $took ms" test "$count" -lt $((took / 1000 + 2))
ok "a second and more between each two, at least $(shortest_pause) ms" test "$(shortest_pause)" -ge 950

# --- who is told to ask again -------------------------------------------------------------------------------------------

# Whose reload does not come, since others call without end.
mkdir -p /run/systemd/system/$UNIT.d
printf '[Unit]\nJobTimeoutSec=4s\n' >/run/systemd/system/$UNIT.d/50-short.conf
systemctl daemon-reload
for _ in 1 2 3; do
	while [ ! -e over ]; do
		systemctl restart --no-block $UNIT
	done &
done
wait_for 60 has_job
sleep 1
said=$(worker /usr/bin/systemctl restart $UNIT 2>&1)
is "$?" 1 "under calls without end: status 1"
like "$said" "^Job for $UNIT timed out" "... and the reason"
: >over
wait
is "$(failed_units)" "" "no failed unit"
rm -r /run/systemd/system/$UNIT.d
ok "then it succeeds again" wait_for 60 reload

# It waits for the pause after another, which lasts until it was seen to.
hold() {
	mkdir -p /run/systemd/system/$UNIT.d
	printf '[Service]\nExecStopPost=/bin/sh -c "while [ -e /run/held ]; do sleep 0.1; done"\n' \
		>/run/systemd/system/$UNIT.d/50-held.conf
	touch /run/held
	reload
}
let_go() {
	rm /run/held
	rm -r /run/systemd/system/$UNIT.d
}
hold
worker /usr/bin/systemctl restart $UNIT >said 2>&1 &
wait_for 60 has_job
systemctl stop --no-block $UNIT
wait $!
is "$?" 1 "replaced by another job: status 1"
like "$(cat said)" "^Job for $UNIT canceled" "... and the reason"
let_go
wait_for 60 is_inactive
is "$(failed_units)" "" "no failed unit"

# --- the worker ---------------------------------------------------------------------------------------------------------

left4me_worker() { runuser -u left4me -- env -C "$STATE" python3 "$PWD/left4me-worker" "$@"; }
chmod 755 . && chmod 644 sandboxed_script.py a2s.py && chmod 755 left4me-worker
mark
for number in {1..8}; do
	left4me_worker reload || echo "status $?"
done >said 2>&1
is "$(cat said) $(reloads | wc -l)" " 8" "eight requests one after the other: eight reloads"
wait_for 60 is_inactive
mark
begin=$(now)
for number in {1..8}; do
	{ left4me_worker reload || echo "status $?"; } &
done >said 2>&1
wait
is "$(cat said)" "" "eight requests of the worker's at once: each succeeds"
took=$(($(now) - begin))
count=$(reloads | wc -l)
ok "they are $count reloads in $took ms" test "$count" -le 3 -o "$count" -lt $((took / 1000 + 2))

hold
left4me_worker reload >said 2>&1 &
wait_for 60 has_job
systemctl stop --no-block $UNIT
let_go
wait $!
is "$? $(cat said)" "0 " "whose request is replaced asks again"
insert_server bad 1 0
left4me_worker reload >said 2>&1
like "$? $(cat said)" "^0 .*bad" "the worker says what was refused"
done_testing
