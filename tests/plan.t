#!/bin/bash
# `plan` where no systemd runs: the units of now against those that lie in the generator's directory. What runs is
# tests/system/plan.sh's.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
generator=$(realpath "${BUILD:-build}/left4me-generator")
command -v sqlite3 >/dev/null || skip_all "no sqlite3"
host=$(mktemp -d) || exit 1
trap 'rm -rf "$host"' EXIT
chmod 755 "$host"
mkdir -p "$host"/{etc/left4me,var/lib/left4me,run/left4me}
database=$host/var/lib/left4me/left4me.db
cat deploy/schema/schema.sql deploy/schema/views.sql | sqlite3 "$database" >/dev/null
sql() { sqlite3 "$database" "PRAGMA foreign_keys = ON; $1"; }
sql "INSERT INTO servers (name, title, port, arguments, enabled) VALUES ('alpha', '', 27015, '+map a', 1), ('beta', '', 27016, '', 1),
	('gamma', '', 27017, '', 0), ('bad', '', 80, '', 1);
	INSERT INTO overlays (id, name, kind, script) VALUES (3, 'three', 'script', 'true'), (4, 'four', 'files', NULL)"
chown -R 980:980 "$host/var/lib/left4me" 2>/dev/null

reload() {
	rm -rf "$host/run/systemd/generator"
	mkdir -p "$host/run/systemd/generator"
	"$generator" --root="$host" "$host/run/systemd/generator" 2>/dev/null
	mkdir "$host/run/systemd/generator/graphical.target.wants"
	echo '[Unit]' | tee "$host/run/systemd/generator/other.service" >"$host/run/systemd/generator/graphical.target.wants/other.service"
}
plan() { "$generator" plan --root="$host" "$@" 2>&1; echo "status $?"; }
configure() { printf '%s\n' "$@" >"$host/etc/left4me/left4me.conf"; }

is "$(plan | sed -n '/^[+=] \(alpha\|bad\|gamma\|overlay 3\|left4me-web\|4\|[0-9]\)/p; /^status/p' | tr -s ' ')" \
	'+ alpha new, enabled: starts with `systemctl start left4me-server@alpha`
+ bad refused: port 80 is not in 27000-27999 ([game] ports)
+ gamma new, not enabled
+ overlay 3 has a script: can be built
+ left4me-web.service new: starts with `systemctl start left4me-web`
= 0 unchanged
status 1' "before the first reload everything is new"
reload
is "$(plan)" "status 0" "after a reload there is nothing to do; what others generate does not matter"
is "$(plan --commands)$(plan --diff)" "status 0status 0" "nor anything to type or to see"
is "$(plan --commands --diff)" "left4me-generator: --diff excludes --commands; --help explains
status 2" "nor both: the lines of a file are no commands"

sql "UPDATE servers SET port = 27100, arguments = '+exec \"x, --started=port=1\"' WHERE name = 'alpha';
	DELETE FROM servers WHERE name = 'beta';
	UPDATE servers SET enabled = 1 WHERE name = 'gamma'; UPDATE servers SET port = 27016 WHERE name = 'bad';
	UPDATE overlays SET kind = 'script', script = 'true' WHERE id = 4;
	UPDATE overlays SET name = 'drei' WHERE id = 3; INSERT INTO server_overlays (server, position, overlay) VALUES ('gamma', 1, 4)"
is "$(plan)" '~ alpha         port 27015 -> 27100, arguments: at its next start
~ bad           accepted again, enabled
- beta          row gone
~ gamma         layers, enabled: at its next start
~ overlay 3     at its next build
+ overlay 4     has a script: can be built
= 0 unchanged
status 1' "rows"
is "$(plan --commands)" "systemctl daemon-reload  # takes the units in, changes nothing that runs
status 1" "nothing runs, so a reload is all"
is "$(plan --diff | sed -n '/^left4me-server@gamma.service$/,/^[^-+]/p' | sed 's/=.*--started=[^ ]*/=X/' | head -n 3)" \
	'left4me-server@gamma.service
-ExecStartPre=X %i installation
+ExecStartPre=X %i 4 installation' "the lines of a unit"
like "$(plan --diff)" $'\n'"left4me.target.wants/left4me-server@gamma.service \(new\)"$'\n' "and what is wanted"
reload

