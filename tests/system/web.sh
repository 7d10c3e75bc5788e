#!/bin/bash
# In a guest: the web application's unit and the workshop refresh with a real Flask under a real gunicorn, Debian's. Every
# sudo rule, by sudo and sudo-rs, from within; as many live logs as it has threads; what it cannot do; what drop-ins give back.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
RULES=/run/left4me/sudoers.d/left4me
SOCKET=127.0.0.1:8000

prepare() {
	make_host
	insert_overlay 10 'echo hello from the build'
	insert_server bad 80 0
	install -d -o left4me -g left4me /opt/left4me/src/l4d2web
	install -o left4me -g left4me -m 644 l4d2web/* /opt/left4me/src/l4d2web/
	runuser -u left4me -- python3 -m venv --clear --without-pip --system-site-packages "$STATE/.venv"
	for program in gunicorn flask; do
		sed "1s|.*|#!$STATE/.venv/bin/python3|" "/usr/bin/$program" | put 755 "$STATE/.venv/bin/$program"
	done
	ln -sf /dev/null /etc/systemd/system/left4me-workshop-refresh.timer
}
if [ "${1-}" = prepare ]; then
	set -e
	prepare
	exit
fi

get() { # PATH [KEY=VALUE...]
	local path=$1 argument words=()
	shift
	for argument; do
		words+=(--data-urlencode "$argument")
	done
	curl --silent --show-error --max-time "${LIMIT-60}" --no-buffer --get "${words[@]}" "http://$SOCKET$path" 2>&1
}
answers() { get /status | grep -q ^NoNewPrivs; }
web_restarts() {
	systemctl daemon-reload
	systemctl reset-failed left4me-web.service 2>/dev/null
	systemctl restart left4me-web.service && wait_for 60 answers
}
drop_in() { # UNIT NAME, from standard input
	mkdir -p "/etc/systemd/system/$1.d" && cat >"/etc/systemd/system/$1.d/$2.conf"
}
# SECURITY.md has them, each behind the name of its unit.
from_security() { sed -n "/^ *# $1: $2\$/,/^\$/{s/^ *//;/^#/d;p}" SECURITY.md; } # UNIT WHAT

ok "the boot finishes" booted 400
if ! wait_for 60 answers; then
	diag "$(journal left4me-web | tail -n 20)"
	tap_result 1 "Flask answers under gunicorn"
	done_testing
fi
tap_result 0 "Flask answers under gunicorn"
like "$(tr '\0' ' ' <"/proc/$(property left4me-web MainPID)/cmdline")" "gunicorn --workers 1 --threads 32 " "with 32 threads"
ok "alpha is ready" wait_for 60 is_ready alpha

# --- what it is -----------------------------------------------------------------------------------------------------------

score() { systemd-analyze security --no-pager "$1" | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\) .*/\1/p'; } # UNIT
at_most() { awk -v s="$1" -v b="$2" 'BEGIN { exit !(s != "" && s + 0 <= b + 0) }'; }
ok "exposure of the loaded web unit: $(score left4me-web.service), at most 2.0" at_most "$(score left4me-web.service)" 2.0
ok "exposure of the loaded refresh: $(score left4me-workshop-refresh.service), at most 1.5" \
	at_most "$(score left4me-workshop-refresh.service)" 1.5
is "$(get /status)" "NoNewPrivs 0,CapBnd 00000000000000c0,Umask 0027" "it can gain by sudo no capability but CAP_SETUID and CAP_SETGID"
is "$(get /rows)" "alpha bad beta gamma off" "it reads and writes its database"
tried="a setuid file: Operation not permitted
a setgid program: Operation not supported
a file in the state directory: done
a file in the virtual environment: Read-only file system
another virtual environment: Device or resource busy
io_uring: Operation not permitted
memory to write and execute: Permission denied
a network interface's name: Address family not supported by protocol
a device: No such file or directory"
is "$(get /try)" "$tried" "it makes no setuid file and no setgid program, leaves its programs as they are, and has no io_uring"

# Python runs a line of a .pth file that begins with "import", when it looks for packages there.
site=$STATE/.local/lib/$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')/site-packages
runuser -u left4me -- mkdir -p "$site"
put 644 "$site/stays.pth" <<<"import os; open('$STATE/stays', 'w').close()"
runuser -u left4me -- env HOME=$STATE "$STATE/.venv/bin/python3" -c ''
ok "Python runs what lies in HOME/.local" test -e "$STATE/stays"
rm -f "$STATE/stays"
ok "the application starts again" web_restarts
systemctl start left4me-workshop-refresh.service
ok "but not in the application and the refresh" test ! -e "$STATE/stays"

# --- every rule -------------------------------------------------------------------------------------------------------------

mapfile -t rules < <(sed -n 's/^left4me ALL=(root) NOPASSWD: //p' $RULES)
ok "there are ${#rules[@]} rules" test ${#rules[@]} -ge 35
each_rule() { # SUDO
	local rule said
	for rule in "${rules[@]}"; do
		# Many starts in little time are this test's own; what is not loaded cannot be reset.
		systemctl reset-failed 'left4me-server@*' 2>/dev/null
		[[ $rule != *' reset-failed '* ]] || systemctl start "${rule##* }"
		if [[ $rule = *' -f' ]]; then
			# A unit without a past has no line yet.
			said=$(LIMIT=2 get /log sudo="$1" command="$rule" | head -n 1)
			[[ $said = '{"'* ]] || [[ $said = 'curl: (28)'* ]] || echo "$rule: $said"
		else
			said=$(get /sudo sudo="$1" command="$rule")
			case $rule in
			*' start left4me-check.service') [ "${said##*$'\n'}" = "status 1" ] || echo "$rule: $said" ;;
			*) [ "${said##*$'\n'}" = "status 0" ] || echo "$rule: $said" ;;
			esac
		fi
	done
}
for sudo in sudo sudo-rs; do
	is "$(each_rule $sudo)" "" "$sudo: every rule, from within the application"
	like "$(get /sudo sudo=$sudo command="/usr/bin/journalctl --no-pager -a -o json -n 200 -u build-overlay@10.service")" \
		"hello from the build" "$sudo: it reads what the build said"
	like "$(get /sudo sudo=$sudo command="/usr/bin/systemctl stop left4me-web.service" | tail -n 1)" "^status [1-9]" \
		"$sudo: what has no rule is denied"
