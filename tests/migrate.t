#!/bin/bash
# deploy/migrate-check over made-up hosts: what it finds, in which order its commands come, and that no name that the web
# user can give a file is ever a command. tests/system-migrate.t runs them on a booted host.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

[ -x /usr/bin/python3 ] || skip_all "python3 is not installed"
scratch migrate
state=var/lib/left4me

put() { # FILE, from standard input
	mkdir -p "$(dirname "$1")" && cat >"$1"
}

# The files here belong to whoever runs this: so does left4me, in there.
make_host() { # DIR
	mkdir -p "$1"/{etc/{left4me,sudoers.d,systemd/system},proc/1,run/systemd/units,"$state"/{overlays,runtime}}
	echo "left4me:x:$(id -u):$(id -g)::/nonexistent:/usr/sbin/nologin" >"$1/etc/passwd"
	echo "21 1 0:20 / / rw - ext4 /dev/sda1 rw" >"$1/proc/1/mountinfo"
	touch "$1/$state/left4me.db"
	chmod 640 "$1/$state/left4me.db"
}

# A host of the old helper scripts (tests/requirements.md), with one server mounted by the old helper, one without a mount
# and one that is not ours.
make_old_host() { # DIR
	local etc=$1/etc/systemd/system lib=$1/usr/local/lib/systemd/system name
	make_host "$1"
	sed -i "s|:/nonexistent:|:/$state:|" "$1/etc/passwd"
	mkdir -p "$etc"/{multi-user.target.wants,timers.target.wants,left4me-server@.service.d,left4me-web.service.d}
	put "$lib/left4me-server@.service" <<-'END'
		[Service]
		EnvironmentFile=/etc/left4me/host.env
		EnvironmentFile=/var/lib/left4me/instances/%i/instance.env
		ExecStartPre=+/usr/bin/nsenter --mount=/proc/1/ns/mnt -- /usr/local/libexec/left4me/left4me-overlay mount %i
	END
	for name in build-overlay@.service left4me-web.service left4me-workshop-refresh.service left4me-workshop-refresh.timer l4d2-game.slice; do
		echo "# $name" | put "$lib/$name"
	done
	echo '# in /etc' | put "$etc/l4d2-build.slice"
	for name in left4me-server@ left4me-web build-overlay@; do
		printf '[Service]\nNoNewPrivileges=yes\n' | put "$lib/$name.service.d/10-hardening.conf"
	done
	ln -s /usr/local/lib/systemd/system/left4me-server@.service.d/10-hardening.conf "$etc/left4me-server@.service.d/10-hardening.conf"
	ln -s /nowhere/10-hardening.conf "$etc/left4me-web.service.d/10-hardening.conf"
	printf '[Service]\nEnvironmentFile=/srv/%%i/instance.env\n' >"$etc/left4me-server@.service.d/20-old.conf"
	printf '[Service]\nNice=3\n' >"$etc/left4me-server@.service.d/50-operator.conf"
	for name in system user; do
		printf '[Slice]\nAllowedCPUs=0 4\n' | put "$etc/$name.slice.d/99-left4me-cpuset.conf"
		printf '[Slice]\nAllowedCPUs=0-7\n' | put "$etc/$name.slice.d/50-operator.conf"
	done
	for name in 2 7 9; do
		ln -s /usr/local/lib/systemd/system/left4me-server@.service "$etc/multi-user.target.wants/left4me-server@$name.service"
	done
	ln -s /usr/local/lib/systemd/system/left4me-web.service "$etc/multi-user.target.wants/"
	ln -s /usr/local/lib/systemd/system/left4me-workshop-refresh.timer "$etc/timers.target.wants/"
	ln -s /lib/systemd/system/ssh.service "$etc/multi-user.target.wants/"
	printf '%s\n' '# the helpers' 'left4me ALL=(root) NOPASSWD: /usr/local/libexec/left4me/left4me-systemctl *' >"$1/etc/sudoers.d/left4me"
	echo 'left4me ALL=(root) NOPASSWD: /usr/bin/journalctl -u *' >"$1/etc/sudoers.d/20-left4me-logs"
	echo 'admin ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/admin"
	for name in left4me-overlay left4me-script-sandbox left4me-systemctl left4me-journalctl; do
		echo '#!/usr/bin/python3' | put "$1/usr/local/libexec/left4me/$name"
	done
	echo 'kernel.yama.ptrace_scope = 2' | put "$1/etc/sysctl.d/99-left4me.conf"
	touch "$1"/etc/left4me/{host,web}.env
	chmod 640 "$1/etc/left4me/host.env"
	chmod 644 "$1/etc/left4me/web.env"
	for name in 2 7; do
		echo L4D2_LOWERDIRS=x | put "$1/$state/instances/$name/instance.env"
		mkdir -p "$1/$state/runtime/$name"/{upper,work,merged}
		ln -s 0123 "$1/run/systemd/units/invocation:left4me-server@$name.service"
	done
	ln -s 0123 "$1/run/systemd/units/invocation:left4me-web.service"
	ln -s 0123 "$1/run/systemd/units/invocation:build-overlay@5.service"
	ln -s 0123 "$1/run/systemd/units/invocation:ssh.service"
	cat >>"$1/proc/1/mountinfo" <<-END
		30 21 0:30 / /$state/runtime/2/merged rw - overlay overlay rw,lowerdir=/x
		31 21 0:31 / /$state/runtime/3/merged rw - fuse.fuse-overlayfs fuse-overlayfs rw
		32 21 0:32 / /$state/runtime/4/merged rw - overlay left4me:4 rw
		33 21 0:33 / /srv/runtime/5/merged rw - overlay overlay rw
	END
}

