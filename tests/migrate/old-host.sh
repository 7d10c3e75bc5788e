#!/bin/bash
# Printed by migrate-check. It stops at the first failure; run migrate-check again then.
main() {
set -eu
umask 022
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
[ "$(id -u)" -eq 0 ] || { echo 'migrate-check: this needs root' >&2; exit 1; }

# --- Files that their user could not use, and the application's migration neither
# /etc/left4me/web.env: is to be 0640 root:left4me, else the generator refuses it or others read it
chown root:left4me /etc/left4me/web.env
chmod 0640 /etc/left4me/web.env

# --- Would every server come back? Until here nothing that runs has been touched
# Status 2: the configuration is wrong, or the web application's migration has not made the three views
# yet, as its own user (migrate.md). Rows that are refused are named and give 1.
tried=$(mktemp -d)
trap 'rm -rf "$tried"' EXIT
generator=/new/left4me-generator
"$generator" render --format=tree --output="$tried/tree" || [ $? -eq 1 ]
units=$tried/tree/systemd/generator
for name in 2 7; do
	grep -qs '^ExecStartPre=+' "$units/left4me-server@$name.service" ||
		{ echo "migrate-check: server $name would not come back: no row, or a refused one" >&2; exit 1; }
done
for name in 2 7 9; do
	[ -L "$units/left4me.target.wants/left4me-server@$name.service" ] ||
		echo "migrate-check: note: server $name was enabled, the database does not say so" >&2
done

# --- Keep what is going to be replaced
install -d -m 0700 /var/backups/left4me-migration
for file in \
	/etc/sudoers.d/20-left4me-logs \
	/etc/sudoers.d/left4me \
	/etc/sysctl.d/99-left4me.conf \
	/etc/systemd/system/l4d2-build.slice \
	/etc/systemd/system/left4me-server@.service.d/10-hardening.conf \
	/etc/systemd/system/left4me-server@.service.d/20-old.conf \
	/etc/systemd/system/left4me-web.service.d/10-hardening.conf \
	/etc/systemd/system/multi-user.target.wants/left4me-server@2.service \
	/etc/systemd/system/multi-user.target.wants/left4me-server@7.service \
	/etc/systemd/system/multi-user.target.wants/left4me-server@9.service \
	/etc/systemd/system/multi-user.target.wants/left4me-web.service \
	/etc/systemd/system/system.slice.d/99-left4me-cpuset.conf \
	/etc/systemd/system/timers.target.wants/left4me-workshop-refresh.timer \
	/etc/systemd/system/user.slice.d/99-left4me-cpuset.conf \
	/usr/local/lib/systemd/system/build-overlay@.service \
	/usr/local/lib/systemd/system/build-overlay@.service.d/10-hardening.conf \
	/usr/local/lib/systemd/system/l4d2-game.slice \
	/usr/local/lib/systemd/system/left4me-server@.service \
	/usr/local/lib/systemd/system/left4me-server@.service.d/10-hardening.conf \
	/usr/local/lib/systemd/system/left4me-web.service \
	/usr/local/lib/systemd/system/left4me-web.service.d/10-hardening.conf \
	/usr/local/lib/systemd/system/left4me-workshop-refresh.service \
	/usr/local/lib/systemd/system/left4me-workshop-refresh.timer \
	/usr/local/libexec/left4me/left4me-journalctl \
	/usr/local/libexec/left4me/left4me-overlay \
	/usr/local/libexec/left4me/left4me-script-sandbox \
	/usr/local/libexec/left4me/left4me-systemctl \
; do
	[ -e "/var/backups/left4me-migration$file" ] || [ -L "/var/backups/left4me-migration$file" ] || cp -a --parents -- "$file" /var/backups/left4me-migration
done
# What is stopped below. As long as this file is there, migrate-check starts them.
printf '%s\n' 2 >/var/backups/left4me-migration/to-start.new
mv -fT /var/backups/left4me-migration/to-start.new /var/backups/left4me-migration/to-start

# --- Stop what the new units cannot take over
unmount() {
python3 -I - "$@" <<'END'
"""unmount.py ROOT NAME: unmounts what a helper script has mounted on ROOT/runtime/NAME/merged; nothing to do is success.

migrate-check puts this text into its script. Whoever owns the directories may exchange one for a link, or move another
mount there, at any time: so each is opened beneath the one before, what is mounted is looked at, and no link is followed.
"""
import ctypes
import os
import re
import sys

UMOUNT_NOFOLLOW = 8
FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
ROOT, NAME = map(os.fsencode, sys.argv[1:])


def mount_of(descriptor):
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
        return re.search(r"^mnt_id:\s*(\d+)$", info.read(), re.M)[1]


def kind_and_source(mount):
    with open("/proc/self/mountinfo", "rb") as table:
        for line in table:
            if line.startswith(mount.encode() + b" "):
                return line.partition(b" - ")[2].split(b" ")[:2]
    return b"", b""


def unmount():
    directory = os.open(ROOT, os.O_PATH | os.O_DIRECTORY)
    for part in (b"runtime", NAME):
        directory = os.open(part, FLAGS, dir_fd=directory)
    merged = os.open(b"merged", FLAGS, dir_fd=directory)
    mount = mount_of(merged)
    os.close(merged)
    if mount == mount_of(directory):
        return
    kind, source = kind_and_source(mount)
    if source == b"left4me:" + NAME or (kind != b"overlay" and not kind.startswith(b"fuse")):
        sys.exit(f"migrate-check: {place}: {ascii(os.fsdecode(kind))} of {ascii(os.fsdecode(source))} is not the helper scripts'")
    os.fchdir(directory)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(b"merged", UMOUNT_NOFOLLOW) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


place = ascii(os.fsdecode(ROOT + b"/runtime/" + NAME + b"/merged"))
try:
    unmount()
except OSError as failure:
    sys.exit(f"migrate-check: {place}: not unmounted: {failure.strerror}. Is it, or a directory above it, a link? Look with findmnt")
END
}
# The web application and builds; the former comes back with left4me.target.
systemctl stop build-overlay@5.service left4me-web.service
# /var/lib/left4me/runtime/2/merged: a mount (overlay) of the helper scripts: left4me-server@2.service must be stopped
systemctl stop left4me-server@2.service
unmount /var/lib/left4me 2
# /var/lib/left4me/runtime/3/merged: a mount (fuse.fuse-overlayfs) of the helper scripts
unmount /var/lib/left4me 3

# --- Install
install-left4me
systemd-sysusers left4me.conf
systemd-tmpfiles --create left4me.conf
# /etc/passwd: left4me can write its home /var/lib/left4me: sshd would take keys from there, its systemd would run units
if cat /proc/[0-9]*/status 2>/dev/null | grep -q "^Uid:.*\<$(id -u left4me)\>"; then
	echo 'migrate-check: note: once nothing of left4me runs: usermod --home /nonexistent left4me' >&2
else
	usermod --home /nonexistent left4me
fi

# --- Remove what would win over the new units, or start what the database does not say
# The CPUs that the old drop-ins reserve.
install -d -m 0755 /etc/left4me/left4me.conf.d
printf '[host]\nsystem_cpus = 0,4\n' >/etc/left4me/left4me.conf.d/50-migration.conf
# /etc/sudoers.d/20-left4me-logs: rules for the helper scripts
rm -f -- /etc/sudoers.d/20-left4me-logs
# /etc/sudoers.d/left4me: rules for the helper scripts
printf '%s\n' '@includedir /run/left4me/sudoers.d' >/etc/sudoers.d/.left4me.new
chmod 0440 /etc/sudoers.d/.left4me.new
mv -fT /etc/sudoers.d/.left4me.new /etc/sudoers.d/left4me
# /etc/sysctl.d/99-left4me.conf: replaces the file of that name that is installed now
rm -f -- /etc/sysctl.d/99-left4me.conf
# /etc/systemd/system/l4d2-build.slice: a unit of the helper scripts, wins over the generator's
rm -f -- /etc/systemd/system/l4d2-build.slice
# /etc/systemd/system/left4me-server@.service.d/10-hardening.conf: replaces the generator's drop-in of that name, silently
rm -f -- /etc/systemd/system/left4me-server@.service.d/10-hardening.conf
# /etc/systemd/system/left4me-server@.service.d/20-old.conf: a drop-in made for the helper scripts
rm -f -- /etc/systemd/system/left4me-server@.service.d/20-old.conf
# /etc/systemd/system/left4me-web.service.d/10-hardening.conf: replaces the generator's drop-in of that name, silently
rm -f -- /etc/systemd/system/left4me-web.service.d/10-hardening.conf
# /etc/systemd/system/multi-user.target.wants/left4me-server@2.service: starts it whatever the database says: enabled is a column now
rm -f -- /etc/systemd/system/multi-user.target.wants/left4me-server@2.service
# /etc/systemd/system/multi-user.target.wants/left4me-server@7.service: starts it whatever the database says: enabled is a column now
rm -f -- /etc/systemd/system/multi-user.target.wants/left4me-server@7.service
# /etc/systemd/system/multi-user.target.wants/left4me-server@9.service: starts it whatever the database says: enabled is a column now
rm -f -- /etc/systemd/system/multi-user.target.wants/left4me-server@9.service
# /etc/systemd/system/multi-user.target.wants/left4me-web.service: starts it whatever the database says: enabled is a column now
rm -f -- /etc/systemd/system/multi-user.target.wants/left4me-web.service
# /etc/systemd/system/system.slice.d/99-left4me-cpuset.conf: CPUs reserved by hand: [host] system_cpus does that now
rm -f -- /etc/systemd/system/system.slice.d/99-left4me-cpuset.conf
# /etc/systemd/system/timers.target.wants/left4me-workshop-refresh.timer: starts it whatever the database says: enabled is a column now
rm -f -- /etc/systemd/system/timers.target.wants/left4me-workshop-refresh.timer
# /etc/systemd/system/user.slice.d/99-left4me-cpuset.conf: CPUs reserved by hand: [host] system_cpus does that now
rm -f -- /etc/systemd/system/user.slice.d/99-left4me-cpuset.conf
# /usr/local/lib/systemd/system/build-overlay@.service: a unit of the helper scripts
rm -f -- /usr/local/lib/systemd/system/build-overlay@.service
# /usr/local/lib/systemd/system/build-overlay@.service.d/10-hardening.conf: hardening of the helper scripts' units
rm -f -- /usr/local/lib/systemd/system/build-overlay@.service.d/10-hardening.conf
# /usr/local/lib/systemd/system/l4d2-game.slice: a unit of the helper scripts
rm -f -- /usr/local/lib/systemd/system/l4d2-game.slice
# /usr/local/lib/systemd/system/left4me-server@.service: a unit of the helper scripts
rm -f -- /usr/local/lib/systemd/system/left4me-server@.service
# /usr/local/lib/systemd/system/left4me-server@.service.d/10-hardening.conf: hardening of the helper scripts' units
rm -f -- /usr/local/lib/systemd/system/left4me-server@.service.d/10-hardening.conf
# /usr/local/lib/systemd/system/left4me-web.service: a unit of the helper scripts
rm -f -- /usr/local/lib/systemd/system/left4me-web.service
# /usr/local/lib/systemd/system/left4me-web.service.d/10-hardening.conf: hardening of the helper scripts' units
rm -f -- /usr/local/lib/systemd/system/left4me-web.service.d/10-hardening.conf
# /usr/local/lib/systemd/system/left4me-workshop-refresh.service: a unit of the helper scripts
rm -f -- /usr/local/lib/systemd/system/left4me-workshop-refresh.service
# /usr/local/lib/systemd/system/left4me-workshop-refresh.timer: a unit of the helper scripts
rm -f -- /usr/local/lib/systemd/system/left4me-workshop-refresh.timer
# /usr/local/libexec/left4me/left4me-journalctl: a helper script; nothing calls it any more
rm -f -- /usr/local/libexec/left4me/left4me-journalctl
# /usr/local/libexec/left4me/left4me-overlay: a helper script, where it still is one
[ "$(head -c 2 /usr/local/libexec/left4me/left4me-overlay 2>&1)" != '#!' ] || rm -f -- /usr/local/libexec/left4me/left4me-overlay
# /usr/local/libexec/left4me/left4me-script-sandbox: a helper script; nothing calls it any more
rm -f -- /usr/local/libexec/left4me/left4me-script-sandbox
# /usr/local/libexec/left4me/left4me-systemctl: a helper script; nothing calls it any more
rm -f -- /usr/local/libexec/left4me/left4me-systemctl

# --- Start
systemctl daemon-reload
[ -e /run/systemd/generator/left4me.target ] ||
	{ echo 'migrate-check: the generator has written nothing: journalctl -b -g left4me' >&2; exit 1; }
sysctl --quiet --system || echo 'migrate-check: note: not every kernel setting was taken' >&2
systemctl start left4me.target timers.target
failed=
for name in 2; do
	systemctl start "left4me-server@$name.service" || failed="$failed $name"
done
[ -z "$failed" ] || { echo "migrate-check: not started:$failed" >&2; exit 1; }
rm -f -- /var/backups/left4me-migration/to-start

# --- Once all runs
# /var/lib/left4me/instances/2/instance.env: nothing reads it any more: the database says it all
runuser -u left4me -- mv -fT -- /var/lib/left4me/instances/2/instance.env /var/lib/left4me/instances/2/instance.env.before
# /var/lib/left4me/instances/7/instance.env: nothing reads it any more: the database says it all
runuser -u left4me -- mv -fT -- /var/lib/left4me/instances/7/instance.env /var/lib/left4me/instances/7/instance.env.before

# --- Check
! command -v visudo >/dev/null || visudo -cq
# What the web application reloads by; "sudo systemctl daemon-reload" is denied from now on.
! command -v sudo >/dev/null ||
	runuser -u left4me -- sudo -n -l /usr/bin/systemctl restart left4me-reload.service >/dev/null ||
	{ echo 'migrate-check: the web application may not reload: is /run/left4me/sudoers.d included?' >&2; exit 1; }
# Whatever else is wrong here. Then migrate-check once more: it finds nothing.
left4me-generator check
}
main </dev/null
