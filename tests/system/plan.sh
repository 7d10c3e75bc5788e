#!/bin/bash
# What `plan` says before a reload, for every kind of change; that its commands do the rest, run as they are printed; and that
# there is nothing left to say then. The record of each start is what it compares with.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
conf=/etc/left4me/left4me.conf.d/50-plan.conf
configure() { printf '%s\n' "$@" >"$conf"; }
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	mkdir -p "${conf%/*}"
	configure '[web]' 'enabled = no'
	exit
fi

plan() { left4me-generator plan "$@"; }
lines() { plan 2>&1 | grep -v '^=' | tr -s ' '; }
drop_ins=/etc/systemd/system/left4me-server@beta.service.d

# The change is made; plan says LINES, then its commands are run, and plan is empty, before as after a second reload.
change() { # LABEL LINES COMMAND...
	local label=$1 expected=$2 status
	shift 2
	"$@"
	is "$(lines)" "$expected" "$label: what is to come"
	plan >/dev/null
	is $? 1 "$label: status 1"
	plan --commands >commands
	ok "$label: its commands run as they are printed" bash -e commands
	plan >empty 2>&1
	status=$?
	is "$status $(cat empty)" "0 " "$label: then there is nothing to do"
}
drop_in() { mkdir -p "$drop_ins" && printf '[Service]\nNice=%s\n' "$1" >"$drop_ins/50-nice.conf" && plan >/dev/null; }
reset_beta() { systemctl reset-failed left4me-server@beta; }

ok "the boot finishes" booted
host_is_up boot
is "$(plan; echo $?)" 0 "after the boot there is nothing to do"
is "$(runuser -u left4me -- left4me-generator plan; echo $?)" 0 "nor for the web application's user"
is "$(runuser -u other -- left4me-generator plan 2>&1 >/dev/null | grep -c left4me.db)" 1 "who may not read the database is told"
runuser -u other -- left4me-generator plan >/dev/null 2>&1
is $? 2 "with status 2"
record=/run/left4me/mounted/alpha
is "$(sed 's/\(=[^ ]*\).*/\1/; s/=[0-9a-f]\{16\}$//; s/\(host_env\).*/\1/' "$record" | paste -sd' ')" \
	"port=27015 arguments unit hardening layer=1 layer=2 layer=installation host_env" "a record of the start"
is "$(grep -c "$(paste -sd, <(head -n 4 "$record"))" /run/systemd/generator/left4me-server@alpha.service)" 1 "it has what the unit says"

# --- the host's own units -----------------------------------------------------------------------------------------------

lasting() { printf '%s\n' "+ left4me-web.service $1: starts with \`systemctl start left4me-web\`" \
	"+ left4me-workshop-refresh.timer $1: starts with \`systemctl start left4me-workshop-refresh.timer\`"; }
rm "$conf"
is "$(lines | grep -v 'refresh.service new$')" "$(lasting new)" "a web application"
ok "a web application: a reload" reload
change "a web application, after a reload" "$(lasting 'enabled, not started')" true
ok "a web application: it runs" wait_for 60 systemctl is-active left4me-web.service
systemctl stop left4me-web.service
is "$(plan; echo $?)" 0 "a web application: stopped by hand, it stays so"
systemctl start left4me-web.service

# --- rows ---------------------------------------------------------------------------------------------------------------

