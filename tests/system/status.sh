#!/bin/bash
# What `status` says of a host on which this and that waits: to root, to the web application's user and to nobody; screen and
# JSON.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	sql "UPDATE overlays SET kind = 'script', script = 'echo again >left4dead2/top' WHERE id = 1"
	insert_overlay 4 'exit 3'
	insert_overlay 5 'exec sleep 1000'
	insert_server looping 27020 0 1
	exit
fi

status() { left4me-generator status "$@"; }
wide() { COLUMNS=250 left4me-generator status "$@"; }
as() { # USER [OPTION...]
	local user=$1
	shift
	runuser -u "$user" -- left4me-generator status "$@"
}
line() { wide 2>&1 | grep "^$1 " | tr -s ' '; } # NAME
rest() { status 2>&1 | sed -n '/^builds:/,$p'; }
json() { status --json | python3 -c "import json, sys; s = json.load(sys.stdin); by = {v['name']: v for v in s['servers']}; print($1)"; } # EXPRESSION
code() { "$@" >/dev/null 2>&1; echo $?; } # COMMAND...

ok "the boot finishes" booted
host_is_up boot

# --- all is well -------------------------------------------------------------------------------------------------------

is "$(code status)" 0 "nothing waits: status 0"
is "$(wide | awk 'NR > 1 && !/:/ { print $1, $2, $4, $6, NF }')" "alpha running 27015 0 6
beta running 27016 0 6
gamma running 27017 0 6
looping stopped 27020 - 6
off stopped 27018 - 6" "the servers, sorted, with the ports that they were started with"
like "$(rest)" "^builds: none runs, none has failed +last reload [0-9]+ (s|min) ago, 0 problems$" "the host in a line"
is "$(status | awk 'length > 80')" "" "no line is longer than 80 characters"
is "$(code status nosuch)" 2 "a name that is none: status 2"
is "$(status $'no\e[31m' 2>&1)" "left4me-generator: there is no server 'no\x1b[31m'" "and whatever it is, it is fit for a terminal"
is "$(wide beta | awk '{ print $1 }' | paste -sd' ')" "NAME beta" "one server alone"
# Without what one call has and the next has not: times, memory, and the width of both.
timeless() { sed -E 's/ [0-9]+ ?(s|min|h|m|d)( |$)/ N\2/g; s/ [0-9.]+[KMG] / M /g' | tr -s ' '; }
is "$(as left4me | timeless)" "$(status | timeless)" "the web application's user sees the same"
systemctl stop left4me-server@gamma
like "$(line gamma)" "^gamma stopped [0-9]+s 27017 - 0 enabled, but stopped$" "a server that was stopped: since when"
is "$(code status)" 0 "which may be meant: status 0"
systemctl start left4me-server@gamma
ok "it is started again" wait_for 60 is_ready gamma
is "$(NO_COLOR=1 on_terminal left4me-generator status | grep -c $'\033')" 0 "no colour with NO_COLOR"
like "$(on_terminal left4me-generator status)" $'\033\\[32mrunning' "colour on a terminal"

# --- what waits --------------------------------------------------------------------------------------------------------

sql "UPDATE servers SET port = 27115 WHERE name = 'beta'"
like "$(line beta)" "^beta running [0-9a-z]+ 27016 [-0-9.KMG]+ 0 reload: port 27016 -> 27115$" \
	"before a reload the port is the one that runs"
is "$(code status)/$(code status beta)/$(code status gamma)" 1/1/0 "status 1 where a row waits for a reload"
is "$(json "[(v['name'], v['reload']) for v in s['servers'] if v['reload'] or v['waits']]")" "[('beta', 'port 27016 -> 27115')]" "JSON says it"
is "$(as left4me --json | python3 -c 'import json, sys; print(*[v["reload"] for v in json.load(sys.stdin)["servers"]])')" \
	"None port 27016 -> 27115 None None None" "to the web application, too"
sql "UPDATE servers SET arguments = '+map x', enabled = 0 WHERE name = 'gamma'; UPDATE servers SET port = 80 WHERE name = 'off';
	UPDATE servers SET enabled = 1 WHERE name = 'looping'; DELETE FROM server_overlays WHERE server = 'alpha' AND position = 1"
