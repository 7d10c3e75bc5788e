#!/bin/bash
# Scenario: an existing host with the helper scripts of before. What migrate-check prints is run as it is printed; a failure
# half way, what must not be touched, the second look that finds nothing, and the way back as migrate.md has it.
# shellcheck source=tests/system/guest.sh
. ./guest.sh

lib=/usr/local/lib/systemd/system
etc=/etc/systemd/system
helpers=/usr/local/libexec/left4me
new=/root/left4me-new
nasty=$'nasty\n; touch canary; $(touch canary) `touch canary` \' touch canary'

# The installed left4me goes to $new, which `cp -a $new/. /` installs again.
put_away() {
	local path
	mkdir "$new"
	for path in /usr/local/bin/left4me-generator /usr/local/lib/systemd/system-generators "$helpers" /etc/sudoers.d/left4me \
		/etc/left4me/left4me.conf /usr/local/lib/{sysusers,tmpfiles,sysctl}.d; do
		cp -a --parents "$path" "$new"
		rm -r "$path"
	done
}

# As tests/requirements.md tells of them: S22, S24, S25, S40 and S60.
old_units() {
	mkdir -p "$lib"/left4me-{server@,web}.service.d "$etc"/left4me-{server@,web}.service.d "$etc/left4me-server@5.service.d"
	cat >"$lib/left4me-server@.service" <<-END
		[Unit]
		Description=old server %i
		[Service]
		User=left4me
		Group=left4me
		EnvironmentFile=$STATE/instances/%i/instance.env
		WorkingDirectory=-$STATE/runtime/%i/merged/left4dead2
		ExecStartPre=+/usr/bin/nsenter --mount=/proc/1/ns/mnt -- $helpers/left4me-overlay mount %i
		ExecStart=$STATE/runtime/%i/merged/srcds_run -game left4dead2 +ip 0.0.0.0 +hostport \${L4D2_PORT}
		ExecStopPost=+/usr/bin/nsenter --mount=/proc/1/ns/mnt -- $helpers/left4me-overlay umount %i
		Restart=on-failure
		KillSignal=SIGINT
		TimeoutStopSec=15s
		Slice=l4d2-game.slice
		[Install]
		WantedBy=multi-user.target
	END
	cat >"$lib/left4me-web.service" <<-END
		[Service]
		User=left4me
		ExecStart=$STATE/.venv/bin/gunicorn
		[Install]
		WantedBy=multi-user.target
	END
	printf '[Slice]\nCPUWeight=500\n' >"$lib/l4d2-game.slice"
	printf '[Service]\nNoNewPrivileges=yes\nPrivateTmp=yes\n' | tee "$lib"/left4me-{server@,web}.service.d/10-hardening.conf >/dev/null
	ln -s "$lib/left4me-server@.service.d/10-hardening.conf" "$etc/left4me-server@.service.d/"
	ln -s "$lib/left4me-web.service.d/10-hardening.conf" "$etc/left4me-web.service.d/"
	# One whose overlay is the new helper's already: it must go on.
	cat >"$etc/left4me-server@5.service.d/20-mount.conf" <<-END
		[Service]
		ExecStartPre=
		ExecStartPre=+/usr/bin/nsenter --mount=/proc/1/ns/mnt -- /usr/bin/mount -t overlay left4me:5 \
		  -o lowerdir=$STATE/overlays/1:$STATE/installation,upperdir=$STATE/runtime/5/upper,workdir=$STATE/runtime/5/work $STATE/runtime/5/merged
	END
	mkdir -p "$etc/multi-user.target.wants"
	ln -s "$lib/left4me-web.service" "$etc/multi-user.target.wants/"
	for name in 2 5 9; do
		ln -s "$lib/left4me-server@.service" "$etc/multi-user.target.wants/left4me-server@$name.service"
	done
}

