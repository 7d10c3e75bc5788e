#!/bin/bash
# The game is updated while servers run it: they keep what they have and take the new one with their next start; an update that fails
# leaves what was there.
# shellcheck disable=SC2016,SC2317 # what eval expands; functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
UNIT=left4me-update.service
configure() { printf '[update]\n%s\n' "$@" >/etc/left4me/left4me.conf.d/50-update.conf; } # LINE...

if [ "${1-}" = prepare ]; then
	set -e
	make_host
	install steamcmd /usr/games/
	install "$(share)/examples/update-game" /usr/local/sbin/
	cat >/usr/local/sbin/break-game <<'END'
#!/bin/bash
rm -r /overlay/left4dead2
echo broken >/overlay/srcds_run
[ "$1" != wait ] || exec sleep 1000
exit "$1"
END
	cat >/usr/local/sbin/look-around <<'END'
#!/bin/bash
echo "runs as $(id -un) in $PWD, HOME=$HOME, alone $(($(ls -d /proc/[0-9]* | wc -l) < 9))"
for path in /var/lib/left4me/left4me.db /var/lib/left4me/overlays /var/lib/left4me/installation /etc/left4me /etc/shadow /run/dbus /home; do
	[ ! -e "$path" ] || [ -z "$(ls -A "$path")" ] || echo "sees $path"
done
for path in /usr /etc /var /run /; do
	! touch "$path/file" 2>/dev/null || echo "writes in $path"
done
touch "$HOME/kept" /tmp/file
python3 -c 'import socket
for port in 27999, 28000:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("", port))
        print("binds", port)
    except PermissionError:
        print("does not bind", port)
socket.create_connection(("127.0.0.1", 8999), 5)
print("reaches this host")'
END
	chmod 755 /usr/local/sbin/{break-game,look-around}
	mkdir -p /etc/left4me/left4me.conf.d
	configure 'command = /usr/local/sbin/update-game'
	# As after a power loss: a build that was under way, one that had just been committed, and an update.
	insert_overlay 4 'echo built >left4dead2/top'
	for directory in "$STATE/overlays/.left4me/3" "$STATE/overlays/.left4me/4" "$STATE/.left4me/installation"; do
		(umask 077 && mkdir -p "$directory/upper/left4dead2" "$directory/work/work" "$directory/new/half" "$directory/old-4711/left4dead2")
		echo lost >"$directory/upper/left4dead2/file"
		ln -s 1:1 "$directory/base"
		chown -R left4me: "$directory"
	done
	exit
fi

status() { COLUMNS=250 left4me-generator status; }
line() { status | grep "^$1 " | tr -s ' '; } # NAME
json() { left4me-generator status --json | python3 -c "import json, sys; s = json.load(sys.stdin); print($1)"; } # EXPRESSION
tree() { (cd "$STATE/installation" && find . -printf '%i %p %m %T@\n' | sort); }
old_ones() { find "$STATE/.left4me/installation" -maxdepth 1 -name 'old-*' 2>/dev/null | wc -l; }
merged() { echo "/run/left4me/server/$1/merged"; } # NAME
rules() { grep -c "$UNIT" /run/left4me/sudoers.d/left4me; }

ok "the boot finishes" booted
host_is_up boot
ok "what a crash has left of builds and updates is removed at boot" wait_for 60 eval \
	'[ -z "$(find "$STATE/overlays/.left4me" "$STATE/.left4me" -mindepth 1)" ]'
is "$(rules)" 0 "the web application has no rule for it"
fails "and may not start it" worker /usr/bin/systemctl start $UNIT

# --- an update ----------------------------------------------------------------------------------------------------------

before=$(cat "$(merged alpha)/srcds_run")
ok "the game is updated" systemctl start $UNIT
log=$(journal $UNIT | paste -sd' ')
like "$log" "Missing configuration.*try 1 of 5 for windows has failed.*Success! App.*PlatformType linux.*Success! App" \
	"by steamcmd, which fails at first and is asked for Windows before Linux"