is "$(COLUMNS=250 status | sed -n 's/^\([a-z]*\) .*\(reload: .*\)/\1 \2/p')" "alpha reload: layers
beta reload: port 27016 -> 27115
gamma reload: arguments, no longer enabled
looping reload: enabled
off reload: refused: port 80 is not in 27000-27999 ([game] ports)" "whatever changes in rows"
sql "UPDATE servers SET arguments = '+map c1m1_hotel', enabled = 1 WHERE name = 'gamma'; UPDATE servers SET port = 27018 WHERE name = 'off';
	UPDATE servers SET enabled = 0 WHERE name = 'looping'; INSERT INTO server_overlays (server, position, overlay) VALUES ('alpha', 1, 1)"
dropped=/etc/systemd/system/left4me-server@.service.d
mkdir "$dropped"
printf '[Service]\nNice=1\n' >"$dropped/50-nice.conf"
like "$(line gamma)" " reload: 50-nice.conf added$" "a drop-in"
systemctl daemon-reload
chmod 600 "$dropped/50-nice.conf"
like "$(COLUMNS=250 as left4me gamma)" "0  restart: 50-nice.conf added$" "it is not said to be gone to who may not read it"
rm -r "$dropped"
sql "UPDATE servers SET port = 27016 WHERE name = 'beta'"
reload
is "$(code status)" 0 "all is as it was"
sql "INSERT INTO overlays (id, name, kind) VALUES (80, char(10), 'files')"
is "$(code status)/$(code status beta)" 1/0 "a refused row that is no server's waits, too"
reload
is "$(code status)/$(code as nobody)" 1/1 "after the reload likewise"
sql "DELETE FROM overlays WHERE id = 80"
reload
sql "UPDATE servers SET port = 27115 WHERE name = 'beta'"
reload
like "$(line beta)" "^beta running .* 27016 .* restart: port 27016 -> 27115$" "a new port waits for a restart"
is "$(code status)/$(code status beta)/$(code status gamma)" 1/1/0 "status 1 where something waits"
is "$(code status alpha)" 0 "nothing waits for alpha"
ok "its layer is built" systemctl start build-overlay@1
like "$(line alpha)" "restart: layer 1 rebuilt$" "which waits for a restart then"
sql "UPDATE servers SET name = 'alfa' WHERE name = 'alpha'"
like "$(line alpha)" "reload: row gone" "a deleted row before the reload"
like "$(line alfa)" "^alfa stopped .* reload: new row" "a new row before the reload"
reload
like "$(line alfa)" "^alfa stopped - 27015 - - enabled, not started" "a reload starts nothing"
like "$(line alpha)" "^alpha running [0-9a-z]+ 27015 [-0-9.KMG]+ 0 not in the database; holds the port of alfa" \
	"a running server without a row"
sql "UPDATE servers SET port = 28500 WHERE name = 'off'"
printf '#!/bin/sh\nexit 1\n' | put 755 "$STATE/installation/srcds_run"
systemctl start left4me-server@looping 2>/dev/null
reload
ok "a crash loop shows, with its last exit status" wait_for 60 eval \
	'line looping | grep -Eq "^looping restarting - 27020 - [1-9][0-9]* [1-9][0-9]* restarts?, the last: exit status 1 after [0-9]+ s$"'
install -d /etc/systemd/system/left4me-server@looping.service.d
printf '[Service]\nRestartSec=50ms\n' >/etc/systemd/system/left4me-server@looping.service.d/50-fast.conf
reload
ok "then systemd gives up" wait_for 60 eval 'line looping | grep -q "^looping failed "'
like "$(line looping)" "^looping failed [0-9a-z]+ 27020 - [0-9]+ given up after [0-9]+ restarts, the last: exit status 1 after [0-9]+ s$" \
	"which is said"
