#!/bin/bash
# A server and a build try to use up what is counted for root: inotify instances, queued signals, timers, message queues,
# terminals, asynchronous I/O, kernel keys. Root is asked outside what is left for it, and a bystander is measured.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
# shellcheck source=tests/system/bystander.sh
. ./bystander.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_database
	install_game
	install_web
	insert_overlay 1 'python3 -I /overlay/exhaust.py 1000'
	insert_server off 27018 0 1
	install -o left4me -g left4me exhaust.py "$STATE/overlays/1/"
	install -o left4me -g left4me exhaust.py "$STATE/installation/"
	printf '#!/bin/sh\nexec python3 -I %s/installation/exhaust.py 1000\n' "$STATE" | put 755 "$STATE/installation/srcds_run"
	bystander_prepare
	exit
fi
ok "the boot finishes" booted
bystander_calm 3

# What root has, as exhaust.py counts it, up to 10 000 of each; nothing is kept.
left() { (ulimit -i 10000 && exec python3 exhaust.py 0); }
amount() { sed -n "s/^$1 //p" <<<"$2"; } # WHAT TEXT

start_of() { # server|build
	if [ "$1" = server ]; then
		worker /usr/bin/systemctl start left4me-server@off.service
	else
		systemctl start --no-block build-overlay@1.service
	fi
}
unit_of() { [ "$1" = server ] && echo left4me-server@off.service || echo build-overlay@1.service; } # server|build

attack() { # server|build: waits until it holds what it got, asks root, which may take long, and ends it
	CURSOR=$(journal_cursor)
	start_of "$1"
	wait_for 60 eval "journalctl --no-pager -o cat --after-cursor='$CURSOR' -u $(unit_of "$1") | grep -q ^holding"
	during=$(left)
	systemctl stop "$(unit_of "$1")"
	taken=$(journalctl --no-pager -o cat --after-cursor="$CURSOR" -u "$(unit_of "$1")" | grep -E '^[a-z-]+ [0-9]+$')
	systemctl reset-failed "$(unit_of "$1")" 2>/dev/null
	return 0
}

# Half of it: the rest of this machine is root's as well, and takes and gives back; an attack would leave none.
about() { # NUMBER NUMBER NAME
	ok "$3: $1, before $2" test "$1" -ge $(($2 / 2))
}

before=$(left)
diag "root has: $(paste -sd' ' <<<"$before")"
ok "root has some of everything" test "$(grep -c ' [1-9]' <<<"$before")" -eq 7
for kind in server build; do
	bystander_watch "$kind" attack $kind
	diag "$kind took: $(paste -sd' ' <<<"$taken"); root then had: $(paste -sd' ' <<<"$during")"
	is "$(wc -l <<<"$taken")" 7 "$kind: the attack came to its end"
	for what in inotify queues terminals aio keys; do
		is "$(amount $what "$taken")" 0 "$kind: $what: nothing to be had inside"
		about "$(amount $what "$during")" "$(amount $what "$before")" "$kind: $what: root has as much as before"
	done
	for what in signals timers; do
		ok "$kind: $what: $(amount $what "$taken") inside, 1024 at most" test "$(amount $what "$taken")" -le 1024
		ok "$kind: $what: root has nearly as much as before" test "$(amount $what "$during")" -ge $(($(amount $what "$before") - 1100))
	done
done

# --- without: the attack does take root's own, and each line of a drop-in gives one thing back ------------------------------------

given_back() { # server|build WHAT AMOUNT DIRECTIVE...
	local kind=$1 what=$2 least=$3 directory
	directory=/etc/systemd/system/$(unit_of "$1" | sed 's/@.*/@.service.d/')
	shift 3
	mkdir -p "$directory"
	printf '%s\n' '[Service]' "$@" >"$directory/50-more.conf"
	systemctl daemon-reload
	attack "$kind"
	ok "$kind: $* gives $what back: $(amount "$what" "$taken")" test "$(amount "$what" "$taken")" -ge "$least"
	is "$(grep -Ev "^($what|signals|timers) " <<<"$taken" | grep -v ' 0$')" "" "$kind: and nothing else"
	diag "root then had: $(paste -sd' ' <<<"$during")"
	rm -r "$directory"
	systemctl daemon-reload
}
for kind in server build; do
	given_back $kind inotify 60 SystemCallFilter='inotify_init inotify_init1'
	ok "$kind: which root then lacks: $(amount inotify "$during")" test "$(amount inotify "$during")" -lt 5
	given_back $kind queues 5 LimitMSGQUEUE=819200
	ok "$kind: which root then lacks: $(amount queues "$during")" test "$(amount queues "$during")" -lt 5
	given_back $kind timers 3000 LimitSIGPENDING=3500
	given_back $kind keys 60 SystemCallFilter=@keyring
	given_back $kind aio 60 SystemCallFilter=@aio
	ok "$kind: which root then lacks: $(amount aio "$during")" test "$(amount aio "$during")" -lt 5
done
# An empty line takes back what was made inaccessible before; the rest of it is then named anew.
given_back server terminals 1000 InaccessiblePaths= 'InaccessiblePaths=-/dev/hugepages'
ok "server: which root then lacks: $(amount terminals "$during")" test "$(amount terminals "$during")" -lt 5
done_testing
