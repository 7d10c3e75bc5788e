#!/bin/bash
# Only the virtual machine has these: a disk that comes late, /dev/kmsg, cgroup controllers, Debian's own kernel. One boot for
# all, since it is slow. Scenario 1 with a late /var/lib/left4me; limits of the units as the kernel has them.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	insert_server strict 27019 1 1
	printf '[game]\nmemory_max = 1G\nmemory_high = 700M\ntasks_max = 200\n' >/etc/left4me/left4me.conf.d/50-test.conf
	# shellcheck disable=SC2016 # the script's own
	insert_overlay 5 'echo hello; cat /sys/fs/cgroup/memory.max; mount -t tmpfs x /tmp || echo no mount; exit 7'
	exit
fi

ok "the boot finishes" booted 400
kernel_log() {
	sync_journal
	journalctl --no-pager -b -k -o cat -t left4me-generator "$@"
}

# --- late /var/lib/left4me ---------------------------------------------------------------------------------------------

for name in alpha beta gamma strict; do
	ok "$name is ready" wait_for 60 is_ready "$name"
done
is "$(findmnt -no SOURCE "$STATE")" /dev/vdc "$STATE is a disk of its own"
is "$(mounts | paste -sd' ')" "alpha beta gamma strict" "the enabled servers are mounted"
is "$(layers alpha)" "top 1 installation 2 1" "with the right layers"
is "$(reload_count)" 1 "one extra reload"
is "$(property left4me-activate.timer ActiveState)/$(property left4me-activate.service Result)" inactive/success \
	"left4me-activate.service went through"
unlike "$(manager_log)" "vanished from the unit file|ordering cycle" "no command vanished, no cycle"
# The first check may have been earlier than the disk, and on this machine has seconds for what takes others milliseconds.
ok "a check with the disk finds nothing" wait_for 300 systemctl start left4me-check.service
is "$(failed_units)" "" "no failed unit"

# --- the kernel's log --------------------------------------------------------------------------------------------------

is "$(kernel_log -p 6 | sed -n 1p)" "0 servers, 0 overlays" "the first run says that it has no server"
is "$(kernel_log -p warning | wc -l)" 1 "it warns once"
like "$(kernel_log -p warning)" "^$DATABASE: .*there are no servers until it can be read" "of the database"
is "$(kernel_log | tail -n 1)" "5 servers, 4 overlays" "the second run has them"
sql "UPDATE servers SET port = 28500 WHERE name = 'gamma'"
ok "daemon-reload with a bad row" reload
like "$(kernel_log | tail -n 2)" "^5 servers, 4 overlays, 1 refused" "a refused row is counted"
like "$(kernel_log -p warning | tail -n 1)" "gamma.*28500" "and named at warning"
like "$(dmesg)" "left4me-generator: .*gamma.*28500" "dmesg shows it"

# --- cgroup controllers ------------------------------------------------------------------------------------------------

group=/sys/fs/cgroup/l4d2.slice/l4d2-game.slice/left4me-server@alpha.service
is "$(cat "$group/memory.max")" $((1 << 30)) "memory.max of a server is what left4me.conf says"
is "$(cat "$group/memory.high")" $((700 << 20)) "memory.high"
is "$(cat "$group/pids.max")" 200 "pids.max"
is "$(cat /sys/fs/cgroup/l4d2.slice/cpu.weight)" 1000 "cpu.weight of l4d2.slice"
is "$(cat /sys/fs/cgroup/l4d2.slice/l4d2-game.slice/cpu.weight)" 1000 "cpu.weight of l4d2-game.slice"
shown=$(left4me-generator status --json alpha | python3 -c 'import json, sys; print(json.load(sys.stdin)["servers"][0]["memory"])')
counted=$(cat "$group/memory.current")
ok "the memory that status shows, $shown, is what the kernel counts, $counted, or half of it, or twice" \
	eval '[ $((2 * shown)) -ge "$counted" ] && [ "$shown" -le $((2 * counted)) ]'
pid=$(property left4me-server@alpha MainPID)
is "$(awk '{ print $19 }' "/proc/$pid/stat")" -5 "nice"
is "$(cat "/proc/$pid/oom_score_adj")" -200 "oom_score_adj"
is "$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits")" 65536 "open files"

group=/sys/fs/cgroup/system.slice/left4me-web.service
is "$(cat "$group/memory.max") $(cat "$group/pids.max")" "$((1 << 30)) 196" "the web application has its memory and its tasks, and no more"

# --- a build -----------------------------------------------------------------------------------------------------------

fails "a build that exits with 7 fails" systemctl start build-overlay@5.service
is "$(property build-overlay@5.service ExecMainStatus)" 7 "with 7"
log=$(journal build-overlay@5.service)
like "$log" '^hello$' "its output is in the log"
like "$log" '^no mount$' "it cannot mount"

# --- another kernel's defaults --------------------------------------------------------------------------------------------

# As its build or modprobe.d may have them. The kernel refuses an upper directory that it made with index=on and meets in another
# stack; in a guest without a kernel of its own they are everybody's.
defaults() { for name in index metacopy redirect_dir; do echo "$1" >/sys/module/overlay/parameters/$name; done; } # Y|N
systemctl stop left4me-server@alpha
rm -r "$STATE/runtime/alpha"
ok "overlayfs has other defaults" defaults Y
systemctl start left4me-server@alpha
ok "alpha is ready" wait_for 60 is_ready alpha
systemctl stop left4me-server@alpha
sql "UPDATE server_overlays SET overlay = 3 WHERE server = 'alpha' AND position = 1"
ok "its stack is changed" reload
systemctl start left4me-server@alpha
ok "alpha is ready again" wait_for 60 is_ready alpha
is "$(layers alpha)" "top 3 installation 3 2" "with the other layer"
defaults N

# --- stop --------------------------------------------------------------------------------------------------------------

for name in alpha beta gamma strict; do
	ok "$name stops" systemctl stop "left4me-server@$name"
done
is "$(mounts)" "" "nothing is mounted"
is "$(find "$STATE"/runtime/*/work -mindepth 1 | wc -l)" 0 "nothing is left in the work directories"
# In its own spelling: "loops_per_jiffy" is no Oops.
is "$(dmesg | grep -E 'overlayfs: |\<BUG: |\<Oops: ')" "" "the kernel has nothing to say about the mounts"
done_testing
