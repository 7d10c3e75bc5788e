#!/bin/bash
# What the web application's user does to the state directory, and what servers and builds see of it: links in place of bound
# directories, also while units start; renames and locks before a stop; mounts of an earlier version.
# shellcheck disable=SC2011,SC2012,SC2016,SC2317 # names are plain; wait_for evaluates; functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
helper=/usr/local/libexec/left4me/left4me-overlay

if [ "${1-}" = prepare ]; then
	set -e
	make_host
	for i in 1 2 3; do
		insert_server "crowd$i" "2703$i" 0
	done
	insert_overlay 10 'ls /overlay; echo built'
	insert_overlay 12
	insert_overlay 11 'echo built; echo built >built-by-11'
	echo 'SECRET_KEY=verysecret' >/etc/left4me/web.env
	# A server that says all that it finds of what it must not see.
	mv "$STATE/installation/srcds_run" "$STATE/installation/game"
	put 755 "$STATE/installation/srcds_run" <<-'END'
		#!/bin/bash
		cd /var/lib/left4me
		for directory in installation overlays workshop_cache .steam steam; do
			for path in etc/shadow etc/left4me/web.env left4me.db runtime upper; do
				[ ! -e "$directory/$path" ] || echo "got through: $directory/$path"
			done
		done
		exec runtime/*/merged/game "$@"
	END
	# Without ExecStartPre=: what is mounted and noted before is what `enter` finds.
	for unit in left4me-server@bare left4me-server@off build-overlay@11; do
		mkdir -p "/etc/systemd/system/$unit.service.d"
		printf '[Service]\nRestart=no\n' >"/etc/systemd/system/$unit.service.d/50-test.conf"
	done
	echo ExecStartPre= >>/etc/systemd/system/left4me-server@bare.service.d/50-test.conf
	echo ExecStartPre= >>/etc/systemd/system/build-overlay@11.service.d/50-test.conf
	insert_server bare 27030 0 1
	exit
fi

ok "the boot finishes" booted
host_is_up boot

# --- what a server sees ------------------------------------------------------------------------------------------------

pid=$(property left4me-server@alpha MainPID)
is "$(ls "/proc/$pid/root$STATE/runtime" "/proc/$pid/root$STATE/runtime/alpha" | xargs)" \
	"/proc/$pid/root$STATE/runtime: alpha /proc/$pid/root$STATE/runtime/alpha: merged" "a server sees its overlay, neither upper nor work"
is "$(ls -A "$STATE/runtime/alpha" | xargs)" "upper work" "the host sees both, and no mount"
is "$(tr '\0' '\n' <"/proc/$pid/environ" | grep ^HOME=)" "HOME=$STATE" "it has the unit's environment"
is "$(sed -n 's/^NSpid:.*\t//p' "/proc/$pid/status")" 1 "it is PID 1 of its namespace"
is "$(journalctl --no-pager -b -o json -u left4me-server@alpha | grep -o '"SYSLOG_IDENTIFIER":"srcds_run"' | sort -u)" \
	'"SYSLOG_IDENTIFIER":"srcds_run"' "its lines go by its own name"
fails "nobody but root gets at the mounts" as_left4me "ls /run/left4me/server || ls /run/left4me/server/alpha/merged"

# --- links that are there before a start -------------------------------------------------------------------------------

refusal() { log_since "$cursor" "$1"; } # UNIT: what its last run said
mark() { cursor=$(journal_cursor); }
is_over() { [ "$(property "$1" ActiveState)" = failed ] && [ "$(property "$1" Job)" = "" ]; } # UNIT
for name in installation overlays workshop_cache .steam steam; do
	as_left4me "mv $name kept && ln -s / $name"
	systemctl reset-failed left4me-server@off 2>/dev/null
	mark
	worker /usr/bin/systemctl start left4me-server@off.service
	wait_for 60 is_over left4me-server@off
	like "$(refusal left4me-server@off)" "'$STATE/$name(/1)?' leads through a symbolic link" "$name -> /: the server does not start, and it is said why"
	as_left4me "rm $name && mv kept $name"
done
is "$(mounts | paste -sd' ')" "alpha beta gamma" "nothing is mounted by that"

# --- links that come after the last look as root -----------------------------------------------------------------------

for name in installation overlays workshop_cache .steam steam; do
	for target in / . runtime/beta overlays/2 .steam/..; do
		systemctl reset-failed left4me-server@bare 2>/dev/null
		"$helper" mount bare 1 installation
		as_left4me "mv $name kept && ln -s $STATE/$target $name"
		[ "$target" != / ] || as_left4me "ln -sfn / $name"
		mark
		systemctl start left4me-server@bare
		wait_for 60 is_over left4me-server@bare
		# Where the link leads in a circle, or nowhere, systemd has nothing to bind.
		like "$(refusal left4me-server@bare)" "'$STATE/$name' is not the directory of that name in this unit: it shows '/.*, which belongs to uid|Failed to set up mount namespacing" \
			"$name -> $target after the mount: refused"
		unlike "$(refusal left4me-server@bare)" "got through|srcds_linux" "$name -> $target: nothing has run"
		as_left4me "rm $name && mv kept $name"
	done
done
systemctl reset-failed left4me-server@bare
"$helper" mount bare 1 installation
ok "with everything in its place it starts" systemctl start left4me-server@bare
ok "and is ready" wait_for 60 is_ready bare
systemctl stop left4me-server@bare

# What the unit's own commands note and fetch before the links are there; the latter outside of a unit fetches nothing.
look_at_11() {
	"$helper" build 11
	install -d -m 750 -g left4me /run/left4me/build/11
	put 444 /run/left4me/build/11/script <<<'echo built; echo built >built-by-11'
}
look_at_11
for target in "$STATE" "$STATE/runtime/beta" "$STATE/overlays/10" "$STATE/overlays" / /etc; do
	as_left4me "mv overlays/11 kept && ln -s $target overlays/11"
	mark
	fails "overlays/11 -> $target after the look: nothing is exchanged" systemctl start build-overlay@11
	like "$(refusal build-overlay@11)" "'$STATE/overlays/11' is a symbolic link, which is not followed" \
		"overlays/11 -> $target: it is said why"
	fails "nothing is made where the link leads" test -e "$target/built-by-11"
	as_left4me "rm overlays/11 && mv kept overlays/11"
	look_at_11
done
is "$(cd "$STATE/overlays/11" && echo built*)" "built*" "nor in the present generation"
systemctl reset-failed build-overlay@11
mark
ok "in its place it is built" systemctl start build-overlay@11
like "$(refusal build-overlay@11)" "^built" "by the script"
as_left4me "mv overlays/10 kept && ln -s $STATE overlays/10"
fails "overlays/10 -> the state directory: not built" systemctl start build-overlay@10
like "$(journal build-overlay@10 | grep -v pids.max | tail -n 6)" "'$STATE/overlays/10' is a symbolic link" "and it is said why"
as_left4me "rm overlays/10"
fails "overlays/10 is missing: not built" systemctl start build-overlay@10
like "$(journal build-overlay@10 | grep -v pids.max | tail -n 6)" "overlay 10 has no directory: '$STATE/overlays/10'" "and it is said why"
as_left4me "mv kept overlays/10"
ok "in its place it is built" systemctl start build-overlay@10
is "$(ls /run/left4me/view | paste -sd' ')" "left4me-server@alpha left4me-server@beta left4me-server@gamma" "no view of a build is left"

# --- links that come and go while units start --------------------------------------------------------------------------

swap() { # NAME TARGET
	as_left4me "ln -s $2 swapped"
	runuser -u left4me -- python3 -c 'if True:
		import ctypes, sys, time
		libc = ctypes.CDLL(None)
		while True:
			libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)
			time.sleep(0.002)' "$STATE/$1" "$STATE/swapped" &
	swapper=$!
}
swap_back() { # NAME
	pkill -KILL -u left4me -f '^python3 -c if True'
	wait "$swapper" 2>/dev/null
	if [ -L "$STATE/$1" ]; then
		as_left4me "rm $1 && mv swapped $1"
	else
		as_left4me "rm swapped"
	fi
}
rounds=${SYSTEM_ROUNDS:-30}
# A SIGINT before srcds_run has begun is lost, and it has its second then to say what it finds.
printf '[Service]\nTimeoutStopSec=1s\n' >/etc/systemd/system/left4me-server@off.service.d/60-swap.conf
systemctl daemon-reload
swap steam /
started=0
for ((i = 0; i < rounds; i++)); do
	systemctl reset-failed left4me-server@off 2>/dev/null
	worker /usr/bin/systemctl start left4me-server@off.service && started=$((started + 1))
	sleep 0.1
	worker /usr/bin/systemctl stop left4me-server@off.service
done
swap_back steam
rm /etc/systemd/system/left4me-server@off.service.d/60-swap.conf
systemctl daemon-reload
unlike "$(journal left4me-server@off)" "got through" "$rounds starts while steam and a link to / change places: none sees what it must not"
ok "$started of the starts began" test "$started" -gt 0
swap overlays/10 "$STATE"
built=0
for ((i = 0; i < rounds; i++)); do
	worker /usr/bin/systemctl start build-overlay@10.service 2>/dev/null && built=$((built + 1))
done
swap_back overlays/10
unlike "$(journal build-overlay@10)" "^left4me.db" "$rounds builds while the overlay and a link change places: none sees the database"
ok "$built of them were built" test "$built" -gt 0
is "$(mounts | paste -sd' ')" "alpha beta gamma" "no mount is left of it"

# --- renames and locks before a stop -----------------------------------------------------------------------------------

for what in runtime/off runtime; do
	for instead in : "ln -s /etc $what" "mkdir -p $what"; do
		systemctl reset-failed left4me-server@off 2>/dev/null
		worker /usr/bin/systemctl start left4me-server@off.service
		wait_for 60 is_ready off
		as_left4me "mv $what away && $instead"
		worker /usr/bin/systemctl stop left4me-server@off.service
		is "$(mounts | grep off)" "" "$what renamed ($instead): no overlay is left of a stop"
		as_left4me "if [ -d $what ] && [ ! -L $what ]; then rmdir $what; else rm -f $what; fi; mv away $what"
	done
done
# systemd cannot set up the view of ExecStopPost= then.
for name in steam overlays; do
	for instead in : "ln -s $name $name" "ln -s /nowhere $name"; do
		systemctl reset-failed left4me-server@off 2>/dev/null
		worker /usr/bin/systemctl start left4me-server@off.service
		wait_for 60 is_ready off
		as_left4me "mv $name kept && $instead"
		worker /usr/bin/systemctl stop left4me-server@off.service
		ok "$name renamed ($instead): no overlay is left of a stop" wait_for 60 eval '! mounts | grep off'
		as_left4me "rm -f $name; mv kept $name"
	done
done
# Nor between a crash and the restart; and of several at once none is forgotten.
for name in crowd1 crowd2 crowd3; do
	systemctl reset-failed "left4me-server@$name" 2>/dev/null
	systemctl start "left4me-server@$name"
done
for name in crowd1 crowd2 crowd3; do
	wait_for 60 is_ready "$name"
done
as_left4me "mv steam kept && ln -s steam steam"
systemctl kill --signal=KILL left4me-server@crowd{1,2,3}
ok "three servers crash at once: no overlay is left" wait_for 60 eval '! mounts | grep crowd'
# Each is in between for a moment, when a restart fails.
ok "while they wait for a restart" wait_for 60 eval \
	'[ "$(systemctl show -p ActiveState --value left4me-server@crowd{1,2,3} | sort -u | xargs)" = activating ]'
is "$(mounts | paste -sd' ')" "alpha beta gamma" "what runs stays mounted"
as_left4me "rm -f steam; mv kept steam"
for name in crowd1 crowd2 crowd3; do
	ok "with its directory back $name restarts" wait_for 60 is_ready "$name"
done
# One that takes its time to stop holds up nobody else's start, a crash beside it or not.
put 755 "$STATE/overlays/12/srcds_run" </opt/system-test/srcds/srcds_run-stubborn
insert_server slow 27034 0 12
mkdir -p /etc/systemd/system/left4me-server@slow.service.d
printf '[Service]\nTimeoutStopSec=5min\n' >/etc/systemd/system/left4me-server@slow.service.d/50-slow.conf
reload
systemctl start left4me-server@slow
ok "slow is ready" wait_for 60 is_ready slow
systemctl daemon-reload
systemctl stop --no-block left4me-server@slow
wait_for 60 eval '[ "$(property left4me-server@slow ActiveState)" = deactivating ]'
systemctl stop left4me-server@crowd2
systemctl kill --signal=KILL left4me-server@crowd1
wait_for 60 eval '[ "$(property left4me-server@crowd1 ActiveState)" = activating ]'
begin=${EPOCHREALTIME/./}
systemctl start left4me-server@crowd2
ok "beside a crash and a stop that takes its time another server starts at once" \
	test $(((${EPOCHREALTIME/./} - begin) / 1000)) -lt 4500
ok "and the one that crashed after its five seconds" wait_for 60 is_ready crowd1
is "$(property left4me-server@slow ActiveState)" deactivating "while the one still stops"
unlike "$(manager_log)" "multiple trigger source" "nor does systemd warn of who has failed"
systemctl kill --signal=KILL left4me-server@slow
systemctl stop left4me-server@crowd{1,2,3}
systemctl reset-failed left4me-server@off 2>/dev/null
for _ in 1 2 3; do
	systemctl restart left4me-server@off
done
ok "restarts do not run into an unmount" wait_for 60 is_ready off
systemctl stop left4me-server@off
is "$(ls /run/left4me/server | paste -sd' ')" "alpha beta gamma" "nor a mount point"
worker /usr/bin/systemctl start left4me-server@off.service
wait_for 60 is_ready off
as_left4me "exec 9<runtime/off 8<runtime && flock 9 && flock 8 && exec -a holder sleep 1000" &
ok "somebody holds locks on all that is left4me's" wait_for 60 pgrep -u left4me -f '^holder'
begin=${EPOCHREALTIME/./}
worker /usr/bin/systemctl stop left4me-server@off.service
is "$(mounts | grep off)" "" "then no overlay is left of a stop"
[ $(((${EPOCHREALTIME/./} - begin) / 1000)) -lt 3000 ]
tap_result $? "and it does not wait"
pkill -u left4me -f '^holder'

# --- a link where the overlay is shown ---------------------------------------------------------------------------------

# systemd follows links in the destination of a bind, too. If it were below a directory of the user's, the overlay would cover the
# helper that ExecStopPost=+ runs.
put 755 "$STATE/installation/left4me-overlay" <<-END
	#!/bin/sh
	id >$STATE/overlays/covered
END
as_left4me "mkdir -p runtime/off && ln -s /usr/local/libexec/left4me runtime/off/merged"
systemctl reset-failed left4me-server@off 2>/dev/null
worker /usr/bin/systemctl start left4me-server@off.service
ok "a link in runtime/NAME/merged: the server starts" wait_for 60 is_ready off
worker /usr/bin/systemctl stop left4me-server@off.service
fails "and it does not cover the helper" test -e "$STATE/overlays/covered"
is "$(mounts | grep off)" "" "and is unmounted"
as_left4me "rm runtime/off/merged installation/left4me-overlay"

# --- what an earlier version has mounted -------------------------------------------------------------------------------

old=$STATE/runtime/off
as_left4me "mkdir -p runtime/off/merged"
mount -t overlay -o "lowerdir=$STATE/installation,upperdir=$old/upper,workdir=$old/work" left4me:off "$old/merged"
as_left4me "mv runtime/off runtime/away"
"$helper" umount off
is "$(mounts | grep off)" "" "what an earlier version mounted is unmounted, renamed or not"
as_left4me "mv runtime/away runtime/off"
mount -t overlay -o "lowerdir=$STATE/installation,upperdir=$old/upper,workdir=$old/work" left4me:off "$old/merged"
systemctl reset-failed left4me-server@off 2>/dev/null
ok "a server that it had mounted starts" systemctl start left4me-server@off
ok "and is ready" wait_for 60 is_ready off
is "$(mounts | grep -c off)" 1 "mounted once"
systemctl stop left4me-server@off
is "$(mounts | paste -sd' ')" "alpha beta gamma" "the others are as they were"
systemctl reset-failed
host_is_up "at the end"
done_testing
