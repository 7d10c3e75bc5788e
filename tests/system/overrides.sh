#!/bin/bash
# Scenario 9: what an operator puts into /etc wins as systemd.unit(5) says, `systemctl cat` shows every part; and what
# `left4me-generator check` says about the host itself.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	exit
fi

etc=/etc/systemd/system
unit() { echo "left4me-server@$1.service"; }
drop_in() { # DIRECTORY FILE LINE...
	mkdir -p "$etc/$1"
	printf '%s\n' '[Service]' "${@:3}" >"$etc/$1/$2"
}
# Starts left4me-check.service, whose sandbox hides nothing that a shell of its user sees.
start_check() { # LABEL
	local cursor status=0
	systemctl start left4me-check.service 2>/dev/null      # the end of one that the target or the timer has started
	cursor=$(journal_cursor)
	worker /usr/bin/systemctl start left4me-check.service 2>/dev/null || status=$?
	journalctl --sync
	is "$(journalctl --no-pager -o cat --after-cursor="$cursor" -u left4me-check.service -t left4me-generator)" \
		"$(runuser -u left4me -- left4me-generator check 2>&1)" "$1: left4me-check.service says what a shell of its user says"
	return "$status"
}
# The check as an operator and as the service's user; both find the same.
check_finds() { # EXTENDED-REGEX LABEL [EXTENDED-REGEX of further lines]
	local found
	found=$(check)
	is "$?" 1 "$2: check says that there is a problem"
	like "$found" "$1" "$2: check names it"
	is "$(grep -vE "${3-$1}" <<<"$found")" "" "$2: and nothing else"
	start_check "$2"
	is "$(property left4me-check.service Result)" exit-code "$2: left4me-check.service fails"
}
check_is_clean() { # LABEL
	is "$(check)" "" "$1: check finds nothing"
	start_check "$1"
	is "$?" 0 "$1: left4me-check.service is content"
}

ok "the boot finishes" booted
host_is_up boot
check_is_clean boot

# --- what a check costs PID 1 -------------------------------------------------------------------------------------------

# It takes milliseconds for all that it knows of a unit: that is asked of one unit of each kind and of itself, never of each server.
asked() { # MODE
	strace -f -qq -s 9999 -e trace=sendmsg,sendto,writev left4me-generator "$1" 2>&1 >/dev/null |
		awk '/GetAll/ { all++ } /Get\\0/ { few++ } END { print all + 0, (few > 0) }'
}
is "$(asked status)/$(asked check)" "0 1/6 1" "systemd is not asked for all of each server"

# --- drop-ins ----------------------------------------------------------------------------------------------------------

drop_in left4me-server@.service.d 50-all.conf 'Environment=FROM_ALL=1' 'TasksMax=100' 'Nice=3'
drop_in left4me-server@alpha.service.d 60-one.conf 'Nice=7' 'MemoryMax=3G'
ok "drop-ins: daemon-reload" reload
is "$(property "$(unit alpha)" Nice)/$(property "$(unit alpha)" TasksMax)" 7/100 "a drop-in for one wins over that for all, and that over ours"
is "$(property "$(unit alpha)" MemoryMax)" 3221225472 "it wins over the unit"
is "$(property "$(unit beta)" Nice)/$(property "$(unit beta)" TasksMax)" 3/100 "the others have what is for all"
is "$(property "$(unit beta)" MemoryMax)" 2147483648 "and keep the rest"
is "$(property "$(unit beta)" NoNewPrivileges)/$(property "$(unit beta)" PrivatePIDs)" yes/yes "hardening stays"
is "$(systemctl cat "$(unit alpha)" | sed -n 's/^# \(\/[^ ]*\)$/\1/p' | paste -sd' ')" \
	"/run/systemd/generator/$(unit alpha) /run/systemd/generator/left4me-server@.service.d/10-hardening.conf $etc/left4me-server@.service.d/50-all.conf $etc/left4me-server@alpha.service.d/60-one.conf" \
	"systemctl cat shows every part, in order"
like "$(systemctl cat "$(unit alpha)")" '^MemoryMax=3G$' "with its text"
ok "restart" systemctl restart "$(unit alpha)"
ok "it is ready" wait_for 60 is_ready alpha
is "$(awk '{ print $19 }' "/proc/$(property "$(unit alpha)" MainPID)/stat")" 7 "and runs with what the drop-in says"
check_is_clean "drop-ins"
rm -r "$etc"/left4me-server@.service.d "$etc"/left4me-server@alpha.service.d