pid=$(property left4me-server@alpha MainPID)
sql "UPDATE servers SET port = 27100, arguments = '+map x' WHERE name = 'beta'"
ok "a reload first" reload
is "$(lines)" "~ beta port 27016 -> 27100, arguments: restart" "after the reload it is still to be done"
is "$(plan --commands | cut -d' ' -f1-3)" "systemctl restart left4me-server@beta.service" "and no second reload"
change "port and arguments" "~ beta port 27016 -> 27100, arguments: restart" true
more() {
	sql "INSERT INTO server_overlays (server, position, overlay) VALUES ('gamma', 1, 3); UPDATE servers SET port = 27019 WHERE name = 'off'"
	insert_server neu 27030 1 2
	insert_overlay 9 true
}
change "layers, one that does not run, a new server, a script" "~ gamma layers: restart
"'+ neu new, enabled: starts with `systemctl start left4me-server@neu`
~ off port 27018 -> 27019: at its next start
+ overlay 9 has a script: can be built' more
less() { sql "DELETE FROM servers WHERE name = 'neu'; DELETE FROM overlays WHERE id = 9; UPDATE servers SET enabled = 0 WHERE name = 'gamma'"; }
change "rows that go, one that is no longer enabled" "~ gamma no longer enabled
- neu row gone: runs on until it is stopped
- overlay 9 row or script gone" less
insert_server eta 27050 1
plan --commands >commands
ok "a port that is held: its holder starts" bash -e commands
rename() { sql "UPDATE servers SET name = 'theta' WHERE name = 'eta'"; }
change "a port that is held" '- eta row gone: runs on until it is stopped
+ theta new, enabled: starts with `systemctl start left4me-server@theta`, once eta no longer has its port' rename
is "$(cut -d' ' -f2,3 commands)" "daemon-reload 
stop left4me-server@eta.service
start left4me-server@theta.service" "a port that is held: its holder is stopped first"
ok "a port that is held: it has let go of it" wait_for 60 is_ready theta
change "a port that is free" "- theta row gone: runs on until it is stopped" delete_server theta
change "enabled, and running" "~ gamma enabled" sql "UPDATE servers SET enabled = 1 WHERE name = 'gamma'"
change "a row refused, and its server stopped" "~ off refused: port 28500 is not in 27000-27999 ([game] ports)" \
	sql "UPDATE servers SET port = 28500 WHERE name = 'off'"
change "accepted again" "~ off accepted again" sql "UPDATE servers SET port = 27018 WHERE name = 'off'"
sql "UPDATE servers SET port = 28500 WHERE name = 'gamma'"
for when in before after; do
	is "$(lines)" "~ gamma refused: port 28500 is not in 27000-27999 ([game] ports); runs on until it is stopped" "refused while it runs: $when the reload"
	ok "refused while it runs: a reload" reload
done
systemctl stop left4me-server@gamma
is "$(plan; echo $?)" 0 "refused while it runs: stopped, there is nothing to do"
sql "UPDATE servers SET port = 27017 WHERE name = 'gamma'"
change "accepted again" '+ gamma enabled, not started: starts with `systemctl start left4me-server@gamma`' true
ok "stopped by hand: it was ready" wait_for 60 is_ready gamma
systemctl stop left4me-server@gamma
for when in before after; do
	is "$(property left4me-server@gamma ActiveState)/$(plan; echo $?)" inactive/0 "stopped by hand: it stays so, $when a reload"
	ok "stopped by hand: a reload" reload
done
systemctl start left4me-server@gamma
change "enabled" '+ off enabled, not started: starts with `systemctl start left4me-server@off`' \
	sql "UPDATE servers SET enabled = 1 WHERE name = 'off'"


# No command starts what is masked.
systemctl mask left4me-server@off left4me-server@beta 2>/dev/null
systemctl stop left4me-server@off
sql "UPDATE servers SET port = 27111 WHERE name = 'beta'"
insert_server zeta 27070 1
systemctl mask left4me-server@zeta 2>/dev/null
ok "masked: a reload" reload
is "$(lines)" "~ beta port 27100 -> 27111: at its next start" "masked: what runs waits for its next start, the others are left alone"
is "$(plan --commands)" "" "masked: and no command would fail"
like "$(COLUMNS=250 left4me-generator status zeta)" " enabled, but masked$" "masked: status says why it does not run"
sql "UPDATE servers SET port = 27100 WHERE name = 'beta'; DELETE FROM servers WHERE name = 'zeta'"
systemctl unmask left4me-server@{off,beta,zeta} 2>/dev/null
ok "masked: a reload without masks" reload
systemctl start left4me-server@off
is "$(plan; echo $?)" 0 "masked: no more, and there is nothing to do"

# What runs is not put out of work for a layer that is not there yet.
insert_overlay 8
rm -r "$STATE/overlays/8"
sql "INSERT INTO server_overlays (server, position, overlay) VALUES ('off', 2, 8)"
ok "a layer that is missing: a reload" reload
is "$(lines)" "~ off layers, no restart while layer 8 is missing" "a layer that is missing: what runs on"
is "$(left4me-generator status --mark off | tail -n 1)" "marked: none, no server waits for a restart that would succeed" \
	"a layer that is missing: nor has it a mark"
is "$(plan --commands)" "" "a layer that is missing: no command stops what could not start again"
sql "DELETE FROM server_overlays WHERE overlay = 8; DELETE FROM overlays WHERE id = 8"
ok "a layer that is missing: another reload" reload
is "$(plan; echo $?)" 0 "a layer that is missing: it is needed no more"