like "$log" "left4me-overlay: '$STATE/installation' has a new generation: files added 2, changed 1, removed 0; [0-9]+ bytes" "which is said"
is "$(grep -c '^echo "srcds_run 2: \$' "$STATE/installation/srcds_run")" 1 "the installation is the new one"
is "$(cat "$(merged alpha)/srcds_run")" "$before" "a running server keeps what it was started with"
ok "as it lists it" test ! -e "$(merged alpha)/srcds.exe"
is "$(line alpha | cut -d' ' -f7-)" "restart: installation replaced" "status says what waits for a restart"
like "$(left4me-generator plan)" "alpha +installation replaced: restart" "and so does plan"
is "$(json "s['update']")" None "status has nothing to say of an update that succeeded"
is "$(old_ones)" 1 "the old generation stays"
systemctl start left4me-collect
is "$(old_ones)" 1 "as long as a server has it"
ok "the user cannot look at it" eval '! runuser -u left4me -- ls "$STATE/.left4me" 2>/dev/null'
systemctl restart left4me-server@alpha
ok "a server that is started again is ready" wait_for 60 is_ready alpha
like "$(run_log alpha)" "^srcds_run 2: " "with the new game"
unlike "$(run_log beta)" "^srcds_run 2: " "and the others have the old one"
is "$(line alpha | cut -d' ' -f7-)" "" "nothing waits there"
systemctl restart left4me-server@beta left4me-server@gamma
systemctl start left4me-collect
is "$(old_ones)$(ls -A "$STATE/.left4me")" 0 "once no server has it the old generation is removed"
is "$(ls "$STATE/steam")" configured "HOME is kept"

# --- a failure ----------------------------------------------------------------------------------------------------------

configure 'command = /usr/local/sbin/break-game 5' 'web_may_start = yes'
reload
is "$(rules)" 5 "with web_may_start the web application has its rules"
before=$(tree)
fails "a command that fails" systemctl start $UNIT
is "$(tree)" "$before" "leaves the installation as it was"
like "$(status)" "^builds: update of the game failed [0-9]+ s ago \(exit status 5\)" "status says so"
is "$(json "(s['update']['state'], s['update']['exit'], s['update']['exit_status'], s['builds'])")" "('failed', 'status', 5, [])" "in JSON, too"
ok "a server starts with what is there" eval 'systemctl restart left4me-server@alpha && wait_for 60 is_ready alpha'
is "$(json "s['update']['state']")" failed "status still says it"
configure 'command = /usr/local/sbin/break-game wait' 'web_may_start = yes'
reload
runuser -u left4me -- python3 "$(share)/examples/left4me-worker" update >out 2>&1 &
ok "the worker starts one" wait_for 60 eval 'json "s[\"update\"][\"state\"]" | grep -q running'
wait_for 60 grep -qx broken /run/left4me/overlay/installation/merged/srcds_run
ok "and cancels it" runuser -u left4me -- python3 "$(share)/examples/left4me-worker" cancel update
wait
like "$(cat out)" "left4me-update.service failed: Result=signal|left4me-update.service cancelled" "which it is told"
is "$(tree)" "$before" "and leaves the installation as it was"
is "$(find /run/left4me/overlay "$STATE/.left4me/installation" -mindepth 1)" "" "nothing of it is left"

# --- what the command sees ----------------------------------------------------------------------------------------------

configure 'command = /usr/local/sbin/look-around' 'web_may_start = yes'
reload
python3 -m http.server 8999 --bind 127.0.0.1 >/dev/null 2>&1 &
wait_for 60 eval 'exec 3<>/dev/tcp/127.0.0.1/8999'
ok "the worker updates" eval 'runuser -u left4me -- python3 "$(share)/examples/left4me-worker" update >out 2>err'
is "$(grep -v '^left4me-overlay: ' out)$(cat err)" "runs as left4me in /overlay, HOME=$STATE/steam, alone 1
does not bind 27999
binds 28000
reaches this host" "the command sees what it needs, writes in HOME and /overlay, has no port of a server's, and no address is kept from it"
like "$(cat out)" "'$STATE/installation' has no new generation: nothing was changed" "a command that changes nothing leaves the installation in its place"
is "$(tree)" "$before" "as it was"
is "$(cd "$STATE/steam" && echo *)" "configured kept" "what it wrote to its HOME is kept"

# --- off ----------------------------------------------------------------------------------------------------------------

mount --bind "$STATE/installation" "$STATE/installation"
like "$(left4me-generator check 2>&1)" "$STATE/installation: is a mount point: every update of the game fails" "check names an installation that is a mount point"
umount "$STATE/installation"
rm /etc/left4me/left4me.conf.d/50-update.conf
reload
is "$(property $UNIT LoadState) $(rules)" "not-found 0" "without the key there is neither unit nor rule"
done_testing
