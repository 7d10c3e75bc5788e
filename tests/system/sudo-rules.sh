#!/bin/bash
# In a guest: what sudo and sudo-rs let left4me do. sudo-denied, sudo-same and sudo-joined are the command lines; here, while
# one is tried, a recorder stands at the place of systemctl and journalctl, so that whatever gets through is seen and does nothing.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
RULES=/run/left4me/sudoers.d/left4me
RECORDER=/opt/recorder

make_database
install_game "$@"
insert_overlay 1 'true'
insert_overlay 2
insert_server alpha 27015 0 1
insert_server beta 1 0
reload
like "$(cat /run/left4me/report)" "instance 'beta'\\), port" "beta is refused, and nothing else is"
is "$(wc -l </run/left4me/report)" 1 "one line of report"

# Says what it was called as, by whom and what came along from the caller's environment.
cat >$RECORDER <<-'END'
	#!/bin/bash
	{
		printf '%s' "$0"
		[ $# -eq 0 ] || printf ' %q' "$@"
		[ "$(id -u):$(id -G)" = 0:0 ] || printf ' AS %s' "$(id -u):$(id -G)"
		[ -z "${!SYSTEMD_*}${!DBUS_*}${!LD_*}${!LESS*}${PAGER+x}${EDITOR+x}${BASH_ENV+x}${TMPDIR+x}${EVIL+x}" ] ||
			printf ' WITH THE ENVIRONMENT OF THE CALLER'
		case $PATH:$HOME in *left4me*) printf ' WITH A PATH OF THE CALLER' ;; esac
		echo
	} | tee -a /run/recorded
END
chmod 755 $RECORDER
install -d -o left4me -g left4me "$STATE"/{evil,same}
install -o left4me -g left4me $RECORDER "$STATE"/evil/systemctl
install -o left4me -g left4me $RECORDER "$STATE"/evil/journalctl
install -o left4me -g left4me $RECORDER "$STATE"/evil/pager
ln -s /usr/bin/systemctl "$STATE"/evil/link
ln -s /usr/bin/systemctl "$STATE"/same/systemctl
touch "$STATE"/evil/evil.so

