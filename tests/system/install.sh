#!/bin/bash
# The README as a host's way from nothing to daily work and back, by its own commands: `make install` and `make uninstall`, then
# the package and what an operator does with it; the file system before and after. Runs where a compiler is (run-ns -r compiler).
#
# FILES: src, the sources.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	# Man pages and documents count too; nobody is here to say yes.
	rm /etc/dpkg/dpkg.cfg.d/99mmdebstrap
	# As a host has it, where other timers are not masked.
	mkdir -p /var/lib/systemd/timers
	echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes
	# Without a network: what this root lacks counts as installed, and what steamcmd and mail would do is in the way of both.
	cat >/usr/local/sbin/apt-get <<-'END'
		#!/bin/bash
		for word; do
			shift
			case $word in
			curl | ca-certificates | lib32gcc-s1 | lib32stdc++6 | lib32z1) ;;
			*) set -- "$@" "$word" ;;
			esac
		done
		exec /usr/bin/apt-get "$@"
	END
	cat >/usr/local/bin/curl <<-'END'
		#!/bin/sh
		[ "$*" = "-fsSL https://steamcdn-a.akamaihd.net/client/installer/steamcmd_linux.tar.gz" ] && exec cat /run/steamcmd.tar.gz
	END
	printf '#!/bin/sh\n{ echo "to $*"; cat; } >>/run/mail\n' >/usr/local/bin/mail
	chmod 755 /usr/local/sbin/apt-get /usr/local/bin/curl /usr/local/bin/mail
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