like "$(line off)" "^off refused - - - - port 28500 is not in 27000-27999 \(\[game\] ports\)$" "a refused row"
systemctl start build-overlay@4 2>/dev/null
systemctl start --no-block build-overlay@5
ok "a build runs" wait_for 60 eval 'rest | grep -q "5 running for"'
like "$(rest)" "4 failed [0-9]+ (s|min) ago \(exit status 3\), 5 running for [0-9]+ (s|min)" "builds that failed and run"
like "$(rest)" "last reload [0-9]+ (s|min) ago, 1 problem: left4me-generator check" "the problems of the last reload"
as_left4me "mkdir -p runtime/delta overlays/77 overlays/78/deep; ln -s / runtime/link; ln -s / overlays/79; head -c 300000 /dev/zero >overlays/78/deep/file"
like "$(rest)" "^left behind: overlays/77, overlays/78, runtime/delta \(no row\)$" "what is left behind"
like "$(status --sizes)" "overlays/78 [23][0-9][0-9]K" "its size"
like "$(status --sizes | head -n 1)" "RESTARTS +SIZE +NOTE" "a column for sizes"
is "$(status | awk 'length > 80')" "" "still no line is longer than 80 characters"
status | sed 's/^/# /'
COLUMNS=120 left4me-generator status | sed 's/^/# /'

# --- JSON --------------------------------------------------------------------------------------------------------------

ok "JSON is valid" eval 'status --json | python3 -m json.tool'
is "$(json "[(v['name'], v['state'], v['port']) for v in s['servers'] if v['name'] != 'looping']" | tr -d "(),[]'")" \
	"alfa stopped 27015 alpha running 27015 beta running 27016 gamma running 27017 off refused None" "JSON has the servers of the screen"
is "$(json "(by['beta']['restart'], by['beta']['port_source'], by['beta']['waits'], by['gamma']['waits'])")" \
	"('port 27016 -> 27115', 'record', True, False)" "what waits"
is "$(json "s['refusals']")" "[{'view': 'generator_instances', 'row': 5, 'column': 'port', 'server': 'off', 'overlay': None, 'reason': '28500 is not in 27000-27999 ([game] ports)'}]" \
	"view, row and column of a refusal"
is "$(json "(s['left_behind'][0], s['problems'], s['unknown'], s['waits'])")" "({'path': 'overlays/77', 'size': None}, 1, None, True)" "the host"
is "$(json "[(v['overlay'], v['state'], v['exit_status']) for v in s['builds']]")" "[(4, 'failed', 3), (5, 'running', None)]" "builds"
is "$(json "abs(by['gamma']['since'] - int('$(date -d "$(property left4me-server@gamma ActiveEnterTimestamp)" +%s)')) < 2")" True "the time of a start"

# --- who may not read --------------------------------------------------------------------------------------------------

is "$(as left4me --json | tr -d 0-9)" "$(status --json | tr -d 0-9)" "the web application's user gets the same JSON"
nobody=$(COLUMNS=250 as nobody)
is "$(code as nobody)" 1 "nobody gets an answer"
like "$nobody" "restart: port 27016 -> 27115" "with what waits"
like "$(tr -s ' \n' ' ' <<<"$nobody")" "left behind: unknown unknown without rows: $DATABASE: .*may not" "and what it cannot know"
like "$(tr -s ' \n' ' ' <<<"$nobody")" "off refused - - - - port 28500 is not in 27000-27999 \(\[game\] ports\)" "and why a row is refused"
is "$(as nobody --json | python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["left_behind"], s["refusals"])')" "None None" "null in JSON"

# --- metrics, as the README has it -------------------------------------------------------------------------------------

cd "$(share)/examples" || exit
install left4me-metrics /usr/local/lib/ && cp left4me-metrics.service left4me-metrics.timer /etc/systemd/system/
cd - >/dev/null || exit
mkdir -p /var/lib/prometheus/node-exporter
systemctl daemon-reload
ok "metrics are written" systemctl start left4me-metrics.service
ok "a timer writes them" systemctl start left4me-metrics.timer
metrics=$(cat /var/lib/prometheus/node-exporter/left4me.prom)
is "$(grep -Ev '^left4me_[a-z_]+(\{server="[a-z]+"\})? [0-9]+$|^# (HELP|TYPE) ' <<<"$metrics")" "" "each line is a name and a number"
is "$(sed -n 's/^# TYPE \([^ ]*\) gauge$/\1/p' <<<"$metrics" | sort)" "$(sed -n 's/^\(left4me[a-z_]*\).*/\1/p' <<<"$metrics" | sort -u)" \
	"each name has a type"
