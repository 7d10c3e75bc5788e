#!/bin/bash
# In a guest: overlays whose scripts runs.py has built by run_sandboxed_script(), in the place of the web application.
# shellcheck source=tests/system/guest.sh
. ./guest.sh

many='seq 1 10000'
wait_forever='echo started; sleep 1000; echo on'
make_database
# shellcheck disable=SC2119
install_game
install_web
insert_overlay 5 'echo hello; exit 7'
insert_overlay 6 'echo out; echo err >&2; echo; echo out; printf "caf\351\ntab\there\n"; head -c 4000 /dev/zero | tr "\0" x; echo
	head -c 5000 /dev/zero | tr "\0" y; echo; printf "no end"'
insert_overlay 7 "$wait_forever"
insert_overlay 8 true
insert_overlay 9 'trap go=on USR1; echo one; until [ "$go" ]; do sleep 0.05 & wait; done; echo two'
insert_overlay 10 "$wait_forever"
insert_overlay 11 "$wait_forever"
insert_overlay 12 "$many"
insert_overlay 13 "$many"
insert_overlay 14 "$many"
insert_overlay 15 "$many"
insert_overlay 16 "$many"
insert_overlay 17 true
for id in 21 22 23; do
	insert_overlay $id "run=\$RANDOM\$RANDOM; echo first \$run; echo last \$run"
done
insert_overlay 24 "run=\$RANDOM\$RANDOM; echo first \$run; seq 1 500; echo last \$run"
# How builds end: by a signal, with a status of left4me-overlay's, and two whose commit and discard fail; one whose script failed, too.
insert_overlay 30 'kill -TERM $$'
insert_overlay 31 'exit 252'
insert_overlay 32 'mkdir closed && chmod 0 closed'
insert_overlay 33 true
insert_overlay 34 'exit 4'
sql "UPDATE overlays SET name = 'two' || char(10) || 'lines' WHERE id = 17"
install -d /run/systemd/system/build-overlay@10.service.d
printf '[Service]\nTimeoutStartSec=5\n' >/run/systemd/system/build-overlay@10.service.d/50-short.conf
for id in 33 34; do
	install -d /run/systemd/system/build-overlay@$id.service.d
	printf '[Service]\nExecStopPost=/bin/sh -c "exit 253"\n' >/run/systemd/system/build-overlay@$id.service.d/50-rest.conf
done
# Many lines at once behind the manager's first.
for id in 14 15; do
	install -d /run/systemd/system/build-overlay@$id.service.d
	printf '[Service]\nExecStartPre=\nExecStart=\nExecStart=/usr/bin/seq 1 10000\n' \
		>/run/systemd/system/build-overlay@$id.service.d/50-at-once.conf
done
# shellcheck source=tests/system/as-web.sh
. ./as-web.sh
reload
insert_overlay 76 true

# sudo with one command that is overtaken by what is called after it.
late() { # NAME CASES
	printf '#!/bin/sh\ncase "$*" in %s esac\nexec sudo "$@"\n' "$2" >"/opt/$1"
	chmod 755 "/opt/$1"
}
late late-start '*" start "*) sleep 2 ;;'
late late-follow '*" -f") sleep 4 ;;'

# build SUDO STEP: the results of runs.py.
build() {
	local line
	in_web "${1##*/}" env SUDO="$1" python3 "$PWD/runs.py" "$2"
	while IFS= read -r line; do
		case $line in
		"ok "*) tap_result 0 "${1##*/}: ${line#ok }" ;;
		"not ok "*) tap_result 1 "${1##*/}: ${line#not ok }" ;;
		"#"*) echo "$line" >&2 ;;
		esac
	done <<<"$OUT"
	like "$OUT" "end of $2\$" "${1##*/}: $2: to the end${ERR:+: $ERR}"
}

# The log of an earlier boot is none to go by. To journald and its readers a boot is what this file says.
boot_id=/proc/sys/kernel/random/boot_id
tr 0-9a-f 1-9a-f0 <$boot_id >/run/another-boot
mount --bind /run/another-boot $boot_id
systemctl restart systemd-journald
systemctl start build-overlay@15.service
journalctl --sync
umount $boot_id
systemctl restart systemd-journald
like "$(journalctl --no-pager -o cat -u build-overlay@15.service)" 10000 "there is a log"
unlike "$(journalctl --no-pager -b -o cat -u build-overlay@15.service)" 10000 "... but none of this boot"

build sudo-rs few
until [ -d "$STATE/overlays/said-one" ]; do sleep 0.1; done && systemctl kill --signal=USR1 build-overlay@9.service &
build sudo all
kill %% 2>/dev/null
build /opt/late-start late-start
build /opt/late-follow late-follow
build /opt/late-start early
build sudo queue
is "$(pgrep -x journalctl | wc -l)" 0 "no journalctl is left behind"
is "$(systemctl list-units --plain --no-legend --state=activating,active 'build-overlay@*')" "" "no build either"
done_testing
