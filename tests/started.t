#!/bin/bash
# What the generator says of a start, in a host of its own: which drop-ins of the operator's are in it, and what changes it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
generator=$(realpath "${BUILD:-build}/left4me-generator")
command -v sqlite3 >/dev/null || skip_all "no sqlite3"
host=$(mktemp -d) || exit 1
trap 'rm -rf "$host"' EXIT
chmod 755 "$host"
mkdir -p "$host"/{etc/left4me,var/lib/left4me,run/left4me}
sqlite3 "$host/var/lib/left4me/left4me.db" >/dev/null <deploy/schema/schema.sql
sqlite3 "$host/var/lib/left4me/left4me.db" >/dev/null <deploy/schema/views.sql
sqlite3 "$host/var/lib/left4me/left4me.db" "INSERT INTO servers (name, title, port, arguments, enabled) VALUES
	('alpha', '', 27015, '+map a', 1), ('beta', '', 27016, '', 1)"
chown -R 980:980 "$host/var/lib/left4me" 2>/dev/null

started() { # NAME: what its mount is told, an item a line
	rm -rf "$host/run/systemd/generator"
	mkdir -p "$host/run/systemd/generator"
	"$generator" --root="$host" "$host/run/systemd/generator" 2>/dev/null
	sed -n 's/^ExecStartPre=.* mount --started=\([^ ]*\) %i .*/\1/p' "$host/run/systemd/generator/left4me-server@$1.service" | tr , '\n'
}
groups() { started "$1" | sed 's/=.*//' | paste -sd' '; }
drop_in() { mkdir -p "$host${1%/*}" && cat >"$host$1"; } # FILE
changes() { # NAME COMMAND...: the items that are different after the command
	local before
	before=$(started "$1")
	"${@:2}"
	comm -13 <(sort <<<"$before") <(started "$1" | sort) | sed 's/=.*//' | paste -sd' '
}
sql() { sqlite3 "$host/var/lib/left4me/left4me.db" "$1"; }
configure() { printf '%s\n' "$@" >"$host/etc/left4me/left4me.conf"; }

is "$(groups alpha)" "port arguments unit hardening" "without a drop-in"
is "$(started alpha | tail -n 2)" "$(started beta | tail -n 2)" "the groups are the same for every server"
is "$(changes alpha sql "UPDATE servers SET port = 27100 WHERE name = 'alpha'")" "port" "a port"
is "$(changes alpha sql "UPDATE servers SET arguments = '+map b' WHERE name = 'alpha'")" "arguments" "arguments"
is "$(changes alpha sql "UPDATE servers SET enabled = 0")" "" "what is wanted by a boot is nothing of a start"
is "$(changes alpha configure '[game]' 'memory_max = 3G')" "unit" "a limit"
is "$(changes alpha configure '[game]' 'memory_max = 3G' 'strict_ports = yes')" "hardening" "hardening"
is "$(changes alpha configure '[game]' 'memory_max = 3G' 'strict_ports = yes' '[web]' 'workers = 2')" "" "nothing of the web application's"

# --- drop-ins -----------------------------------------------------------------------------------------------------------

: >"$host/etc/left4me/left4me.conf"
drop_in /etc/systemd/system/left4me-server@alpha.service.d/50-one.conf <<<$'[Service]\nNice=3'
drop_in /run/systemd/system/left4me-server@.service.d/50-all.conf <<<$'[Service]\nNice=4'
drop_in /usr/local/lib/systemd/system/left4me-.service.d/50-word.conf <<<$'[Service]\nNice=5'
drop_in /run/systemd/system/left4me-@beta.service.d/50-beta.conf <<<$'[Service]\nNice=6'
drop_in /usr/lib/systemd/system/service.d/50-every.conf <<<$'[Service]\nNice=7'
drop_in /etc/systemd/system/left4me-server@.service.d/60-reload.conf <<<$'[Unit]\nDescription=x\n[Service]\nTimeoutStopSec=9'
drop_in /etc/systemd/system/left4me-server@.service.d/README <<<$'[Service]\nNice=3'
drop_in /etc/systemd/system/left4me-web.service.d/50-web.conf <<<$'[Service]\nNice=3'
drop_in /etc/systemd/system/left4me-server@al.service.d/50-al.conf <<<$'[Service]\nNice=3'
mkfifo "$host/etc/systemd/system/left4me-server@.service.d/70-fifo.conf"
ln -s /nowhere "$host/etc/systemd/system/left4me-server@.service.d/70-gone.conf"
is "$(groups alpha)" "port arguments unit hardening 50-all.conf 50-every.conf 50-one.conf 50-word.conf" "of every directory, those of the server"
is "$(groups beta)" "port arguments unit hardening 50-all.conf 50-beta.conf 50-every.conf 50-word.conf" "and of another"
nearer() { drop_in /etc/systemd/system/left4me-server@.service.d/50-word.conf <<<$'[Service]\nNice=8'; }
farther() { drop_in /usr/lib/systemd/system/left4me-server@.service.d/50-word.conf <<<$'[Service]\nNice=9'; }
masks() { ln -s /dev/null "$host/etc/systemd/system/left4me-server@alpha.service.d/50-word.conf"; }
is "$(changes beta nearer)" "50-word.conf" "of one name the nearer directory's"
is "$(changes beta farther)" "" "not another one's"
masks
is "$(groups alpha)" "port arguments unit hardening 50-all.conf 50-every.conf 50-one.conf" "a mask hides it"
drop_in /etc/systemd/system/left4me-server@alpha.service.d/10-hardening.conf </dev/null
drop_in /usr/lib/systemd/system/left4me-server@beta.service.d/10-hardening.conf <<<$'[Service]\nNice=3'
is "$(groups alpha)" "port arguments unit hardening 10-hardening.conf 50-all.conf 50-every.conf 50-one.conf" "a mask of the generator's own counts"
is "$(groups beta)" "port arguments unit hardening 50-all.conf 50-beta.conf 50-every.conf 50-word.conf" "and what gives way to that does not"
is "$("$generator" render --root="$host" --format=tree --output="$host/tree"; grep -c 'conf=' "$host/tree/systemd/generator/left4me-server@alpha.service")" \
	0 "what is made for elsewhere has none"

done_testing