# --- a mask ------------------------------------------------------------------------------------------------------------

ok "systemctl stop" systemctl stop "$(unit beta)"
ok "systemctl mask" systemctl mask "$(unit beta)"
reload
is "$(property "$(unit beta)" LoadState)" masked "a masked server is masked"
fails "it does not start" systemctl start "$(unit beta)"
ok "the target starts without it" systemctl start left4me.target
is "$(mounts | paste -sd' ')" "alpha gamma" "it is not mounted"
check_is_clean "mask"
ok "systemctl unmask" systemctl unmask "$(unit beta)"
reload
systemctl reset-failed "$(unit beta)" 2>/dev/null
ok "then it starts" systemctl start "$(unit beta)"
fails "systemctl enable is refused: the database says what is enabled" systemctl enable "$(unit beta)"
fails "and leaves no link" test -e "$etc/multi-user.target.wants/$(unit beta)"

systemctl mask --now left4me-web.service 2>/dev/null
check_is_clean "a web service that is masked"
systemctl unmask left4me-web.service 2>/dev/null
ok "it starts again" systemctl start left4me-web.service

# A unit of the operator's own for one instance.
systemctl cat "$(unit gamma)" | sed -n '/^\[Unit\]/,/^# \//p' | sed '/^# \//d; s/^Nice=.*/Nice=9/' >"$etc/$(unit gamma)"
reload
is "$(property "$(unit gamma)" FragmentPath)/$(property "$(unit gamma)" Nice)" "$etc/$(unit gamma)/9" "a whole unit in /etc wins"
is "$(property "$(unit gamma)" DropInPaths)" /run/systemd/generator/left4me-server@.service.d/10-hardening.conf "and is hardened too"
check_finds "^$etc/$(unit gamma): differs from the generator's $(unit gamma)" "a whole unit in /etc, which hides what its row says,"
rm "$etc/$(unit gamma)"
reload

# --- what check says of the host ---------------------------------------------------------------------------------------

# F15: a file of that name replaces ours, without a word from systemd.
drop_in left4me-server@.service.d 10-hardening.conf 'NoNewPrivileges=yes'
reload
is "$(property "$(unit alpha)" PrivatePIDs)" no "a 10-hardening.conf in /etc replaces ours"
check_finds "$etc/left4me-server@.service.d/10-hardening.conf replaces /run/systemd/generator/left4me-server@.service.d/10-hardening.conf" \
	"10-hardening.conf for servers" 10-hardening.conf
rm -r "$etc/left4me-server@.service.d"
reload
drop_in build-overlay@.service.d 10-hardening.conf 'NoNewPrivileges=yes'
reload
check_finds "build-overlay.*$etc/build-overlay@.service.d/10-hardening.conf replaces" "10-hardening.conf for builds" 10-hardening.conf
rm -r "$etc/build-overlay@.service.d"
drop_in left4me-workshop-refresh.service.d 10-hardening.conf 'NoNewPrivileges=yes'
reload
check_finds "^left4me-workshop-refresh.*$etc/left4me-workshop-refresh.service.d/10-hardening.conf replaces" \
	"10-hardening.conf for the workshop refresh" 10-hardening.conf
rm -r "$etc/left4me-workshop-refresh.service.d"
reload
is "$(property "$(unit alpha)" PrivatePIDs)" yes "once it is gone ours is back"
check_is_clean "10-hardening.conf gone"

# Units of the same name that configuration management wrote: the same is fine, anything else is out of date.
lib=/usr/local/lib/systemd/system
mkdir -p "$lib"
sed -e '/^#/d' -e '/^$/d' /run/systemd/generator/left4me-web.service >"$lib/left4me-web.service"
reload
is "$(property left4me-web.service FragmentPath)" /run/systemd/generator/left4me-web.service "the generator's unit wins over one in $lib"
check_is_clean "the same unit in $lib"
sed -i 's/^RestartSec=.*/RestartSec=30/' "$lib/left4me-web.service"
reload
check_finds "^$lib/left4me-web\.service: differs from the generator's left4me-web\.service" "another unit in $lib"
rm "$lib/left4me-web.service"
sed -e 's/^CPUWeight=.*/CPUWeight=1/' /run/systemd/generator/l4d2-game.slice >"$etc/l4d2-game.slice"
reload
check_finds "^$etc/l4d2-game\.slice: differs from the generator's" "another slice in /etc"
rm "$etc/l4d2-game.slice"
reload