old_helpers() {
	mkdir -p "$helpers"
	cat >"$helpers/left4me-overlay" <<-END
		#!/bin/bash
		dir=$STATE/runtime/\$2
		case \$1 in
		mount) . $STATE/instances/\$2/instance.env
			exec mount -t overlay overlay -o "lowerdir=\$L4D2_LOWERDIRS,upperdir=\$dir/upper,workdir=\$dir/work" "\$dir/merged" ;;
		umount) ! mountpoint -q "\$dir/merged" || exec umount "\$dir/merged" ;;
		esac
	END
	for name in script-sandbox systemctl journalctl; do
		printf '#!/bin/sh\nexit 0\n' >"$helpers/left4me-$name"
	done
	chmod 755 "$helpers"/*
	echo "left4me ALL=(root) NOPASSWD: $helpers/left4me-systemctl *, $helpers/left4me-journalctl *" >/etc/sudoers.d/left4me
	echo 'other ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
	chmod 440 /etc/sudoers.d/*
}

instance() { # NAME LOWERDIRS
	runuser -u left4me -- mkdir -p "$STATE/instances/$1" "$STATE/runtime/$1"/{upper,work,merged}
	printf 'L4D2_PORT=%s\nL4D2_LOWERDIRS=%s\n' "2701$1" "$2" | put 640 "$STATE/instances/$1/instance.env"
}

old_database() {
	runuser -u left4me -- sqlite3 -bail "$DATABASE" <<-'END'
		PRAGMA journal_mode = WAL;
		CREATE TABLE blueprints (id INTEGER PRIMARY KEY, arguments TEXT NOT NULL);
		CREATE TABLE servers (id INTEGER PRIMARY KEY, name TEXT, port INTEGER, blueprint_id INTEGER, desired_state TEXT);
		CREATE TABLE overlays (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, type TEXT, script TEXT);
		CREATE TABLE blueprint_overlays (blueprint_id INTEGER, overlay_id INTEGER, position INTEGER, PRIMARY KEY (blueprint_id, position));
		INSERT INTO blueprints VALUES (1, '+map c1m1_hotel'), (2, '');
		INSERT INTO overlays VALUES (1, 'One', 'script', 'true'), (2, 'Two', 'files', NULL);
		INSERT INTO blueprint_overlays VALUES (1, 2, 0), (1, 1, 1), (2, 1, 0);
		INSERT INTO servers VALUES (2, 'Two', 27012, 1, 'running'), (5, 'Five', 27015, 2, 'running'), (8, 'Eight', 27018, 1, 'stopped');
	END
	chmod 640 "$DATABASE"
	# Somebody has looked as root, without CAP_CHOWN.
	install -m 640 /dev/null "$DATABASE-wal"
	install -m 640 /dev/null "$DATABASE-shm"
}

if [ "${1-}" = prepare ]; then
	set -e
	umask 022
	install_game
	install_web
	put_away
	sed -i "s|^\(left4me:.*:\)/nonexistent:|\1$STATE:|" /etc/passwd
	old_units
	old_helpers
	old_database
	for name in 1 2; do
		runuser -u left4me -- sh -c "mkdir -p '$STATE/overlays/$name/left4dead2' && cd '$STATE/overlays/$name/left4dead2' && echo $name >layer-$name && echo $name >top"
	done
	instance 2 "$STATE/overlays/2:$STATE/overlays/1:$STATE/installation"
	instance 5 "$STATE/overlays/1:$STATE/installation"
	instance 8 "$STATE/overlays/2:$STATE/overlays/1:$STATE/installation"
	mkdir -p "$STATE/runtime/8/upper/left4dead2"
	setfattr -n user.fuseoverlayfs.opaque -v y "$STATE/runtime/8/upper/left4dead2"
	runuser -u left4me -- mkdir -p "$STATE/runtime/$nasty/upper/$nasty" "$STATE/instances/$nasty"
	setfattr -n user.fuseoverlayfs.opaque -v y "$STATE/runtime/$nasty/upper/$nasty"
	runuser -u left4me -- touch "$STATE/instances/$nasty/instance.env"
	# A file that a build of the sandbox user's left; a link where a careless chown would go astray.
	touch "$STATE/overlays/1/foreign"
	ln -s /etc/shadow "$STATE/overlays/1/link"
	chown 999:999 "$STATE/overlays/1/foreign"
	exit
fi

home() { getent passwd left4me | cut -d: -f6; }
unit() { echo "left4me-server@$1.service"; }
pid() { property "$(unit "$1")" MainPID; }
check() { ./migrate-check --generator="$new/usr/local/lib/systemd/system-generators/left4me-generator" "$@" 2>/tmp/said; }
source_of() { findmnt --noheadings --output SOURCE "$STATE/runtime/$1/merged" || findmnt --noheadings --output SOURCE "/run/left4me/server/$1/merged"; }
admin() { runuser -u other -- sudo -n true; }
is_old() { # LABEL
	is "$(property "$(unit 2)" ActiveState)/$(property "$(unit 2)" FragmentPath)/$(source_of 2)" "active/$lib/left4me-server@.service/overlay" \
		"$1: server 2 runs under the old unit on the old helper's mount"
	is "$(property left4me-web.service FragmentPath)" "$lib/left4me-web.service" "$1: the web application does, too"
	ok "$1: the administrator has sudo" admin
}
is_inactive() { [ "$(property "$1" ActiveState)" = inactive ]; } # UNIT
is_new() { # LABEL
	is "$(property "$(unit 2)" ActiveState)/$(property "$(unit 2)" FragmentPath)/$(source_of 2)" \
		"active//run/systemd/generator/$(unit 2)/left4me:2" "$1: server 2 runs under the generated unit on our mount"
	ok "$1: it is ready" wait_for 60 is_ready 2
	is "$(layers 2)" "top 2 installation 2 1" "$1: with its layers, topmost first"
	is "$(property "$(unit 2)" DropInPaths)" /run/systemd/generator/left4me-server@.service.d/10-hardening.conf "$1: and our hardening"
	is "$(property left4me-web.service ActiveState)/$(property left4me-web.service FragmentPath)" \
		active//run/systemd/generator/left4me-web.service "$1: so does the web application"
	ok "$1: which may reload" worker /usr/bin/systemctl restart left4me-reload.service
	fails "$1: and no longer what it could" worker "$helpers/left4me-systemctl" start x
	ok "$1: the administrator has sudo" admin
	# The old unit's restart may still be due; it ends at the template of what has no row.
	ok "$1: nothing starts a server without a row" wait_for 60 is_inactive left4me-server@9.service
	out=$(check)
	is "$?/$out" 0/ "$1: a second look finds nothing"
}

# --- before -----------------------------------------------------------------------------------------------------------------

booted
is_old boot
running=$(pid 5)
old=$(pid 2)
is "$(property "$(unit 5)" ActiveState)" active "server 5 runs"

# The user of the state directory puts other things where an overlay of an old helper was, before the script is run.
instance old "$STATE/installation"
"$helpers/left4me-overlay" mount old
mkdir /mnt/backup
mount -t tmpfs backup /mnt/backup
step=$(check --install=true | sed -n '/^unmount() {/,/^}/p; /^unmount .* old$/p')
like "$step" "^unmount $STATE old\$" "an overlay that no unit has is unmounted"
as_left4me() { runuser -u left4me -- bash -euc "cd $STATE/runtime && $1"; }
as_left4me 'mv old gone && mkdir old && ln -s /mnt/backup old/merged'
fails "a link in its place: the script stops" bash -euc "$step"
like "$(bash -euc "$step" 2>&1)" "old/merged': not unmounted: Not a directory" "and says so"
as_left4me 'rm -r old && ln -s /mnt old && mkdir other && ln -s ../gone/merged other/merged'
fails "so it does where its directory is one" bash -euc "$step"
as_left4me 'rm -r old other && mkdir old old/merged'
mount --bind /mnt/backup "$STATE/runtime/old/merged"
fails "and at another mount" bash -euc "$step"
umount "$STATE/runtime/old/merged"
ok "no mount is nothing to do" bash -euc "$step"
is "$(findmnt --noheadings --output SOURCE /mnt/backup)/$(source_of gone)" backup/overlay "each is still mounted"
# While one changes places with the other, the script finds now this and now that.
as_left4me 'mkdir link && ln -s /mnt/backup link/merged && rm -r old && mv gone old'
setpriv --reuid=left4me --regid=left4me --clear-groups python3 -c 'import ctypes, os, sys
os.chdir(sys.argv[1])
while True:
    ctypes.CDLL(None).renameat2(-100, b"old", -100, b"link", 2)' "$STATE/runtime" &
swapper=$!
followed=0 refused=0
for _ in {1..60}; do
	bash -euc "$step" >/dev/null 2>&1 || refused=$((refused + 1))
	mountpoint -q /mnt/backup || followed=$((followed + 1))
done
kill $swapper
wait $swapper 2>/dev/null
is "$followed" 0 "a link that comes and goes is not followed ($refused of 60 times refused)"
ok "and was met" test "$refused" -gt 0
as_left4me '[ ! -L old/merged ] || { mv old swapped && mv link old && mv swapped link; }; rm -r link'
[ "$(source_of old)" = overlay ] || "$helpers/left4me-overlay" mount old
ok "the overlay in its place is unmounted" bash -euc "$step"
is "$(source_of old)" "" "indeed"
umount /mnt/backup
rm -r "$STATE/runtime/old" "$STATE/instances/old" /mnt/backup

out=$(check --install="cp -a $new/. /")
is "$?" 1 "there is something to do"
like "$(cat /tmp/said)" '^to be stopped: left4me-server@2\.service$' "server 2 has to be stopped, no other"
is "$(stat -c %U "$DATABASE-wal")" root "looking has changed nothing"
bash -c "$out" >/tmp/log 2>&1
is "$?" 1 "without the views it stops"
like "$(cat /tmp/log)" 'generator_instances' "and names one"
is "$(pid 2)/$(pid 5)" "$old/$running" "every server runs on"
is_old "no views"
is "$(stat -c '%U %n' "$DATABASE"-* | xargs)" "left4me $DATABASE-shm left4me $DATABASE-wal" "the database is its user's again"

# The web application's migration, as migrate.md has it, on a terminal of root's.
install -m 644 web-views.sql /run/
put 755 "$STATE/.venv/bin/alembic" <<-'END'
	#!/usr/bin/python3
	import os, subprocess, sys
	print(f"as {os.getuid()} in {os.getcwd()} HOME {os.environ['HOME']}: {' '.join(sys.argv[1:])}")
	print("terminals:", [fd for fd in range(3) if os.isatty(fd)])
	try:
	    os.open("/dev/tty", os.O_RDWR)
	    print("opens root's terminal")
	except OSError:
	    pass
	print("\x1b[31mred", flush=True)
	with open("/run/web-views.sql") as views:
	    sys.exit(subprocess.run(["sqlite3", "-bail", "/var/lib/left4me/left4me.db"], stdin=views).returncode)
END
sed -n '/^ *systemd-run /,/^$/s/^ *//p' migrate.md >/tmp/alembic.sh
on_terminal bash -e /tmp/alembic.sh >/tmp/log 2>&1
like "$(tr -d '\r' </tmp/log)" "^as 980 in /opt/left4me/src HOME $STATE: upgrade head$" "the migration runs as its user"
like "$(tr -d '\r' </tmp/log)" '^terminals: \[\]$' "without root's terminal"
unlike "$(cat /tmp/log)" $'opens root|\e' "which it cannot open, nor write control characters to"
is "$(sql "SELECT count(*) FROM sqlite_schema WHERE type = 'view'")" 3 "and makes the views"

