#!/bin/bash
# Scenario 1: boot without a database: nothing waits for it, and one warning says so.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	install_game
	install_web
	exit
fi

ok "the boot finishes" booted 240
before=$(property multi-user.target ActiveEnterTimestampMonotonic)
userspace=$(systemctl show --property=UserspaceTimestampMonotonic --value)
seconds=$(((before - userspace) / 1000000))
echo "# multi-user.target was reached $seconds s after systemd's start"
if [ "$SYSTEM_TEST" = ns ]; then
	ok "the boot was not delayed" test "$seconds" -lt 15
fi
is "$(reload_count)" 0 "no reload"
is "$(property left4me-activate.service ActiveState)/$(property left4me-activate.service Result)" inactive/exec-condition \
	"nothing to activate: its condition was not met"
is "$(property left4me.target ActiveState)" active "left4me.target is active"
is "$(property left4me-web.service ActiveState)" active "the web application is active"
is "$(failed_units)" left4me-check.service "the one failed unit is the check"
like "$(journal left4me-check.service)" "left4me.db: .*there are no servers until it can be read" "which says why"
is "$(wc -l </run/left4me/report)" 1 "the report is one line"
if [ "$SYSTEM_TEST" = vm ]; then
	is "$(journalctl --no-pager -b -k -p warning -t left4me-generator -o cat | wc -l)" 1 "one warning in the kernel's log"
fi
ok "the fallback template is there" test -e /run/systemd/generator/left4me-server@.service

# The web application makes its database, and its worker reloads.
make_database
insert_overlay 1
insert_server first 27015 1 1
# By hand: left4me-check.service would have the timer go on.
said=$(left4me-generator check 2>/dev/null)
is "$?" 1 "until then a check fails"
like "$said" \
	"^$DATABASE: can be read now, but what systemd has loaded was made without its rows: systemctl restart left4me-activate.service" \
	"since what is loaded was made without the database"
ok "daemon-reload" reload
ok "the first server starts" systemctl start left4me-server@first
ok "it is ready" wait_for 60 is_ready first
ok "the check starts" systemctl start left4me-check.service
is "$(failed_units)" "" "no failed unit is left"
done_testing