# libbpf, which systemd goes without silently.
library=$(readlink -f "$(ldconfig -p | sed -n 's/.*libbpf\.so\.1 .* => //p')")
mv "$library" /root/libbpf
check_finds "^libbpf\.so\.1: is not installed" "no libbpf"
systemctl daemon-reexec
mv /root/libbpf "$library"
# systemd has looked for it in vain, which root alone can see.
is "$(check | cut -d: -f1,2)" "systemd $(systemctl show --property=Version --value): has not loaded libbpf.so.1, which is installed" \
	"libbpf came after systemd: check says so"
ok "what make install calls has systemd look again" /usr/local/libexec/left4me/after-install
check_is_clean "libbpf is back"

# Without a bus root has an answer, and nobody else.
systemctl stop dbus.socket dbus.service
remedy='systemctl start dbus.socket (package dbus)'
is "$(check)" "the system bus: does not answer, by which the check and the web application ask systemd: $remedy" "no bus: root's check says so"
for mode in check status plan; do
	is "$(as_left4me "left4me-generator $mode" 2>&1 | grep -F systemd | sed 's/^left4me-generator: //; s/^systemd: /systemd /')" \
		"systemd cannot be asked, since no system bus answers: $remedy" "no bus: $mode says so to anybody else"
done
ok "what make install calls starts it" /usr/local/libexec/left4me/after-install
check_is_clean "the bus is back"

# A setting that systemd does not know, once however many units have it: it says itself which ones it knows.
/usr/lib/systemd/systemd --dump-configuration-items | sed '/^PrivateIPC=/d' >/root/items
printf '#!/bin/sh\nexec cat /root/items\n' >/root/older
chmod 755 /root/older /root
mount --bind /root/older /usr/lib/systemd/systemd
check_finds '^left4me-server@\.service\.d/10-hardening\.conf: PrivateIPC= is ignored: systemd 2.* does not know it$' "an older systemd"
is "$(check | grep -c PrivateIPC)" 1 "an older systemd: named once"
umount /usr/lib/systemd/systemd

# Hardening that a drop-in of the operator's takes back is the operator's own.
drop_in build-overlay@.service.d 50-more.conf 'PrivateTmp=no'
reload
is "$(check)" "warning: build-overlay@0.service: PrivateTmpEx=no is in force instead of disconnected, by a drop-in: systemctl cat build-overlay@0.service" \
	"hardening taken back by a drop-in: a warning"
ok "which is no failure" left4me-generator check
rm -r "$etc/build-overlay@.service.d"
reload

# What the kernel lacks.
echo 0 >/root/none
mount --bind /root/none /proc/sys/user/max_user_namespaces
check_finds "^/proc/sys/user/max_user_namespaces: is 0: no server and no build starts \(217/USER\)" "no user namespaces"
umount /proc/sys/user/max_user_namespaces
grep -v overlay /proc/filesystems >/root/filesystems
modules=/usr/lib/modules/$(uname -r)
mount --bind /root/filesystems /proc/filesystems
mv /run/systemd/container /run/systemd/container.away
check_finds "^overlayfs: is neither in the kernel nor in /lib/modules/" "no overlayfs"
mkdir -p "$modules"
echo 'kernel/fs/overlayfs/overlay.ko.xz:' >"$modules/modules.dep"
check_is_clean "overlayfs as a module"
rm -r "$modules"
mv /run/systemd/container.away /run/systemd/container
umount /proc/filesystems
mount -t tmpfs none /proc/sys/kernel
check_finds "^the kernel: has no (bpf\(2\)|seccomp filters): .*no build starts" "neither bpf nor seccomp"
umount /proc/sys/kernel
like "$(setarch --uname-2.6 left4me-generator check 2>&1)" "^the kernel: is 2\.6\.[^ ]*: no server and no build starts before 6\.8" "an old kernel: check names it"
echo cpuset cpu io memory_recursiveprot pids hugetlb >/root/controllers
mount --bind /root/controllers /sys/fs/cgroup/cgroup.controllers
like "$(left4me-generator check 2>&1)" "^warning: /sys/fs/cgroup/cgroup.controllers: lacks memory: limits " "a controller that is missing: check names it"
echo cpu memory pids >/root/controllers
unlike "$(left4me-generator check 2>&1)" cgroup "... but for cpuset, which nothing needs here"
umount /sys/fs/cgroup/cgroup.controllers
like "$(unshare --user --map-root-user left4me-generator check 2>&1)" "^the container: has no bpf\(2\) in its user namespace: .* no build starts" \
	"a user namespace: check names it"

