# shellcheck shell=bash
# For scripts that run in a guest: `. ./guest.sh` gives them TAP and what a host of game servers is made of.
#
#   SYSTEM_TEST   ns or vm
#   LONG          not empty where LEFT4ME_LONG asked for the long run
#   fails, booted, wait_for, property, worker, reload, reload_count, mounts, mount_table, journal, run_log, journal_cursor,
#   log_since, sync_journal, manager_log
#   on_terminal, check
#   make_database, sql, insert_overlay, insert_server, delete_server
#   install_game, install_web, make_host, host_is_up

# shellcheck source=tests/tap.sh
. ./tap.sh

STATE=/var/lib/left4me
DATABASE=$STATE/left4me.db
# shellcheck disable=SC2034 # by the scenarios
LONG=$(find long 2>/dev/null)
export SYSTEMD_PAGER=cat SYSTEMD_COLORS=0

# The opposite of ok.
fails() { # NAME COMMAND...
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		tap_result 1 "$name"
		diag "$* succeeded: $output"
	else
		tap_result 0 "$name"
	fi
}

# --- systemd -----------------------------------------------------------------------------------------------------------

# To look costs an emulated machine what it waits for.
PAUSE=0.05
[ "$SYSTEM_TEST" != vm ] || PAUSE=1

# Waits up to SECONDS until the command succeeds.
wait_for() { # SECONDS COMMAND...
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$until" ]; then
			return 1
		fi
		sleep "$PAUSE"
	done
}

no_job() { ! systemctl list-jobs --no-legend | grep -qv system-test.service; }

# Until nothing is being started any more; the test itself is no part of it.
booted() { # [SECONDS]
	wait_for "${1:-60}" no_job
}

property() { # UNIT NAME
	systemctl show --property="$2" --value -- "$1"
}

# As the web application's worker does it: through sudo (S129).
worker() { # COMMAND...
	runuser -u left4me -- sudo -n "$@"
}

# The same user, with whatever it likes, in the state directory.
as_left4me() { runuser -u left4me -- bash -c "cd $STATE && $1"; } # COMMANDS

reload() { worker /usr/bin/systemctl restart left4me-reload.service; }

# journald may not have read yet what a command that has ended said.
sync_journal() { journalctl --no-pager --sync >/dev/null 2>&1 || :; }

# For --after-cursor=: whatever comes from now on.
journal_cursor() {
	sync_journal
	journalctl --no-pager -n 0 --show-cursor | sed -n 's/^-- cursor: //p'
}

# What systemd itself has said since the boot.
manager_log() {
	sync_journal
	journalctl --no-pager -b -o cat _PID=1
}

# Reloads that were finished since the boot.
reload_count() { manager_log | grep -c '^Reloading finished'; }

# Everything a unit said, without dates.
journal() { # UNIT
	sync_journal
	journalctl --no-pager -b -o cat -u "$1"
}

# The same from a place in the journal on. Of a run that is over journald may not know whose it was: it looks that up for the
# first line, and PID 1 forgets it with the end.
log_since() { # CURSOR UNIT
	sync_journal
	journalctl --no-pager -o cat --after-cursor="$1" -u "$2"
}

# What the instance's last start said, as long as it runs.
run_log() { # NAME
	journalctl --sync
	journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID="$(property "left4me-server@$1" InvocationID)"
}

# The mounted instances, one a line.
mounts() {
	findmnt --raw --noheadings --types overlay --output TARGET,SOURCE | sed -n 's|^/.* left4me:||p' | sort
}

# The whole mount table, comparable.
mount_table() { findmnt --raw --noheadings --output TARGET,SOURCE,FSTYPE,OPTIONS | sort; }

# The kernel gives controllers to one hierarchy alone: the machine's own may hold them.
but_controllers() { grep -v '^warning: /sys/fs/cgroup/cgroup.controllers: lacks'; }

# What check says to COMMAND's user.
check() { # [COMMAND...]
	"$@" left4me-generator check 2>/dev/null | but_controllers
	return "${PIPESTATUS[0]}"
}

failed_units() { systemctl list-units --failed --plain --no-legend | cut -d' ' -f1; }

# Not by what its last run said, while it waits for its turn.
is_ready() { systemctl is-active -q "left4me-server@$1" && run_log "$1" | grep -q 'srcds_linux: ready'; } # NAME

# Everything below / and /var that is no other file system, sorted: path, type, mode, owner and content. Without what dpkg,
# systemd and the test itself keep changing; of the accounts without left4me, which no package takes away.
snapshot() {
	local apart=(-path /opt/system-test -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/dbus
		-o -path '/var/cache/*' -o -path /var/log -o -path /var/tmp
		-o -path '/var/lib/systemd/[!t]*' -o -path /etc/.pwd.lock -o -path '/etc/*-' -o -name .updated -o -path /.old)
	{
		find / /var -xdev \( "${apart[@]}" \) -prune -o -printf '%p %y %m %u:%g %l\n'
		find / /var -xdev \( "${apart[@]}" -o -path /etc/passwd -o -path /etc/group -o -path /etc/shadow -o -path /etc/gshadow \) \
			-prune -o -type f -print0 | xargs -0 cksum | sed 's/\([^ ]* [^ ]*\) \(.*\)/\2 \1/'
		grep -v '^left4me:' /etc/passwd /etc/group /etc/shadow /etc/gshadow
	} | sort -u
}

# Its output as it is on a terminal; script(1) is not on every host.
on_terminal() { # COMMAND...
	TERM=xterm python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@" </dev/null
}

# --- the database ------------------------------------------------------------------------------------------------------