like "$metrics" '^left4me_up 1$' "left4me is up"
like "$metrics" 'left4me_server_restart_needed\{server="beta"\} 1' "what waits for a restart"
like "$metrics" 'left4me_server_up\{server="off"\} 0' "what is down"
like "$metrics" 'left4me_builds_failed 1' "builds that have failed"
systemctl stop left4me-metrics.timer
is "$(PATH=/nowhere /usr/local/lib/left4me-metrics metrics.prom 2>&1; echo "$?"; grep -v '^#' metrics.prom)" \
	"left4me-metrics: left4me-generator: No such file or directory: is left4me installed?
1
left4me_up 0" "once left4me is gone it says so, and that nothing is up"

# --- a server of an earlier version ------------------------------------------------------------------------------------

mv /run/left4me/mounted/gamma record
like "$(line gamma)" "^gamma running [0-9a-z]+ 27017\? .* started without a record: what waits for a restart is unknown$" \
	"without a record its port is what its process says"
is "$(json "by['gamma']['port_source']")" process "JSON says so, too"
like "$(COLUMNS=250 as nobody gamma | tr -s ' ')" "gamma running [0-9a-z]+ 27017\? " "to everybody"
sed 1,2d record >/run/left4me/mounted/gamma
like "$(line gamma)" "^gamma running [0-9a-z]+ 27017\? .* started without a record: what waits for a restart is unknown$" "half a record is none"
mv record /run/left4me/mounted/gamma
echo port=27030 >/run/left4me/mounted/hand
like "$(line hand)" "^hand stopped - - - - mounted by hand: left4me-overlay umount hand$" "a record of no unit's"
rm /run/left4me/mounted/hand
printf 'port=27030\nunit=0123456789abcdef\n' >/run/left4me/mounted/ghost
like "$(line ghost)" "^ghost stopped - - - - still mounted: systemctl start left4me-unmount$" "a record without a server"
systemctl start left4me-unmount
is "$(line ghost)" "" "and what it says helps"

# --- a systemd that does not answer -----------------------------------------------------------------------------------

# Asks as USER, stands still behind its COUNT-th message to systemd, and goes on once systemd stands still itself.
traced() { # USER MODE STRACE-OPTION...
	timeout 300 strace -qq -e trace=sendmsg "${@:3}" setpriv --reuid "$1" --regid "$1" --clear-groups -- left4me-generator "$2"
}
stopped='stopped by SIGSTOP'
ask_amid() { # USER COUNT MODE
	local trace=trace.$1.$2.$3 asked=asked.$1.$2.$3 count=$2
	# The last but one of the run before, and of another one where units came or went meanwhile, and none was so late.
	[ "$count" != last ] || count=$(($(messages "$1") - 1))
	until traced "$1" "$3" -o "$trace" -e "inject=sendmsg:signal=STOP:when=$count" >"$asked" 2>&1
		echo "$?" >>"$asked"
		grep -q "$stopped" "$trace"; do
		count=$(($(grep -c sendmsg "$trace") - 1))
	done
}
messages() { traced "$1" status -o "sent.$1" >/dev/null; grep -c sendmsg "sent.$1"; } # USER
# By strace's word: to the kernel a process is stopped by its tracer at each of its calls, too.
stopped() { [ "$(grep -l "$stopped" trace.* | wc -l)" -eq "$1" ]; } # COUNT
said() { sed -n 's/^left4me-generator: systemd/systemd:/; /^systemd: /p; $p' <<<"$1"; } # OUTPUT: what it says of systemd, and the exit status
silence='systemd: does not answer (Connection timed out): systemctl show
2'

for user in 0 65534; do
	# amid the greeting, behind the list of units, amid what is asked of each, and before the last question
	for count in 1 2 20 last; do
		ask_amid "$user" "$count" status &
	done