# A row that would be refused: the server would not come back.
sql "UPDATE servers SET port = 80 WHERE id = 2"
bash -c "$(check --install=true)" >/tmp/log 2>&1
is "$?" 1 "a server that would be refused stops it"
like "$(tail -n 1 /tmp/log)" 'server 2 would not come back' "and is named"
is "$(pid 2)" "$old" "it runs on"
sql "UPDATE servers SET port = 27012 WHERE id = 2"

# Half way: the installation fails. The host is the old one; server 2 could start again, and is not forgotten.
bash -c "$(check --install=false)" >/tmp/log 2>&1
is "$?" 1 "a failed installation stops it"
is "$(property "$(unit 2)" ActiveState)" inactive "server 2 has been stopped by then"
is "$(pid 5)" "$running" "server 5 runs on"
ok "the administrator has sudo" admin
ok "the old unit would start" systemctl start "$(unit 2)"
ok "and the web application" systemctl start left4me-web.service
is_old "half way, started again"

# Half way: installed, nothing removed, then a reboot, which would start what the old links want.
bash -c "$(check --install="cp -a $new/. / && false")" >/tmp/log 2>&1
is "$?" 1 "an installation that fails in the end stops it"
systemctl daemon-reload
systemctl start multi-user.target
ok "as after a reboot server 2 is ready" wait_for 60 is_ready 2
is "$(source_of 2)/$(property left4me-web.service ActiveState)" left4me:2/active "by the new helper; the web application runs"
is "$(pid 5)" "$running" "server 5 runs on"
ok "the administrator has sudo" admin

