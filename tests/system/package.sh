#!/bin/bash
# The Debian package on a Debian without left4me: installed where no systemd runs, booted, upgraded under running servers,
# removed and purged; the file system before and after.
#
# FILES: left4me_1.deb, left4me_2.deb (the same, a version later), lintian (what it said), needed (libraries of the programs).
# shellcheck source=tests/system/guest.sh
. ./guest.sh

package() { DEBIAN_FRONTEND=noninteractive dpkg "$@" 2>&1; }

# What differs from the snapshot START now: "<" is gone, ">" is new, both is another.
changes() { # START
	snapshot >now
	diff "$1" now | sed -n 's/^\([<>] [^ ]*\) .*/\1/p' | sort -u
}

# What units bind or need, apart from what is an instance's own and what need not be there.
bound() {
	left4me-generator render --no-database --format=tree --output=tree
	find tree -type f -exec sed -n -E 's/^(Bind(ReadOnly)?Paths|Read(Write|Only)Paths|RootDirectory)=//p' {} + |
		tr ' ' '\n' | sed 's/:.*//; s/^+//' | grep '^/' | grep -v % | sort -u
}

prepare() {
	set -e
	# Man pages and documents count too.
	rm /etc/dpkg/dpkg.cfg.d/99mmdebstrap
	# As a host has it, where other timers are not masked.
	mkdir /var/lib/systemd/timers
	snapshot >start
	(package -i left4me_1.deb && package -r left4me && package -P left4me) >chroot.log || echo "dpkg gave $?" >>chroot.log
	changes start >chroot.changes
	# An earlier version's, while nothing of it runs.
	sed -i "s|^\(left4me:.*:\)/nonexistent:|\1$STATE:|" /etc/passwd
	package -i left4me_1.deb >installed.log
	getent passwd left4me | cut -d: -f6 >home
	bound >bound
	while read -r path; do
		[ -e "$path" ] || echo "$path"
	done <bound >missing
	make_host
	insert_overlay 5 'sleep 1000'
}
if [ "${1-}" = prepare ]; then
	prepare
	exit
fi

# --- the package itself ------------------------------------------------------------------------------------------------

is "$(cat lintian)" "" "lintian has nothing to say"
depends=" $(apt-cache depends --recurse --important --installed left4me | sed -n 's/^[ |]*Depends: //p' | sort -u | xargs) "
while read -r library; do
	owner=$(dpkg -S "*/$library" 2>/dev/null | sed -n '1s/:.*//p')
	like "$depends" " ${owner:-none} " "depends on ${owner:-a package} for $library"
done < <(sort -u needed; printf 'libsystemd.so.0\nlibbpf.so.1\nlibseccomp.so.2\n')
direct=$(dpkg-query -W -f '${Depends}' left4me)
like "$direct" 'libbpf1' "names libbpf1, which systemd loads"
like "$direct" 'libseccomp2' "names libseccomp2, which systemd 259 and later load, or go without"
like "$direct" 'dbus-system-bus' "names a system bus, which check asks"
like "$direct" 'sudo \| sudo-rs' "takes either sudo"
is "$(dpkg-query -W -f '${Conffiles}' left4me | sed -n 's/^ *\(\/[^ ]*\).*/\1/p' | sort | xargs)" \
	"/etc/left4me/left4me.conf /etc/left4me/sandbox-resolv.conf /etc/sudoers.d/left4me" "its configuration files"
is "$(stat -c '%a %U' /etc/sudoers.d/left4me)" "440 root" "the sudoers stub is 0440"
is "$(dpkg -L left4me | grep -E '^/(usr/local|run|var|lib|bin|sbin)(/|$)')" "" "nothing of it lies in /usr/local, /run or /var"
is "$(dpkg -L left4me | grep -c -e '/man[58]/' -e bash-completion/completions/ -e sysusers.d/ -e tmpfiles.d/ -e sysctl.d/ -e modprobe.d/)" 12 \
	"man pages, completion, sysusers.d, tmpfiles.d, sysctl.d, modprobe.d"

# --- where no systemd runs ---------------------------------------------------------------------------------------------

unlike "$(cat chroot.log installed.log)" 'dpkg gave|[Ee]rror|[Ff]ailed|[Ww]arning' "installed, removed and purged in a chroot"
is "$(cat chroot.changes)" "" "and the file system is as before"
is "$(wc -l <bound | awk '{ print ($1 > 10) }')" 1 "units bind something"
is "$(cat missing)" "" "everything that a unit binds exists after the install"
is "$(cat home)" /nonexistent "a home that the user could write is changed"

# --- a boot with it ----------------------------------------------------------------------------------------------------

ok "the boot finishes" booted
host_is_up installed
like "$(systemctl cat left4me-server@alpha)" '^ExecStartPre=\+/usr/libexec/left4me/left4me-overlay mount' "the helpers are those of the package"
ok "check finds nothing" left4me-generator check

# --- upgrades ----------------------------------------------------------------------------------------------------------