done

# --- as many live logs as threads ---------------------------------------------------------------------------------------------

group() { echo "/sys/fs/cgroup$(property left4me-web ControlGroup)"; }
unit_tasks() { find "$(group)" -name cgroup.threads -exec cat {} + | wc -l; }
unit_programs() { xargs -a "$(group)/cgroup.procs" -I{} cat /proc/{}/comm 2>/dev/null | grep -c "^$1"; } # NAME
open_logs() { # SUDO TERMINAL
	local i
	for ((i = 0; i < 32; i++)); do
		LIMIT=300 get /log sudo="$1" ${2:+terminal=yes} \
			command="/usr/bin/journalctl --no-pager -a -o json -n 200 -u left4me-server@alpha.service -f" >"log.$i" &
	done
}
all_show() { [ "$(grep -l "$1" log.* | wc -l)" -eq 32 ]; } # WORD

sudo -V | grep -q 'run commands in a pseudo-tty'
tap_result $? "sudo has use_pty, by Debian's sudoers or by its own default"
for terminal in '' ' on a terminal'; do
	[ -z "$terminal" ] || from_security left4me-web.service "a terminal for sudo" | drop_in left4me-web.service 50-terminal
	for sudo in sudo sudo-rs; do
		label=$sudo$terminal
		ok "$label: the application starts again" web_restarts
		systemctl reset-failed left4me-server@alpha.service
		open_logs $sudo "$terminal"
		ok "$label: 32 live logs at once" wait_for 100 all_show '^{"' ||
			diag "$(grep -hv '^{"' log.* | sort | uniq -c)"
		is "$(unit_programs journalctl)/$(unit_programs sudo)" "32/$((${#terminal} ? 64 : 32))" \
			"$label: each of one journalctl and of sudo's one process, or two"
		tasks=$(unit_tasks)
		ok "$label: with $tasks tasks there is room for 64 more below TasksMax=$(property left4me-web TasksMax)" \
			test "$((tasks + 64))" -le "$(property left4me-web TasksMax)"
		[ ! -e "$(group)/pids.peak" ] || diag "tasks: $(cat "$(group)/pids.peak"), bytes: $(cat "$(group)/memory.peak")"
		systemctl restart left4me-server@alpha.service
		ok "$label: what is new comes through all of them" wait_for 100 all_show "$(property left4me-server@alpha InvocationID)"
		systemctl stop left4me-web.service
		wait
		is "$(pgrep -x journalctl | wc -l)" 0 "$label: nothing is left of them when the unit is stopped"
		rm -f log.*
	done
