#!/bin/bash
# An upgrade from the version before the fortress under running servers, a build and the web application: package over package,
# then `make install` over `make install`. Its overlays are mounted on STATE/runtime/NAME/merged, the later ones on
# /run/left4me/server/NAME/merged. Runs where make is (run-ns -r compiler).
#
# FILES: old, new (compiled sources), old.deb, new.deb.
# shellcheck source=tests/system/guest.sh
. ./guest.sh

package() { DEBIAN_FRONTEND=noninteractive dpkg "$@" 2>&1; }

# shellcheck disable=SC2016 # the build's shell expands it
build_script='echo begun; until [ -e "$OVERLAY/go" ]; do sleep 0.2; done; echo built >"$OVERLAY/result"'

if [ "${1-}" = prepare ]; then
	set -e
	rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap
	package -i old.deb
	make_host
	insert_overlay 5 "$build_script"
	exit
fi

unit() { echo "left4me-server@$1.service"; }
old_place() { echo "$STATE/runtime/$1/merged"; }
new_place() { echo "/run/left4me/server/$1/merged"; }

# Where the overlay of an instance is mounted on the host.
places() { # NAME
	findmnt --raw --noheadings --types overlay --output TARGET,SOURCE | sed -n "s|^\(/.*\) left4me:$1\$|\1|p" | sort | xargs
}

state() { # of every unit that runs, and what is mounted
	systemctl show --property=Id,MainPID,InvocationID,ActiveState,SubState,NRestarts 'left4me-server@*' 'build-overlay@*' left4me-web.service
	mount_table | grep left4me:
}

begin() { # NAME PORT: one more server, which runs
	insert_server "$1" "$2" 1 1
	systemctl daemon-reload
	systemctl start "$(unit "$1")"
	ok "$1 runs" wait_for 60 is_ready "$1"
}

is_stopped() { # NAME LABEL
	is "$(property "$(unit "$1")" ActiveState)" inactive "$2: it is stopped"
	is "$(places "$1")" "" "$2: nothing of it is mounted"
}

# A start by this version: in the new place, and nowhere else.
starts_anew() { # NAME LABEL
	ok "$2: $1 starts" worker /usr/bin/systemctl start "$(unit "$1")"
	ok "$2: and is ready" wait_for 60 is_ready "$1"
	is "$(places "$1")" "$(new_place "$1")" "$2: its overlay is mounted in the new place alone"
}

build_runs() { journal build-overlay@5 | grep -qx begun; }
check() { left4me-generator check 2>&1 | but_controllers; }

# --- the version before ------------------------------------------------------------------------------------------------

ok "the boot finishes" booted
host_is_up before
is "$(places alpha)" "$(old_place alpha)" "the version before mounts below the state directory"
port=27029
for name in crashes renamed strays deleted busy stays; do
	begin "$name" $((port += 1))
done
ok "a build is started" systemctl start --no-block build-overlay@5
ok "it runs" wait_for 60 build_runs
is "$(systemctl is-active left4me-web)" active "so does the web application"
runuser -u left4me -- touch "$STATE/runtime/alpha/upper/from-before"
cp /usr/libexec/left4me/left4me-overlay ./overlay-before

# --- package over package ----------------------------------------------------------------------------------------------

before=$(state)
log=$(package -i new.deb)
is "$?" 0 "the package over the one before"
ok "a reload" systemctl daemon-reload
ok "the target is started" systemctl start left4me.target
is "$(state)" "$before" "every server, the build, the web application and each mount are untouched"
like "$(systemctl cat "$(unit alpha)")" '^ExecStart=.*left4me-overlay enter' "the units are those of this version"
like "$log" 'usermod --home /nonexistent left4me$' "the home of left4me, which something runs as, is named"
like "$(check)" "^warning: left4me: has its home in $STATE.*usermod --home /nonexistent left4me\$" "by check, too"
is "$(check | wc -l)" 2 "which finds nothing else"
fails "the worker's rule of before is gone" worker /usr/bin/systemctl daemon-reload
ok "there is another" worker /usr/bin/systemctl restart left4me-reload.service
is "$(state)" "$before" "which touches nothing, either"
is "$(failed_units)" "" "no unit has failed"

