# shellcheck shell=sh
# Sourced first by each overlay*.t, after the variable `needs` has been set to the commands it needs.
#
# The test is run again as PID 1 of a PID namespace of its own, in a mount namespace of its own: the helper then
# mounts in there, because it always goes to the namespace of PID 1. /run is hidden, so that nothing is written
# into the host's journal. $R is the root to mount below, on a tmpfs that may serve as an upper layer.

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

if [ "${LEFT4ME_TEST_STAGE:-}" = "" ]; then
	[ "$(id -u)" = 0 ] || skip_all "mounting needs root"
	for command in unshare python3 setfattr ${needs:-}; do
		command -v "$command" >/dev/null || skip_all "$command is not installed"
	done
	unshare --mount --pid --fork --mount-proc true 2>/dev/null ||
		skip_all "mount and PID namespaces are not allowed here"
	LEFT4ME_TEST_STAGE=$(mktemp -d) || exit 1
	export LEFT4ME_TEST_STAGE
	trap 'rmdir "$LEFT4ME_TEST_STAGE"' EXIT
	trap 'exit 1' INT TERM
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private sh "$0" "$@"
	exit $?
fi

stage=$LEFT4ME_TEST_STAGE
unset LEFT4ME_TEST_STAGE
build=$(cd "${BUILD:-build}" && pwd) || exit 1
# shellcheck disable=SC2034 # for the scripts that source this
here=$PWD/tests/overlay
overlay=$build/left4me-overlay
if [ $$ != 1 ] || [ ! -x "$overlay" ]; then
	echo "Bail out! $overlay is not built, or this is not PID 1"
	exit 1
fi
mount -t tmpfs -o mode=0755 tmpfs /run || exit 1
mount -t tmpfs -o mode=0755,size=512m tmpfs "$stage" || exit 1
touch "$stage/probe"
setfattr -n user.probe -v 1 "$stage/probe" 2>/dev/null || skip_all "no user.* attributes on this kernel's tmpfs"
mkdir "$stage/low" "$stage/up" "$stage/work" "$stage/there"
mount -t overlay -o "lowerdir=$stage/low,upperdir=$stage/up,workdir=$stage/work" probe "$stage/there" 2>/dev/null ||
	skip_all "no overlay can be mounted here"
umount "$stage/there"

count=0
failed=0
R=$stage/root
err=$stage/stderr
export R overlay

# ok DESCRIPTION: as the command before it went.
ok()
{
	if [ $? = 0 ]; then
		result=ok
	else
		result="not ok"
		failed=$((failed + 1))
	fi
	count=$((count + 1))
	echo "$result $count - $1"
	[ "$result" = ok ] || [ ! -s "$err" ] || sed 's/^/# /' "$err"
}

# is GOT EXPECTED DESCRIPTION
is()
{
	[ "$1" = "$2" ]
	ok "$3"
	[ "$1" = "$2" ] || printf '# got: %s\n# expected: %s\n' "$1" "$2"
}

skip()
{
	count=$((count + 1))
	echo "ok $count # SKIP $1"
}

finish()
{
	echo "1..$count"
	exit $((failed > 0))
}

# as_owner COMMAND, which uses the mount point $seen: as the server does, with its rights and its view.
as_owner()
{
	mkdir -p "$stage/seen"
	mount --bind "$M" "$stage/seen"
	setpriv --reuid 980 --regid 981 --clear-groups sh -c "seen='$stage/seen'; $1"
	set -- $?
	umount "$stage/seen"
	return "$1"
}

# A new root with the overlays 1 to $1 (default 3), each with its number in the files `who` and `only-N`.
fresh()
{
	grep -oE " ($stage|/run/left4me)/[^ ]*" /proc/self/mountinfo | sort -r | while read -r mounted; do
		umount "$(printf '%b' "$mounted")" 2>/dev/null
	done
	rm -rf "$R" /run/left4me
	mkdir -p "$R/installation" "$R/overlays" "$R/runtime"
	python3 -c 'if True:
		import os, sys
		for i in range(1, int(sys.argv[2]) + 1):
			d = f"{sys.argv[1]}/overlays/{i}"
			os.mkdir(d)
			for name in "who", f"only-{i}":
				with open(f"{d}/{name}", "w") as f:
					f.write(f"{i}\n")' "$R" "${1:-3}"
	echo installation >"$R/installation/who"
	chown -R 980:981 "$R/overlays" "$R/runtime"
	# shellcheck disable=SC2034 # as `here`
	M=/run/left4me/server/a/merged
}

# run ARGUMENT...: the helper below $R; its status is in $status, what it said in $err.
run()
{
	"$overlay" --root="$R" "$@" 2>"$err"
	status=$?
	return $status
}

# refused STATUS PATTERN DESCRIPTION: the last run ended so and said so, in one line; nothing is mounted.
refused()
{
	[ "$status" = "$1" ] && grep -q -e "$2" "$err" && [ "$(wc -l <"$err")" = 1 ] && ! mounted
	ok "$3"
}

mounted()
{
	grep -q ' - overlay left4me:' /proc/self/mountinfo
}

layers_down_from()
{
	seq "$1" -1 1 | tr '\n' ' '
	echo installation
}
