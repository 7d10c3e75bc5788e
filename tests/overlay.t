#!/bin/sh
# left4me-overlay: what it mounts, once and again, and what it leaves behind (S36, S44).
# shellcheck disable=SC2046,SC3045 # lists of layers are split on purpose
. tests/overlay/common.sh

# --- layers

for layers in 1 2 60 500; do
	fresh $((layers - 1))
	run mount a $(layers_down_from $((layers - 1)))
	is "$status" 0 "$layers layers are mounted"
	top=$((layers - 1))
	[ $top -gt 0 ] || top=installation
	is "$(cat "$M/who")" $top "... the first is the topmost"
	is "$(find "$M" -name 'only-*' | wc -l)" $((layers - 1)) "... and all are there"
	run umount a
	is "$status" 0 "... and are unmounted"
done
fresh 500
run mount a $(layers_down_from 500)
refused 2 "501 layers .* limit is 500" "501 layers are refused"
(
	ulimit -S -n 64
	run mount a $(layers_down_from 499)
)
is $? 0 "500 layers with a soft limit of 64 descriptors"
run umount a

fresh
order=
for layers in "1 2 3" "3 1 2" "2 3" "2"; do
	# shellcheck disable=SC2086
	run mount a $layers installation
	order="$order$(cat "$M/who")"
	run umount a
done
is "$order" 1322 "the order of the layers is that of the command line"

run mount a 2 1 installation
grep ' - overlay left4me:a ' /proc/self/mountinfo | grep -q " $M [^ ]*nosuid,nodev"
ok "source left4me:NAME, nosuid, nodev"
is "$(stat -c '%u:%g %a' "$R/runtime/a" "$R/runtime/a/upper" "$R/runtime/a/work" "$M" | sort -u)" "980:981 755" \
	"what was made is owned like ROOT/runtime"
echo changed >"$M/who"
rm "$M/only-1"
is "$(cat "$R/overlays/2/who") $(cat "$R/runtime/a/upper/who")" "2 changed" "a change goes to upper"
[ ! -e "$M/only-1" ] && [ -e "$R/overlays/1/only-1" ] && [ "$(stat -c %F "$R/runtime/a/upper/only-1")" = \
	"character special file" ]
ok "a deletion is a whiteout in upper"
as_owner 'echo mine >"$seen/only-2" && rm "$seen/only-2" && mkdir "$seen/new"'
ok "the owner may change and delete"
is "$(stat -c '%u:%g %a' /run/left4me /run/left4me/server /run/left4me/server/a)" "0:0 755
0:0 700
0:0 711" "the mount lies on directories of root's"
! as_owner "ls /run/left4me/server || flock -n /run/left4me/server true || mv /run/left4me/server/a $R" 2>"$stage/out"
ok "... that its owner can neither read, lock nor move"
is "$(cat /run/left4me/mounted/a | tr '\n' ';')" "layer=2 $(stat -c '%d %i' "$R/overlays/2");layer=1 $(stat -c '%d %i' "$R/overlays/1");layer=installation $(stat -c '%d %i' "$R/installation");host_env=$(
	stat -c '%d %i %s %.9Z' /etc/left4me/host.env 2>/dev/null || echo 0 0 0 0.000000000);" "the record has the layers"
is "$(stat -c '%u:%g %a' /run/left4me/mounted /run/left4me/mounted/a)" "0:0 755
0:0 644" "... root's, for everybody to read"
run umount a
[ ! -e /run/left4me/mounted/a ]
ok "... and goes with the mount"
run mount --started=port=27015,arguments=0f,50-x.conf=1 a 2 1 installation
is "$(head -n4 /run/left4me/mounted/a | cut -d' ' -f1 | paste -sd' ')" "port=27015 arguments=0f 50-x.conf=1 layer=2" \
	"the record has what the unit says"
record() { grep -v host_env /run/left4me/mounted/a | cut -d' ' -f1 | paste -sd' '; }
run mount a 1 installation
is "$(record)" "port=27015 arguments=0f 50-x.conf=1 layer=2 layer=1 layer=installation" "mounted by hand once more: the record stays"
(cd "$M" && exec sleep 1000) &
holder=$!
while [ "$(readlink /proc/$holder/cwd)" != "$M" ]; do sleep 0.01; done
run mount --started=port=27016 a 1 installation
is "$(record)" "port=27016 layer=2 layer=1 layer=installation" "mounted already, and in use: started anew with the old layers"
kill $holder
wait $holder
# A stop that could not unmount it has left it.
run mount --started=port=27016 a 1 installation
is "$(record) $(grep -c left4me:a /proc/self/mountinfo)" "port=27016 layer=1 layer=installation 1" "... and not in use: with its own"
for list in "" "," a a=1,b =1 "a=1 b=2" "a=1
b=2" "a=é"; do
	"$overlay" --root="$R" mount "--started=$list" b installation 2>"$err"
	status=$?
	[ "$status" = 2 ] && grep -q "is no list" "$err"
	ok "--started='$list' is refused"