sql "UPDATE servers SET port = 80 WHERE name = 'off'"
systemctl stop left4me-server@off
ok "a start that was refused: a reload" reload
fails "a start that was refused" systemctl start left4me-server@off
change "a start that was refused, and would not be now" \
	'~ off accepted again, enabled: starts with `systemctl start left4me-server@off`' \
	sql "UPDATE servers SET port = 27018 WHERE name = 'off'"

# What is about to stop is not brought up again.
mkdir -p "$drop_ins" && printf '[Service]\nExecStop=/bin/sleep 5\n' >"$drop_ins/60-slow.conf"
ok "a stop that takes its time: a reload" reload
systemctl stop --no-block left4me-server@beta
ok "a stop that takes its time: it is under way" wait_for 5 eval '[ "$(property left4me-server@beta ActiveState)" = deactivating ]'
sql "UPDATE servers SET port = 27111 WHERE name = 'beta'"
is "$(lines)" "~ beta port 27100 -> 27111: at its next start" "a stop that takes its time: plan does not start it again"
sql "UPDATE servers SET port = 27100 WHERE name = 'beta'"
rm "$drop_ins/60-slow.conf"
ok "a stop that takes its time: another reload" reload
ok "a stop that takes its time: it has stopped" wait_for 10 eval '[ "$(property left4me-server@beta ActiveState)" = inactive ]'
systemctl start left4me-server@beta
is "$(plan; echo $?)" 0 "a stop that takes its time: there is nothing to do"

# --- files --------------------------------------------------------------------------------------------------------------

rebuild() { cp -a "$STATE/overlays/2" "$STATE/overlays/new" && rm -r "$STATE/overlays/2" && mv "$STATE/overlays/new" "$STATE/overlays/2"; }
is "$(property left4me-server@alpha MainPID)" "$pid" "a server without a change was not restarted"
chain() {
	sql "UPDATE servers SET port = 27200 WHERE name = 'gamma'; UPDATE servers SET port = 27017 WHERE name = 'beta';
		UPDATE servers SET port = 27100 WHERE name = 'alpha'"
}
change "each takes the next one's port" "~ alpha port 27015 -> 27100: restart, once beta no longer has its port
~ beta port 27100 -> 27017: restart, once gamma no longer has its port
~ gamma port 27017 -> 27200: restart" chain
is "$(cut -d' ' -f2,3 commands)" "daemon-reload 
restart left4me-server@gamma.service
restart left4me-server@beta.service
restart left4me-server@alpha.service" "each takes the next one's port: the last comes first"
swap() {
	sql "UPDATE servers SET port = 27300 WHERE name = 'alpha'; UPDATE servers SET port = 27100 WHERE name = 'beta';
		UPDATE servers SET port = 27017 WHERE name = 'alpha'"
}
change "two that exchange their ports" "~ alpha port 27100 -> 27017: restart, once beta no longer has its port
~ beta port 27017 -> 27100: restart, once alpha no longer has its port" swap
is "$(cut -d' ' -f2,3 commands)" "daemon-reload 
stop left4me-server@alpha.service
restart left4me-server@beta.service
restart left4me-server@alpha.service" "two that exchange their ports: one is stopped first"
for name in alpha beta gamma; do
	ok "ports: $name has its own" wait_for 60 is_ready "$name"
done
sql "UPDATE servers SET port = 80 WHERE name = 'gamma'; UPDATE servers SET port = 27200 WHERE name = 'beta'; UPDATE servers SET port = 27100 WHERE name = 'alpha'"
is "$(plan --commands | cut -d' ' -f1-3)" "systemctl daemon-reload 
# left4me-server@alpha.service: port
# left4me-server@beta.service: port" "a port that nobody lets go of: no command puts a server out of work"
sql "UPDATE servers SET port = 27017 WHERE name = 'alpha'; UPDATE servers SET port = 27100 WHERE name = 'beta'; UPDATE servers SET port = 27200 WHERE name = 'gamma'"
is "$(plan; echo $?)" 0 "rows as they were"
systemctl reset-failed
change "a layer rebuilt" "~ alpha layer 2 rebuilt: restart" rebuild
change host.env "~ alpha host.env: restart
~ beta host.env: restart
~ gamma host.env: restart
~ off host.env: restart" sh -c 'echo X=1 >>/etc/left4me/host.env'
change "a drop-in" "~ beta 50-nice.conf added: restart" drop_in 3
change "it goes" "~ beta 50-nice.conf removed: restart" rm "$drop_ins/50-nice.conf"