# A port that somebody else has is in the way of a server that is to start, whichever address of IPv4 it is on.
ok "systemctl stop" systemctl stop "$(unit beta)"
check_is_clean "a stopped server"
holds() { # EXPRESSION of a bound socket
	setpriv --reuid other --regid other --clear-groups python3 -c "import socket, time; s = $1; open('/tmp/bound', 'w'); time.sleep(1000)" &
	holder=$!
	wait_for 60 test -e /tmp/bound
	rm -f /tmp/bound
}
release() { kill "$holder" && wait "$holder" 2>/dev/null; }
taken="^instance 'beta': is to start, but UDP port 27016 is taken by a process of uid $(id -u other): ss "
udp() { echo "socket.socket(socket.AF_INET${2-}, socket.SOCK_DGRAM); s.bind(('$1', 27016))"; }
holds "$(udp 127.0.0.1)"
check_finds "$taken" "a port taken over UDP"
release
holds "$(udp :: 6)"
check_finds "$taken" "a port taken over UDP with IPv6"
release
holds "$(udp ::1 6)"
check_is_clean "the port of another address family"
release
holds "socket.create_server(('', 27016))"
check_finds "${taken/UDP/TCP}" "a port taken over TCP"
release
ok "systemctl start" systemctl start "$(unit beta)"
ok "it is ready" wait_for 60 is_ready beta

# A server that runs on without a row, or with its row's former port, in the way of another row.
sql "UPDATE servers SET port = 27116 WHERE name = 'beta'; UPDATE servers SET port = 27016 WHERE name = 'gamma'"
check_finds "^instance 'gamma': its port 27016 is held by $(unit beta), which was started before its row had another port: left4me-generator plan --commands$" \
	"a port that the row of a running server had"
sql "DELETE FROM server_overlays WHERE server = 'beta'; DELETE FROM servers WHERE name = 'beta'"
check_finds "^instance 'gamma': its port 27016 is held by $(unit beta), which runs without a row: systemctl stop $(unit beta)$" \
	"a port of a server that runs without a row"
sql "UPDATE servers SET port = 27017 WHERE name = 'gamma'; DELETE FROM former_servers"
sleep 1
insert_server beta 27016 1 3
reload
start_check "a new row under an old name"
is "$?/$(check)" "0/warning: instance 'beta': $STATE/runtime/beta is older than the row: it has files of an earlier server of that name; stop the server and remove the directory, unless they are meant" \
	"a new row under an old name is a warning"
like "$(left4me-generator status beta | tr -s ' \n' ' ')" "runtime/beta is older than the row: files of an earlier server $" "status says so, too"
systemctl stop "$(unit beta)"
rm -r "$STATE/runtime/beta"
systemctl start "$(unit beta)"
check_is_clean "the directory removed: the former rows"

# A directory without a row, before a new row can take it over.
runuser -u left4me -- mkdir "$STATE/runtime/former"
start_check "a directory without a row"
is "$?/$(check)" "0/warning: $STATE: runtime has files of servers without a row, which a new server of that name would inherit; remove them: former" \
	"a directory without a row is a warning"
rmdir "$STATE/runtime/former"

mount --bind "$STATE/overlays/1" "$STATE/overlays/1"
check_finds "^$STATE/overlays/1: is a mount point: every build of overlay 1 fails" "an overlay that is a mount point"
umount "$STATE/overlays/1"

