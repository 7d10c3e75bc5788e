#!/bin/bash
# In a guest: many servers start at boot; then the web application calls what sudo lets it, in 20 loops at once, while they run.
# What a bystander waits for meanwhile; and that no limit that was met is left as a failed unit.
#
# With LONG 256 servers, and each loop for longer. A file storm.conf has other values, to measure. With RULE=daemon-reload, the
# rule of before, reload fails.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
# shellcheck source=tests/system/bystander.sh
. ./bystander.sh
SERVERS=32 PATIENCE=300 SECONDS_EACH=5 ATTACKS='reload check restart build'
[ -z "$LONG" ] || SERVERS=256 PATIENCE=900 SECONDS_EACH=15
RULE='restart left4me-reload.service'
# shellcheck disable=SC1091
[ ! -e storm.conf ] || . ./storm.conf

if [ "${1-}" = prepare ]; then
	set -e
	# shellcheck disable=SC2119
	install_game
	install_web
	make_database
	insert_overlay 1
	insert_overlay 5 'echo built'
	sql "WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < $SERVERS)
		INSERT INTO servers (name, title, port, arguments, enabled)
		SELECT 's' || n, 'Server ' || n, 27014 + n, '+map c1m1_hotel', 1 FROM number"
	sql "INSERT INTO server_overlays (server, position, overlay) SELECT name, 1, 1 FROM servers"
	bystander_prepare
	printf 'left4me ALL=(root) NOPASSWD: /usr/bin/systemctl %s\n' "$RULE" >/etc/sudoers.d/storm
	chmod 440 /etc/sudoers.d/storm
	exit
fi
# shellcheck source=tests/system/as-web.sh
. ./as-web.sh

# --- the boot -----------------------------------------------------------------------------------------------------------

# A login and a start within 5 s while all servers start.
all_run() { [ "$(mounts | wc -l)" = "$SERVERS" ]; }
BYSTANDER_LIMIT=5000
bystander_watch boot wait_for "$PATIENCE" all_run
is "$(mounts | wc -l)" "$SERVERS" "$SERVERS servers run"
ok "multi-user.target waited for none of them but the first" \
	test "$(property multi-user.target ActiveEnterTimestampMonotonic)" -lt \
	"$(systemctl show -p InactiveExitTimestampMonotonic --value 'left4me-server@*' | sort -n | tail -n 1)"
ok "the boot finishes" booted
# A unit is active while its sandbox is still being made, which takes all CPUs where there are many: what is measured below is
# not that.
games() { pgrep -c srcds_linux; }
wait_for "$PATIENCE" eval '[ "$(games)" = "$SERVERS" ]'
is "$(games)" "$SERVERS" "in each the game runs"

# --- the host -----------------------------------------------------------------------------------------------------------

# The web application has a share of the CPUs of its own, if its unit says so. Where the guest has no controller for that, since
# the kernel gives it to the first version of control groups, it gets a group there.
weight=$(property left4me-web.service CPUWeight)
mkdir -p /run/cpu
printf '[Service]\nReadWritePaths=/run/cpu\n' >/run/systemd/system/as-web@.service.d/share.conf
if [ "$weight" != '[not set]' ]; then
	echo "CPUWeight=$weight" >>/run/systemd/system/as-web@.service.d/share.conf
	if ! grep -qw cpu /sys/fs/cgroup/cgroup.controllers; then
		mount -t cgroup -o cpu none /run/cpu
		mkdir -p /run/cpu/web
		echo $((weight * 1024 / 100)) >/run/cpu/web/cpu.shares
		chown left4me /run/cpu/web/cgroup.procs
	fi
fi

# Of the last reloads, how long each took.
durations() { # HOW-MANY
	manager_log | sed -n 's/^Reloading finished in \([0-9]*\) ms.*/\1/p' | tail -n "$1" | paste -sd' '
}
for _ in 1 2 3; do
	systemctl daemon-reload
done
diag "a reload takes, in ms: $(durations 3)" 2>&1
bystander_calm 5

# --- 20 loops at once ---------------------------------------------------------------------------------------------------

# The web application runs COMMAND in 20 loops; $i is the loop's number. What it had: calls, and those with status 0.
loops() { # NAME COMMAND
	# shellcheck disable=SC2016 # expanded by the inner shell
	prepare_web "$1" bash -c '[ ! -d /run/cpu/web ] || echo $$ >/run/cpu/web/cgroup.procs
		sleep 2
		for i in {1..20}; do
			(until=$((SECONDS + $1)) calls=0 good=0
			while [ $SECONDS -lt $until ]; do
				calls=$((calls + 1))
				eval "$2" 2>/dev/null && good=$((good + 1))
			done
			echo $calls $good) &
		done
		wait' - "$SECONDS_EACH" "$2"
	systemctl start "as-web@$1.service"
	read -r calls good < <(awk '{ calls += $1; good += $2 } END { print calls, good }' "/opt/as-web/$1.out")
	diag "$1: $calls calls, $good with status 0" 2>&1
	# A build is stopped while it runs, so that none ends well.
	if [ "$1" = build ]; then
		like "$(journal build-overlay@5)" '^Starting ' "build: builds begin"
	else
		ok "$1: calls succeed" test "$good" -gt 0
	fi
}
attack() { # NAME COMMAND
	local before
	before=$(reload_count)
	bystander_watch "$1" loops "$1" "$2"
	before=$(($(reload_count) - before))
	[ "$before" -eq 0 ] || diag "$1: $before reloads, in ms: $(durations "$before")" 2>&1
	# A build that is stopped has failed, and is meant to.
	is "$(failed_units | grep -v '^build-overlay@')" "" "$1: no failed unit"
	wait_for 60 no_job
	sleep 1
}
for name in $ATTACKS; do
	case $name in
	reload) attack reload "sudo -n /usr/bin/systemctl $RULE" ;;
	check) attack check 'sudo -n /usr/bin/systemctl start left4me-check.service' ;;
	restart) attack restart 'sudo -n /usr/bin/systemctl reset-failed left4me-server@s1.service
		sudo -n /usr/bin/systemctl restart left4me-server@s1.service' ;;
	build) attack build 'sudo -n /usr/bin/systemctl start build-overlay@5.service & sudo -n /usr/bin/systemctl stop build-overlay@5.service; wait $!' ;;
	esac
done
done_testing
