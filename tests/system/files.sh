#!/bin/bash
# A host whose files lie where units see little: all of the game below somebody's home, as with LinuxGSM, and /usr/local a link,
# as where /usr is read-only. Servers, builds, web application and check work there. And what `left4me-generator check` says of
# the files that units need, while it says nothing of those that no enabled row needs.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
STATE=/home/steam/left4me DATABASE=$STATE/left4me.db
source=/home/steam/src
if [ "${1-}" = prepare ]; then
	set -e
	# The / of this system is an overlay, which takes no upper directory.
	mkdir /var/home
	mount --bind /var/home /home
	install -d -m 755 -o other /home/steam /home/steam/private
	install -d -o left4me -g left4me $source
	printf '[host]\nroot = %s\nsource = %s\n' $STATE $source >/etc/left4me/left4me.conf
	sed "s|/var/lib/left4me|$STATE|" /usr/local/lib/tmpfiles.d/left4me.conf >/etc/tmpfiles.d/left4me.conf
	make_host
	insert_overlay 10 'ls -A /home /root /home/steam 2>&1; echo built'
	printf '#!/bin/sh\ntouch %s/seen\nls -A /home/steam >%s/seen\ntouch %s/wrong\nexec sleep infinity\n' $STATE $STATE $source |
		put 755 $STATE/.venv/bin/gunicorn
	mv /usr/local /var/usrlocal
	ln -s ../var/usrlocal /usr/local
	exit
fi

unit() { echo "left4me-server@$1.service"; }
# The check as an operator and as the units' user: both find the same, and the unit's sandbox hides nothing of it.
check_finds() { # LINE LABEL
	is "$(check)" "$1" "$2"
	is "$(check runuser -u left4me --)" "$1" "$2: to the units' user, too"
}
# shellcheck disable=SC2317 # wait_for calls it
has_failed() { [ "$(property "$1" Result)" != success ]; }
# What is named fails: the server does not come up.
does_not_start() { # UNIT LABEL
	systemctl restart "$1" 2>/dev/null
	ok "$2" wait_for 60 has_failed "$1"
	systemctl stop "$1" 2>/dev/null
	systemctl reset-failed "$1" 2>/dev/null
}
# The command that check gives for a file.
remedy() { check | sed -n "s@^\(warning: \)\?$1: .*\(chown\|runuser\) @\2 @p"; } # PATH
# Root types it, and the user has meanwhile put a link to something of root's there.
spares_root() { # PATH
	local command
	command=$(remedy "$1")
	install -d -m 700 /opt/of-root
	as_left4me "mv $1 $1.aside && ln -s /opt/of-root $1"
	eval "$command" >/dev/null 2>&1
	is "$command, $(stat -c '%U %a' /opt/of-root)" "$command, root 700" "typed where a link is by now: nothing happens behind it"
	as_left4me "rm $1 && mv $1.aside $1"
}
tmpfiles='systemd-tmpfiles --create makes it (tmpfiles.d/left4me.conf)'
all="instance 'alpha' and 2 more do not start"

ok "the boot finishes" booted
host_is_up boot
is "$(check)" "" "check finds nothing"
ok "nor does left4me-check.service" systemctl start left4me-check.service

# --- where homes are hidden --------------------------------------------------------------------------------------------

cd "/proc/$(property "$(unit gamma)" MainPID)/root" || exit 1
is "$(find home -mindepth 1 -maxdepth 3 | sort | paste -sd' ')" \
	"home/steam home/steam/left4me$(printf ' home/steam/left4me/%s' .steam installation overlays runtime steam workshop_cache)" \
	"of the homes a server sees what is bound alone"
cd - >/dev/null || exit 1
ok "a build runs" systemctl start build-overlay@10
like "$(journal build-overlay@10)" "^built$" "with its helpers behind a link"
unlike "$(journal build-overlay@10)" "^(steam|left4me|private)$" "and sees no home"
is "$(property left4me-web ActiveState)/$(property left4me-web NRestarts)" active/0 "the web application runs"
is "$(paste -sd' ' "$STATE/seen")" "left4me src" "and sees of the homes what is its own"
fails "where it may write in its directory alone" test -e $source/wrong
ok "the workshop refresh runs" systemctl start left4me-workshop-refresh
ok "the sandboxes hold" /usr/local/libexec/left4me/selftest

