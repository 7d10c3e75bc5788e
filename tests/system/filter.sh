#!/bin/bash
# What this systemd compiles from SystemCallFilter= of each profile, against a list of what must be refused.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_database
	install_game
	install_web
	printf '#!/bin/sh\nexec sleep infinity\n' | put 755 "$STATE/.venv/bin/flask"
	insert_overlay 1 'echo ready; sleep 1000'
	insert_server one 27015 1
	mkdir -p /etc/left4me/left4me.conf.d
	printf '[update]\ncommand = /usr/bin/sleep 1000\n' >/etc/left4me/left4me.conf.d/50-update.conf
	exit
fi
booted
diag "$(systemctl --version | head -n 1)"

declare -A units=([server]=left4me-server@one.service [update]=left4me-update.service [build]=build-overlay@1.service
	[web]=left4me-web.service [refresh]=left4me-workshop-refresh.service)
drop_ins() { sed 's/@.*/@.service.d/; s/\.service$/.service.d/' <<<"${units[$1]}"; }

tell() { # KIND
	local verdict rest
	while read -r verdict rest; do
		case $verdict in
		pass) tap_result 0 "$1: $rest" ;;
		FAIL) tap_result 1 "$1: ${rest%% => *}" || diag "$rest" ;;
		*) tap_result 1 "$1: filter.py: $verdict $rest" ;;
		esac
	done < <(python3 filter.py "$1" "$(property "${units[$1]}" MainPID)" denied-calls 2>&1)
}

ok "a server runs" wait_for 60 is_ready one
systemctl start --no-block "${units[update]}" "${units[build]}" "${units[refresh]}"
ok "a build runs" wait_for 60 eval 'journal ${units[build]} | grep -qx ready'
ok "an update runs" wait_for 60 pgrep -u left4me -fx '/usr/bin/sleep 1000'
ok "the web application runs" systemctl is-active "${units[web]}"
ok "the refresh runs" wait_for 60 eval 'grep -q sleep "/proc/$(property ${units[refresh]} MainPID)/comm"'
for kind in server update build web refresh; do
	tell $kind
done

# Whether its process is past what systemd itself does in it.
# shellcheck disable=SC2317 # wait_for calls it
has_begun() { # UNIT
	local program
	program=$(readlink "/proc/$(property "$1" MainPID)/exe") && [[ $program != */systemd* ]]
}

# What the list finds open in a unit with these lines in a drop-in.
lacking() { # KIND DIRECTIVE...
	local kind=$1 directory
	directory=/etc/systemd/system/$(drop_ins "$kind")
	shift
	mkdir -p "$directory"
	printf '%s\n' '[Service]' "$@" >"$directory/90-less.conf"
	systemctl daemon-reload
	systemctl stop "${units[$kind]}" 2>/dev/null     # which says that a timer is active
	systemctl start --no-block "${units[$kind]}"
	wait_for 60 has_begun "${units[$kind]}"
	python3 filter.py "$kind" "$(property "${units[$kind]}" MainPID)" denied-calls |
		sed -n -e 's/^FAIL the compiled filter refuses \([^ ]*\) .*/\1/p' -e 's/^pass there are filters.*/filters/p' | paste -sd' '
	rm -r "$directory"
	systemctl daemon-reload
}
is "$(lacking server 'SystemCallFilter=open_tree inotify_init1')" "filters open_tree inotify_init1" "server: the list sees what a drop-in opens"
for kind in update build web refresh; do
	is "$(lacking $kind SystemCallFilter=open_tree)" "filters open_tree" "$kind: likewise"
done

# Whatever a later systemd moves into @system-service, the names hold: here every group is allowed first.
for kind in server update build web refresh; do
	mapfile -t named < <(grep '^SystemCallFilter=~[^@]' "/run/systemd/generator/$(drop_ins $kind)/10-hardening.conf")
	ok "$kind: calls are named (${#named[@]} lines)" test ${#named[@]} -gt 5
	is "$(lacking $kind SystemCallFilter= 'SystemCallFilter=@system-service @aio @clock @cpu-emulation @debug @keyring @memlock \
		@module @mount @obsolete @privileged @raw-io @reboot @resources @swap' "${named[@]}")" filters "$kind: named calls are refused whatever the groups hold"
done
done_testing
