#!/bin/bash
# left4me.conf(5) says of each key what a change of it takes: compared with what the change does to the units.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

build=${BUILD:-build}
page=deploy/man/left4me.conf.5
[ -x "$build/left4me-generator" ] || skip_all "left4me-generator is not built"
command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"
scratch conf-page
sqlite3 "$SCRATCH/db" "BEGIN; $(cat tests/lib/views.sql)
	INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('alpha', 27015, '', 1);
	INSERT INTO generator_overlays (id, name, script) VALUES (1, 'one', 'true'); COMMIT"

# SECTION.KEY and a value that is neither the default nor that of base.
values() {
	cat <<-'END'
		host.root /srv/left4me
		host.database /srv/left4me.db
		host.source /srv/source
		host.helpers /srv/helpers
		host.user game
		host.group game
		host.uid 981
		host.gid 981
		host.servers 255
		host.overlays 999
		host.cpus 8
		host.system_cpus 1
		host.memory 50%
		web.enabled no
		web.venv /srv/venv
		web.application other:app
		web.bind 127.0.0.1:8001
		web.workers 2
		web.threads 16
		web.memory_max 2G
		game.ports 27000-27100
		game.strict_ports yes
		game.memory_high 1G
		game.memory_max 3G
		game.tasks_max 128
		game.nice 0
		build.memory_max 5G
		build.tasks_max 128
		build.cpu_quota 100%
		build.timeout 2h
		build.unix_sockets yes
		build.resolv_conf /srv/resolv.conf
		build.denied_addresses 203.0.113.10/32
		update.command /usr/bin/other
		update.timeout 2h
		update.web_may_start yes
		workshop.refresh *-*-* 05:00:00
		workshop.command other refresh
	END
}

tree() { # NAME [SECTION KEY VALUE]: its units
	{
		printf '[host]\ncpus = 4\nsystem_cpus = 0\n[update]\ncommand = /usr/bin/true\n'
		[ $# -eq 1 ] || printf '[%s]\n%s = %s\n' "$2" "$3" "$4"
	} >"$SCRATCH/conf"
	"$build/left4me-generator" render --format=tree --output="$SCRATCH/$1" --config="$SCRATCH/conf" --database="$SCRATCH/db" 2>/dev/null
}

# Which units are not the same with the change, in the page's words. What a server would not be restarted for is not in the
# record of its start, a timer has it by the reload.
takes() { # TREE
	local unit
	for unit in server@alpha.service web.service build-overlay@1.service update.service workshop-refresh.service slice; do
		case $unit in
		server*) same 'left4me-server@alpha.service' "sed -n 's/.*--started=\([^ ]*\).*/\1/p'" "$1" || echo servers ;;
		web*) same 'left4me-web.service*' cat "$1" || echo web ;;
		build*) same 'build-overlay@*' cat "$1" || echo build ;;
		update*) same 'left4me-update.service*' cat "$1" || echo update ;;
		workshop*) same 'left4me-workshop-refresh.service*' cat "$1" || echo refresh ;;
		slice) same '*.slice*' cat "$1" || echo slices ;;
		esac
	done
}
same() { # FILES FILTER TREE
	[ "$(texts base "$1" "$2")" = "$(texts "$3" "$1" "$2")" ]
}
texts() { # TREE FILES FILTER
	(cd "$SCRATCH/$1/systemd/generator" && find . -path "./$2" -type f -print0 | sort -z | xargs -0 cat | grep -v '^#' | eval "$3")
}

# SECTION KEY: what the page says.
said() {
	awk -v section="$(tr '[:lower:]' '[:upper:]' <<<"$1")" -v key="$2" '
		/^\.Sh / { inside = ($3 == section) }
		/^\.It Ic / { item = ($3 == key) }
		inside && item && /^On change: / { sub(/^On change: /, ""); sub(/\.$/, ""); print }' "$page"
}

tree base
is "$(values | cut -d' ' -f1 | sort)" "$(grep -oE 'KEY\([a-z]+, [a-z_]+,' generator/keys.h | sed 's/KEY(\(.*\), \(.*\),/\1.\2/' | grep -v '^section' | sort)" \
	"another value for each key"
while read -r name value; do
	section=${name%.*} key=${name#*.}
	tree "$name" "$section" "$key" "$value"
	takes=$(takes "$name" | xargs)
	case $(said "$section" "$key") in
	# Of a user's number only builds have a word in their units; but it owns files and runs processes.
	'stop of everything before') words=$takes ;;
	reload | reload,*) words=$(said "$section" "$key" | sed 's/^reload,* *//; s/next update/update/') ;;
	*) words=$(said "$section" "$key" | sed 's/, / /g; s/restart of servers/servers/; s/restart of the web service/web/; s/next build/build/
		s/next update/update/; s/next refresh/refresh/; s/next start in the slice/slices/; s/reload and .* of the web service/web refresh/') ;;
	esac
	is "$words" "$takes" "[$section] $key: $(said "$section" "$key")"
done < <(values)
done_testing
