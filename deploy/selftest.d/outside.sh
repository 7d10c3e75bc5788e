# shellcheck shell=bash
# For what drives the probes: `. selftest.d/outside.sh`. It knows the state directory as STATE, the database as DATABASE if it
# lies elsewhere, the directory of the helpers as HELPERS, the units' user as USER_.

# A directory with the probes in it, for a unit to see; made and filled as the unit's user.
make_place() { # SELFTEST.D DIRECTORY
	as_user mkdir "$2" && tar -C "$1" -c probe probes | as_user tar -C "$2" --no-same-owner -x
}

# Shows a directory of the user's to the server or the build NAME in place of its overlay, and takes it away. By the working
# directory, so that no link is followed that was put there meanwhile.
show_place() { # server|overlay DIRECTORY NAME
	install -d -m 700 "/run/left4me/$1" && install -d -m 711 "/run/left4me/$1/$3" "/run/left4me/$1/$3/merged" &&
		(cd "$2" && [ "$(stat -c %U .)" = "$USER_" ] && mount --bind . "/run/left4me/$1/$3/merged")
}

hide_place() { # server|overlay NAME
	umount "/run/left4me/$1/$2/merged" 2>/dev/null
	rmdir "/run/left4me/$1/$2/merged" "/run/left4me/$1/$2" 2>/dev/null
}

# A script for the build NAME, where and as left4me-fetch-script(8) leaves it; and none.
show_script_to_build() { # NAME
	install -d -m 755 /run/left4me/build && install -d -m 750 -g "$GROUP_" "/run/left4me/build/$1" &&
		install -m 440 -g "$GROUP_" /dev/null "/run/left4me/build/$1/script"
}

hide_script_from_build() { # NAME
	rm -f "/run/left4me/build/$1/script"
	rmdir "/run/left4me/build/$1" 2>/dev/null
}

as_user() { setpriv --reuid="$USER_" --regid="$GROUP_" --clear-groups --no-new-privs -- "$@"; }

# Starts what the sandboxes must not reach; its facts go to stdout. DECOY is its process.
start_decoy() { # SELFTEST.D MAILBOX DIRECTORY FACTS
	: >"$4"
	setpriv --reuid="$USER_" --regid="$GROUP_" --clear-groups -- "$1/decoy" "$2" "$3" >"$4" </dev/null &
	DECOY=$!
	for _ in {1..100}; do
		grep -q '^ready=' "$4" && return 0
		sleep 0.05
	done
	return 1
}

stop_decoy() {
	[ -z "${DECOY-}" ] || kill "$DECOY" 2>/dev/null || :
	[ -z "${DECOY-}" ] || wait "$DECOY" 2>/dev/null || :
	DECOY=
}

# What no kind of unit may see; where it is there, that is. But a home on the way to STATE or HELPERS has nothing else in it.
hidden_facts() { # build|server|update
	local path
	for path in "${DATABASE:-$STATE/left4me.db}"{,-wal,-shm,-journal} "$STATE/.venv" "$STATE"/runtime/*/{upper,merged,work} /opt/left4me \
		/etc/left4me/web.env /etc/left4me/left4me.conf /etc/shadow /etc/passwd /etc/sudoers.d /var/lib/systemd /root /home/*; do
		case $STATE/:${HELPERS-}/ in "$path"/*|*:"$path"/*) continue ;; esac
		[ "$1 $path" != "update /etc/passwd" ] || continue      # steamcmd asks who it is
		[ ! -e "$path" ] || echo "hidden=$path"
	done
	if [ "$1" != server ]; then
		for path in "$STATE"/{installation,overlays,workshop_cache} /etc/left4me /etc/systemd /run/dbus /run/systemd/system \
			/run/systemd/generator /run/left4me/{sudoers.d,report,last-good,server} /var/log /sys/kernel /usr/local/libexec/none; do
			[ ! -e "$path" ] || echo "hidden=$path"
		done
		if [ "$1" = update ]; then
			echo "writable=$STATE/steam"
		else
			[ ! -e "$STATE/steam" ] || echo "hidden=$STATE/steam"
		fi
		[ -z "${HELPERS-}" ] || echo "helpers=$(realpath "$HELPERS")"
		sed -n 's/^nameserver \([^ ]*\).*/resolver=\1/p' "${RESOLV_CONF:-/etc/left4me/sandbox-resolv.conf}"
	else
		for path in /run/left4me/server /var/log /var/www /var/spool /var/cache /var/backups; do
			[ ! -e "$path" ] || echo "hidden=$path"
		done
		for path in "$STATE"/{installation,overlays,workshop_cache,.steam,steam} /etc/left4me/host.env /etc/ssl /etc/resolv.conf \
			/etc/nsswitch.conf /etc/alternatives; do
			[ ! -e "$path" ] || echo "visible=$path"
		done
	fi
}

# What is root's own and the host's, and must not be used up from inside.
root_facts() {
	sed -n 's/^SigQ:.*\//root_signals=/p' /proc/self/status
	stat -c 'tmp_device=%d' /tmp /var/tmp
}