# The script of a look at $1, in $out; status in $status; the summary in $said.
look() { # DIR OPTION...
	out=$(deploy/migrate-check --root="$1" "${@:2}" 2>"$SCRATCH/said")
	status=$?
	said=$(cat "$SCRATCH/said")
}
new() { look "$1" --install='install-left4me' --generator=/new/left4me-generator; } # DIR

# Every file with what is in it, but for the time of reading.
picture() { (cd "$1" && find . -printf '%P %y %m %U %s %T@ %l\n' | LC_ALL=C sort && find . -type f -exec cksum {} + | LC_ALL=C sort); } # DIR

# --- nothing to find ----------------------------------------------------------------------------------------------------

make_host "$SCRATCH/new"
echo '@includedir /run/left4me/sudoers.d' >"$SCRATCH/new/etc/sudoers.d/left4me"
printf '\177ELF' | put "$SCRATCH/new/usr/local/libexec/left4me/left4me-overlay"
touch "$SCRATCH/new/usr/local/libexec/left4me/left4me-fetch-script"
put "$SCRATCH/new/usr/local/lib/systemd/system-generators/left4me-generator" </dev/null
printf '[Service]\nNice=3\n' | put "$SCRATCH/new/etc/systemd/system/left4me-server@2.service.d/50-operator.conf"
# From configuration management: the same in another order, and an operator's mask and unit.
printf '# ours\n[Unit]\nDescription=x\n[Slice]\nCPUWeight=1000\nAllowedCPUs=1\n' | put "$SCRATCH/new/run/systemd/generator/l4d2-game.slice"
printf '[Slice]\nAllowedCPUs=1\nCPUWeight=1000\n\n[Unit]\nDescription=x\n[Install]\nWantedBy=x\n' | put "$SCRATCH/new/usr/local/lib/systemd/system/l4d2-game.slice"
ln -s /dev/null "$SCRATCH/new/etc/systemd/system/left4me-web.service"
mkdir "$SCRATCH/new/dev" && touch "$SCRATCH/new/dev/null"
printf '[Service]\nExecStart=/bin/true\n' >"$SCRATCH/new/etc/systemd/system/left4me-server@gamma.service"
look "$SCRATCH/new"
is "$status/$out/$said" "0//nothing to do" "a migrated host: nothing"
sed -i s/1000/10/ "$SCRATCH/new/usr/local/lib/systemd/system/l4d2-game.slice"
look "$SCRATCH/new"
is "$status" 1 "a unit that differs from the generator's is found"
like "$out" '^rm -f -- /usr/local/lib/systemd/system/l4d2-game.slice$' "and removed"
unlike "$out" 'systemctl (stop|start)|systemd-sysusers' "that alone stops, starts and installs nothing"
rm "$SCRATCH/new/usr/local/lib/systemd/system/l4d2-game.slice"
ln -s /dev/null "$SCRATCH/new/etc/systemd/system/left4me-server@2.service.d/10-hardening.conf"
look "$SCRATCH/new"
like "$out" '^rm -f -- /etc/systemd/system/left4me-server@2.service.d/10-hardening.conf$' "a link that replaces our hardening is found"
unlike "$out" 'systemctl (stop|start)|render' "that alone stops and starts nothing"

