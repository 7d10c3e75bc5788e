#!/bin/bash
# Scenario 1: boot with /var/lib/left4me on a file system that is mounted after the generators ran. The virtual machine has a
# second disk for it (run-vm -l); in namespaces it is a bind mount of fstab's.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	if [ "$SYSTEM_TEST" = ns ]; then
		install -d -o left4me -g left4me /var/late
		mount --bind /var/late "$STATE"
		echo "/var/late $STATE none bind,nofail 0 0" >>/etc/fstab
	fi
	make_host
	[ "$SYSTEM_TEST" = vm ] || umount "$STATE"
	exit
fi

ok "the boot finishes" booted 240
if [ "$SYSTEM_TEST" = vm ]; then
	like "$(journalctl --no-pager -b -k -g left4me-generator | head -n 1)" "there are no servers until it can be read" \
		"the first run of the generator had no database"
fi
host_is_up "late /var/lib/left4me"
is "$(reload_count)" 1 "one extra reload"
is "$(property left4me-activate.service Result)" success "left4me-activate.service went through"
is "$(property left4me-activate.timer ActiveState)" inactive "to its end"
is "$(property left4me-check.service Result)" success "the check was clean"
unlike "$(manager_log)" "vanished from the unit file|ordering cycle" "no command vanished, no cycle"
done_testing