# --- what was started before ends as ever ------------------------------------------------------------------------------

ok "a stop by the worker" worker /usr/bin/systemctl stop "$(unit alpha)"
is_stopped alpha "a stop"
starts_anew alpha "a start"
ok "what it had written is there" test -e "/run/left4me/server/alpha/merged/from-before"
is "$(layers alpha)" "top 1 installation 2 1" "and its layers"

kill -KILL "$(property "$(unit crashes)" MainPID)"
crashed() { [ "$(property "$(unit crashes)" NRestarts)" = 1 ] && is_ready crashes; }
ok "a server that is killed comes back" wait_for 60 crashed
is "$(places crashes)" "$(new_place crashes)" "and is mounted in the new place alone"

move() { # NAME PLACE
	ok "the directory of a server is moved" runuser -u left4me -- mv "$STATE/runtime/$1" "$2"
	is "$(places "$1")" "$2/merged" "its mount goes with it"
	ok "a stop" worker /usr/bin/systemctl stop "$(unit "$1")"
	is_stopped "$1" "$1"
	starts_anew "$1" "$1"
}
move renamed "$STATE/runtime/elsewhere"
move strays /var/tmp/elsewhere

delete_server deleted
systemctl daemon-reload
is "$(property "$(unit deleted)" ActiveState)" active "a server whose row is deleted runs on"
ok "it may be stopped" worker /usr/bin/systemctl stop "$(unit deleted)"
is_stopped deleted "deleted"

# Somebody's shell stands in the mount.
(cd "$(old_place busy)" && exec sleep 1000) &
stands=$!
is_there() { [ "$(readlink "/proc/$stands/cwd")" = "$(old_place busy)" ]; }
wait_for 60 is_there
worker /usr/bin/systemctl stop "$(unit busy)"
is "$(places busy)" "$(old_place busy)" "a mount that is in use stays"
like "$(journal "$(unit busy)")" "'$(old_place busy)', which cannot be unmounted" "the log says where"
kill "$stands"
wait "$stands" 2>/dev/null
systemctl reset-failed "$(unit busy)" left4me-unmount 2>/dev/null
starts_anew busy "no longer in use"

runuser -u left4me -- touch "$STATE/overlays/5/go"
build_ended() { [ "$(property build-overlay@5 ActiveState)" = inactive ]; }
ok "the build ends" wait_for 60 build_ended
is "$(property build-overlay@5 Result) $(cat "$STATE/overlays/5/result")" "success built" "it has built"
ok "it builds once more" worker /usr/bin/systemctl start build-overlay@5.service
is "$(ls /run/left4me/build)" "" "no directory of a build is left"

web=$(property left4me-web MainPID)
ok "the web application is restarted" systemctl restart left4me-web
unlike "$(systemctl is-active left4me-web) $(property left4me-web MainPID)" "$web\$|inactive|failed" "it runs with its new unit"
is "$(failed_units)" "" "no unit has failed"

# --- a removal finds both places ---------------------------------------------------------------------------------------

