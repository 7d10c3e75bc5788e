#!/bin/bash
# In real time: a server and a web application that die 0, 9, 30 or 120 s after each start end in failed after ten starts, and one
# that dies after 170 s goes on. LEFT4ME_EXITS=yes prove -v tests/system-exits.t; takes 25 minutes of waiting, and no work.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
ENDS='0 9 30 120' GOES_ON=170
if [ "${1-}" = prepare ]; then
	set -e
	install_game
	install_web
	make_database
	for seconds in $ENDS $GOES_ON; do
		insert_overlay $((seconds + 1))
		printf '#!/bin/sh\nsleep %s\nexit 1\n' "$seconds" | put 755 "$STATE/overlays/$((seconds + 1))/srcds_run"
		insert_server "s$seconds" $((27100 + seconds)) 1 $((seconds + 1))
	done
	exit
fi

# Copies of the web application's unit, one for each way to die.
ok "the boot finishes" booted
for seconds in $ENDS $GOES_ON; do
	sed "s|^ExecStart=.*|ExecStart=/bin/sh -c 'sleep $seconds; exit 1'|" /run/systemd/generator/left4me-web.service \
		>"/run/systemd/system/web$seconds.service"
done
systemctl daemon-reload
for seconds in $ENDS $GOES_ON; do
	systemctl start --no-block "web$seconds"
done
echo "# $(date +%T): they run"

failed() { [ "$(property "$1" ActiveState)" = failed ]; } # UNIT
starts() { sync_journal; journalctl --no-pager -b -o cat -u "$1" _PID=1 | grep -cE '^Started '; } # UNIT
for seconds in $ENDS; do
	for unit in "left4me-server@s$seconds" "web$seconds"; do
		ok "$unit ends in failed" wait_for 1450 failed "$unit"
		is "$(starts "$unit")" 10 "$unit: after ten starts"
		echo "# $(date +%T): $unit"
	done
done
for unit in "left4me-server@s$GOES_ON" "web$GOES_ON"; do
	fails "$unit goes on" failed "$unit"
	echo "# $unit: $(starts "$unit") starts in $SECONDS s"
done
is "$(failed_units | sort | paste -sd' ')" \
	"$({ echo left4me-check.service && for seconds in $ENDS; do echo "left4me-server@s$seconds.service" "web$seconds.service"; done; } |
		xargs -n 1 | sort | paste -sd' ')" "systemctl --failed has them all, and the check, which names the servers"
done_testing
