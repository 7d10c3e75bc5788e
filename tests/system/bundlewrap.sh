#!/bin/bash
# Scenario 8: a repository with the left4me bundle is applied to this host, twice, and after changes.
# Stand-ins: ssh and scp, which are a shell and a copy on this host itself; file(1), which bundlewrap asks whether a file
# is text; and an empty package left4me, since the programs were installed by make install.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
directory=/usr/local/lib/systemd/system

stand_in() { # FILE, its script on standard input
	{ echo '#!/bin/bash' && cat; } >"$1" && chmod 755 "$1"
}

if [ "${1-}" = prepare ]; then
	set -e
	make_host
	stand_in /usr/local/bin/ssh <<-'END'
		cd && exec /bin/bash -c "${@: -1}"
	END
	# Not all of sudo's versions look into /usr/local.
	stand_in /usr/bin/file <<<'echo "ASCII text"'
	stand_in /usr/local/bin/scp <<-'END'
		to=${*: -1}
		cp -- "${@: -2:1}" "$HOME/${to##*:}"
	END
	mkdir -p /tmp/left4me/DEBIAN
	printf '%s\n' 'Package: left4me' 'Version: 1' 'Architecture: all' 'Maintainer: test <test@localhost>' \
		'Description: stand-in' >/tmp/left4me/DEBIAN/control
	dpkg-deb --build /tmp/left4me /tmp/left4me.deb
	dpkg --install /tmp/left4me.deb
	exit
fi

node() { # GAME: what metadata says of servers
	cat >repository/nodes.py <<-END
		nodes = {
		    'guest': {
		        'hostname': 'localhost',
		        'groups': {'debian', 'old-timer'},
		        'metadata': {'vm': {'threads': 2}, 'left4me': {'system_cpus': {0}, 'game': $1}},
		    },
		}
	END
}

# Output and exit status of bw apply; what it changed, one item a line.
apply() { # NAME
	local status=0
	said=$(cd repository && bw apply guest 2>&1) || status=$?
	is "$status" 0 "bw apply: $1" || diag "$said"
	changed=$(sort -u <<<"$said" |
		sed -nE 's/^.*✓ guest +[a-z0-9-]+ +([a-z_]+:[^ ]*).*(fixed|created|deleted|succeeded).*$/\1/p')
}

ok "the boot finishes" booted
ok "a server is ready" wait_for 60 is_ready alpha
mkdir -p "$directory/old.service.d"
echo '[Unit]' >"$directory/old.service"
systemctl stop left4me.target left4me-workshop-refresh.timer

node '{}'
apply "the first time"
like "$changed" '^file:/etc/left4me/left4me.conf$' "the configuration came"
like "$changed" '^action:left4me_daemon_reload$' "and was followed by a reload"
like "$changed" "^svc_systemd:left4me.target$" "the target was started"
is "$(sed '/^#/d;/^$/d' /etc/left4me/left4me.conf | paste -sd' ')" \
	"[host] cpus = 2 system_cpus = 0" "it says what metadata says"
is "$(systemctl is-active left4me.target left4me-workshop-refresh.timer | sort -u)" active "target and timer are active"
is "$(systemctl is-enabled left4me-workshop-refresh.timer left4me.target 2>&1 | sort -u)" generated "both are the generator's"
is "$(find /etc/systemd/system -name '*left4me*' -o -name '*l4d2*')" "" "no unit of ours was enabled or written in /etc"
is "$(find $directory -name 'old.service*')" "" "the directory was purged"
is "$(property left4me-server@alpha FragmentPath)" /run/systemd/generator/left4me-server@alpha.service \
	"a server is the generator's"
is "$(property l4d2-game.slice AllowedCPUs)" 1 "games have the other CPU"
is "$(check)" "" "check finds no difference between $directory and the generator"
is "$(find $directory -type f | wc -l)" 28 "the host's units are in $directory"
is "$(failed_units)" "" "no failed unit"
ok "a server runs with the target" wait_for 60 is_ready alpha
pid=$(property left4me-server@alpha MainPID)

reloads=$(reload_count)
apply "the second time"
is "$changed" "" "nothing changes"
is "$(reload_count)" "$reloads" "and nothing is reloaded"

node "{'nice': -3}"
apply "another value"
is "$(grep -c '^file:' <<<"$changed")" 2 "left4me.conf and one unit change" || diag "$changed"
is "$(property left4me-server@alpha Nice)" -3 "a server has it"
is "$(property left4me-server@alpha MainPID)" "$pid" "and still runs"
is "$(check)" "" "check finds no difference"

sed -i 's/^RestartSec=.*/RestartSec=30/' "$directory/left4me-web.service"
like "$(check)" "^$directory/left4me-web\.service: differs from the generator's left4me-web\.service" "check sees a changed file"
apply "after that"
is "$(check)" "" "which bundlewrap puts right"
done_testing