# Tries the lines of a file; gives line, status, output, the first of the errors and what was recorded, NUL behind each.
# HOSTILE: with this environment around sudo. No process but sudo's: there are many lines.
cat >/opt/try <<-'END'
	cd /var/lib/left4me || exit 1
	evil=$PWD/evil
	hostile=(env SYSTEMD_PAGER=$evil/pager SYSTEMD_EDITOR=$evil/pager SYSTEMD_PAGERSECURE=0 SYSTEMD_LESS=x SYSTEMD_LOG_LEVEL=debug
		SYSTEMD_UNIT_PATH=$evil DBUS_SYSTEM_BUS_ADDRESS=unix:path=$evil/bus LD_PRELOAD=$evil/evil.so LD_LIBRARY_PATH=$evil
		PAGER=$evil/pager EDITOR=$evil/pager SUDO_EDITOR=$evil/pager LESSOPEN='|id' BASH_ENV=$evil/pager TMPDIR=$evil HOME=$evil
		PATH=$evil:$PATH EVIL=1)
	[ -n "${HOSTILE-}" ] || hostile=()
	exec 3<&0 </dev/null
	before=0
	while IFS= read -r line <&3; do
		case $line in '#'* | '') continue ;; esac
		eval "words=($line)"
		"${hostile[@]}" "$SUDO" -n "${words[@]}" >/tmp/output 2>/tmp/errors
		status=$?
		mapfile -t output </tmp/output
		mapfile -t errors </tmp/errors
		mapfile -t recorded </run/recorded
		printf '%s\0' "$line" $status "${output[*]}" "${errors[0]}" "${recorded[*]:before}"
		before=${#recorded[@]}
	done
END

as_left4me() { setpriv --reuid=left4me --regid=left4me --clear-groups "$@"; }

# try [NAME=VALUE...]: from a namespace in which the recorder is systemctl and journalctl.
try() {
	: >/run/recorded
	rm -f /tmp/output /tmp/errors
	# shellcheck disable=SC2016 # $1 is the inner shell's
	unshare --mount bash -c 'mount --bind "$1" /usr/bin/systemctl && mount --bind "$1" /usr/bin/journalctl && shift && exec "$@"' - \
		$RECORDER setpriv --reuid=left4me --regid=left4me --clear-groups \
		env -i PATH=/usr/bin LC_ALL=C.UTF-8 SUDO="$SUDO" "$@" bash /opt/try
}

# Each line gives one result.
judge() { # NAME CHECK
	local name=$1 check=$2 line status output errors recorded
	while IFS= read -r -d '' line && IFS= read -r -d '' status && IFS= read -r -d '' output &&
		IFS= read -r -d '' errors && IFS= read -r -d '' recorded; do
		"$check"
		tap_result $? "$SUDO: $name: $line" || diag "status $status, output '$output', error '$errors', recorded '$recorded'"
	done
}
# shellcheck disable=SC2154,SC2317 # variables of judge, and called by it
{
	allowed() { [ "$status" -eq 0 ] && [ "$output" = "$line" ] && [ "$recorded" = "$line" ]; }
	# sudo-rs 0.2.5 ends with 101 where an argument is no UTF-8.
	denied() { [ "$status" -ne 0 ] && [ -z "$output" ] && [ -z "$recorded" ]; }
	same() { denied || { [ "$status" -eq 0 ] && [ "$recorded" = "/usr/bin/systemctl restart left4me-reload.service" ]; }; }
	fruitless() { [ "$status" -eq 1 ] && [ -z "$output" ] && [ -n "$errors" ]; }
}

rules() { sed -n 's/^left4me ALL=(root) NOPASSWD: //p' $RULES; }
# alpha 7, beta 4, build 5, reload and check
is "$(rules | wc -l)" 18 "as many rules as there should be"
is "$(grep -vc '^#\|^$' sudo-denied)" "$(grep -v '^#' sudo-denied | sort -u | grep -c .)" "no command line stands there twice"

for SUDO in sudo sudo-rs; do
	diag "$SUDO is $(readlink -f "$(command -v $SUDO)"), $($SUDO --version 2>&1 | head -n 1)" 2>&1
	# sudo-rs prefers an /etc/sudoers-rs; here, as on a host that has none, both read /etc/sudoers and what that includes.
	like "$(strace -f -qq -e trace=open,openat -- $SUDO -n true 2>&1 | sed -n 's/.*"\(\/[^"]*\)".* = [0-9]*$/\1/p')" \
		"^$RULES\$" "$SUDO reads the rules"
	is "$(as_left4me $SUDO -n -l | grep -c /usr/bin/)" 18 "$SUDO lists as many"
	judge "allowed" allowed < <(rules | try)
	judge "allowed with a hostile environment" allowed < <(rules | try HOSTILE=yes)
	judge "denied" denied < <(try <sudo-denied)
	judge "same or denied" same < <(try HOSTILE=yes <sudo-same)
	if [ $SUDO = sudo ]; then # sudo-rs ignores it with a warning
		judge "denied" denied < <(sed -n '/^\(-E\|--preserve-env\)/p' sudo-same | try HOSTILE=yes)
	fi
	# shellcheck disable=SC2016 # expanded by the inner shell
	is "$(unshare --mount bash -c 'mount --bind "$1" /usr/bin/systemctl && exec runuser -u other -- "$2" -n /usr/bin/systemctl restart left4me-reload.service' \
		- $RECORDER $SUDO 2>/dev/null)" "" "$SUDO: nobody else may"

	# With the programs themselves.
	systemctl start left4me-server@alpha.service left4me-check.service 2>/dev/null
	before=$(reload_count)$(property left4me-server@alpha.service InvocationID)$(property left4me-check.service InvocationID)
	rm -f /tmp/output /tmp/errors
	judge "to no avail" fruitless < <(as_left4me env SUDO=$SUDO bash /opt/try <sudo-joined)
	is "$(reload_count)$(property left4me-server@alpha.service InvocationID)$(property left4me-check.service InvocationID)" "$before" \
		"$SUDO: nothing was started, stopped or reloaded by that"
done

# --- during a reload ----------------------------------------------------------------------------------------------------

# Reading a log needs no answer of PID 1, which gives none meanwhile: so there are many calls in each reload.
storm() { # SUDO
	# shellcheck disable=SC2016 # expanded by the inner shell
	as_left4me bash -c 'for ((i = 0; i < 300; i++)); do
		"$1" -n /usr/bin/journalctl --no-pager -a -o json -n 200 -u left4me-server@alpha.service >/dev/null || echo "refused: call $i"
	done' - "$1" 2>&1
}
touch /run/storm
while [ -e /run/storm ]; do
	systemctl daemon-reload
done &
reloads=$(reload_count)
storm sudo >/tmp/storm &
storm_pid=$!
is "$(storm sudo-rs)" "" "sudo-rs: 300 calls during reloads, none refused, no complaint"
wait $storm_pid
is "$(cat /tmp/storm)" "" "sudo: 300 calls during reloads, none refused, no complaint"
rm /run/storm
wait
reloads=$(($(reload_count) - reloads))
[ "$reloads" -ge 10 ]
tap_result $? "there were $reloads reloads"

# --- from within the web application's unit -----------------------------------------------------------------------------

install_web
cat >"$STATE"/.venv/bin/gunicorn <<-'END'
	#!/bin/bash
	# The web application's place: asks for the same as its worker would.
	exec >/var/lib/left4me/probe.new 2>&1
	for sudo in sudo sudo-rs; do
		result() { echo "$sudo $1: $?"; }
		$sudo -n /usr/bin/systemctl restart left4me-reload.service; result reload
		$sudo -n /usr/bin/systemctl restart left4me-server@alpha.service; result restart
		$sudo -n /usr/bin/journalctl --no-pager -a -o json -n 200 -u left4me-server@alpha.service | grep -c '"MESSAGE"' >/dev/null; result journal
		$sudo -n /usr/bin/systemctl stop left4me-server@alpha.service; result stop
		$sudo -n /usr/bin/systemctl stop left4me-web.service 2>/dev/null; result "other unit"
	done
	mv /var/lib/left4me/probe.new /var/lib/left4me/probe
	exec sleep infinity
END
# Until here it had no web.env, and has failed more than once.
systemctl reset-failed left4me-web.service
systemctl restart left4me-web.service
wait_for 200 test -e "$STATE"/probe
is "$(cat "$STATE"/probe)" "$(for SUDO in sudo sudo-rs; do
	for call in reload restart journal stop; do echo "$SUDO $call: 0"; done
	echo "$SUDO other unit: 1"
done)" "the web unit's hardening leaves sudo and sudo-rs as they are"
like "$(property left4me-web.service DropInPaths)" "/left4me-web.service.d/10-hardening.conf" "... and was in force"
is "$(property left4me-web.service ProtectSystem) $(property left4me-web.service ActiveState)" "strict active" "... with its settings"
is "$(mounts)" "" "alpha was unmounted"

done_testing