# A game that ends soon after each start.
drop_in left4me-server@beta.service.d 50-soon.conf 'RestartSec=1s' '[Unit]' 'StartLimitIntervalSec=0'
printf '#!/bin/sh\nsleep 0.3; exit 7\n' | put 755 "$STATE/overlays/3/srcds_run"
reload
systemctl restart "$(unit beta)"
restarts() { [ "$(property "$(unit beta)" NRestarts)" -ge "$1" ]; }
ok "it is restarted three times" wait_for 90 restarts 3
like "$(check)" "^$(unit beta): has restarted [0-9]+ times(, the last: exit status 7 after [0-9]+ s)?; journalctl -u $(unit beta)" "a crash loop is named"
drop_in left4me-server@beta.service.d 50-soon.conf 'RestartSec=100ms' '[Unit]' 'StartLimitBurst=4' 'StartLimitIntervalSec=1h'
reload
systemctl restart "$(unit beta)"
is_down() { [ "$(property "$(unit beta)" ActiveState)" = failed ]; }
ok "then systemd gives up" wait_for 90 is_down
# The result is the start limit from some version behind 257 on.
check_finds "^$(unit beta): is down since it failed \((exit-code|start-limit-hit), exit status 7 after [0-9]+ s\): journalctl" "a server that is down"
rm -r "$etc/left4me-server@beta.service.d" "$STATE/overlays/3/srcds_run"
reload
systemctl reset-failed "$(unit beta)"
ok "systemctl start" systemctl start "$(unit beta)"
check_is_clean "a game that runs again"

# A root below /home, which most sandboxes hide.
install -d -o left4me -g left4me -m 750 /home/games
cp -a "$DATABASE" "$STATE"/{.venv,installation,workshop_cache,.steam,steam} /home/games/
install -d -o left4me -g left4me /home/games/{overlays,overlays/1,overlays/2,overlays/3,runtime}
printf '[host]\nroot = /home/games\n' >/etc/left4me/left4me.conf.d/50-test.conf
is "$(check | grep -F /home/games)" "" "a root below /home: check finds nothing"
start_check "a root below /home"
rm /etc/left4me/left4me.conf.d/50-test.conf

# The state directory of another owner.
chown 1000:1000 "$STATE"
check_finds "^$STATE: is owned by 1000:1000, not by 980:980" "another owner"
chown left4me:left4me "$STATE"

configure_host() { printf '[host]\n' >/etc/left4me/left4me.conf.d/50-test.conf && printf '%s\n' "$@" >>/etc/left4me/left4me.conf.d/50-test.conf; }

# The check's unit has a /tmp of its own.
mkdir /tmp/src
configure_host 'source = /tmp/src'
check_finds '^\[host\] source: /tmp/src lies where units have directories of their own' "a source below /tmp"
rmdir /tmp/src
sql "UPDATE overlays SET kind = 'script', script = 'true' WHERE id = 1"
install -m 644 /etc/left4me/sandbox-resolv.conf /tmp/resolv.conf
configure_host '[build]' 'resolv_conf = /tmp/resolv.conf'
check_is_clean "resolvers below /tmp, which builds can be given"
sql "UPDATE overlays SET kind = 'files', script = NULL WHERE id = 1"
rm /tmp/resolv.conf
mkdir -p "$STATE/.venv/kept"
mv "$STATE/.venv/bin/gunicorn" "$STATE/.venv/kept"
install -m 755 /usr/bin/true /tmp/python
printf '#!/tmp/python\n' | put 755 "$STATE/.venv/bin/gunicorn"
rm /etc/left4me/left4me.conf.d/50-test.conf
check_finds "gunicorn: is run by /tmp/python, which units do not see" "an interpreter below /tmp"
mv "$STATE/.venv/kept/gunicorn" "$STATE/.venv/bin/"
configure_host '[update]' 'command = /tmp/python'
reload
check_finds "^/tmp/python: is neither in /usr nor in $STATE/steam, and nothing else is seen by an update" \
	"an update's command below /tmp"
rm /etc/left4me/left4me.conf.d/50-test.conf
reload
rm -r /tmp/python "$STATE/.venv/kept"