done
rm /etc/systemd/system/left4me-web.service.d/50-terminal.conf
ok "the application starts again" web_restarts

# --- the refresh ----------------------------------------------------------------------------------------------------------------

refreshed() { journal left4me-workshop-refresh | sed -n 's/^refresh: //p'; }
since_last_start() { refreshed | tac | sed '/^NoNewPrivs/q' | tac; }
ok "the refresh runs" systemctl start left4me-workshop-refresh.service
is "$(since_last_start | head -n -3)" "NoNewPrivs 1,CapBnd 0000000000000000,Seccomp 2,Umask 0027
$tried" "the refresh has no_new_privs, no capability, and does no more than the application"
is "$(sql "SELECT title FROM servers WHERE name = 'alpha'")" refreshed "but writes the database"
like "$(since_last_start | grep '^sudo: ')" "^sudo: status 1 .*no new privileges" "sudo is denied to it"
is "$(property left4me-workshop-refresh TimeoutStartUSec)" "6h" "it is ended after six hours"

# --- what drop-ins give back ------------------------------------------------------------------------------------------------

from_security left4me-workshop-refresh.service sudo | drop_in left4me-workshop-refresh.service 50-sudo
ok "the drop-in for sudo in the refresh" grep -q '^\[Service\]' /etc/systemd/system/left4me-workshop-refresh.service.d/50-sudo.conf
systemctl daemon-reload
systemctl start left4me-workshop-refresh.service
is "$(since_last_start | grep '^sudo' | paste -sd,)" "sudo: status 0,sudo-rs: status 0" "gives it sudo and sudo-rs"
from_security left4me-web.service "a JIT compiler" | drop_in left4me-web.service 50-jit
ok "the application starts with the drop-in for a JIT compiler" web_restarts
is "$(get /try | grep execute)" "memory to write and execute: done" "and may execute what it has written"
from_security left4me-web.service "changes of the virtual environment" | drop_in left4me-web.service 50-venv
ok "the application starts with the drop-in for its virtual environment" web_restarts
is "$(get /try | grep environment | sed 's/.*: //' | paste -sd,)" "done,done" "and may change its virtual environment"
like "$(get /sudo sudo=sudo command="/usr/bin/systemctl stop left4me-server@off.service" | tail -n 1)" "^status 0" "and calls sudo"

# A host that raises root's limits: sudo's PAM session tries it in vain and goes on.
printf 'root - nofile 2000000\nroot - memlock unlimited\nroot - nice -10\n' >/etc/security/limits.d/root.conf
for sudo in sudo sudo-rs; do
	like "$(get /sudo sudo=$sudo command="/usr/bin/systemctl stop left4me-server@off.service" | tail -n 1)" "^status 0" \
		"$sudo works where pam_limits cannot raise root's limits"
done
done_testing
