#!/bin/bash
# The README's way to a host and back, by its own commands: `make install` and `make uninstall`, then the package; the file
# system before and after. Runs where a compiler is (run-ns -r compiler).
#
# FILES: src, the sources.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	# Man pages and documents count too; nobody is here to say yes.
	rm /etc/dpkg/dpkg.cfg.d/99mmdebstrap
	# As a host has it, where other timers are not masked.
	mkdir -p /var/lib/systemd/timers
	echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes
	exit
fi
cd src || exit 1

# The commands below HEADING of the README, one block after each other.
commands() { # HEADING BLOCK
	awk -v heading="$1" -v wanted="$2" '
		/^##/ { inside = ($0 ~ "^##+ " heading "$") }
		inside && /^    / { if (!code) block++; code = 1; if (block == wanted) print substr($0, 5); next }
		{ code = 0 }' README.md
}

follow() { # HEADING BLOCK
	local command
	while IFS= read -r command; do
		command=${command%%  #*}
		ok "\$ ${command%"${command##*[! ]}"}" bash -euo pipefail -c "$command"
	done < <(commands "$@")
}

changes() {
	snapshot >../now
	diff ../start ../now | sed -n 's/^\([<>] [^ ]*\) .*/\1/p' | sort -u
}

state() {
	systemctl show --property=Id,MainPID,InvocationID,ActiveState 'left4me-server@*' left4me-web.service
	mount_table | grep left4me:
}

# What no README can give: the game and the web application.
stand_ins() {
	install_game
	install -d -o left4me -g left4me /opt/left4me /opt/left4me/src "$STATE/.venv" "$STATE/.venv/bin"
	printf '#!/bin/sh\nexec sleep infinity\n' | put 755 "$STATE/.venv/bin/gunicorn"
}

serves() { # LABEL
	insert_overlay 1
	insert_server alpha 27015 1 1
	ok "$1: a row and a reload" reload
	ok "$1: the worker starts it" worker /usr/bin/systemctl start left4me-server@alpha.service
	ok "$1: alpha is ready" wait_for 20 is_ready alpha
	is "$(layers alpha)" "top 1 installation 1" "$1: with its layer"
	is "$(systemctl is-active left4me.target left4me-web left4me-check.timer left4me-workshop-refresh.timer | sort -u)" active \
		"$1: the target, the web application and the timers are active"
	is "$(failed_units)" "" "$1: no failed unit"
}

is_gone() { # LABEL
	is "$(mount_table | grep -w -e left4me: -e /var/lib/left4me)" "" "$1: nothing is mounted"
	is "$(systemctl list-units --all --plain --no-legend '*left4me*' 'build-overlay@*' 'l4d2*')" "" "$1: no unit"
	is "$(ls -d /run/left4me 2>/dev/null)" "" "$1: no /run/left4me"
	is "$(pgrep -u left4me -a)" "" "$1: no process of left4me's"
	is "$(systemctl is-system-running)" running "$1: the system is running"
}

ok "the boot finishes" booted
snapshot >../start

# --- make install ------------------------------------------------------------------------------------------------------

follow 'Installing on a host' 2
is "$(find /usr/local/lib/systemd/system 2>/dev/null)" "" "nothing lies in /usr/local/lib/systemd/system"
stand_ins
follow 'Installing on a host' 3
serves "make install"
like "$(systemctl cat left4me-server@alpha)" '^ExecStartPre=\+/usr/local/libexec/left4me/left4me-overlay mount' "its helpers are in /usr/local"
before=$(state)
ok "make install over itself" make install
is "$(state)" "$before" "no server is touched by it"

stage=/tmp/stage
make install DESTDIR=$stage PREFIX=/opt/x >/dev/null
is "$(grep -rh libexec/left4me $stage/etc $stage/opt/x/share/man/man5 | grep -c /opt/x)" 2 "another PREFIX is another default of helpers"
ok "make uninstall with DESTDIR" make uninstall DESTDIR=$stage PREFIX=/opt/x
is "$(find $stage ! -type d)" "" "removes every file there"
is "$(state)" "$before" "and stops no server"

echo '# by the operator' >>/etc/left4me/left4me.conf
mkdir -p /run/systemd/system/left4me-server@alpha.service.d
printf '[Unit]\nRefuseManualStop=yes\n' >/run/systemd/system/left4me-server@alpha.service.d/50-refuse.conf
reload
snapshot >../installed
said=$(make uninstall 2>&1)
is "$?" 2 "make uninstall fails where a server cannot be stopped"
like "$said" '^left4me: could not be stopped: left4me-server@alpha\.service$' "and says which"
is "$(snapshot | diff ../installed -)" "" "nothing was removed"
rm -r /run/systemd/system/left4me-server@alpha.service.d
reload
said=$(make uninstall 2>&1)
is "$?" 0 "make uninstall"
like "$said" '^left4me: stopping left4me-server@alpha\.service$' "stops and names the server"
is "$(sed -n 's/^left4me: kept \([^,]*\).*/\1/p' <<<"$said" | sort -u | xargs)" \
	"/etc/left4me/left4me.conf /etc/left4me/web.env $STATE the user left4me" "names what it keeps"
is_gone "make uninstall"
is "$(changes | grep -Ev "^> ($STATE|/opt/left4me)(/|$)")" "> /etc/left4me
> /etc/left4me/left4me.conf
> /etc/left4me/web.env" "left is what the operator put there"
rm -r /etc/left4me "$STATE" /opt/left4me
is "$(changes)" "" "without it the file system is as before"

# --- the package -------------------------------------------------------------------------------------------------------

make clean
follow 'Installing on a host' 1
stand_ins
follow 'Installing on a host' 3
serves "package"
like "$(systemctl cat left4me-server@alpha)" '^ExecStartPre=\+/usr/libexec/left4me/left4me-overlay mount' "its helpers are in /usr"
follow 'Removing it' 1
is_gone "package"
rm -r /etc/left4me "$STATE" /opt/left4me
is "$(changes)" "" "without what the operator put there the file system is as before"
done_testing