build_runs() { pgrep -u left4me -x sleep -a | grep -qx '[0-9]* sleep 1000'; }
state() { # of every unit that runs, and what is mounted
	systemctl show --property=Id,MainPID,InvocationID,ActiveState,NRestarts 'left4me-server@*' 'build-overlay@*' left4me-web.service
	mount_table | grep left4me:
}
ok "a build is started" systemctl start --no-block build-overlay@5
ok "it runs" wait_for 60 build_runs
echo '# by the operator' >>/etc/left4me/left4me.conf
before=$(state)
reloads=$(reload_count)
sed -i "s|^\(left4me:.*:\)/nonexistent:|\1$STATE:|" /etc/passwd
for version in 1 2; do
	log=$(package -i "left4me_$version.deb")
	is "$?" 0 "version $version over version 1"
	like "$log" 'once nothing of left4me runs: usermod --home /nonexistent left4me' "names the home that it leaves, since servers run"
	is "$(getent passwd left4me | cut -d: -f6)" "$STATE" "and leaves it"
	is "$(state)" "$before" "every server, build and mount is untouched by it"
done
is "$(dpkg-query -W -f '${Version}' left4me)" 2 "the later version is there"
is "$(reload_count)" $((reloads + 2)) "one daemon-reload each"
is "$(tail -n 1 /etc/left4me/left4me.conf)" '# by the operator' "the operator's configuration stays"

# --- a chroot that sees the host's /run --------------------------------------------------------------------------------

before="$(state) $(ls -lR /run/left4me)"
# shellcheck disable=SC2016 # the inner shell's
ok "the package is removed from a chroot" unshare --mount sh -euc '
	mount -t tmpfs tmpfs /mnt
	for directory in usr etc var run; do mkdir /mnt/$directory; mount --bind /$directory /mnt/$directory; done
	cp -P /bin /sbin /lib* /mnt
	mkdir /mnt/proc
	mount -t proc proc /mnt/proc
	chroot /mnt sh -euc "cd /var/lib/dpkg/info && ./left4me.prerm remove && ./left4me.postrm remove"
	mv /etc/sudoers.d/left4me.dpkg-old /etc/sudoers.d/left4me'
is "$(state) $(ls -lR /run/left4me)" "$before" "the host is untouched by it"

# --- a removal that must fail ------------------------------------------------------------------------------------------

refused() { # WHY REGEX
	local log status
	log=$(package -r left4me)
	status=$?
	is "$status" 1 "$1: the removal fails"
	like "$log" "$2" "$1: it says so"
	is "$(dpkg-query -W -f '${db:Status-Status}' left4me)" installed "$1: the package is still installed"
	is "$(changes before-refusal | grep -v -e '/work/work$' -e '/overlays/\.left4me/5')" "" "$1: nothing was removed"
	is "$(systemctl is-active left4me-web)" active "$1: the web application still runs"
}
snapshot >before-refusal
mkdir -p /run/systemd/system/left4me-server@beta.service.d
printf '[Unit]\nRefuseManualStop=yes\n' >/run/systemd/system/left4me-server@beta.service.d/50-refuse.conf
reload
beta=$(property left4me-server@beta MainPID)
refused "beta cannot be stopped" '^left4me: could not be stopped: left4me-server@beta\.service$'
is "$(property left4me-server@beta MainPID) $(mounts | xargs)" "$beta beta" "beta runs and is mounted"
rm -r /run/systemd/system/left4me-server@beta.service.d
reload
ok "left4me.target brings the others back" systemctl start left4me.target
ok "alpha is ready again" wait_for 60 is_ready alpha
ok "gamma is ready again" wait_for 60 is_ready gamma

# Somebody's shell stands in the mount.
(cd /run/left4me/server/gamma/merged && exec sleep 1000) &
busy=$!
wait_for 60 eval '[ "$(readlink /proc/$busy/cwd)" = /run/left4me/server/gamma/merged ]'
refused "gamma is in use" '^left4me: still mounted: gamma$'
is "$(mounts | xargs)" gamma "gamma alone is mounted"
kill "$busy"
ok "left4me.target brings them back" systemctl start left4me.target
for name in alpha beta gamma; do
	ok "$name is ready once more" wait_for 60 is_ready "$name"
done

# --- a generator that fails -------------------------------------------------------------------------------------------

generator=/usr/lib/systemd/system-generators/left4me-generator
mount --bind /usr/bin/false "$generator"
systemctl daemon-reload
fails "a run that failed leaves no unit" test -e /run/systemd/generator/left4me.target
ok "the next reload can be asked for all the same" systemctl restart left4me-reload.service
umount "$generator"
ok "and again" systemctl restart left4me-reload.service
ok "it finds the units" test -e /run/systemd/generator/left4me.target

# --- the removal -------------------------------------------------------------------------------------------------------