done
run umount a
mount -t tmpfs -o ro,mode=755 none /run/left4me/mounted
run mount a 2 1 installation
[ "$status" = 1 ] && grep -q "cannot write '/run/left4me/mounted/a'" "$err" && ! mounted
ok "without a record nothing is mounted"
umount /run/left4me/mounted
run umount a
run mount a 2 1 installation
[ "$(cat "$M/who")" = changed ] && [ ! -e "$M/only-1" ] && [ ! -e "$M/only-2" ] && [ -d "$M/new" ]
ok "changes and deletions are there after the next mount"

# --- idempotent, dry run

# Without those of guests that run beside: their mounts vanish from every namespace when their directory is removed.
mount_table() { grep -v '/ns\.' /proc/self/mountinfo; }
before=$(mount_table)
run mount a 2 1 installation
[ "$status" = 0 ] && [ ! -s "$err" ] && [ "$(mount_table)" = "$before" ]
ok "mounting what is mounted changes nothing (S26)"
run mount a 99 installation
is "$status" 0 "... whatever has become of the layers"
is "$(run --dry-run umount a)" "target=$M
state=mounted" "dry run of umount"
[ "$(run --dry-run mount a 2 installation | tail -n1)" = state=mounted ] &&
	[ "$(mount_table)" = "$before" ]
ok "dry runs while mounted change nothing"
run umount a
[ "$status" = 0 ] && [ ! -s "$err" ] && ! mounted && [ ! -e "$R/runtime/a/work/work" ]
ok "umount leaves no mount and no work/work"
run umount a
[ "$status" = 0 ] && [ ! -s "$err" ]
ok "unmounting what is not mounted is nothing (S26)"
fresh
before=$(find "$stage" -printf '%p %i %C@\n')
is "$(run --dry-run mount a 2 installation)" "source=left4me:a
lowerdir+=$R/overlays/2
lowerdir+=$R/installation
upperdir=$R/runtime/a/upper (to be made)
workdir=$R/runtime/a/work (to be made)
target=$M
state=not mounted" "dry run of mount"
is "$(find "$stage" -printf '%p %i %C@\n' | grep -v "^$err ")" "$(echo "$before" | grep -v "^$err ")" \
	"... makes nothing"
run --dry-run mount a 77 installation
refused 1 "layer 77 is missing" "a dry run finds a missing layer"
run umount a
[ "$status" = 0 ] && [ ! -e "$R/runtime/a" ]
ok "umount of an instance that never was makes nothing"
rmdir "$R/runtime"
run umount a
is "$status" 0 "umount without ROOT/runtime"
run mount a installation
refused 1 "'$R/runtime': No such file" "mount without ROOT/runtime is refused"
rm -rf "$R"
run umount a
refused 1 "'$R': No such file" "umount without ROOT is refused"

# --- what is missing, read-only or full

fresh
run mount a 4 installation
refused 1 "layer 4 is missing: '$R/overlays/4'; left4me-generator check says" "a missing overlay"
install -d -o root -m 0700 "$R/overlays/4"
run mount a 4 installation
refused 1 "layer 4 is closed to its user: '$R/overlays/4'; left4me-generator check says" "a directory of root's alone"
run umount a
chmod 0755 "$R/overlays/4"
run mount a 4 installation
is "$status" 0 "but not one that all may read"
run umount a
fresh
rm "$R/installation/who"
rmdir "$R/installation"
run mount a 1 installation
refused 1 "layer installation is missing" "a missing installation"
fresh
echo >"$R/overlays/4"
run mount a 4 installation
refused 1 "'$R/overlays/4': Not a directory" "a layer that is a file"

mount -t tmpfs -o mode=0755 tmpfs "$R"
mkdir -p "$R/overlays/1" "$R/installation" "$R/runtime"
mount -o remount,ro "$R"
run mount a 1 installation
refused 1 "'$R/runtime/a': Read-only file system" "a read-only root without directories"
mount -o remount,rw "$R"
run mount a 1 installation && run umount a
mount -o remount,ro "$R"
run mount a 1 installation
refused 1 "cannot mount an overlay.*overlay: .*read-only" "a read-only root with directories"
run umount a
is "$status" 0 "... where umount has nothing to do"
umount "$R"