# Each as it is typed, one after the other: functions and directories stay. DESTINATION is where the package has /usr.
follow() { # HEADING BLOCK [DESTINATION]
	local line command='' status
	while IFS= read -r line; do
		command+=${command:+$'\n'}$line
		# A line of a command that goes on.
		if [[ $command == *\\ ]] || [ -n "$(bash -n -c "$command" 2>&1)" ]; then continue; fi
		command=${command//\/usr\/libexec/${3-/usr}\/libexec}
		eval "$command" >/run/said 2>&1 </dev/null
		status=$?
		# 1: something waits
		[[ $command != left4me-generator\ @(status|plan)* || $status -ne 1 ]] || status=0
		line=${command%%  #*}
		line=${line%%$'\n'*}
		tap_result "$status" "\$ ${line%"${line##*[! ]}"}" || diag "$(tail -n 20 /run/said)"
		command=''
	done < <(commands "$1" "$2")
	is "$command" "" "$1, block $2: nothing is left over"
	is "$PWD" /opt/system-test/files/src "and its reader is where the next one begins"
	cd /opt/system-test/files/src || exit 1
}

changes() {
	snapshot >../now
	diff ../start ../now | sed -n 's/^\([<>] [^ ]*\) .*/\1/p' | sort -u
}

state() {
	systemctl show --property=Id,MainPID,InvocationID,ActiveState 'left4me-server@*' left4me-web.service
	mount_table | grep left4me:
}

# What steamcmd would bring: itself, and for Linux the game, where its user was asked for the other system before.
steam_has_it() {
	local steam=/tmp/steam
	STATE=$steam/root install_game
	mkdir "$steam/linux32"
	touch "$steam/linux32/steamclient.so"
	cat >"$steam/steamcmd.sh" <<-'END'
		#!/bin/sh
		[ "$HOME $1 $3 $4 $5 $7 $8" = "/var/lib/left4me +force_install_dir +login anonymous +@sSteamCmdForcePlatformType +app_update 222860" ] || exit 1
		[ "$6" = windows ] && exec touch "$HOME/.steam/asked"
		[ -e "$HOME/.steam/asked" ] && cp -r "$(dirname "$0")/root/installation/." "$2"
	END
	chmod 755 "$steam/steamcmd.sh"
	tar -C "$steam" -czf /run/steamcmd.tar.gz steamcmd.sh linux32 root/installation
	rm -r "$steam"
}

# From the game to the first server.
first_server() { # LABEL [DESTINATION]
	steam_has_it
	follow Installing 3
	ok "$1: the game finds Steam's library" test -f "$STATE/.steam/sdk32/steamclient.so"
	follow Installing 4 "${2-/usr}"
	ok "$1: alpha is ready" wait_for 60 is_ready alpha
	is "$(cat /run/left4me/server/alpha/merged/left4dead2/cfg/server.cfg)" "sv_pure 0" "$1: with its overlay"
}

# With a web application; what no README can give is a stand-in.
with_web() { # LABEL
	install -d -o left4me -g left4me /opt/left4me /opt/left4me/src "$STATE/.venv" "$STATE/.venv/bin"
	printf '#!/bin/sh\nexec sleep infinity\n' | put 755 "$STATE/.venv/bin/gunicorn"
	printf '#!/bin/sh\n' | put 755 "$STATE/.venv/bin/flask"
	rm /etc/left4me/left4me.conf.d/no-web.conf
	# shellcheck disable=SC2016 # backticks of the text
	ok "$1: web.env" eval "$(sed -n 's/.*`\(install .*web\.env .*\)`.*/\1/p' README.md)"
	systemctl daemon-reload
	systemctl start left4me.target timers.target
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

follow Installing 2
is "$(find /usr/local/lib/systemd/system 2>/dev/null)" "" "nothing lies in /usr/local/lib/systemd/system"
first_server "make install" /usr/local
with_web "make install"
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
hash -r
follow Installing 1
first_server "package"
like "$(systemctl cat left4me-server@alpha)" '^ExecStartPre=\+/usr/libexec/left4me/left4me-overlay mount' "its helpers are in /usr"

# --- the helpers' manual pages ------------------------------------------------------------------------------------------

# Their EXAMPLES speak of this host; tests/pages.t has the other pages.
session() { sed -n '/^\.Sh EXAMPLES/,/^\.Sh DIAG/{/^\.Bd -literal$/,/^\.Ed$/{/^\.[BE]d/d;s/\\e/\\/g;p;}}' "deploy/man/$1"; } # PAGE
journalctl --sync
for page in left4me-overlay.8 left4me-fetch-script.8; do
	ok "$page has a session" grep -q '^\$ ' <(session $page)
	is "$(PATH=$PATH:/usr/libexec/left4me bash -c "$(session $page | sed -n 's/^[$>] //p')" 2>&1)" "$(session $page | grep -v '^[$>]')" \
		"$page prints what it says"
done

# --- daily work --------------------------------------------------------------------------------------------------------

# README's blocks, from top to bottom: a change, a server that comes, has a new name and goes, several servers, an update,
# alerts, metrics, backup, restore, removal.
runs_with() { property "left4me-server@$1" ExecStart | grep -qF -- "$2"; } # NAME WORDS

before=$(state)
follow 'Daily work' 1
is "$(tail -n 1 /run/said)" "marked: alpha; they restart with: systemctl reload-or-restart --marked" "the marked are restarted without another word"
is_restarted() { [ "$(state)" != "$before" ]; }
ok "alpha was restarted" wait_for 60 is_restarted
ok "with what its row says" runs_with alpha '+hostport 27016 +map c2m1_highway'
is "$(left4me-generator status | grep -c restart:)" 0 "and waits for no other"
follow 'Daily work' 2
ok "beta is ready" wait_for 60 is_ready beta
is "$(cat /run/left4me/server/beta/merged/left4dead2/cfg/server.cfg)" "sv_pure 0" "with its overlay"
echo note >"$STATE/runtime/beta/upper/note"
follow 'Daily work' 3
ok "gamma is ready" wait_for 60 is_ready gamma
is "$(mounts | xargs)" "alpha gamma" "beta is no more"
ok "gamma has the settings of beta" runs_with gamma '+hostport 27017'
is "$(cat "$STATE/runtime/gamma/upper/note")" note "and its files"
follow 'Daily work' 4
is "$(mounts) $(ls "$STATE/runtime")" "alpha alpha" "a deleted server leaves nothing"
like "$(sql "INSERT INTO servers (name, title, port) VALUES ('beta', 'Again', 27018)" 2>&1)" 'a name is used once: take another' \
	"and its name is no other's"
follow 'Daily work' 5
ok "after a restart and a stop of all alpha is ready" wait_for 60 is_ready alpha

install -o left4me -g left4me tests/system/steamcmd "$STATE/steam/steamcmd.sh"
before=$(state)
follow 'Daily work' 6
is "$(state)" "$before" "an update of the game stops no server"
is "$(cat "$STATE/installation/left4dead2/steam.inf")" 2 "and is there"
like "$(left4me-generator status)" 'restart: installation replaced' "alpha waits for a restart"

follow 'Daily work' 7
sql "INSERT INTO servers (name, title, port, arguments) VALUES ('far', 'Out of range', 80, '')"
systemctl daemon-reload
fails "the check fails with a row that is refused" systemctl start left4me-check.service
ok "the alert has come" wait_for 60 grep -q 'port: 80 is not in' /run/mail
is "$(grep -c 'left4me-check.service - .*\.\.\.$' /run/mail)" 1 "with the lines of that check alone"
like "$(head -n 1 /run/mail)" "^to -s [^ ]+ root\$" "it names the host"
sql "DELETE FROM servers WHERE name = 'far'"
systemctl daemon-reload
systemctl start left4me-check.service

mkdir -p /var/lib/prometheus/node-exporter
follow 'Daily work' 8
systemctl start left4me-metrics.service
ok "node_exporter gets metrics" grep -q '^left4me' /var/lib/prometheus/node-exporter/left4me.prom

with_web "package"
echo note >"$STATE/runtime/alpha/upper/note"
mkdir /run/left4me/server/alpha/merged/left4dead2/deleted
rm -r /run/left4me/server/alpha/merged/left4dead2/cfg
mkdir /run/left4me/server/alpha/merged/left4dead2/cfg
kept() { (cd "$STATE" && find runtime/alpha/upper overlays/1 -printf '%p %y %m %u:%g\n' && getfattr -R -d -m trusted.overlay runtime/alpha/upper; cat runtime/alpha/upper/note) 2>&1 | sort; }
follow 'Daily work' 9
is "$(stat -c '%a %U' /root/left4me.tar.gz; ls "$STATE"/backup* 2>/dev/null)" "600 root" "the backup is root's alone"
before=$(kept)
sql "DELETE FROM servers"
rm -rf "$STATE/runtime/alpha/upper"
# The refresh runs the web application's code: while it does, what root unpacks could be led elsewhere by a link.
printf '#!/bin/sh\ntrap "exit 0" TERM\nsleep infinity &\nwait\n' | put 755 "$STATE/.venv/bin/flask"
systemctl start --no-block left4me-workshop-refresh
ok "the refresh runs" wait_for 60 pgrep -u left4me -x sleep
mv /usr/bin/tar /usr/bin/tar.real
printf '#!/bin/sh\npgrep -u left4me -a >/run/beside-tar\nexec tar.real "$@"\n' >/usr/bin/tar && chmod 755 /usr/bin/tar
follow 'Daily work' 10
mv /usr/bin/tar.real /usr/bin/tar
is "$(cat /run/beside-tar)" "" "nothing of left4me's runs while root unpacks"
ok "alpha is ready, restored" wait_for 60 is_ready alpha
is "$(kept)" "$before" "with its files, as they were"
is "$(stat -c '%a %U:%G' "$DATABASE")" "640 left4me:left4me" "the database is the application's"
is "$(systemctl is-active left4me-check.timer left4me-workshop-refresh.timer | sort -u)" active "the timers are active"
as_left4me "ln -s /etc/shadow left4me.db-old"
# shellcheck disable=SC2016 # backticks of the text
ok "what gives root's database back" eval "$(sed -n 's/.*root wrote it: `\(.*\)`.*/\1/p' README.md)"
is "$(stat -c %U /etc/shadow)" root "gives away nothing that a link beside it leads to"
as_left4me "rm left4me.db-old"
is "$(failed_units)" "" "no failed unit"

follow 'Daily work' 11
is_gone "package"
ok "what it says is left is there" test -e "$DATABASE"
follow 'Daily work' 12
rm -r /var/lib/prometheus /root/left4me.tar.gz /opt/left4me
is "$(changes)$(getent passwd left4me)" "" "all that README has added is gone, too"
done_testing
