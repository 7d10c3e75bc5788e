#!/bin/bash
# shellcheck disable=SC2016,SC2317  # the variables are systemd's; ok() calls the functions
# Each lesson of tests/requirements.md that is a directive, pinned by its number; and that file itself against what cites it.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
umask 022
generator=${BUILD:-build}/left4me-generator
scratch requirements
work=$SCRATCH

cat tests/lib/views.sql - <<'SQL' | sqlite3 "$work/left4me.db"
INSERT INTO generator_instances (name, port, arguments) VALUES ('alpha', 27015, '+map c1m1_hotel');
INSERT INTO generator_overlays (id, name, script) VALUES (7, 'maps', 'echo hello');
INSERT INTO generator_layers (instance, position, overlay) VALUES ('alpha', 1, 7);
SQL
render() { # NAME, configuration on standard input
	"$generator" render --format=tree --config=- --database="$work/left4me.db" --output="$work/$1"
}
printf '[host]\ncpus = 8\nsystem_cpus = 0,4\n' | render pinned
printf '[web]\nworkers = 8\nthreads = 2\nmemory_max = 3G\n[game]\nstrict_ports = yes\n' | render strict

server="left4me-server@alpha.service"
server_hard="left4me-server@.service.d/10-hardening.conf"
build="build-overlay@7.service"
build_hard="build-overlay@.service.d/10-hardening.conf"
web=left4me-web.service
web_hard=left4me-web.service.d/10-hardening.conf
refresh=left4me-workshop-refresh.service
refresh_hard=left4me-workshop-refresh.service.d/10-hardening.conf