# --- over -------------------------------------------------------------------------------------------------------------------

check >/tmp/migrate.sh
like "$(cat /tmp/said)" '/to-start: a migration has stopped and not started again: 2$' "server 2 is not forgotten"
bash /tmp/migrate.sh >/tmp/log 2>&1
is "$?" 0 "the script runs to its end" || diag "$(cat /tmp/log)"
is_new migrated
is "$(pid 5)/$(property "$(unit 5)" FragmentPath)" "$running//run/systemd/generator/$(unit 5)" "server 5 has run on, and has the generated unit"
is "$(systemctl list-units --failed --plain --no-legend | grep -v left4me-server@9 | cut -d' ' -f1)" "" "nothing has failed"
is "$(find "$helpers" -name 'left4me-*' | sort | xargs)" "$helpers/left4me-fetch-script $helpers/left4me-overlay" "the helper scripts are gone"
is "$(head -c 4 "$helpers/left4me-overlay" | tail -c 3)" ELF "and left4me-overlay is the program"
is "$(cat /etc/sudoers.d/left4me)" "@includedir /run/left4me/sudoers.d" "so are their sudo rules"
is "$(find "$STATE" -name instance.env)" "" "and instance.env"
is "$(find "$STATE/runtime" -maxdepth 2 -name 'upper.before-1' -printf x)" xx "tainted layers are aside"
is "$(find / /etc /run /tmp /usr /var -xdev -name canary)" "" "no name was a command"
is "$(home)" "$STATE" "the home of before stays, since server 5 runs on"
like "$(cat /tmp/log)" '^migrate-check: note: once nothing of left4me runs: usermod --home /nonexistent left4me$' "it is named"
like "$(cat /tmp/said)" 'once nothing of left4me runs: usermod --home' "by the second look, too"
is "$(stat -c %U:%G "$STATE/overlays/1/foreign" /etc/shadow | xargs)" "left4me:left4me root:shadow" "owners are right, and only there"
ok "the server that was once on fuse-overlayfs starts" worker /usr/bin/systemctl start "$(unit 8)"
ok "server 5 stops" worker /usr/bin/systemctl stop "$(unit 5)"
is "$(mounts | xargs)" "2 8" "and is unmounted"
systemctl stop "$(unit 8)"