# --- servers -----------------------------------------------------------------------------------------------------------

mv "$STATE/installation/srcds_run" /root/
check_finds "$STATE/installation: has no srcds_run that user 980 may execute: $all; steamcmd installs the game there (left4me.conf(5), steamcmd)" \
	"no srcds_run"
does_not_start "$(unit gamma)" "a server does not start without it"
install -o left4me -g left4me -m 644 /root/srcds_run "$STATE/overlays/1/"
like "$(check)" "^$STATE/installation: has no srcds_run .*: $all; " "one in a layer that nobody may execute"
chmod 755 "$STATE/overlays/1/srcds_run"
like "$(check)" "^$STATE/installation: has no srcds_run .*: instance 'beta' and 1 more do not start; " "one in a layer serves those who have it"
rm "$STATE/overlays/1/srcds_run"
mv /root/srcds_run "$STATE/installation/"

mount --bind "$STATE/installation" "$STATE/installation"
mount -o remount,bind,noexec "$STATE/installation"
is "$(check)" "" "an installation that is mounted noexec is in order"
systemctl restart "$(unit gamma)"
ok "since the overlay above it is not" wait_for 60 is_ready gamma
systemctl stop "$(unit gamma)"
umount "$STATE/installation"

for directory in overlays installation workshop_cache .steam steam; do
	mv "$STATE/$directory" /root/kept
	check_finds "$STATE/$directory: No such file or directory: no server starts (226/NAMESPACE); $tmpfiles" "no $directory"
	does_not_start "$(unit gamma)" "no $directory: a server does not start"
	mv /root/kept "$STATE/$directory"
done
as_left4me "mv runtime r && ln -s r runtime"
check_finds "$STATE/runtime: is a symbolic link, which is not followed: no server starts; put the directory itself there, or mount it" \
	"a link in place of runtime"
does_not_start "$(unit gamma)" "a link in place of runtime: a server does not start"
as_left4me "rm runtime && mv r runtime"
chown other "$STATE/steam"
check_finds "$STATE/steam: is owned by uid $(id -u other), not by 980 ([host] uid): no server starts; chown -h left4me:left4me $STATE/steam" \
	"another's directory"
does_not_start "$(unit gamma)" "another's directory: a server does not start"
spares_root "$STATE/steam"
ok "what it says helps" eval "$(remedy "$STATE/steam")"
is "$(check)" "" "then check finds nothing"