# Mounts that no unit knows, by the helper of before: below its root, below another, renamed there, and moved out of it.
install -d -o left4me -g left4me /var/other /var/other/{installation,overlays,runtime}
ok "mounted by the helper of before" ./overlay-before mount orphan installation
ok "mounted below another root" ./overlay-before --root=/var/other mount far installation
ok "and renamed there" ./overlay-before --root=/var/other mount strayed installation
runuser -u left4me -- mv /var/other/runtime/strayed "/var/other/gone away"
ok "and moved out of the state directory" ./overlay-before mount moved installation
runuser -u left4me -- mv "$STATE/runtime/moved" /var/tmp/moved
is "$(places stays) $(places beta)" "$(old_place stays) $(old_place beta)" "two servers still run as before"
log=$(package -r left4me)
is "$?" 0 "the package is removed"
is "$(sed -n 's/^left4me: unmounting //p' <<<"$log" | xargs)" "far moved orphan strayed" "what no unit unmounts is named"
is "$(mount_table | grep left4me:)" "" "nothing is mounted"
is "$(pgrep -u left4me -a)" "" "nothing of left4me runs"
is "$(ls -d /run/left4me 2>&1)" "ls: cannot access '/run/left4me': No such file or directory" "no /run/left4me"
package -i new.deb >/dev/null
is "$(getent passwd left4me | cut -d: -f6)" /nonexistent "the home is changed once nothing of left4me runs"
package -P left4me >/dev/null
is "$(failed_units)" "" "no unit has failed"

# --- make install over make install ------------------------------------------------------------------------------------

# As a host of before may be: the database is root's, more rows than the limits, an operator's shell.
ok "make install of the version before" make -s -C old install
install -m 640 -g left4me "$(share)/examples/web.env" /etc/left4me/web.env
usermod --home "$STATE" left4me
sql "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
	INSERT INTO servers (name, title, port, arguments, enabled) SELECT printf('many%03d', i), 'x', 27100 + i, '', 0 FROM n"
systemctl daemon-reload
begin zulu 27099
for name in alpha beta; do
	systemctl start "$(unit "$name")"
	ok "$name runs" wait_for 60 is_ready "$name"
done
systemctl start left4me-web
chown root:root "$DATABASE"
chmod 600 "$DATABASE"
systemctl daemon-reload
is "$(places alpha) $(places zulu)" "$(old_place alpha) $(old_place zulu)" "mounted by the version before, which reads root's database"
before=$(state)
log=$(make -s -C new install 2>&1)
is "$?" 0 "make install over it"
ok "a reload" systemctl daemon-reload
is "$(state)" "$before" "every server, the web application and each mount are untouched"
is "$(property "$(unit beta)" Description)" "Left 4 Dead 2 server beta" "the last good rows of the version before serve"
like "$log" 'usermod --home /nonexistent left4me$' "the home is named"
like "$(check)" "^$DATABASE: user 980 may not read it.*chown or chmod it" "check names the database that left4me may not read, and the remedy"
ok "a server of unread rows may be stopped" worker /usr/bin/systemctl stop "$(unit beta)"
is_stopped beta "unread rows"
before=$(state)

chown left4me:left4me "$DATABASE"
chmod 640 "$DATABASE"
systemctl daemon-reload
is "$(state)" "$before" "what runs is untouched once it is read"
starts_anew beta "the rows are read again"
found=$(check)
like "$found" '[[]host[]] servers' "check names rows beyond the limit"
is "$(property "$(unit zulu)" ActiveState)" active "a server beyond the limit runs on"
ok "it may be stopped" worker /usr/bin/systemctl stop "$(unit zulu)"
is_stopped zulu "beyond the limit"
printf '[host]\nservers = 400\n' >/etc/left4me/left4me.conf.d/50-limit.conf
systemctl daemon-reload
unlike "$(check)" '[[]host[]] servers' "with a higher limit check names none"
starts_anew zulu "within the limit"

usermod --shell /bin/bash left4me
like "$(check)" "^warning: left4me: has the login shell /bin/bash" "check names a login shell of the configured user"
ok "which changes no exit status" left4me-generator check
usermod --shell /usr/sbin/nologin left4me

log=$(make -s -C new uninstall 2>&1)
is "$?" 0 "make uninstall"
is "$(mount_table | grep left4me:)" "" "nothing is mounted"
is "$(pgrep -u left4me -a)" "" "nothing of left4me runs"
is "$(find /usr/local -path '*left4me*' ! -type d)" "" "no file of it is left"
is "$(failed_units)" "" "no unit has failed in the end"
done_testing