has() { # TREE UNIT KEY=WORD...: each word stands on one of the key's lines
	local tree=$1 unit=$2 key=${3%%=*} word values
	values=$(sed -n "s/^$key=//p" "$work/$tree/systemd/generator/$unit")
	[ "${3#*=}" ] || { grep -qx "$key=" "$work/$tree/systemd/generator/$unit"; return; }
	for word in ${3#*=}; do
		[[ " ${values//$'\n'/ } " == *" $word "* ]] || return 1
	done
}

lacks() { # UNIT PATTERN
	! grep -v '^#' "$work/pinned/systemd/generator/$1" | grep -Eq "$2"
}

pin() { ok "$1: $2 has $3" has pinned "$2" "$3"; } # ID UNIT SETTING
forbid() { ok "$1: $2 has no $3" lacks "$2" "$3"; } # ID UNIT PATTERN
line() { ok "$1: $2 says $3" grep -Fxq -- "$3" "$work/pinned/systemd/generator/$2"; } # ID UNIT LINE, with its blanks

# templates, and units of their instances: services all of them
for unit in left4me-server@.service $server; do
	ok "S51: $unit is there" test -f "$work/pinned/systemd/generator/$unit"
done
for unit in build-overlay@.service $build; do
	ok "S66, S85: $unit is there" test -f "$work/pinned/systemd/generator/$unit"
done
is "$(find "$work" -name '*.scope')" "" "S85: nothing runs in a scope"

# game server: operation
pin S1 $server User=left4me
pin S1 $server Group=left4me
# srcds looks for ~/.steam; passwd has no home
line F5 $server Environment=HOME=/var/lib/left4me
ok "S22, S24, S40: mounts the row's layers as root" grep -Exq 'ExecStartPre=\+/usr/local/libexec/left4me/left4me-overlay mount --started=[a-z0-9=,]+ %i 7 installation' "$work/pinned/systemd/generator/$server"
line S25 $server 'ExecStopPost=+/usr/local/libexec/left4me/left4me-overlay umount %i'
forbid S25 $server ExecStop=
pin S27 $server TimeoutStopSec=15s
# Three mount units for each server, made and announced at each reload.
forbid S31 $server WorkingDirectory=
line S32 $server 'ExecStart=:/usr/local/libexec/left4me/left4me-overlay enter --chdir=/var/lib/left4me/runtime/%i/merged/left4dead2 %N -- /var/lib/left4me/runtime/%i/merged/srcds_run -game left4dead2 +ip 0.0.0.0 +hostport 27015 +map c1m1_hotel'
pin S54 $server Restart=on-failure
for unit in "$server" "$web"; do
	pin S54 "$unit" StartLimitBurst=10
	pin S54 "$unit" StartLimitIntervalSec=25min
done
pin S56 $server OOMScoreAdjust=-200
pin S56 $build OOMScoreAdjust=500
pin S57 $server Slice=l4d2-game.slice
pin S57 l4d2.slice CPUWeight=1000
pin memory l4d2.slice MemoryMax=85%
pin S57 l4d2-game.slice CPUWeight=1000
pin S57 l4d2-build.slice CPUWeight=10
pin S57 l4d2-game.slice IOWeight=1000
pin S57 l4d2-build.slice IOWeight=10
line F6 $server 'ExecStart=:/usr/local/libexec/left4me/left4me-overlay enter --chdir=/var/lib/left4me/runtime/%i/merged/left4dead2 %N -- /var/lib/left4me/runtime/%i/merged/srcds_run -game left4dead2 +ip 0.0.0.0 +hostport 27015 +map c1m1_hotel'
forbid F6 $server sv_lan
for setting in MemoryHigh=1.5G MemoryMax=2G TasksMax=256 LimitNOFILE=65536 Nice=-5 IOSchedulingClass=best-effort \
	IOSchedulingPriority=4 KillSignal=SIGINT LogRateLimitIntervalSec=5min LogRateLimitBurst=5000; do
	pin F8 $server $setting
done
# a missing file would suppress ExecStopPost=
forbid S64 $server 'EnvironmentFile=[^-]'

# game server: hardening
pin S55 $server_hard NoNewPrivileges=yes
pin F1 $server_hard 'SystemCallArchitectures=native x86'
forbid F2 $server_hard MemoryDenyWriteExecute
forbid F3 $server_hard ProcSubset
pin F4 $server_hard PrivatePIDs=yes
for name in installation overlays workshop_cache .steam steam; do
	pin 'F5, S41, S46' $server_hard BindReadOnlyPaths=/var/lib/left4me/$name
done
for setting in ProtectProc=invisible ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes \
	ProtectClock=yes ProtectControlGroups=yes ProtectHostname=yes LockPersonality=yes ProtectSystem=strict \
	ProtectHome=yes PrivateTmp=yes RestrictNamespaces=yes RestrictRealtime=yes RemoveIPC=yes KeyringMode=private \
	UMask=0027 'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX' NoNewPrivileges=yes RestrictSUIDSGID=yes \
	PrivateUsers=yes PrivatePIDs=yes PrivateIPC=yes PrivateDevices=yes CapabilityBoundingSet= AmbientCapabilities=; do
	pin F7 $server_hard "$setting"
done
for directory in /var /run /etc /opt /home /root /srv /mnt /media; do
	pin F9 $server_hard TemporaryFileSystem=$directory:ro
done
is "$(sed -n '/^const char \*path_mask(/,/^}/s/.*masks\[\] = { \(.*\) };/\1/p' generator/name.c | tr -d '",')" \
	"$(sed -n '/^TemporaryFileSystem=\/etc:/{s/.*=//; s/:ro//g; p}' templates/server-hardening.conf)" "check knows the same (path_mask())"
for file in /etc/left4me/host.env /etc/ssl /etc/ca-certificates /etc/resolv.conf /etc/nsswitch.conf /etc/alternatives; do
	pin F9 $server_hard BindReadOnlyPaths=-$file
done
# upper and work stay out of sight
pin F9 $server BindPaths=-/run/left4me/server/%i:/var/lib/left4me/runtime/%i
pin F10 $server_hard SystemCallFilter=@system-service
pin F10 $server_hard 'SystemCallFilter=~@aio @cpu-emulation @debug @keyring @mount @obsolete @privileged @raw-io @reboot @swap'
forbid F11 $server_hard SocketBind
# root's own counts, and calls by name because systemd's groups move
for unit in $server_hard $build_hard; do
	is "$(grep ^PrivateTmp= "$work/pinned/systemd/generator/$unit" | paste -sd' ')" "PrivateTmp=yes PrivateTmp=disconnected" \
		"$unit: an older systemd keeps the first"
	for setting in 'SystemCallFilter=~inotify_init inotify_init1' LimitMSGQUEUE=0 LimitSIGPENDING=1024 LimitCORE=1 SystemCallFilter=open_tree; do
		pin quotas $unit "$setting"
	done
done
ok 'strict_ports allows the range' has strict $server_hard 'SocketBindAllow=udp:27000-27999 tcp:27000-27999'
ok 'strict_ports denies the rest' has strict $server_hard SocketBindDeny=any

# builds
pin S67 $build Type=oneshot
line 'S24, S68' $build 'ExecStartPre=+/usr/local/libexec/left4me/left4me-fetch-script --uid=980 --gid=980 %i'
line 'S68, S103' $build 'ExecStopPost=+/usr/local/libexec/left4me/left4me-fetch-script --remove %i'
line S72 $build 'ExecStartPre=+/usr/local/libexec/left4me/left4me-overlay build %i'
line S72 $build 'ExecStart=/usr/local/libexec/left4me/left4me-overlay enter %N -- /bin/bash /run/left4me/build/%i/script'
pin S73 $build RequiresMountsFor=/var/lib/left4me
forbid S74 $build DefaultDependencies
pin S75 $build Slice=l4d2-build.slice
for setting in NoNewPrivileges=yes ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes PrivateIPC=yes \
	ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=strict \
	RestrictNamespaces=yes RestrictSUIDSGID=yes LockPersonality=yes MemoryDenyWriteExecute=yes \
	SystemCallFilter=@system-service SystemCallArchitectures=native CapabilityBoundingSet= AmbientCapabilities= \
	'RestrictAddressFamilies=AF_INET AF_INET6'; do
	pin S76 $build_hard "$setting"
done
pin S77 $build_hard RootDirectory=/run/left4me/root
pin S77 $build_hard 'TemporaryFileSystem=/etc:ro /run:ro /var:ro'
pin 'S78, S90' $build_hard BindReadOnlyPaths=/etc/left4me/sandbox-resolv.conf:/etc/resolv.conf
pin 'S78, S79' $build_hard 'BindReadOnlyPaths=-/etc/ssl -/etc/ca-certificates -/etc/nsswitch.conf -/etc/alternatives'
pin S80 $build_hard BindPaths=-/run/left4me/overlay/%i/merged:/overlay
pin S80 $build WorkingDirectory=-/overlay
pin S81 $build 'Environment=HOME=/tmp PATH=/usr/bin:/usr/sbin OVERLAY=/overlay'
pin 'S10, S82' $build UMask=0022
for setting in MemoryMax=4G MemorySwapMax=0 TasksMax=512 CPUQuota=200% TimeoutStartSec=1h TimeoutStopSec=30s; do
	pin 'S83, S84' $build $setting
done
forbid S84 $build RuntimeMaxSec
pin S87 $build_hard PrivatePIDs=yes
for network in localhost link-local multicast 0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 fc00::/7; do
	pin S88 $build_hard IPAddressDeny=$network
done
forbid S89 $build_hard IPAddressAllow
forbid S91 $build_hard AF_UNIX
pin S94 $build_hard RestrictNetworkInterfaces=~lo
pin S94 $build_hard SocketBindDeny=any
pin S91 $build_hard SystemCallFilter=~socketpair
forbid S94 $build_hard PrivateNetwork
pin 'S99, S100' $build KillSignal=SIGKILL

# web application and refresh
forbid S112 $web_hard NoNewPrivileges
forbid F3 $web_hard ProcSubset
for setting in ProtectProc=invisible ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes \
	ProtectClock=yes ProtectControlGroups=yes ProtectHostname=yes LockPersonality=yes ProtectSystem=strict \
	ProtectHome=yes PrivateTmp=yes RestrictNamespaces=yes RestrictRealtime=yes RemoveIPC=yes KeyringMode=private \
	UMask=0027 'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX' SystemCallArchitectures=native \
	SystemCallFilter=@system-service; do
	pin F12 $web_hard "$setting"
done
pin F12 $web_hard 'SystemCallFilter=~@cpu-emulation @debug @mount @obsolete @raw-io @reboot @swap'
# What takes sudo away; RestrictSUIDSGID= does not, nor a bounding set with the two capabilities that it becomes root by.
forbid F12 $web_hard 'PrivateUsers|@privileged|@setuid|~.*cap(get|set)'
line F12 $web_hard 'CapabilityBoundingSet=CAP_SETUID CAP_SETGID'
for setting in RestrictSUIDSGID=yes MemoryDenyWriteExecute=yes PrivateDevices=yes PrivateIPC=yes ReadOnlyPaths=-/var/lib/left4me/.venv \
	'SystemCallFilter=~@aio @keyring @memlock' 'SystemCallFilter=io_uring_setup'; do
	pin hardening $web_hard "$setting"
done
for setting in NoNewPrivileges=yes CapabilityBoundingSet= UMask=0027 ProtectSystem=strict ReadWritePaths=/var/lib/left4me \
	ReadOnlyPaths=-/var/lib/left4me/.venv 'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX' 'SystemCallFilter=@privileged @resources'; do
	pin hardening $refresh_hard "$setting"
done
# Type=oneshot has no limit of its own
for setting in TimeoutStartSec=6h MemoryMax=1G TasksMax=128; do
	pin resources $refresh "$setting"
done
pin F13 $web Type=simple
pin 'F13, S14' $web WorkingDirectory=/opt/left4me/src
pin 'F13, S122' $web 'Environment=HOME=/var/lib/left4me PATH=/var/lib/left4me/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'
line 'F13, S121' $web 'ExecStart=:/var/lib/left4me/.venv/bin/gunicorn --workers 1 --threads 32 --bind 127.0.0.1:8000 "l4d2web.app:create_app()"'
for setting in Restart=on-failure RestartSec=3 After=network-online.target Wants=network-online.target; do
	pin F13 $web $setting
done
pin F13 $web_hard ReadWritePaths=/var/lib/left4me
pin hardening $web Environment=PYTHONNOUSERSITE=1
pin hardening $refresh Environment=PYTHONNOUSERSITE=1
# at least 64 + 4 x workers x threads: a thread and three processes for each live log
for setting in MemoryMax=1G TasksMax=196; do
	pin 'resources' $web "$setting"
done
for setting in MemoryMax=3G TasksMax=160; do
	ok "resources: of 8 workers with 2 threads $setting" has strict $web "$setting"
done
for unit in $web $refresh; do
	is "$(grep '^EnvironmentFile=' "$work/pinned/systemd/generator/$unit")" \
		$'EnvironmentFile=/etc/left4me/host.env\nEnvironmentFile=/etc/left4me/web.env' \
		"F13, F14: $unit reads host.env, then web.env"
done
line F14 $refresh 'ExecStart=:/var/lib/left4me/.venv/bin/flask --app l4d2web.app:create_app workshop-refresh'
pin F14 $refresh Nice=10
pin F14 $refresh User=left4me
pin F14 $refresh 'After=network-online.target left4me-web.service'
line F14 left4me-workshop-refresh.timer 'OnCalendar=*-*-* 04:00:00'
pin F14 left4me-workshop-refresh.timer Persistent=true

# the host
for unit in system.slice.d/10-left4me-cpuset.conf user.slice.d/10-left4me-cpuset.conf l4d2-build.slice; do
	pin F18 $unit AllowedCPUs=0,4
done
pin F18 l4d2-game.slice AllowedCPUs=1-3,5-7
pin F19 left4me-check.service 'ExecStart=left4me-generator check'
pin resources left4me-check.service TimeoutStartSec=2min
for unit in $server $build $web; do
	forbid 'S61, S62' "$unit" '^(NoNewPrivileges|Protect|Private|SystemCall|Restrict[A-Z])'
done

# --- tests/requirements.md: a row for each number that is cited, a test for each row that holds -------------------------

# ID, status and place of each row, with tabs between them.
rows=$(sed -En 's/^\| ([SF][0-9]+) \| .+ \| ([a-z]+) \| (.*)\|$/\1\t\2\t\3/p' tests/requirements.md)
ids=$(cut -f 1 <<<"$rows")
is "$(wc -l <<<"$ids")" "$(grep -c '^| [SF]' tests/requirements.md)" "requirements.md: every row has an id, a lesson, a status and a place"
is "$(sort <<<"$ids" | uniq -d)" "" "requirements.md: no id stands there twice"
is "$(cut -f 2 <<<"$rows" | grep -Evx 'holds|replaced|gone|application|rule')" "" "requirements.md: every status is one of its head"

cited() { grep -rIowhE '[SF][0-9]{1,3}' --exclude=requirements.md "$@" | grep -Evx 'F[0-9]{3}' | sort -u; } # FILE...
is "$(comm -23 <(cited Makefile ./*.md deploy generator helpers templates tests) <(sort <<<"$ids") | xargs)" "" \
	"requirements.md: every number that is cited has its row"

# What is wrong with a row's place: a path that is not there, a test that does not cite the row, none for one that holds.
place_problems() { # ID STATUS PLACE
	local path tests=0
	while IFS= read -r path; do
		[ -e "$path" ] || { echo "$1: there is no $path"; continue; }
		case $path in
		tests/*)
			tests=$((tests + 1))
			grep -Ewq "$1" "$path" || echo "$1: $path does not cite it"
			;;
		esac
	done < <(grep -o '`[a-z][^` ]*/[^` ]*`' <<<"$3" | tr -d '`')
	[ "$2" != holds ] || [ $tests -gt 0 ] || echo "$1: holds, but no test is named"
}
is "$(while IFS=$'\t' read -r id status place; do place_problems "$id" "$status" "$place"; done <<<"$rows")" "" \
	"requirements.md: every place is there, and every test that it names cites the row"

done_testing