# As the web application would: by its user, and with patience for another writer.
sql() { # STATEMENTS
	runuser -u left4me -- sqlite3 -bail -cmd '.timeout 10000' "$DATABASE" "PRAGMA foreign_keys = ON; $1"
}

# Where the package or make install has put schema and examples.
share() { find /usr/local/share/left4me /usr/share/left4me -maxdepth 0 2>/dev/null | head -n 1; }

# After a boot without one, whose timer would reload once it can be read: what is reloaded is for the scenario to say.
make_database() {
	local schema
	systemctl stop left4me-activate.timer left4me-activate.service 2>/dev/null || :
	schema=$(share)/schema
	install -d -o left4me -g left4me "$STATE"
	runuser -u left4me -- sh -c "umask 0027; cat '$schema/schema.sql' '$schema/views.sql' | sqlite3 -bail '$DATABASE' >/dev/null"
	chmod 0640 "$DATABASE"
}

# An overlay with a directory: left4dead2/layer-ID, and left4dead2/top which only the topmost shows. SCRIPT makes it a
# script overlay.
insert_overlay() { # ID [SCRIPT]
	local dir=$STATE/overlays/$1 script=NULL
	if [ $# -gt 1 ]; then
		script="'${2//\'/\'\'}'"
	fi
	runuser -u left4me -- sh -c "mkdir -p '$dir/left4dead2' && echo $1 >'$dir/left4dead2/layer-$1' && echo $1 >'$dir/left4dead2/top'"
	sql "INSERT INTO overlays (id, name, kind, script)
		VALUES ($1, 'Overlay $1', iif($script IS NULL, 'files', 'script'), $script)"
}

# Layers topmost first.
insert_server() { # NAME PORT ENABLED [LAYER...]
	local name=$1 port=$2 enabled=$3 position=0 layer
	shift 3
	sql "INSERT INTO servers (name, title, port, arguments, enabled)
		VALUES ('$name', 'Server $name', $port, '+map c1m1_hotel', $enabled)"
	for layer; do
		position=$((position + 1))
		sql "INSERT INTO server_overlays (server, position, overlay) VALUES ('$name', $position, $layer)"
	done
}

delete_server() { sql "DELETE FROM servers WHERE name = '$1'"; } # NAME

# --- stand-ins ---------------------------------------------------------------------------------------------------------

# A file of left4me's from standard input.
put() { # MODE FILE
	cat >"$2" && chown left4me:left4me "$2" && chmod "$1" "$2"
}

# The game: what a server prints is described in srcds_linux.c. With "stubborn" its first process ignores SIGINT.
# shellcheck disable=SC2120 # by other scripts
install_game() { # [stubborn]
	local from=/opt/system-test/srcds to=$STATE/installation
	install -d -o left4me -g left4me "$to" "$to/left4dead2" "$STATE/overlays" "$STATE/runtime" "$STATE/workshop_cache" \
		"$STATE/.steam" "$STATE/steam"
	install -o left4me -g left4me "$from/srcds_run${1:+-$1}" "$to/srcds_run"
	install -o left4me -g left4me "$from/srcds_linux" "$to/srcds_linux"
	if ! "$to/srcds_linux" -version; then
		echo "# this kernel runs no i386 programs: the stand-in is a native one"
		install -o left4me -g left4me "$from/srcds_linux.native" "$to/srcds_linux"
	fi
	put 644 "$to/left4dead2/installed" <<<installation
	put 644 "$to/left4dead2/top" <<<installation
}

# The web application: a process that stays; and where it works.
install_web() {
	install -d -o left4me -g left4me /opt/left4me /opt/left4me/src "$STATE/.venv" "$STATE/.venv/bin"
	printf '#!/bin/sh\nexec sleep infinity\n' | put 755 "$STATE/.venv/bin/gunicorn"
	printf '#!/bin/sh\n' | put 755 "$STATE/.venv/bin/flask"
	install -m 640 -g left4me "$(share)/examples/web.env" /etc/left4me/web.env
}

# --- an example host ---------------------------------------------------------------------------------------------------

# Overlays 1 to 3; servers alpha, beta and gamma, and one that is disabled.
make_host() {
	# shellcheck disable=SC2119
	install_game
	install_web
	make_database
	insert_overlay 1
	insert_overlay 2
	insert_overlay 3
	insert_server alpha 27015 1 1 2
	insert_server beta 27016 1 3
	insert_server gamma 27017 1
	insert_server off 27018 0 1
}

# What the stand-in saw: the topmost layer, then all layers.
layers() { # NAME
	run_log "$1" | sed -n -e 's|^srcds_linux: file left4dead2/top: |top |p' -e 's|^srcds_linux: file left4dead2/layer-\(.*\): .*|\1|p' \
		-e 's|^srcds_linux: file left4dead2/installed: ||p' | sort -r | paste -sd' '
}

# Asserts that make_host's servers are as they should be.
host_is_up() { # LABEL
	local name
	for name in alpha beta gamma; do
		ok "$1: $name is ready" wait_for 60 is_ready "$name"
		is "$(property "left4me-server@$name" ActiveState)" active "$1: $name is active"
	done
	is "$(layers alpha)" "top 1 installation 2 1" "$1: alpha's layers, topmost first"
	is "$(layers beta)" "top 3 installation 3" "$1: beta's layer"
	is "$(layers gamma)" "top installation installation" "$1: gamma has the installation alone"
	is "$(property left4me-server@off ActiveState)" inactive "$1: the disabled one is not active"
	is "$(mounts | paste -sd' ')" "alpha beta gamma" "$1: mounted are the three"
	is "$(failed_units)" "" "$1: no failed unit"
	is "$(systemctl is-system-running)" running "$1: the system is running"
}
