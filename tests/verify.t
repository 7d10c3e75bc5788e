#!/bin/bash
# What systemd says about the units of the example host: nothing, and exposure within its bounds.
# deploy/example/judge chooses the systemd.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
generator=${BUILD:-build}/left4me-generator

command -v systemd-analyze >/dev/null || skip_all "systemd-analyze is not installed"
command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"

scratch verify
chmod 755 "$SCRATCH"
root=$SCRATCH/host
units=$root/run/systemd/generator
deploy/example/make-root "$root" || exit 1
"$generator" --root="$root" "$units" "$units.early" "$units.late" 2>"$SCRATCH/said"
is $? 0 "the generator ran"

judge() { deploy/example/judge "$root" "$@" 2>&1; }
diag "judged by systemd $(judge version)"

# Each alone, so that a line has its unit; links in wants directories lead to the same files.
mapfile -t names < <(judge units)
ok "there are units" test ${#names[@]} -ge 15
for name in "${names[@]}"; do
	ok "verify $name" judge verify "$name"
done
ok "verify all at once" judge verify

# The judge does judge: a key with a typing error, a value that is none, a program that is not there.
for fault in 's/^MemoryMax=.*/MemoryMax=lots/' 's/^RestartSec=/RestartSecs=/' 's|^ExecStopPost=.*|ExecStopPost=/absent|'; do
	sed "$fault" "$units/left4me-server@competitive.service" >"$units/fault.service"
	! judge verify fault.service >/dev/null
	tap_result $? "verify sees $fault"
	rm "$units/fault.service"
done

# The bars are the issue's on 257; before, without PrivatePIDs= and others, the version's own.
exposure() { # UNIT KIND
	local bar score
	bar=$(judge bar "$2")
	score=$(judge exposure "$1")
	ok "exposure of $1: ${score:-none}, at most $bar" awk -v s="$score" -v b="$bar" 'BEGIN { exit !(s != "" && s + 0 <= b + 0) }'
}
for name in "${names[@]}"; do
	case $name in
	build-overlay@*) exposure "$name" build ;;
	left4me-server@*) exposure "$name" server ;;
	left4me-web.service) exposure "$name" web ;;
	left4me-workshop-refresh.service) exposure "$name" refresh ;;
	esac
done

# --- another host: everything that is off by default, and another root ------------------------------------------------

other=$SCRATCH/other
deploy/example/make-root "$other" || exit 1
root=$other
units=$root/run/systemd/generator
mkdir -p "$root/srv" "$root/opt/helpers"
mv "$root/var/lib/left4me" "$root/srv/games"
cp "$root"/usr/local/libexec/left4me/* "$root/opt/helpers/"
rm "$root"/etc/left4me/left4me.conf.d/* "$root"/etc/left4me/*.env
cat >"$root/etc/left4me/left4me.conf" <<'END'
[host]
root = /srv/games
helpers = /opt/helpers
user = games
group = games
uid = 60000
gid = 60000
cpus = 1
[web]
bind = [::1]:8000
[game]
strict_ports = yes
memory_high = infinity
nice = 19
[build]
unix_sockets = yes
timeout = 90s
resolv_conf = /etc/left4me/other-resolv.conf
[workshop]
refresh =
[update]
command = /usr/games/steamcmd +force_install_dir /overlay +login anonymous +app_update 222860 +quit
END
"$generator" --root="$root" "$units" "$units.early" "$units.late" 2>/dev/null
is $? 0 "the generator ran for another host"
for name in $(judge units); do
	ok "verify $name of the other host" judge verify "$name"
done
exposure build-overlay@1.service build
exposure left4me-server@2.service server
exposure left4me-update.service update
unlike "$(grep -rhv '^#' "$units")" '/var/lib/left4me|left4me-web.*refresh|@[A-Z_]+@' "no default path, no placeholder is left"

done_testing