configure '[game]' 'memory_max = 3G' 'nice = 0' '[build]' 'timeout = 2h' '[web]' 'enabled = no' '[host]' 'cpus = 8' 'system_cpus = 0'
is "$(plan | grep -v -e slice -e '^= ' | tr -s ' ')" '~ all builds [build] timeout 1h -> 2h: at their next build
~ all servers [game] nice -5 -> 0, [game] memory_max 2G -> 3G: at their next start
- left4me-web.service gone
- left4me-workshop-refresh.service gone
- left4me-workshop-refresh.timer gone
status 1' "keys of the configuration, by their names"
is "$(plan | grep '^=')" "= 0 unchanged" "which leaves no server as it was"
like "$(plan)" "~ l4d2-game.slice +AllowedCPUs=1-7: at the next start in it" "a slice"
reload
is "$(plan)" "status 0" "and after a reload nothing is left"


# --- one thing at a time ------------------------------------------------------------------------------------------------

# What `plan` says of these lines of the configuration, by which it is as it was before.
planned() { # LINE...
	local keep
	keep=$(cat "$host/etc/left4me/left4me.conf")
	configure "$keep" "$@"
	plan | tr -s ' '
	configure "$keep"
}
is "$(planned '[build]' 'timeout = 3h')" "~ all builds [build] timeout 2h -> 3h: at their next build
= 3 unchanged
status 1" "what all builds have in common is said once"
sql "UPDATE overlays SET name = 'trois' WHERE id = 3"
is "$(planned '[game]' 'nice = 1')" "~ all servers [game] nice 0 -> 1: at their next start
~ overlay 3 at its next build
= 1 unchanged
status 1" "a build that differs is not lost behind what all servers have in common"
sql "UPDATE overlays SET name = 'drei' WHERE id = 3"

configure ''
reload
is "$(planned '[host]' 'database = /var/lib/left4me.db' | grep -e ReadWritePaths -e '\[host\]')" \
	"~ left4me-activate.timer [host] database /var/lib/left4me/left4me.db -> /var/lib/left4me.db
~ left4me-web.service.d/10-hardening.conf ReadWritePaths=/var/lib
~ left4me-workshop-refresh.service.d/10-hardening.conf ReadWritePaths=/var/lib" "a value of one of several lines is no key's"

is "$(planned '[host]' 'uid = 990' | grep -v overlay)" "- user@980.service no longer masked
+ user@990.service masked
= 3 unchanged
status 1" "another uid moves the mask of its user manager"

configure '[update]' 'command = /usr/bin/true'
reload
is "$(planned 'web_may_start = yes')" "~ units nothing that a server or build notices: a reload takes it in
status 1" "what changes in the sudo rules alone"
configure ''
reload

mkdir "$host/run/systemd/generator/left4me-reload.service.d"
touch "$host/run/systemd/generator/left4me-reload.service.d/10-slow.conf"
is "$(plan)" "status 0" "how long the last reload has read is nothing to do"

# --- what it cannot see -------------------------------------------------------------------------------------------------

own=$host/etc/systemd/system/left4me-server@.service.d
mkdir -p "$own"
printf '[Service]\nNice=1\n' >"$own/90-own.conf"
reload
if [ "$(id -u)" -eq 0 ]; then
	chmod 600 "$own/90-own.conf"
	is "$(setpriv --reuid=980 --regid=980 --clear-groups "$generator" plan --root="$host" 2>&1; echo "status $?")" \
		"a drop-in of servers: cannot be read: run plan as root
status 2" "a drop-in that its user may not read is not taken for gone"
	is "$(plan)" "status 0" "root sees it"
else
	skip "needs root" "a drop-in that its user may not read"
fi
rm -r "$own"
reload

sql "DROP VIEW generator_instances"
like "$(plan | paste -sd' ')" "^/var/lib/left4me/left4me.db: .*generator_instances.*; the rows of [0-9]+ s ago are used \
~ units +nothing that a server or build notices: a reload takes it in status 1$" "with the last good rows it goes on, and says so"
rm -f "$host/run/left4me/last-good"
like "$(plan)" "generator_instances.*
status 2$" "without any it says why and has status 2"
like "$(plan --json)" "json is not for plan" "an option of another mode"

done_testing