# What says nothing of a start waits for a reload alone. What systemd has written itself it has read.
printf '[Service]\nRestart=no\n' >"$drop_ins/50-nice.conf"
change "a drop-in that a reload applies" "~ units nothing that a server or build notices: a reload takes it in" true
change "it goes" "~ units nothing that a server or build notices: a reload takes it in" rm "$drop_ins/50-nice.conf"
ok "a property" systemctl set-property --runtime left4me-server@beta CPUWeight=50
is "$(plan; echo $?)" 0 "a property that is set: there is nothing to do"

change "a mask of the hardening" "~ beta 10-hardening.conf added: restart" ln -s /dev/null "$drop_ins/10-hardening.conf"
change "it goes" "~ beta 10-hardening.conf removed: restart" rm "$drop_ins/10-hardening.conf"
change "a record that somebody has cut" "~ beta no record of its start: restart" truncate -s 40 /run/left4me/mounted/beta
systemctl reset-failed
mv "$STATE/installation/srcds_run" "$STATE/installation/kept"
printf '#!/bin/sh\nexit 1\n' | put 755 "$STATE/installation/srcds_run"
systemctl restart left4me-server@off
ok "a crash: it waits for its next start" wait_for 60 eval '[ "$(property left4me-server@off SubState)" = auto-restart ]'
is "$(plan; echo $?)" 0 "a crash: which is no start without a record"
mv "$STATE/installation/kept" "$STATE/installation/srcds_run"
ok "a crash: it runs again" wait_for 60 is_ready off

# --- configuration ------------------------------------------------------------------------------------------------------

change "more rows than [host] servers" "- off beyond [host] servers: runs on until it is stopped" configure '[host]' 'servers = 3'
change "no more" '+ off new, enabled: starts with `systemctl start left4me-server@off`' configure '[host]' 'servers = 4'
is "$(configure '[web]' "venv = $STATE/other" && plan --commands | grep -c ' restart left4me-web.service ')" 1 "a unit and its drop-in: one restart"
change "keys" "~ all builds [build] timeout 1h -> 2h: at their next build
~ all servers [game] memory_max 2G -> 3G: restart
~ l4d2-build.slice AllowedCPUs=0: at the next start in it
~ l4d2-game.slice AllowedCPUs=1-7: at the next start in it
~ left4me-web.service ExecStart= changed, TasksMax=196 -> 328: restart
~ left4me-workshop-refresh.timer [workshop] refresh *-*-* 04:00:00 -> daily
+ system.slice.d/10-left4me-cpuset.conf new: at the next start in it
+ user.slice.d/10-left4me-cpuset.conf new: at the next start in it" configure '[game]' 'memory_max = 3G' '[build]' 'timeout = 2h' \
	'[web]' 'workers = 2' '[workshop]' 'refresh = daily' '[host]' 'cpus = 8' 'system_cpus = 0'
is "$(systemctl show --property=NextElapseUSecRealtime --value left4me-workshop-refresh.timer | cut -d' ' -f3)" 00:00:00 "the reload has brought the calendar"
like "$(configure '[game]' 'memory_max = 4G' '[host]' 'cpus = 8' 'system_cpus = 0' && plan --diff)" $'left4me-server@.service\n-MemoryMax=3G\n\\+MemoryMax=4G' "--diff shows the lines"
configure '[game]' 'memory_max = 4G' 'strict_ports = yes'
systemctl daemon-reload
systemctl restart left4me-web
ok "another reload" reload
is "$(lines)" "~ all servers unit, hardening: restart" "after it hashes alone tell of what all servers have in common"
change "one has it already" "~ alpha unit, hardening: restart
~ beta unit, hardening: restart
~ gamma unit, hardening: restart" systemctl restart left4me-server@off

change "no web application" "- left4me-web.service gone: runs on until it is stopped
- left4me-workshop-refresh.service gone
- left4me-workshop-refresh.timer gone: fails at the reload unless it is stopped before" configure '[web]' 'enabled = no' '[game]' 'memory_max = 4G' 'strict_ports = yes'
is "$(failed_units)" "" "and nothing has failed"

done_testing
