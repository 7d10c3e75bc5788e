#!/bin/bash
# What this systemd compiles from SystemCallFilter= of both profiles, against a list of what must be refused.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_database
	install_game
	insert_overlay 1 'echo ready; sleep 1000'
	insert_server one 27015 1
	exit
fi
booted
diag "$(systemctl --version | head -n 1)"

tell() { # server|build PID
	local verdict rest
	while read -r verdict rest; do
		case $verdict in
		pass) tap_result 0 "$1: $rest" ;;
		FAIL) tap_result 1 "$1: ${rest%% => *}" || diag "$rest" ;;
		*) tap_result 1 "$1: filter.py: $verdict $rest" ;;
		esac
	done < <(python3 filter.py "$1" "$2" denied-calls 2>&1)
}

ok "a server runs" wait_for 10 is_ready one
tell server "$(property left4me-server@one MainPID)"
systemctl start --no-block build-overlay@1.service
ok "a build runs" wait_for 10 eval 'journal build-overlay@1.service | grep -qx ready'
tell build "$(property build-overlay@1.service MainPID)"

# What the list finds open in a unit with these lines in a drop-in.
lacking() { # server|build UNIT DIRECTIVE...
	local kind=$1 unit=$2 directory
	directory=/etc/systemd/system/${unit%@*}@.service.d
	shift 2
	mkdir -p "$directory"
	printf '%s\n' '[Service]' "$@" >"$directory/90-less.conf"
	systemctl daemon-reload
	systemctl restart --no-block "$unit"
	sleep 1
	python3 filter.py "$kind" "$(property "$unit" MainPID)" denied-calls |
		sed -n -e 's/^FAIL the compiled filter refuses \([^ ]*\) .*/\1/p' -e 's/^pass there are filters.*/filters/p' | paste -sd' '
	rm -r "$directory"
	systemctl daemon-reload
}
is "$(lacking server left4me-server@one.service 'SystemCallFilter=open_tree inotify_init1')" "filters open_tree inotify_init1" \
	"server: the list sees what a drop-in opens"
is "$(lacking build build-overlay@1.service SystemCallFilter=open_tree)" "filters open_tree" "build: likewise"

# Whatever a later systemd moves into @system-service, the names hold: here every group is allowed first.
for kind in server build; do
	unit=left4me-server@one.service
	[ $kind = server ] || unit=build-overlay@1.service
	mapfile -t named < <(grep '^SystemCallFilter=~[^@]' "/run/systemd/generator/${unit%@*}@.service.d/10-hardening.conf")
	ok "$kind: calls are named (${#named[@]} lines)" test ${#named[@]} -gt 5
	is "$(lacking $kind $unit SystemCallFilter= 'SystemCallFilter=@system-service @aio @clock @cpu-emulation @debug @keyring @memlock \
		@module @mount @obsolete @privileged @raw-io @reboot @resources @swap' "${named[@]}")" filters "$kind: named calls are refused whatever the groups hold"
done
done_testing