# --- an old host --------------------------------------------------------------------------------------------------------

make_old_host "$SCRATCH/old"
before=$(picture "$SCRATCH/old")
new "$SCRATCH/old"
is "$status" 1 "an old host: something to do"
is "$(picture "$SCRATCH/old")" "$before" "looking changes nothing"
is "$(find deploy -name __pycache__)" "" "nor beside the program"
first=$out
new "$SCRATCH/old"
is "$out" "$first" "the same again"
ok "the script is one for bash" bash -n <<<"$out"
[ -n "${UPDATE-}" ] && echo "$out" >tests/migrate/old-host.sh
is "$(diff <(echo "$out") tests/migrate/old-host.sh)" "" "it is tests/migrate/old-host.sh"
like "$said" '^to be stopped: left4me-server@2\.service$' "the server with an old mount is named, and no other"
like "$said" '^stopped for the time it takes: build-overlay@5\.service left4me-web\.service$' "so are web application and builds"
like "$said" '^/etc/systemd/system/left4me-server@\.service\.d/10-hardening\.conf: replaces ' "each finding with its place"

look "$SCRATCH/old"
like "$out" "^make -C $PWD install\$" "in a checkout make installs"
like "$out" "^make -C $PWD all\$" "after it has built what configuration and database are tried with"

# --- what stops it ------------------------------------------------------------------------------------------------------

# Runs the script $1 with shell $2; what it calls is written to $SCRATCH/calls, arguments apart by NUL, and nothing is done.
pretend() { # SCRIPT SHELL
	: >"$SCRATCH/calls"
	{
		echo "record() { printf '%s\\0' \"\$@\" '' >>'$SCRATCH/calls'; }"
		for command in chmod chown cp find install make mv printf rm runuser sysctl systemctl trap usermod visudo; do
			[ "$command" = printf ] || echo "$command() { record $command \"\$@\"; }"
		done
		# shellcheck disable=SC2016 # for that shell
		echo 'id() { echo 0; }; head() { :; }; mktemp() { echo /none; }; grep() { :; }; python3() { record python3 "$@"; }'
		sed -e 's|^generator=.*|generator=:|' -e '/^export PATH/d' -e '/^install-left4me/d' -e '/^systemd-/d' -e '/^left4me-generator /d' -e 's|>/[^ ]*$|>/dev/null|' -e '/^\[ -e .*left4me.target/,+1d' <<<"$1"
	} >"$SCRATCH/pretended"
	(cd "$SCRATCH" && "$2" pretended) 2>&1
}
was_called() { # WORD...
	printf '%s\0' "$@" '' >"$SCRATCH/wanted"
	/usr/bin/python3 -c 'import sys; calls, wanted = (open(f, "rb").read() for f in sys.argv[1:]); sys.exit(wanted not in calls)' \
		"$SCRATCH/calls" "$SCRATCH/wanted"
}

make_old_host "$SCRATCH/shared"
echo 'admin ALL=(ALL) NOPASSWD: ALL' >>"$SCRATCH/shared/etc/sudoers.d/left4me"
new "$SCRATCH/shared"
like "$said" '^/etc/sudoers.d/left4me: has rules of others' "others' sudo rules in our file are found"
like "$(pretend "$out" bash)" 'migrate-check: /etc/sudoers.d/left4me: move the rules' "and the script stops"
is "$(tr -d '\0' <"$SCRATCH/calls")" "" "before it has done anything"
rm -r "$SCRATCH/shared"

make_old_host "$SCRATCH/broken"
mkdir -p "$SCRATCH/broken/var/backups/left4me-migration"
echo 7 >"$SCRATCH/broken/var/backups/left4me-migration/to-start"
new "$SCRATCH/broken"
like "$out" "^printf '%s.n' 2 7 >/var/backups/left4me-migration/to-start.new" "what an unfinished migration has stopped stays in its list"
like "$out" '^for name in 2 7; do$' "and is started"

