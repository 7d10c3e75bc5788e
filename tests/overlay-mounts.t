#!/bin/sh
# left4me-overlay: mounts of others, and mount namespaces that it is called in (S33).
. tests/overlay/common.sh

# --- other mounts

fresh
mkdir -p "$M"
mount -t tmpfs other "$M"
run mount a 1 installation
refused 1 "has 'other' of type tmpfs mounted on it" "mount refuses a mount point with another mount"
run umount a
refused 1 "has 'other' of type tmpfs mounted on it" "umount leaves it alone"
umount "$M"
mkdir -p "$stage/low2" "$stage/up2" "$stage/work2" "$M"
mount -t overlay -o "lowerdir=$stage/low2,upperdir=$stage/up2,workdir=$stage/work2" overlay "$M"
run umount a
refused 1 "has 'overlay' of type overlay" "an overlay by another name is not ours"
run mount a 1 installation
refused 1 "has 'overlay' of type overlay" "... for mount neither"
fresh
mkdir "$R/runtime/a"
run mount a 1 installation
refused 1 "cannot make '$R/runtime/a/upper' as the owner of runtime: Permission denied" \
	"in a directory of somebody else nothing is made"
chown 980:981 "$R/runtime/a"
run mount a 1 installation
mkdir "$M/inner"
mount -t tmpfs inner "$M/inner"
run umount a
[ "$status" = 1 ] && grep -q "cannot unmount '$M': there is another mount in it, '$M/inner'" "$err"
ok "a mount within the overlay is named"
umount "$M/inner"
cp -a "$R" "$stage/second"
"$overlay" --root="$stage/second" mount a 2 installation 2>"$err"
[ $? = 1 ] && grep -q "'$M' is mounted already, for another root than '$stage/second'" "$err" && [ "$(cat "$M/who")" = 1 ]
ok "one name in two roots is one instance"
run mount b 3 installation && run umount a && [ "$(cat /run/left4me/server/b/merged/who)" = 3 ]
ok "umount touches only its own"
run umount b
rm -rf "$stage/second"
mkdir /run/left4me/server/a
chown 980 /run/left4me/server/a
run mount a 1 installation
refused 1 "'/run/left4me/server/a' belongs to uid 980" "an anchor that is not root's is refused"

# What an earlier version mounted, on ROOT/runtime/NAME/merged.
old_mount()
{
	mkdir -p "$R/runtime/a/upper" "$R/runtime/a/work" "$R/runtime/a/merged"
	chown -R 980:981 "$R/runtime/a"
	mount -t overlay -o "lowerdir=$R/overlays/1:$R/installation,upperdir=$R/runtime/a/upper,workdir=$R/runtime/a/work" \
		left4me:a "$R/runtime/a/merged"
}
fresh
old_mount
run umount a
[ "$status" = 0 ] && ! mounted && [ ! -e "$R/runtime/a/work/work" ]
ok "umount takes away what an earlier version mounted"
old_mount
unshare --mount --propagation private mv "$R/runtime/a" "$R/runtime/moved"
run umount a
[ "$status" = 0 ] && ! mounted
ok "... also where its directory was renamed"
mv "$R/runtime/moved" "$R/runtime/a"
old_mount
unshare --mount --propagation private mv "$R/runtime/a" "$stage/moved out"
run umount a
[ "$status" = 0 ] && ! mounted && [ -e "$stage/moved out/work/work" ]
ok "... and out of the state directory, where nothing is tidied"
mv "$stage/moved out" "$R/runtime/a"
old_mount
run mount a 2 installation
[ "$status" = 0 ] && [ "$(cat "$M/who")" = 2 ] && [ "$(grep -c left4me: /proc/self/mountinfo)" = 1 ]
ok "... and mount takes it away before it mounts"
run umount a
old_mount
(cd "$R/runtime/a/merged" && exec sleep 60) &
holder=$!
while [ "$(readlink "/proc/$holder/cwd")" != "$R/runtime/a/merged" ]; do sleep 0.01; done
run mount a 1 installation
[ "$status" = 1 ] && grep -q "upper directory of a is in use by the mount on '$R/runtime/a/merged'.*: Device or resource busy" "$err"
ok "a second mount of the same upper directory is refused"
run umount a
[ "$status" = 1 ] && grep -q "'$R/runtime/a/merged'" "$err" && [ -e "$R/runtime/a/work/work" ]
ok "... and umount does not tidy its work directory"
kill "$holder"
wait "$holder" 2>/dev/null
run umount a
[ "$status" = 0 ] && ! mounted
ok "... until it is gone"

# --- namespaces (S18, S22)

fresh
cat >"$stage/unit" <<-'UNIT'
	mount -t tmpfs tmpfs "$R" && exec "$overlay" --root="$R" "$@"
UNIT
unshare --mount sh "$stage/unit" mount a 2 installation 2>"$err" && [ "$(cat "$M/who")" = 2 ]
ok "from another mount namespace it mounts in that of PID 1"
unshare --mount sh "$stage/unit" mount a 2 installation 2>"$err" && [ "$(grep -c left4me: /proc/self/mountinfo)" = 1 ]
ok "... finds it there"
unshare --mount sh "$stage/unit" umount a 2>"$err" && ! mounted
ok "... and unmounts it there"
run mount a 1 installation
unshare --mount --propagation slave sh -c 'echo; exec sleep 60' >"$stage/fifo.out" &
holder=$!
while [ ! -s "$stage/fifo.out" ]; do sleep 0.01; done
run umount a
[ "$status" = 0 ] && ! mounted
ok "a bystander with a namespace of its own disturbs nothing"
kill "$holder"
if setpriv --reuid 980 true 2>/dev/null; then
	setpriv --reuid 980 --clear-groups --inh-caps=-all --bounding-set=-all "$overlay" --root="$R" mount a installation 2>"$err"
	status=$?
	refused 1 "cannot enter PID 1's mount namespace: Operation not permitted" "without privilege it ends at once"
fi

# As in an unprivileged container: no trusted.* attributes, without which a directory of a lower layer cannot be removed.
fresh
mkdir -p "$R/overlays/1/plugins/config"
chown -R 980:981 "$R/overlays/1"
in_container()
{
	python3 "$here/userns.py" sh -euc '
		mount -t tmpfs -o mode=755 run /run
		mount -t tmpfs -o mode=755 runtime "$R/runtime"
		chown 980:981 "$R/runtime"
		"$overlay" --root="$R" mount a 1 installation
		cd /run/left4me/server/a/merged
		setpriv --reuid 980 --regid 981 --clear-groups sh -euc "
			rm -r plugins; mkdir plugins; ls -A plugins; mv plugins other; echo new >only-1; ls | paste -sd\" \""
		cd /
		"$overlay" --root="$R" umount a'
}
if python3 "$here/userns.py" true 2>/dev/null; then
	is "$(in_container 2>&1)" "only-1 other who" "in a user namespace: a directory of a layer is removed, made anew and renamed"
else
	skip "no user namespace can be made here"
fi
finish
