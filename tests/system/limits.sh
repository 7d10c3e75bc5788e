#!/bin/bash
# On Debian's kernel: memory of /tmp and of all servers together, what is counted for the shared user, modules on demand, cores.
# With LONG also what happens without each of the measures.
# shellcheck disable=SC2016,SC2317 # scripts of the guest; functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
# shellcheck source=tests/system/bystander.sh
. ./bystander.sh

EAT='import sys, time
kept = []
for _ in range(int(sys.argv[1]) // 20):
    kept.append(bytearray(b"x") * (20 << 20))
print("eaten", flush=True)
time.sleep(1000)'
if [ "${1-}" = prepare ]; then
	set -e
	make_database
	install_game
	install_web
	printf '[build]\nmemory_max = 64M\n' >/etc/left4me/left4me.conf.d/50-test.conf
	insert_overlay 1 'echo starts; head -c 80M /dev/zero >/tmp/download && echo downloaded'
	insert_overlay 2 'head -c 80M /dev/zero >"$OVERLAY/download" && rm "$OVERLAY/download" && echo downloaded'
	insert_server one 27101 0 2
	insert_server two 27102 0 2
	insert_server three 27103 0 2
	cp exhaust.py epoll.py "$STATE/installation/"
	put 644 "$STATE/installation/eat.py" <<<"$EAT"
	# What a server does is what the file "does" says.
	printf '#!/bin/bash\ncd %s/installation && . ./does\n' "$STATE" | put 755 "$STATE/installation/srcds_run"
	mkdir -p /etc/systemd/system
	printf '[Service]\nExecStart=/usr/bin/python3 %s/installation/eat.py 320\n' "$STATE" >/etc/systemd/system/neighbour.service
	bystander_prepare
	exit
fi
ok "the boot finishes" booted 400
# A reload. An emulated machine beside others may be too slow for the time that a generator has: then again.
has_rows() { systemctl daemon-reload && [ -e /run/systemd/generator/left4me-server@one.service ]; }
ok "the rows are there" wait_for 120 has_rows
bystander_calm 5

does() { put 644 "$STATE/installation/does"; }
has_said() { run_log "$1" | grep -q "$2"; } # NAME REGEX
is_over() { ! systemctl is-active -q "$1" && ! systemctl list-jobs --no-legend | grep -q "$1"; } # UNIT

# --- a download that is larger than memory_max ---------------------------------------------------------------------------

ok "the temporary directory of a build is a tenth of the host's memory" test $(($(awk '/^MemTotal/ { print $2 }' /proc/meminfo) / 10)) -gt 125000
build() { systemctl start build-overlay@1.service 2>/dev/null; }
bystander_watch "a build that fills its memory" build
is "$(property build-overlay@1.service Result)" oom-kill "80 MiB in /tmp with memory_max = 64M: killed"
log=$(journal build-overlay@1.service)
like "$log" '^starts$' "it had begun"
unlike "$log" '^downloaded$' "it did not end"
like "$log" 'killed for its memory, limit 64M: /tmp and /var/tmp count, /overlay is on the disk' "the log says what counted and what to do"
ok "the same below /overlay is built" systemctl start build-overlay@2.service
like "$(journal build-overlay@2.service)" '^downloaded$' "to its end"

# --- what is counted for the user that servers and web application share; leases on files that are both's; terminals -----------

LEASE='import fcntl, os, time
for path in ("overlays/2/left4dead2/top", "installation/left4dead2/top"):
    fd = os.open("/var/lib/left4me/" + path, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        print(path, error.strerror)
print("leases are tried", flush=True)
time.sleep(1000)'
put 644 "$STATE/installation/lease.py" <<<"$LEASE"
as_web() { runuser -u left4me -- python3 epoll.py ask; }
# To open does not wait here, but says that it would.
write() { runuser -u left4me -- python3 -c "import os; os.open('$STATE/overlays/2/left4dead2/top', os.O_WRONLY | os.O_NONBLOCK)"; }
chmod 755 . .. && chmod 644 epoll.py
has_taken() { has_said one '^taken: ' && has_said one '^leases are tried' && has_said one '^holding'; }
# One server for all of it: a start takes an emulated machine its time.
does <<<'python3 epoll.py take 1000 & python3 lease.py & python3 exhaust.py 1000 & wait'
systemctl start left4me-server@one
ok "a server takes all it can" wait_for 150 has_taken
is "$(run_log one | grep ^taken)" "taken: 60000 watches, 80 MiB of pipes" "that is no limit of the user's"
is "$(as_web)" "a watch is to be had, a pipe has 65536 bytes" "and takes nothing from the web application"
ok "nobody waits for a lease of a server's" write
is "$(run_log one | grep -E '^(terminals|inotify|aio|keys|queues) ' | grep -v ' 0$')" "" "it has no quota of root's, no terminal either"
keys=$(awk '$1 == "980:" { sub("/.*", "", $4); print $4 }' /proc/key-users)
systemctl stop left4me-server@one
ok "each unit of the user's has few keys" test "$((keys - $(awk '$1 == "980:" { sub("/.*", "", $4); print $4 }' /proc/key-users)))" -le 4
if [ -n "$LONG" ]; then
	sysctl -q -w fs.epoll.max_user_watches=50000 fs.pipe-user-pages-soft=16384 fs.leases-enable=1
	systemctl start left4me-server@one
	ok "with the kernel's own limits" wait_for 150 has_taken
	unlike "$(as_web)" "a watch is to be|65536" "the web application would have none"
	fails "with leases the web application would wait" write
	systemctl stop left4me-server@one
	sysctl -q -p /usr/local/lib/sysctl.d/99-left4me.conf
fi

# --- live logs: each is a journalctl of root's, which watches the journal --------------------------------------------------------

follow=(/usr/bin/journalctl --no-pager -a -o json -n 200 -u left4me-server@one.service -f)
watch_logs() { # AMOUNT: how many of root's inotify instances are left meanwhile
	local i
	for ((i = 0; i < $1; i++)); do
		worker "${follow[@]}" >"log.$i" 2>&1 &
	done
	wait_for 100 eval '[ "$(pgrep -c -u root -x journalctl)" -ge '"$1"' ]' || diag "$(cat log.*)"
	python3 exhaust.py 0 | sed -n 's/^inotify //p'
	pkill -u root -x journalctl
	wait
}
left=$(watch_logs 10)
ok "with 10 live logs root may still watch files: $left times" test "$left" -gt 4000
if [ -n "$LONG" ]; then
	sysctl -q -w fs.inotify.max_user_instances=128
	left=$(watch_logs 94)
	ok "with the kernel's own limit, and as many logs as its tasks allow, few are left: $left" test "$left" -lt 35
	sysctl -q -p /usr/local/lib/sysctl.d/99-left4me.conf
fi

# --- modules ------------------------------------------------------------------------------------------------------------

# A server sees its overlay alone: what is put into its upper directory lies in the merged one.
own=$STATE/runtime/one/merged/probes upper=$STATE/runtime/one/upper/probes
tar -C selftest.d -c probe probes | runuser -u left4me -- sh -c "mkdir -p $upper && tar -C $upper --no-same-owner -x"
runuser -u left4me -- sh -c "printf 'own=%s\nonly=on demand\n' $own >$upper/facts"
does <<<"exec /usr/bin/python3 -I $own/probe server $own/facts"
probe_modules() {
	systemctl start left4me-server@one
	wait_for 100 is_over left4me-server@one.service
	journalctl --sync
	said=$(journalctl --no-pager -b -o cat -u left4me-server@one.service | grep -E '^(pass|FAIL|skip|# ?[0-9]+ probes)' | tac | sed '/^# /{1!Q}')
	systemctl reset-failed left4me-server@one 2>/dev/null
}
probe_modules
ok "the probe of modules came to its end: $(grep -c ^pass <<<"$said") kinds" test "$(grep -c ^pass <<<"$said")" -gt 12
is "$(grep ^FAIL <<<"$said")" "" "a server has none of them loaded"
ok "by name a module is loaded as ever" modprobe vsock
like "$(lsmod)" "^vsock " "and there"
modprobe -r vsock
if [ -n "$LONG" ]; then
	mv /usr/local/lib/modprobe.d/left4me.conf kept
	probe_modules
	like "$said" "FAIL .*loaded: " "without the file it has: $(sed -n 's/^FAIL .*on demand: \([^ ]*\) .*/\1/p' <<<"$said" | paste -sd' ')"
	mv kept /usr/local/lib/modprobe.d/left4me.conf
fi

# --- crashes ------------------------------------------------------------------------------------------------------------

printf '#!/bin/sh\ncat >/dev/null; echo x >>/run/cores\n' >/opt/core && chmod 755 /opt/core
sysctl -q -w 'kernel.core_pattern=|/opt/core'
# Each in a shell of its own: the first process of the namespace is no one's to kill.
does <<<'for i in 1 2 3; do sh -c "kill -SEGV \$\$"; done; echo crashed; sleep 1000'
all_cores() { [ "$(wc -l </run/cores)" = 3 ]; }
crash() { # SECONDS to wait for the programs
	: >/run/cores
	systemctl start left4me-server@one
	wait_for 60 has_said one '^crashed'
	wait_for "$1" all_cores
	systemctl stop left4me-server@one
	wc -l </run/cores
}
is "$(crash 5)" 0 "three crashes start no program"
if [ -n "$LONG" ]; then
	mkdir -p /etc/systemd/system/left4me-server@.service.d
	printf '[Service]\nLimitCORE=0\n' >/etc/systemd/system/left4me-server@.service.d/90-less.conf
	wait_for 120 has_rows
	is "$(crash 60)" 3 "with LimitCORE=0 they would"
	rm -r /etc/systemd/system/left4me-server@.service.d
	wait_for 120 has_rows
fi

# --- all servers together -------------------------------------------------------------------------------------------------

total=$(awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo)
ok "l4d2.slice has 85 % of the memory: $(cat /sys/fs/cgroup/l4d2.slice/memory.max) of $total" \
	awk -v m="$(cat /sys/fs/cgroup/l4d2.slice/memory.max)" -v t="$total" 'BEGIN { exit !(m > t * 0.84 && m < t * 0.86) }'
# As much less as this machine is smaller than a host, since the neighbour is large on purpose: the kernel chooses by size. Without
# the bound three of the long run's servers would take all there is.
share=35 each=300
[ -z "$LONG" ] || share=62 each=580
printf '[host]\nmemory = %d%%\n' "$share" >/etc/left4me/left4me.conf.d/60-test.conf
wait_for 120 has_rows
does <<<"exec python3 eat.py $each"
eat() { # three servers that want more than there is
	systemctl start neighbour.service
	wait_for 60 eval 'journal neighbour.service | grep -q ^eaten'
	systemctl start left4me-server@one left4me-server@two
	wait_for 100 has_said one '^eaten'
	wait_for 100 has_said two '^eaten'
	systemctl start left4me-server@three
	wait_for 100 eval 'has_said three "^eaten" || journalctl --no-pager -b -k --after-cursor="$cursor" | grep -q "Killed process"'
	sleep 2
}
cursor=$(journal_cursor)
bystander_watch "three servers that want more than there is" eat
killed=$(journalctl --no-pager -k --after-cursor="$cursor" -o cat | grep -o "oom-kill:constraint=[A-Z_]*\|Killed process [0-9]* ([^)]*)" | paste -sd" ")
diag "$killed"
is "$(property neighbour.service Result)$(property neighbour.service ActiveState)" successactive "the neighbour lives"
like "$killed" 'CONSTRAINT_MEMCG' "a server was killed for the bound of the slice"
unlike "$killed" CONSTRAINT_NONE "and nobody for want of memory on the host"
systemctl stop left4me-server@{one,two,three}
systemctl reset-failed

if [ -n "$LONG" ]; then
	printf '[host]\nmemory = infinity\n' >/etc/left4me/left4me.conf.d/60-test.conf
	wait_for 120 has_rows
	cursor=$(journal_cursor)
	eat
	is "$(property neighbour.service Result)" oom-kill "without the bound the neighbour is killed for them"
fi
done_testing