mkdir -p "$SCRATCH/packaged" && cp -r deploy/migrate-check deploy/migrate.d "$SCRATCH/packaged"
out=$("$SCRATCH/packaged/migrate-check" --root="$SCRATCH/old" 2>&1)
like "$out" 'say how with --install=' "outside a checkout it has to be told how left4me is installed"
deploy/migrate-check --root="$SCRATCH/none" >/dev/null 2>&1
is $? 2 "no such directory"
deploy/migrate-check --nonsense >/dev/null 2>&1
is $? 2 "a wrong option"
like "$(deploy/migrate-check --help)" 'Exit status: 0 ' "--help has the exit status"

# --- what the web user may have made --------------------------------------------------------------------------------------

make_host "$SCRATCH/hostile"
host=$SCRATCH/hostile
names=($'line\nbreak; touch canary' ';touch canary' '$(touch canary)' '`touch canary`' "quote'; touch canary; '" 'double"quote' '-rf'
	"\\'; touch canary #" $'bytes\xff\xfe' ' blank ' $'\e[31mred' '&touch canary' '|touch canary' '*')
fuse=yes
setfattr -n user.fuseoverlayfs.opaque -v y "$host" 2>/dev/null || fuse=
for name in "${names[@]}"; do
	mkdir -p "$host/$state/instances/$name" "$host/$state/runtime/$name/upper/$name" "$host/$state/overlays/$name"
	touch "$host/$state/instances/$name/instance.env"
	[ -z "$fuse" ] || setfattr -n user.fuseoverlayfs.opaque -v y "$host/$state/runtime/$name/upper/$name"
	encoded=${name//\\/\\134}
	encoded=${encoded// /\\040}
	encoded=${encoded//$'\n'/\\012}
	echo "40 21 0:40 / /$state/runtime/$encoded/merged rw - overlay over'lay rw" >>"$host/proc/1/mountinfo"
done
ln -s /etc "$host/$state/instances/link"
before=$(picture "$host")
new "$host"
is "$status" 1 "hostile names: something to do"
is "$(picture "$host")" "$before" "nothing is changed"
is "$(LC_ALL=C grep -c $'[^\t -~]' <<<"$out$said")" 0 "all is printable"
for shell in bash sh; do
	ok "the script is one for $shell" "$shell" -n <<<"$out"
	pretend "$out" "$shell" >"$SCRATCH/pretend.out"
	is "$(find "$SCRATCH" -name canary)" "" "$shell: no name is a command"
	[ "$shell" = bash ] || continue # another shell takes a name with $'...' for a different one
	is "$(cat "$SCRATCH/pretend.out")" "" "$shell: and nothing fails"
	lost=()
	for name in "${names[@]}"; do
		in_state=/$state/instances/$name/instance.env
		was_called runuser -u left4me -- mv -fT -- "$in_state" "$in_state.before" || lost+=("$name: instance.env")
		in_state=/$state/runtime/$name
		was_called python3 -I - "/$state" "$name" || lost+=("$name: unmount")
		[ -z "$fuse" ] || was_called runuser -u left4me -- mv -nT -- "$in_state/upper" "$in_state/upper.before-1" || lost+=("$name: upper")
	done
	is "${lost[*]-}" "" "$shell: each name arrives whole, and is moved as the user"
done
unlike "$out" 'systemctl stop' "no unit is called by such a name"
[ -n "$fuse" ] || skip "this file system keeps no user attributes" "tainted upper directories"

# Whatever a link leads to is not looked at, and no name below one gets into the script.
make_host "$SCRATCH/links"
host=$SCRATCH/links
mkdir -p "$SCRATCH/victim/2/upper" "$SCRATCH/victim/instance"
touch "$SCRATCH/victim/2/instance.env" "$SCRATCH/victim/2/upper/file"
setfattr -n user.fuseoverlayfs.opaque -v y "$SCRATCH/victim/2/upper/file" 2>/dev/null
rmdir "$host/$state/runtime"
ln -s "$SCRATCH/victim" "$host/$state/runtime"
ln -s "$SCRATCH/victim" "$host/$state/instances"
ln -s "$SCRATCH/victim" "$host/$state/overlays/3"
look "$host"
is "$status/$out" "0/" "links to directories of the state directory are not followed"
rm "$host/$state/runtime" "$host/$state/instances"
mkdir -p "$host/$state/runtime"/{b,c/upper} "$host/$state/instances"
ln -s "$SCRATCH/victim/2" "$host/$state/runtime/a"
ln -s "$SCRATCH/victim/2/upper" "$host/$state/runtime/b/upper"
ln -s "$SCRATCH/victim/2/upper" "$host/$state/runtime/c/upper/link"
ln -s "$SCRATCH/victim/2" "$host/$state/instances/d"
look "$host"
is "$status/$out" "0/" "nor are links further below"

# Too deep for a look.
make_host "$SCRATCH/deep"
(cd "$SCRATCH/deep/$state/overlays" && for _ in {1..220}; do mkdir d && cd d || exit; done)
look "$SCRATCH/deep"
is "$status" 2 "what cannot be looked at is no clean bill"
like "$said" '^not seen: .*d/d: is too deep$' "it says what"

# --- owners, settings of the host ------------------------------------------------------------------------------------------

make_host "$SCRATCH/owners"
host=$SCRATCH/owners
sed -i 's/^left4me:x:[0-9]*/left4me:x:4711/' "$host/etc/passwd"
touch "$host/$state/left4me.db-wal"
mkdir -p "$host/$state"/{overlays/3/maps,runtime/2/{upper,work}}
ln -s /etc/shadow "$host/$state/left4me.db-shm"
chmod 664 "$host/$state/left4me.db"
new "$host"
for name in "" -shm -wal; do
	like "$out" "^chown -h left4me:left4me -- /$state/left4me\\.db$name\$" "left4me.db$name: another owner"
done
unlike "$out" '^chown (-R )?left4me' "no chown follows a link"
like "$out" "^runuser -u left4me -- chmod 0640 -- /$state/left4me\\.db\$" "a database that others may write"
like "$out" "^find -P /$state/overlays -xdev -mindepth 1 ! -user left4me -execdir chown -h left4me:left4me -- \\{\\} \\+\$" "overlays of another owner"
like "$out" "^find -P /$state/runtime -xdev -mindepth 1 -maxdepth 2 ! -user" "instances of another owner: not what the server has written"

# --- the user's home --------------------------------------------------------------------------------------------------------

make_host "$SCRATCH/home"
host=$SCRATCH/home
put "$host/usr/local/lib/systemd/system-generators/left4me-generator" </dev/null
for home in "/$state" "/$state/steam" "/$state/../x"; do
	sed -i "s|^\(left4me:.*:\)/[^:]*:|\1$home:|" "$host/etc/passwd"
	look "$host"
	is "$status" 1 "a home in $home is found"
	like "$out" '^	usermod --home /nonexistent left4me$' "and changed"
	unlike "$out" 'systemctl|sysusers' "that alone stops, starts and installs nothing"
done
like "$said" "^/etc/passwd: left4me can write its home /$state/../x: " "it says why"
put "$host/proc/77/status" <<<"Uid:	$(id -u)	$(id -u)	$(id -u)	$(id -u)"
look "$host"
is "$status/$out" "0/" "while something of left4me runs nothing is to do"
like "$said" 'once nothing of left4me runs: usermod --home /nonexistent left4me$' "but it is named"
touch "$host/$state/left4me.db" && chmod 666 "$host/$state/left4me.db"
look "$host"
like "$out" '^	usermod --home /nonexistent left4me$' "where more is to do it is tried"
for home in / /nonexistent /home/left4me "/$state-2"; do
	sed -i "s|^\(left4me:.*:\)/[^:]*:|\1$home:|" "$host/etc/passwd"
	look "$host"
	unlike "$out$said" usermod "a home in $home is left alone"
done

make_host "$SCRATCH/srv"
host=$SCRATCH/srv
mv "$host/var/lib/left4me" "$host/srv"
printf 'LEFT4ME_ROOT=/srv\nDATABASE_URL=sqlite:////srv/db/web.db\n' >"$host/etc/left4me/host.env"
mkdir "$host/srv/db" && touch "$host/srv/db/web.db" && chmod 666 "$host/srv/db/web.db"
echo L4D2_LOWERDIRS=x | put "$host/srv/instances/2/instance.env"
new "$host"
like "$out" '^runuser -u left4me -- chmod 0640 -- /srv/db/web.db$' "LEFT4ME_ROOT and DATABASE_URL of host.env count"
like "$out" ' -- /srv/instances/2/instance.env ' "for both"

done_testing
