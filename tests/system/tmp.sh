#!/bin/bash
# A server and a build fill their /tmp with files and bytes; the host's has as much room as before, and a bystander does not wait.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
# shellcheck source=tests/system/bystander.sh
. ./bystander.sh

# shellcheck disable=SC2016 # the script's own
FILL='fill() { mkdir $1/d && cd $1/d && seq -f %g 30000 | xargs touch && head -c 60M /dev/zero >bytes; echo "filled $1 $(ls | wc -l)"; }
(fill /tmp); (fill /var/tmp); trap exit INT TERM; sleep 1000 & wait'
if [ "${1-}" = prepare ]; then
	set -e
	make_database
	install_game
	install_web
	insert_overlay 1 "$FILL"
	insert_server off 27018 0 1
	printf '#!/bin/bash\n%s\n' "$FILL" | put 755 "$STATE/installation/srcds_run"
	bystander_prepare
	exit
fi
ok "the boot finishes" booted
bystander_calm 3
mount -o remount,size=100m,nr_inodes=50k /tmp
mount -t tmpfs -o size=100m,nr_inodes=50k,mode=1777 var-tmp /var/tmp

room() { df --output=avail,iavail /tmp /var/tmp | tail -n 2 | xargs; }
has_filled() { journalctl --no-pager -o cat --after-cursor="$cursor" -u "$1" | grep -q '^filled /var/tmp'; } # UNIT

attack() { # UNIT
	cursor=$(journal_cursor)
	systemctl start --no-block "$1"
	wait_for 60 has_filled "$1"
	sleep 1
	room_then=$(room)
}
for unit in left4me-server@off.service build-overlay@1.service; do
	room_before=$(room)
	bystander_watch "$unit" attack $unit
	is "$(journal $unit | grep -c '^filled .* 30001')" 2 "$unit filled both"
	read -r -a before <<<"$room_before"
	read -r -a now <<<"$room_then"
	for i in 0 2; do
		ok "$unit: ${now[i]} KiB are left outside: as much room as before" test $((before[i] - now[i])) -lt 1000
		ok "$unit: ${now[i + 1]} files: as many files as before" test $((before[i + 1] - now[i + 1])) -lt 100
	done
	systemctl stop $unit
	is "$(find /tmp /var/tmp -path '*left4me-server*' -o -path '*build-overlay*')" "" "$unit: nothing is left"
done

# Without it the host's fills up.
mkdir -p /etc/systemd/system/left4me-server@.service.d
printf '[Service]\nPrivateTmp=yes\n' >/etc/systemd/system/left4me-server@.service.d/90-less.conf
reload
attack left4me-server@off.service
read -r -a now <<<"$room_then"
ok "with PrivateTmp=yes ${now[0]} KiB and ${now[1]} files would be left" test "${now[0]}" -lt 50000 -a "${now[1]}" -lt 25000
done_testing