as_left4me "mv overlays/2 kept"
missing="$STATE/overlays/2: is missing, or no directory: instance 'alpha' does not start; the application makes it, or: runuser -u left4me -- mkdir $STATE/overlays/2"
check_finds "$missing" "a layer without a directory"
does_not_start "$(unit alpha)" "a layer without a directory: the server does not start"
sql "INSERT INTO server_overlays (server, position, overlay) VALUES ('beta', 2, 2)"
like "$(check)" "instance 'alpha' and 1 more do not start; " "a layer of two servers, once"
sql "DELETE FROM server_overlays WHERE server = 'beta' AND overlay = 2"
ok "what it says helps" runuser -u left4me -- mkdir "$STATE/overlays/2"
is "$(check)" "" "then check finds nothing"
chown root: "$STATE/overlays/2" && chmod 700 "$STATE/overlays/2"
closed="$STATE/overlays/2: is closed to user 980: instance 'alpha' does not start; take it out of the stack, or:"
check_finds "$closed chown -h left4me:left4me $STATE/overlays/2" "a layer of root's alone"
does_not_start "$(unit alpha)" "a layer of root's alone: the server does not start"
spares_root "$STATE/overlays/2"
ok "what it says helps" eval "$(remedy "$STATE/overlays/2")"
is "$(check)" "" "then check finds nothing"
as_left4me "chmod 0 overlays/2"
check_finds "$closed runuser -u left4me -- chmod u+rx $STATE/overlays/2" "a layer of the user's that is closed"
spares_root "$STATE/overlays/2"
ok "what it says helps" eval "$(remedy "$STATE/overlays/2")"
is "$(check)" "" "then check finds nothing"
# As setfacl does it, which is not installed: 980 is the user, 5 r-x.
access_list() { # DIRECTORY USER OTHERS
	python3 -c 'import os, struct, sys
user, others, none = int(sys.argv[2]), int(sys.argv[3]), 2**32 - 1
entries = (1, 7, none), (2, user, 980), (4, others, none), (16, 5, none), (32, others, none)
os.setxattr(sys.argv[1], "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries))' "$@"
}
chown root: "$STATE/overlays/2"
access_list "$STATE/overlays/2" 0 5
check_finds "$closed chown -h left4me:left4me $STATE/overlays/2" "a layer that an access list closes"
does_not_start "$(unit alpha)" "a layer that an access list closes: the server does not start"
access_list "$STATE/overlays/2" 5 0
is "$(stat -c %a "$STATE/overlays/2") $(check)$(check runuser -u left4me --)" "750 " "one that an access list opens is in order"
systemctl restart "$(unit alpha)"
ok "as the server starts" wait_for 10 is_ready alpha
systemctl stop "$(unit alpha)"
access_list "$STATE/overlays/2" 0 5
ok "what it says helps" chown -h left4me:left4me "$STATE/overlays/2"
is "$(check)" "" "then check finds nothing"
chmod 300 "$STATE/installation"
check_finds "$STATE/installation: is closed to user 980: $all; runuser -u left4me -- chmod u+rx $STATE/installation" "an installation that is closed"
does_not_start "$(unit gamma)" "an installation that is closed: a server does not start"
ok "what it says helps" runuser -u left4me -- chmod u+rx "$STATE/installation"
is "$(check)" "" "then check finds nothing"
as_left4me "rmdir overlays/2 && mv kept overlays/2; mv overlays/1 kept"
sql "UPDATE servers SET enabled = 0 WHERE name = 'alpha'"
is "$(check)" "" "a layer of disabled servers alone is not needed"
sql "UPDATE servers SET enabled = 1 WHERE name = 'alpha'"
as_left4me "mv kept overlays/1; mv overlays/10 kept"
sql "INSERT INTO server_overlays (server, position, overlay) VALUES ('beta', 2, 10)"
like "$(check)" "^$STATE/overlays/10: is missing, .* runuser -u left4me -- mkdir $STATE/overlays/10 && systemctl start build-overlay@10$" \
	"a layer that a script makes"
ok "what it says helps" eval "$(check | sed 's/.*, or: //')"
is "$(check)" "" "then check finds nothing"
sql "DELETE FROM server_overlays WHERE overlay = 10"

# --- builds, helpers ---------------------------------------------------------------------------------------------------

resolvers=/etc/left4me/sandbox-resolv.conf
mv $resolvers /root/
check_finds "$resolvers: No such file or directory: no build starts (226/NAMESPACE); [build] resolv_conf names a file with public resolvers" \
	"no resolvers"
does_not_start build-overlay@10.service "no resolvers: a build does not start"
mv /root/sandbox-resolv.conf $resolvers
# What of a closed directory is for root alone to read or bind is in order. left4me-check.service does fail.
chmod 700 /etc/left4me
like "$(check)" "^warning: $resolvers: user 980 may not enter a directory above it: .* only a build tells whether it is there$" \
	"resolvers in a closed directory"
is "$(check | grep -v ^warning: ; left4me-generator check >/dev/null 2>&1; echo $?)" 0 "a closed /etc/left4me is no problem to root"
unlike "$(check runuser -u left4me --)" "no build starts" "nor does it keep a build from starting, says the units' user"
for name in build-overlay@10 "$(unit gamma)" left4me-web; do
	ok "as $name starts" systemctl restart "$name"
done
mv /etc/left4me/web.env /root/
left4me-generator check >/dev/null 2>&1
is $? 2 "a file that is missing there has not been seen"
mv /root/web.env /etc/left4me/
chmod 755 /etc/left4me
helper=/usr/local/libexec/left4me/left4me-overlay
chmod 700 $helper
check_finds "$helper: user 980 may not execute it: no server and no build starts; [host] helpers names the directory where it is installed" \
	"a helper of root's alone"
does_not_start "$(unit gamma)" "a helper of root's alone: a server does not start"
chmod 755 $helper
install -d /var/noexec
mount -t tmpfs -o noexec,mode=755 none /var/noexec
cp -r /usr/local/libexec/left4me/. /var/noexec/
printf '[host]\nhelpers = /var/noexec\n' >/etc/left4me/left4me.conf.d/50-test.conf
reload
like "$(check)" "^/var/noexec/left4me-overlay: lies on a file system that is mounted noexec: no server and no build starts; \[host\] helpers names" \
	"helpers that cannot be executed"
does_not_start "$(unit gamma)" "helpers that cannot be executed: a server does not start"
rm /etc/left4me/left4me.conf.d/50-test.conf
reload
umount /var/noexec

# --- web ---------------------------------------------------------------------------------------------------------------

web_needs() { # PATH REMEDY
	mv "$1" /root/kept
	check_finds "$1: No such file or directory: the web service does not start; $2" "no $1"
	does_not_start left4me-web "no $1: the web service does not start"
	mv /root/kept "$1"
}
web_needs /etc/left4me/web.env "/usr/local/share/left4me/examples/web.env is one to begin with; or set [web] enabled = no"
web_needs /etc/left4me/host.env "$tmpfiles"
web_needs $source "put the application there, or set [host] source"
web_needs "$STATE/.venv/bin/gunicorn" "make the virtual environment, or set [web] venv"
web_is_run_by() { # WHY LABEL
	mv "$STATE/.venv/bin/gunicorn" /root/kept
	sed "1s|.*|#!$STATE/.venv/bin/python3|" /root/kept | put 755 "$STATE/.venv/bin/gunicorn"
	check_finds "$STATE/.venv/bin/gunicorn: is run by $1: the web service does not start; make the virtual environment, or set [web] venv" "$2"
	does_not_start left4me-web "$2: the web service does not start"
	mv /root/kept "$STATE/.venv/bin/gunicorn"
}
ln -s /usr/bin/python3.9 "$STATE/.venv/bin/python3"
web_is_run_by "$STATE/.venv/bin/python3: No such file or directory" "a Python that is gone"
install -D /bin/sh /home/steam/python/python3
ln -sf /home/steam/python/python3 "$STATE/.venv/bin/python3"
web_is_run_by "/home/steam/python/python3, which units do not see" "a Python of somebody's own"
ln -sf /bin/sh "$STATE/.venv/bin/python3"
sed -i "1s|.*|#!$STATE/.venv/bin/python3|" "$STATE/.venv/bin/gunicorn"
ok "one of the system runs it" systemctl restart left4me-web
is "$(check)" "" "and check finds nothing"
install -d -m 700 /home/closed
install -d -o left4me -g left4me /home/closed/src
printf '[host]\nsource = /home/closed/src\n' >/etc/left4me/left4me.conf.d/50-test.conf
reload
is "$(check)" "" "a source in a closed home is in order"
ok "as the web service starts" systemctl restart left4me-web
rm /etc/left4me/left4me.conf.d/50-test.conf
reload
mv "$STATE/.venv/bin/flask" /root/
check_finds "$STATE/.venv/bin/flask: No such file or directory: the workshop refresh does not start; install it there, or set [workshop] command, or refresh to nothing" \
	"no command of the refresh"
does_not_start left4me-workshop-refresh "no command of the refresh: it does not start"
printf '[workshop]\nrefresh =\n' >/etc/left4me/left4me.conf.d/50-test.conf
is "$(check | grep flask)" "" "without a refresh it is not needed"
mv "$STATE/.venv" /root/
mv /etc/left4me/web.env /root/
printf '[web]\nenabled = no\n' >/etc/left4me/left4me.conf.d/50-test.conf
is "$(check | grep -v left4me-web)" "" "without a web service nothing of it is needed"
mv /root/web.env /etc/left4me/
mv /root/.venv "$STATE/" && mv /root/flask "$STATE/.venv/bin/"
rm /etc/left4me/left4me.conf.d/50-test.conf

# --- links to where units see nothing ----------------------------------------------------------------------------------

configure() { printf '%s\n' "$@" >/etc/left4me/left4me.conf.d/50-test.conf; }
ln -s $source /opt/application
ln -s $STATE /opt/game
configure '[host]' 'source = /opt/application'
reload
check_finds "/opt/application: leads to $source, which is hidden from units by that name: name it itself, [host] source = $source" \
	"a link to a home"
does_not_start left4me-web "a link to a home: the web service does not start"
configure '[host]' 'root = /opt/game'
like "$(check)" "^/opt/game: leads to $STATE, which is hidden from units by that name: name it itself, \[host\] root = $STATE$" \
	"a link to a root below a home"
unlike "$(check)" "gunicorn|venv" "what lies in it is not named once more"
mv "$STATE/.venv" /home/steam/venv
ln -s /home/steam/venv "$STATE/.venv"
rm /etc/left4me/left4me.conf.d/50-test.conf
reload
check_finds "$STATE/.venv: leads to /home/steam/venv, which is hidden from units by that name: name it itself, [web] venv = /home/steam/venv" \
	"a link that leaves the root"
does_not_start left4me-web "a link that leaves the root: the web service does not start"
configure '[web]' 'venv = /home/steam/venv'
reload
is "$(check)" "" "then check finds nothing"
ok "and the web service starts" systemctl restart left4me-web
rm "$STATE/.venv"
mv /home/steam/venv "$STATE/.venv"
rm /etc/left4me/left4me.conf.d/50-test.conf
mkdir /var/stow
mv $helper /var/stow/
ln -s /var/stow/left4me-overlay $helper
reload
check_finds "$helper: leads to /var/stow/left4me-overlay, which units do not see: [host] helpers = /var/stow" "a helper that is a link"
does_not_start "$(unit gamma)" "a helper that is a link: a server does not start"
rm $helper
mv /var/stow/left4me-overlay $helper

runs_with_helpers() { # LABEL
	is "$(check)" "" "$1: check finds nothing"
	systemctl restart "$(unit gamma)"
	ok "$1: a server starts" wait_for 60 is_ready gamma
	ok "$1: a build runs" systemctl start build-overlay@10
}
cp -a ${helper%/*} /home/steam/helpers
ln -s /home/steam/helpers /usr/lib/helpers
configure '[host]' 'helpers = /usr/lib/helpers'
reload
runs_with_helpers "helpers behind a link to a home, where the root lies in one"
cp -a "$STATE/." /var/lib/left4me/
elsewhere() { configure '[host]' 'root = /var/lib/left4me' "helpers = $1" '[web]' 'enabled = no'; } # HELPERS
elsewhere /usr/lib/helpers
reload
hidden="/usr/lib/helpers: leads to /home/steam/helpers, which is hidden from units by that name: name it itself, [host] helpers = /home/steam/helpers"
check_finds "$hidden" "helpers behind a link to a home, where the root lies elsewhere"
does_not_start "$(unit gamma)" "a server does not start then"
does_not_start build-overlay@10 "nor does a build"
DATABASE=/var/lib/left4me/left4me.db sql "UPDATE servers SET enabled = 0"
check_finds "$hidden" "the same without a server"
DATABASE=/var/lib/left4me/left4me.db sql "UPDATE servers SET enabled = name <> 'off'"
elsewhere /home/steam/helpers
reload
runs_with_helpers "helpers by their own name"
rm /usr/lib/helpers
ln -s /home/steam/helpers /usr/local/libexec/helpers
elsewhere /usr/local/libexec/helpers
reload
runs_with_helpers "behind a link that lies in /var"
rm -r /etc/left4me/left4me.conf.d/50-test.conf /home/steam/helpers /usr/local/libexec/helpers
reload

ln -s /home/steam /opt/steam
configure '[host]' 'root = /opt/steam/left4me' '[web]' 'enabled = no'
reload
is "$(check)" "" "a link on the way to a root does not matter where nobody but servers goes it"
systemctl restart "$(unit gamma)"
ok "as they start" wait_for 60 is_ready gamma
rmdir /srv
ln -s /home/steam /srv
configure '[host]' 'root = /srv/left4me' '[web]' 'enabled = no'
reload
like "$(check)" "^/srv/left4me: leads to $STATE, which is hidden from units by that name: name it itself, \[host\] root = $STATE$" \
	"a link in place of a directory that units make anew does"
does_not_start "$(unit gamma)" "a link in place of a directory that units make anew: a server does not start"
rm /srv
mkdir /srv

# --- the update of the game --------------------------------------------------------------------------------------------

update_needs() { # PATH WHY LABEL
	configure '[update]' "command = $1 x"
	reload
	check_finds "$1: $2" "$3"
	does_not_start left4me-update "$3: the update does not start"
}
printf '#!/bin/sh\n' | put 755 $source/update
cp -p $source/update /opt/update
seen="is neither in /usr nor in $STATE/steam%s, and nothing else is seen by an update: no update of the game starts; put it there, and set [update] command"
update_needs "$STATE/steam/none" "No such file or directory: no update of the game starts; [update] command names a program in /usr or in steam below [host] root" \
	"a command that is not there"
# shellcheck disable=SC2059 # the format is this file's own
update_needs /opt/update "$(printf "$seen")" "a command elsewhere"
cp -p $source/update /usr/local/sbin/
# shellcheck disable=SC2059
update_needs /usr/local/sbin/update "$(printf "$seen" ", but leads to /var/usrlocal/sbin/update")" "a command behind a link"
printf '#!/bin/false\n' | put 755 "$STATE/steam/update"
configure '[update]' "command = $STATE/steam/update"
reload
is "$(check)" "" "check finds nothing wrong with one in steam"
printf '#!/opt/python3\n' | put 755 "$STATE/steam/update"
update_needs "$STATE/steam/update" "is run by /opt/python3: No such file or directory: no update of the game starts; [update] command names a program in /usr or in steam below [host] root" \
	"a command whose interpreter is not there"
sql "UPDATE servers SET enabled = 0"
as_left4me "mv steam kept"
configure '[update]' 'command = /usr/bin/true'
reload
check_finds "$STATE/steam: No such file or directory: no update of the game starts (226/NAMESPACE); $tmpfiles" "no steam, and no server"
does_not_start left4me-update "no steam: the update does not start"
as_left4me "mv kept steam"
ok "with all of it the update runs" systemctl start left4me-update
is "$(check)" "" "and check finds nothing"
sql "UPDATE servers SET enabled = name <> 'off'"
rm /etc/left4me/left4me.conf.d/50-test.conf
reload

# --- who owns the database ---------------------------------------------------------------------------------------------

touch "$DATABASE-wal"
chown root:root "$DATABASE-wal"
like "$(check)" "^$DATABASE-wal: is owned by uid 0, not by 980 \(\[host\] uid\): the web application cannot write it; chown -h left4me:left4me $DATABASE-wal$" \
	"a -wal of root's"
chmod 666 "$DATABASE-wal"
like "$(check)" "^warning: $DATABASE-wal: is owned by uid 0, not by 980 .*, which may keep the web application from writing; chown -h left4me:left4me $DATABASE-wal$" \
	"one that everybody may write is a warning"
ok "to left4me-check.service, too, to which no file system can be written" systemctl start left4me-check.service
spares_root "$DATABASE-wal"
ok "what it says helps" eval "$(remedy "$DATABASE-wal")"
is "$(check)" "" "then check finds nothing"
systemctl reset-failed
systemctl start "$(unit alpha)" "$(unit gamma)" left4me-web
host_is_up "in the end"
done_testing