# Units are given the user by its name, and everything else by its number.
configure_host 'user = other'
like "$(check)" "^/etc/passwd: has $(id -u other) as the id of 'other' \(\[host\] user\), not 980: .*; set \[host\] uid = $(id -u other)$" "another user's id"
configure_host 'group = other'
like "$(check)" "^/etc/group: has $(id -g other) as the id of 'other' \(\[host\] group\), not 980: .*; set \[host\] gid = $(id -g other)$" "another group's id"
configure_host 'uid = 990'
is "$(check | head -n 1 | cut -d: -f1)" /etc/passwd "a wrong uid is said before whose files are another's by it"
configure_host 'user = nobodys' 'group = nobodys'
is "$(check)" "warning: /etc/passwd: does not have 'nobodys' ([host] user): unless a name service has it, no unit starts (217/USER)
warning: /etc/group: does not have 'nobodys' ([host] group): unless a name service has it, no unit starts (216/GROUP)" "a user whom nobody knows"
rm /etc/left4me/left4me.conf.d/50-test.conf

# A configuration with a mistake costs its own key and is reported.
printf '[game]\nmemory_max = lots\nnice = 4\n' >/etc/left4me/left4me.conf.d/50-test.conf
reload
check_finds "/etc/left4me/left4me.conf.d/50-test.conf:2: " "a wrong value"
is "$(property "$(unit alpha)" MemoryMax)/$(property "$(unit alpha)" Nice)" 2147483648/4 "a wrong value costs its own key only"
chown 980:980 /etc/left4me/left4me.conf.d/50-test.conf
reload
check_finds "/etc/left4me/left4me.conf.d/50-test.conf" "a configuration file of another owner"
is "$(property "$(unit alpha)" Nice)" -5 "a configuration file of another owner is not read"
# What root reads and the user of the check does not.
chown root:root /etc/left4me/left4me.conf.d/50-test.conf
printf '[game]\nnice = -4\n' >/etc/left4me/left4me.conf.d/50-test.conf
chmod 600 /etc/left4me/left4me.conf.d/50-test.conf
reload
is "$(check)/$(property "$(unit alpha)" Nice)" "warning: /etc/left4me/left4me.conf.d/50-test.conf: user 980 may not read it, or not enter a directory above it, so that left4me-check.service fails; chgrp to a group of that user, and chmod g+rX/-4" \
	"a configuration file of root's alone is in force, and a warning to root"
start_check "a configuration file of root's alone"
is "$(property left4me-check.service ExecMainStatus)" 2 "left4me-check.service could not look"
like "$(runuser -u left4me -- left4me-generator check 2>&1)" \
	"^/etc/left4me/left4me.conf.d/50-test.conf: user 980 may not read it, but root does at a reload, so this check is not the whole; chgrp" \
	"and says at what, and what helps"
rm /etc/left4me/left4me.conf.d/50-test.conf
reload
check_is_clean "in the end"
is "$(mounts | paste -sd' ')" "alpha beta gamma" "all is mounted"

# --- environment files ----------------------------------------------------------------------------------------------------

# The web application's database and ours: what systemd makes of the file, and what check does.
cp -p /etc/left4me/web.env /root/web.env
for text in "DATABASE_URL='sqlite:////srv/a'?timeout=3" $'DATABASE_URL=sqlite:////srv/\\\na' ' DATABASE_URL = "sqlite:////srv/a" ' \
	$'A=\'1\nDATABASE_URL=sqlite:////srv/b\'\nDATABASE_URL=sqlite:////srv/a' $'DATABASE_URL="sqlite:////srv/\\\na"' \
	$'# 1\\\nDATABASE_URL=sqlite:////srv/a' $'DATABASE_URL=sqlite:////srv/a\r\nB=1\r' $'DATABASE_URL=sqlite:////srv/\\a' \
	$'A=1\\\nDATABASE_URL=sqlite:////srv/b\nDATABASE_URL=sqlite:////srv/a'; do
	printf '%s\n' "$text" >/etc/left4me/web.env
	# shellcheck disable=SC2016 # that shell's
	theirs=$(systemd-run --quiet --wait --pipe --expand-environment=no -p EnvironmentFile=/etc/left4me/web.env sh -c 'echo "${DATABASE_URL%%\?*}"')
	ours=$(left4me-generator check --rows 2>&1 | sed -n 's/: No such file or directory.*//p')
	is "sqlite:///$ours" "$theirs" "systemd and check read the same: $(printf %q "$text")"
	is "$ours" /srv/a "... as it was meant"
done
cp -p /root/web.env /etc/left4me/web.env

done_testing