done
ask_amid 0 2 plan &
ask_amid 0 2 check &
ok "ten ask" wait_for 100 stopped 10
began=$SECONDS
freezer=/sys/fs/cgroup/init.scope/cgroup.freeze
trap 'echo 0 >$freezer' EXIT
echo 1 >$freezer
wait_for 60 grep -q 'frozen 1' /sys/fs/cgroup/init.scope/cgroup.events
pkill -CONT -x left4me-generat
wait
echo 0 >$freezer
for asked in asked.*; do
	is "$(said "$(cat "$asked")")" "$silence" "${asked#asked.}: it says that systemd does not answer"
done
ok "none of them has waited for longer than 25 s" [ $((SECONDS - began)) -le 45 ]

# Without the library nobody can ask, and nothing else misses it.
without() { unshare --mount sh -c 'mount --bind /dev/null "$1" && shift && exec left4me-generator "$@"' - "$library" "$@"; } # MODE...
library=$(ldconfig -p | sed -n 's/.* => \(.*libsystemd\.so\.0\)$/\1/p' | head -n 1)
for mode in status plan check; do
	is "$(said "$(without "$mode" 2>&1; echo "$?")")" "systemd: cannot be asked without libsystemd.so.0 (package libsystemd0)
2" "without libsystemd: $mode"
done
ok "without libsystemd: the generator" eval 'mkdir tree && without "$PWD/tree"'

# --- marks ------------------------------------------------------------------------------------------------------------

fails "marks are root's to set" as nobody --mark
like "$(status --mark | tail -n 1)" "^marked: beta; they restart with: systemctl reload-or-restart --marked$" "--mark says whom it has marked"
ok "--json is alone" eval 'status --json --mark | python3 -m json.tool'
is "$(status --mark gamma | tail -n 1)" "marked: none, no server waits for a restart that would succeed" "and that nobody needs it"
is "$(property left4me-server@beta Markers)/$(property left4me-server@gamma Markers)" needs-restart/ "--mark marks what waits for a restart"
reload
is "$(property left4me-server@beta Markers)" needs-restart "a reload keeps the mark"
cp /run/left4me/mounted/beta record
echo port=27016 >/run/left4me/mounted/beta
status --mark >/dev/null
is "$(property left4me-server@beta Markers)" needs-restart "so does a server of which nobody can tell what waits"
cp record /run/left4me/mounted/beta
sql "UPDATE servers SET port = 27016 WHERE name = 'beta'"
reload
like "$(status --mark | tail -n 1)" "^marked: none" "what waits no more"
is "$(property left4me-server@beta Markers)" "" "has its mark taken back"
sql "UPDATE servers SET port = 27115 WHERE name = 'beta'"
reload
status --mark >/dev/null
chown left4me: "$STATE/installation/srcds_run"
install -o left4me -g left4me /opt/system-test/srcds/srcds_run "$STATE/installation/srcds_run"
systemctl reload-or-restart --marked
ok "beta has its new port" wait_for 60 eval 'line beta | grep -q "^beta running [0-9a-z]* 27115 "'
is "$(line beta | cut -d' ' -f7-)" "" "and nothing waits there"
# A stop of one that is not ready yet ends by its time limit: systemd says that then, and not that it refused the start.
for _ in {1..11}; do
	systemctl restart left4me-server@gamma 2>/dev/null && wait_for 60 is_ready gamma
done
like "$(line gamma)" "^gamma failed .* started too often: systemctl reset-failed left4me-server@gamma$" "a start that systemd has refused"
sql "INSERT INTO servers (name, title, port, arguments, enabled) VALUES ('zeta', '', 27060, '', 1)"
reload
systemctl start left4me-server@zeta
printf '[host]\nservers = %s\n' "$(sql 'SELECT count(*) - 1 FROM servers')" >/etc/left4me/left4me.conf.d/50-few.conf
like "$(line zeta)" " reload: beyond \[host\] servers$" "a row beyond [host] servers is not gone"
reload
like "$(line zeta)" " beyond \[host\] servers$" "nor after the reload"
systemctl stop left4me-server@zeta
is "$(status zeta 2>&1)" "left4me-generator: server 'zeta' is beyond [host] servers, which gives it no unit" "nor once it is down"
done_testing