fresh
mount -t tmpfs -o mode=0755,nr_inodes=3 tmpfs "$R/runtime"
chown 980:981 "$R/runtime"
run mount a 1 installation
refused 1 "No space left on device" "a full disk where a directory is to be made"
mount -o remount,nr_inodes=4 "$R/runtime"
run mount a 1 installation
refused 1 "cannot mount an overlay on '$M': .*would mount it read-only (disk full?)" \
	"a full disk where the kernel makes its work directory"
mount -o remount,nr_inodes=50 "$R/runtime"
run mount a 1 installation
is "$status" 0 "... both are mended by space"
run umount a
umount "$R/runtime"

fresh
mount -t ramfs ramfs "$R/runtime"
run mount a 1 installation
[ "$status" = 0 ] || grep -q ': overlay: ' "$err"
ok "the kernel's own explanation is in the message"
run umount a
umount "$R/runtime"

# --- busy

fresh
run mount a 1 installation
(cd "$M" && exec sleep 60) &
holder=$!
while [ "$(readlink "/proc/$holder/cwd")" != "$M" ]; do sleep 0.01; done
run umount a
[ "$status" = 1 ] && grep -q "cannot unmount '$M': a process still uses it, which fuser -vm '$M' names$" "$err"
ok "umount while a process is in there is an error"
[ "$(cat "$M/who")" = 1 ] && [ "$(cat "/proc/$holder/cwd/who")" = 1 ] && [ -d "$R/runtime/a/work/work" ]
ok "... nothing is lazy: the mount is whole (S27)"
kill "$holder"
wait "$holder" 2>/dev/null
run umount a
[ "$status" = 0 ] && ! mounted
ok "... and goes when the process has gone"

# --- cycles (S34), leftovers

fresh
before=$(mount_table)
start=$(date +%s%N)
bad=0
for _ in $(seq 100); do
	run mount a 3 2 1 installation && echo x >"$M/who" && run umount a || bad=$((bad + 1))
done
is "$bad" 0 "100 cycles of mount and umount"
is "$(mount_table)" "$before" "... leave the mount table as it was"
echo "# $((($(date +%s%N) - start) / 100000000)) ms a cycle"
mkdir -p "$R/runtime/a/work/work/d/e"
touch "$R/runtime/a/work/work/#1" "$R/runtime/a/work/work/d/f"
mknod "$R/runtime/a/work/work/#2" c 0 0
chmod 0 "$R/runtime/a/work/work"
run umount a
[ "$status" = 0 ] && [ ! -e "$R/runtime/a/work/work" ]
ok "what a killed mount left in work/work is removed"
mkdir -p "$R/runtime/a/work/work/a/b/c/d"
run umount a
refused 1 "cannot remove '$R/runtime/a/work/work': Directory not empty" "... but not any tree"
rm -rf "$R/runtime/a/work/work"
mkdir -p "$R/runtime/a/work/work/m"
mount -t tmpfs tmpfs "$R/runtime/a/work/work/m"
touch "$R/runtime/a/work/work/m/precious"
run umount a
[ "$status" = 1 ] && [ -e "$R/runtime/a/work/work/m/precious" ]
ok "... and nothing in another mount"
umount "$R/runtime/a/work/work/m"

# --- two at once

fresh
bad=0
for _ in $(seq 50); do
	"$overlay" --root="$R" mount a 1 installation &
	first=$!
	"$overlay" --root="$R" mount a 1 installation || bad=$((bad + 1))
	wait $first || bad=$((bad + 1))
	[ "$(grep -c left4me: /proc/self/mountinfo)" = 1 ] || bad=$((bad + 1))
	"$overlay" --root="$R" umount a &
	first=$!
	"$overlay" --root="$R" umount a || bad=$((bad + 1))
	wait $first || bad=$((bad + 1))
	! mounted || bad=$((bad + 1))
	rm -rf "$R/runtime/a"
done
is "$bad" 0 "two at once, 50 times: one mount, then none"
mkdir -p /run/left4me/server/a
flock --no-fork /run/left4me/server/a sleep 60 &
while flock -n /run/left4me/server/a true; do sleep 0.01; done
start=$(date +%s)
sh -c 'trap "" ALRM; exec "$overlay" --root="$R" mount a 1 installation' 2>"$err"
status=$?
[ $(($(date +%s) - start)) -lt 30 ]
ok "a lock that is never given up does not hold it for long"
refused 1 "'/run/left4me/server/a' is locked by another process" "... and is named"
kill $!
mkdir "$R/runtime/a"
chown 980:981 "$R/runtime/a"
setpriv --reuid 980 --regid 981 --clear-groups flock --no-fork "$R/runtime/a" sleep 60 &
while flock -n "$R/runtime/a" true; do sleep 0.01; done
run mount a 1 installation && run umount a
[ "$status" = 0 ] && ! mounted
ok "a lock on what is not root's does not matter"
kill $!
finish