systemctl start --no-block build-overlay@5
ok "a build runs" wait_for 60 build_runs
delete_server alpha
reload
systemctl start timers.target
# It runs on for a second after the reload, and would be named, too.
no_reload() { [ "$(property left4me-reload.service ActiveState)" = inactive ]; }
ok "the pause after the reload is over" wait_for 60 no_reload
# gamma waits for a turn that does not come.
systemctl stop left4me-server@gamma
flock --no-fork /run/left4me/server/ sleep 1000 &
busy=$!
wait_for 60 eval '! flock -n /run/left4me/server/ true'
systemctl start left4me.target
# The target does not wait for what it wants.
takes_turn() { [ "$(systemctl is-active left4me-queue@gamma)" = activating ]; }
wait_for 60 takes_turn
is "$(systemctl is-active left4me-server@gamma) $(systemctl is-active left4me-queue@gamma)" "inactive activating" "a server waits for its turn"
log=$(package -r left4me)
is "$?" 0 "the package is removed"
kill "$busy"
is "$(sed -n 's/^left4me: stopping //p' <<<"$log" | sort | xargs)" "$(sort <<-'END' | xargs
	build-overlay@5.service
	left4me-server@alpha.service
	left4me-server@beta.service
	left4me-server@gamma.service
	left4me-queue@gamma.service
	left4me-web.service
	left4me.target
	left4me-check.timer
	left4me-workshop-refresh.timer
END
)" "each server, the deleted one too, the build and the rest are named"
unlike "$log" '[Ww]arning|[Ff]ailed|[Ee]rror' "without a complaint"
is "$(mount_table | grep -w -e left4me: -e /var/lib/left4me)" "" "nothing is mounted"
is "$(pgrep -u left4me -a)" "" "no process of left4me's"
is "$(systemctl list-units --all --plain --no-legend '*left4me*' 'build-overlay@*' 'l4d2*')" "" "no unit"
is "$(systemctl list-unit-files --plain --no-legend '*left4me*' 'build-overlay@*' 'l4d2*')" "" "no unit file"
is "$(ls -d /run/left4me 2>&1)" "ls: cannot access '/run/left4me': No such file or directory" "no /run/left4me"
is "$(failed_units)" "" "no failed unit"
is "$(systemctl is-system-running)" running "the system is running"
for sudo in sudo sudo-rs; do
	is "$("$sudo" -n true 2>&1)" "" "$sudo does not miss the rules"
done
kept="$STATE|/opt/left4me|/etc/left4me/web\.env|/etc/left4me/left4me\.conf"
is "$(changes start | grep -Ev "^> ($kept)(/|$)")" "> /etc/left4me
> /etc/left4me/host.env
> /etc/left4me/left4me.conf.d
> /etc/left4me/sandbox-resolv.conf
> /etc/sudoers.d/left4me.dpkg-old
> /var/lib/systemd/timers/stamp-left4me-workshop-refresh.timer" "left are the configuration and what an operator put there"

# --- installed again, purged -------------------------------------------------------------------------------------------

# As where libbpf1 and the bus come with the package: systemd has looked for the one in vain, nobody has started the other, and
# a reload of another package has run the generator before left4me is configured.
library=$(readlink -f "$(ldconfig -p | sed -n 's/.*libbpf\.so\.1 .* => //p')")
mv "$library" libbpf
systemctl daemon-reexec
mv libbpf "$library"
systemctl stop dbus.socket dbus.service
package --unpack left4me_1.deb >/dev/null
systemctl daemon-reload
is "$(grep -c '/libbpf\.so' /proc/1/maps) $(systemctl is-active dbus.socket) $(ls /run/left4me/report)" "0 inactive /run/left4me/report" \
	"an installation under way: systemd has no libbpf, and nobody a bus"
log=$(package --configure left4me)
is "$?" 0 "installed again"
ok "systemd has loaded libbpf" wait_for 60 grep -q '/libbpf\.so' /proc/1/maps
ok "and a bus answers the user" wait_for 60 runuser -u left4me -- systemctl show --property=Version
is "$(ls -I README /etc/sudoers.d)" left4me "the sudoers stub is back"
is "$(tail -n 1 /etc/left4me/left4me.conf)" '# by the operator' "and the operator's configuration"
ok "the database is read" left4me-generator check
ok "left4me.target starts" systemctl start left4me.target
ok "beta is ready again" wait_for 60 is_ready beta
# The end of the target begins a stop of its own, which may still be under way.
mkdir /run/systemd/system/left4me-stop.service.d
printf '[Service]\nExecStartPre=/bin/sleep 5\n' >/run/systemd/system/left4me-stop.service.d/slow.conf
systemctl daemon-reload
purged=0
log=$(package -P left4me) || purged=$?
is "$purged" 0 "the package is purged"
[ "$purged" -eq 0 ] || diag "$log"
like "$log" '^left4me: stopping left4me-server@beta.service$' "servers are stopped and named"
is "$(sed -n 's/^left4me: kept //p' <<<"$log" | xargs)" "/etc/left4me/web.env $STATE the user left4me" "what is kept is named"
is "$(changes start | grep -Ev "^> ($STATE|/opt/left4me)(/|$)")" "> /etc/left4me
> /etc/left4me/web.env" "nothing else is left"
ok "the database is" test -s "$DATABASE"
rm -r /etc/left4me "$STATE" /opt/left4me
is "$(changes start)" "" "without it the file system is as before the first install"
is "$(failed_units)" "" "no failed unit in the end"
done_testing
