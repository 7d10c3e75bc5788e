#!/bin/bash
# In a guest with sshd, pam_systemd and polkit: the web application makes itself a session outside of its sandbox, by a key in
# its home and by units of its own. And what an upgrade does to the home of before.
# shellcheck disable=SC2317 # functions that ok and wait_for call
# shellcheck source=tests/system/guest.sh
. ./guest.sh
USER_HOME=/usr/local/libexec/left4me/user-home
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	rm /etc/systemd/system/{ssh.service,polkit.service}
	exit
fi

# As the web application has it: everything that sshd and a user's systemd look for, where passwd's home was once.
put 755 "$STATE/.venv/bin/gunicorn" <<-'END'
	#!/bin/bash
	exec 2>&1
	cd /var/lib/left4me
	mkdir -p .ssh .config/systemd/user/default.target.wants
	chmod 700 .ssh
	[ -e .ssh/id ] || ssh-keygen -q -t ed25519 -N '' -f .ssh/id </dev/null
	cp .ssh/id.pub .ssh/authorized_keys
	printf '[Service]\nExecStart=/var/lib/left4me/payload\n' >.config/systemd/user/own.service
	ln -sf ../own.service .config/systemd/user/default.target.wants/
	printf '#!/bin/bash\ngrep ^Seccomp: /proc/self/status >/var/lib/left4me/escaped\nexec sleep infinity\n' >payload
	chmod 755 payload
	busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager SetUserLinger ubb 980 true false &&
		echo "tried: lingers"
	ssh -v -N -i .ssh/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes left4me@127.0.0.1 2>&1 |
		sed -un 's/^.*\(Authenticated to\|Permission denied\|Connection closed\|refused\).*/tried: \1/p' &
	sleep infinity
END
attack() {
	rm -f "$STATE/escaped"
	systemctl reset-failed left4me-web.service
	systemctl restart left4me-web.service
	wait_for 60 eval 'tries | grep -qv lingers'
	# A session and what it starts take their time.
	sleep 3
}
tries() {
	journalctl --sync
	journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID="$(property left4me-web InvocationID)" | sed -n 's/^tried: //p'
}
home() { getent passwd left4me | cut -d: -f6; }
manager() { property user@980.service ActiveState; }
payload() { pgrep -u left4me -f "^sleep infinity" -a >/dev/null && cat "$STATE/escaped" 2>/dev/null; }

ok "the boot finishes" booted
mkdir -p /run/sshd
ok "sshd runs" systemctl start ssh.service

# --- a key in its home ------------------------------------------------------------------------------------------------------

is "$(home)" /nonexistent "passwd has no home for left4me"
attack
like "$(tries | paste -sd,)" "Permission denied" "sshd finds no key of left4me's"
is "$(pgrep -u left4me -x sshd-session)" "" "there is no session"

# --- its user manager -----------------------------------------------------------------------------------------------------------

is "$(readlink /run/systemd/generator/user@980.service)" /dev/null "the generator masks the user manager"
is "$(property user@980.service LoadState)" masked "systemd knows"
fails "root starts none by mistake" systemctl start user@980.service
left4me-generator render --no-database --format=tree --output=tree
is "$(readlink tree/systemd/generator/user@980.service)" /dev/null "so does render, as a tree"
left4me-generator render --no-database --format=bundlewrap --output=metadata.json
like "$(cat metadata.json)" 'left4me-web' "render has bundlewrap's metadata"
unlike "$(cat metadata.json)" 'user@' "but not as metadata for bundlewrap, which cannot say it"
is "$(property user@1000.service LoadState)" loaded "another user's is as it was"

# Not even for as long as the database cannot be read, or has more rows than there may be.
as_left4me "mv left4me.db keep && head -c 3000000 /dev/urandom >left4me.db"
reload
is "$(readlink /run/systemd/generator/user@980.service) $(property user@980.service LoadState)" "/dev/null masked" "so it is with a broken database"
as_left4me "cp keep left4me.db"
sql "WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < 20000)
	INSERT INTO servers (name, title, port, arguments, enabled) SELECT 'many' || n, 'Many', 30000 + n, '+map c1m1_hotel', 0 FROM number"
reload
like "$(cat /run/left4me/report)" "has 2000[0-9] rows" "with 20 000 rows"
is "$(readlink /run/systemd/generator/user@980.service) $(property user@980.service LoadState)" "/dev/null masked" "and then"
as_left4me "rm -f left4me.db-* && mv keep left4me.db"
reload

# polkit lets a user linger.
like "$(tries | paste -sd,)" "lingers" "it may ask for its user manager at every boot"
is "$(manager)/$(payload)" inactive/ "but gets none, and no unit of its own runs"

# --- what needs a home has one -------------------------------------------------------------------------------------------------

ok "alpha is ready" wait_for 60 is_ready alpha
environment() { tr '\0' '\n' <"/proc/$(property "$1" MainPID)/environ" | sed -n 's/^HOME=//p'; } # UNIT
for unit in left4me-web left4me-server@alpha; do
	is "$(environment $unit)" "$STATE" "$unit has its HOME from its unit"
done

# --- a host of before ------------------------------------------------------------------------------------------------------------

is "$($USER_HOME 2>&1)" "" "nothing is to do about the home"
systemctl stop left4me-web.service
loginctl disable-linger left4me
systemctl stop user@980.service 2>/dev/null
sed -i "s|^\\(left4me:.*:\\)/nonexistent:|\\1$STATE:|" /etc/passwd
attack
like "$(tries | paste -sd,)" "Authenticated to" "with the home of before sshd takes the key: so the attempt is one"
ok "then it has a session" wait_for 60 eval 'loginctl list-sessions --no-legend | grep -q " 980 "'
is "$(manager)/$(payload)" inactive/ "but no user manager, and no unit of its own runs"
like "$($USER_HOME 2>&1)" "once nothing of left4me runs: usermod --home /nonexistent left4me" "while something of left4me runs it is named"
is "$(home)" "$STATE" "and nothing is changed"
systemctl stop left4me-web.service left4me.target 'left4me-server@*.service'
loginctl disable-linger left4me
loginctl terminate-user left4me
ok "nothing of left4me runs" wait_for 60 eval '! pgrep -u left4me'
like "$($USER_HOME 2>&1)" "the home of left4me was $STATE and is /nonexistent now" "then the home is changed"
is "$(home)" /nonexistent "passwd has it"
is "$($USER_HOME 2>&1)" "" "and a second time nothing is to do"
sed -i "s|^\\(left4me:.*:\\)/nonexistent:|\\1/home/left4me:|" /etc/passwd
is "$($USER_HOME 2>&1)$(home)" /home/left4me "a home elsewhere is left alone"
done_testing
