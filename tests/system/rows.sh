#!/bin/bash
# Scenario 3: a row gone bad, a view dropped, a database of garbage. All other servers are untouched and can be restarted, the
# reason is where one looks for it, and once repaired all is well.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	exit
fi

check() { worker /usr/bin/systemctl start left4me-check.service; }
pids() { # NAME...
	local name
	for name; do
		property "left4me-server@$name" MainPID
	done | paste -sd' '
}

# Restarts a server as the worker does; it comes up with the same layers.
restarts() { # LABEL NAME
	local before
	before=$(layers "$2")
	systemctl reset-failed "left4me-server@$2"
	ok "$1: $2 can be restarted" worker /usr/bin/systemctl restart "left4me-server@$2.service"
	ok "$1: $2 is ready again" wait_for 60 is_ready "$2"
	is "$(layers "$2")" "$before" "$1: $2 has the same layers"
}

ok "the boot finishes" booted
host_is_up boot

# --- a row gone bad ----------------------------------------------------------------------------------------------------

before=$(pids alpha beta gamma)
sql "UPDATE servers SET port = 28500 WHERE name = 'beta'"
ok "bad row: daemon-reload" reload
is "$(pids alpha beta gamma)" "$before" "bad row: every server runs on, the refused one too"
like "$(property left4me-server@beta Description)" "refused: .*28500" "bad row: the description gives the reason"
fails "bad row: left4me-check.service fails" check
is "$(failed_units)" left4me-check.service "bad row: and shows in systemctl --failed"
like "$(journal left4me-check.service)" "beta.*28500" "bad row: with the message"
like "$(cat /run/left4me/report)" "beta.*28500" "bad row: which is in the report too"
fails "bad row: sudo does not start it" runuser -u left4me -- sudo -n /usr/bin/systemctl start left4me-server@beta.service
ok "bad row: sudo stops it" worker /usr/bin/systemctl stop left4me-server@beta.service
is "$(mounts | paste -sd' ')" "alpha gamma" "bad row: then it is unmounted"
for _ in 1 2 3 4 5 6; do
	systemctl start left4me-server@beta 2>/dev/null && break
done
like "$(systemctl status --no-pager left4me-server@beta)" "refused: .*28500" "bad row: status of a start shows the reason"
like "$(journal left4me-server@beta)" "^.*port.*28500" "bad row: so does its log"
is "$(property left4me-server@beta ActiveState)" failed "bad row: it is failed"
sleep 6
is "$(property left4me-server@beta SubState)" failed "bad row: and nothing restarts it"
restarts "bad row" alpha
sql "UPDATE servers SET port = 27016 WHERE name = 'beta'"
ok "repaired row: daemon-reload" reload
ok "repaired row: reset-failed" worker /usr/bin/systemctl reset-failed left4me-server@beta.service
ok "repaired row: start" worker /usr/bin/systemctl start left4me-server@beta.service
ok "repaired row: the check is clean" check
host_is_up "repaired row"

# --- a database that cannot be read ------------------------------------------------------------------------------------

# Breaks the database, looks at everything, repairs it.
broken() { # LABEL MESSAGE BREAK REPAIR
	local before cursor
	before=$(pids alpha beta gamma)
	cursor=$(journal_cursor)
	"$3"
	ok "$1: daemon-reload" reload
	is "$(pids alpha beta gamma)" "$before" "$1: every server runs on"
	is "$(property left4me-server@alpha LoadState)/$(property left4me-server@alpha Description)" \
		"loaded/Left 4 Dead 2 server alpha" "$1: its unit is still its own"
	fails "$1: left4me-check.service fails" check
	is "$(failed_units)" left4me-check.service "$1: and shows in systemctl --failed"
	like "$(log_since "$cursor" left4me-check.service)" "$2" "$1: with the message"
	like "$(log_since "$cursor" left4me-check.service)" "the rows of [0-9]+ (s|min) ago are used" "$1: and what is used instead"
	like "$(cat /run/left4me/report)" "$2" "$1: the report says it too"
	restarts "$1" alpha
	ok "$1: another reload" reload
	ok "$1: beta stops" worker /usr/bin/systemctl stop left4me-server@beta.service
	is "$(mounts | paste -sd' ')" "alpha gamma" "$1: and is unmounted"
	systemctl reset-failed left4me-server@beta
	ok "$1: beta starts" worker /usr/bin/systemctl start left4me-server@beta.service
	"$4"
	ok "$1, repaired: daemon-reload" reload
	ok "$1, repaired: the check is clean" check
	host_is_up "$1, repaired"
}

drop_view() { sql "DROP VIEW generator_layers"; }
make_views() { runuser -u left4me -- sqlite3 -bail "$DATABASE" <"$(share)/schema/views.sql"; }
broken "dropped view" "generator_layers.*views\.sql" drop_view make_views

write_garbage() {
	cp -a "$DATABASE" /root/good.db
	head -c 20000 /dev/urandom | runuser -u left4me -- dd of="$DATABASE" conv=notrunc status=none
}
restore() { runuser -u left4me -- cp /dev/stdin "$DATABASE" </root/good.db; }
broken "garbage" "left4me\.db: .*(not a database|malformed)" write_garbage restore

move_away() { mv "$DATABASE" /root/good.db; }
move_back() { mv /root/good.db "$DATABASE"; }
broken "missing database" "left4me\.db: .*No such file" move_away move_back

is "$(reload_count)" 11 "that were all reloads"
done_testing