# --- back, as in migrate.md -------------------------------------------------------------------------------------------------

sed -n '/^## The way back/,/^## /s/^    //p' migrate.md >/tmp/back.sh
ok "migrate.md has the way back" test -s /tmp/back.sh
bash -e /tmp/back.sh >/tmp/log 2>&1
is "$?" 0 "it runs to its end" || diag "$(cat /tmp/log)"
is_old back
fails "the new sudo rules are gone" worker /usr/bin/systemctl restart left4me-reload.service

# So many starts within ten seconds are this test's.
systemctl reset-failed left4me-web.service
# It has no row, and its old unit fails again and again: the check at the end of the migration would name that.
systemctl stop left4me-server@9.service
systemctl reset-failed left4me-server@9.service 2>/dev/null
check --install="cp -a $new/. /" >/tmp/migrate.sh
is "$?" 1 "then there is something to do again"
bash -x /tmp/migrate.sh >/tmp/log 2>&1
is "$?" 0 "and it can be done again" || tail -n 20 /tmp/log | sed "s/^/# /"
is_new again

# --- the home, once nothing runs ----------------------------------------------------------------------------------------------

systemctl stop left4me.target left4me-web.service 'left4me-server@*.service'
check >/tmp/migrate.sh
is "$?/$(grep -c '^/' /tmp/said)" 1/1 "the home is found, and nothing else"
bash /tmp/migrate.sh >/tmp/log 2>&1
is "$?/$(home)" 0//nonexistent "and changed" || diag "$(cat /tmp/log)"
is "$(check; echo $?)" 0 "then nothing is to do"
done_testing
