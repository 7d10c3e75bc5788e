#!/bin/sh
# left4me-overlay: what it mounts (S33, S36, S44), what it refuses, what it leaves behind.
# shellcheck disable=SC2016,SC2046,SC2119,SC2319,SC3045 # as_owner has variables of its own; lists of layers are split on purpose; ok() reads $?
. tests/overlay/common.sh

# --- command line

fresh
"$overlay" --help | grep -q '^usage: left4me-overlay'
ok "--help"
[ "$("$overlay" --version)" = "left4me-overlay 1" ]
ok "--version"
for arguments in "" "mount" "umount" "mount a" "umount a 1" "mount a 1" "mount a installation 1" "remount a" \
	"mount a installation installation" "mount a 1 1 installation" "--bogus mount a installation" \
	"--root" "mount a --dry-run installation" "mount a 1 2,3 installation"; do
	# shellcheck disable=SC2086
	run $arguments
	refused 2 . "usage error: '$arguments'"
done
for root in "" relative /a/../b "$R/" //a /a/./b; do
	"$overlay" "--root=$root" umount a 2>"$err"
	status=$?
	refused 2 "normalised" "--root='$root' is refused"
done
long=$(printf 'a%.0s' $(seq 65))
for name in .. . a/b "" "$long" -x A aB _a "a b" "a	b" "a
b" a. é; do
	run mount "$name" installation
	refused 2 "is not the name of an instance" "mount refuses the name '$name'"
	run umount "$name"
	refused 2 "is not the name of an instance" "umount refuses the name '$name'"
done
for id in "" 0 00 01 -1 -x +7 7x " 7" "7 " 0x7 9223372036854775808 18446744073709551616 18446744073709551617 \
	.. ../1 1/../2 Installation "1
2"; do
	run mount a "$id" installation
	refused 2 "is not the id of an overlay" "the id '$id' is refused"
done
run mount "${long#a}" 1 installation
is "$status" 0 "a name of 64 characters"
run umount "${long#a}"
mkdir "$R/overlays/9223372036854775807"
run mount a 9223372036854775807 installation
is "$status" 0 "the id 2^63-1"
run umount a
[ -z "$(ls "$R/runtime/-x" 2>/dev/null)" ] && [ "$(find "$R/runtime" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]
ok "nothing was made for what was refused"
(cd / && "$overlay" mount a 1 installation 2>"$err")
grep -q "'/var/lib/left4me" "$err" || mounted
ok "the root is /var/lib/left4me"
if [ -c /dev/full ]; then
	"$overlay" --root="$R" --dry-run mount a installation >/dev/full 2>"$err"
	is $? 1 "a dry run that cannot print fails"
else
	skip "no /dev/full"
fi

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

# --- names above the root

for name in 'a:b' 'a,b' 'a b' 'a\b' 'a\054b' 'a"b' "a'b" 'a%b' 'a
b' 'ümlaut' 'lowerdir+=x'; do
	fresh
	mkdir "$stage/$name"
	mv "$R" "$stage/$name/root"
	root=$stage/$name/root
	"$overlay" --root="$root" mount a 2 1 installation 2>"$err" && [ "$(cat "$M/who")" = 2 ]
	ok "a root below '$name'"
	"$overlay" --root="$root" mount a 2 1 installation 2>"$err" &&
		[ "$(grep -c ' - overlay left4me:a ' /proc/self/mountinfo)" = 1 ]
	ok "... idempotent"
	"$overlay" --root="$root" umount a 2>"$err" && ! mounted
	ok "... unmounted"
	rm -rf "${stage:?}/$name"
done
fresh
"$overlay" --root="$R
x" umount a 2>"$err"
[ "$(wc -l <"$err")" = 1 ] && grep -qF 'root\nx' "$err"
ok "control characters are escaped in messages"
mv "$R" "$stage/real"
ln -s real "$R"
run mount a 1 installation && run mount a 1 installation && run umount a && ! mounted
ok "ROOT itself may be a link"
rm "$R"
mv "$stage/real" "$R"

# --- symbolic links below the root

mkdir -p "$stage/victim/upper" "$stage/victim/work" "$stage/victim/merged" "$stage/victim/1" "$stage/victim/a"
for link in overlays overlays/1 installation runtime runtime/a runtime/a/upper runtime/a/work; do
	for target in "$stage/victim" ../away; do
		fresh
		run mount a 1 installation && run umount a
		mv "$R/$link" "$R/away"
		[ "$target" = ../away ] || rm -rf "$R/away"
		ln -s "$target" "$R/$link"
		before=$(find "$stage/victim" -printf '%p %i %u %C@\n')
		run mount a 1 installation
		refused 1 "symbolic link" "$link -> $target is refused"
		run umount a
		[ "$(find "$stage/victim" -printf '%p %i %u %C@\n')" = "$before" ] && ! mounted
		ok "... nothing happens behind it"
		rm -rf "$R/away"
	done
done
for part in upper work; do
	fresh
	mkdir "$R/runtime/a"
	chown 980:981 "$R/runtime/a"
	ln -s "$stage/victim/none" "$R/runtime/a/$part"
	run mount a 1 installation
	refused 1 "symbolic link" "$part is not made through a dangling link"
	[ ! -e "$stage/victim/none" ]
	ok "... nothing was made behind it"
	rm "$R/runtime/a/$part"
	echo >"$R/runtime/a/$part"
	run mount a 1 installation
	refused 1 "Not a directory" "$part that is a file is refused"
done
fresh
run mount a 1 installation && run umount a
ln -s "$stage/victim" "$R/runtime/a/work/work"
before=$(find "$stage/victim" -printf '%p %i %u %C@\n')
run umount a
[ "$status" = 0 ] && [ ! -L "$R/runtime/a/work/work" ] &&
	[ "$(find "$stage/victim" -printf '%p %i %u %C@\n')" = "$before" ]
ok "work/work that is a link is removed, not followed"

# --- taint (S39)

for tainted in . file dir deep/er/and/deeper/file whiteouts/are/fine/dir; do
	fresh
	mkdir -p "$R/runtime/a/upper/$(dirname "$tainted")"
	mknod "$R/runtime/a/upper/gone" c 0 0
	mkfifo "$R/runtime/a/upper/fifo"
	ln -s / "$R/runtime/a/upper/link"
	setfattr -n user.harmless -v 1 "$R/runtime/a/upper"
	case $tainted in *file) touch "$R/runtime/a/upper/$tainted" ;; *) mkdir -p "$R/runtime/a/upper/$tainted" ;; esac
	chown -R 980:981 "$R/runtime/a"
	run mount a 1 installation
	is "$status" 0 "upper with other attributes is fine"
	run umount a
	setfattr -n user.fuseoverlayfs.opaque -v y "$R/runtime/a/upper/$tainted"
	run mount a 1 installation
	refused 1 "$tainted' has the attribute user.fuseoverlayfs.opaque" "an attribute on upper/$tainted is refused"
	run --dry-run mount a 1 installation
	refused 1 "user.fuseoverlayfs" "... by a dry run too"
done
# deep DEPTH [ATTRIBUTE]: upper is nested so deep; the attribute is on a file at the bottom
deep()
{
	python3 -c 'if True:
		import os, sys
		os.makedirs(sys.argv[1])
		os.chdir(sys.argv[1])
		for i in range(int(sys.argv[2])):
			os.mkdir("d" * 200)
			os.chdir("d" * 200)
		open("file", "w").close()
		if len(sys.argv) > 3:
			os.setxattr("file", sys.argv[3], b"y")' "$R/runtime/a/upper" "$@"
	chown 980:981 "$R/runtime/a" "$R/runtime/a/upper"
}
fresh
deep 3000
run mount a 1 installation
is "$status" 0 "an upper directory nested 3000 deep is mounted"
run umount a
find "$R/runtime/a/upper" -depth -delete
deep 3000 user.fuseoverlayfs.opaque
run mount a 1 installation
refused 1 "/file' has the attribute user.fuseoverlayfs.opaque" "... and walked through to the bottom"
find "$R/runtime/a/upper" -depth -delete

# wide: so many files that the walk takes more than 100 ms; the attribute is on the last one
fresh
mkdir "$R/runtime/a"
python3 -c 'if True:
	import os, sys
	for d in range(100):
		os.makedirs(f"{sys.argv[1]}/{d}")
		for f in range(1000):
			open(f"{sys.argv[1]}/{d}/{f}", "w").close()' "$R/runtime/a/upper"
chown 980:981 "$R/runtime/a" "$R/runtime/a/upper"
run --dry-run mount a 1 installation
! getfattr -n trusted.left4me.checked "$R/runtime/a/upper" >"$stage/out" 2>&1
ok "a dry run leaves no mark"
run mount a 1 installation && run umount a
getfattr -n trusted.left4me.checked "$R/runtime/a/upper" >"$stage/out" 2>&1
ok "a large upper directory is marked once it was walked through"
start=$(date +%s%N)
run mount a 1 installation && run umount a
[ $((($(date +%s%N) - start) / 1000000)) -lt 250 ]
ok "... and then looked at for 100 ms only"
setfattr -n user.fuseoverlayfs.opaque -v y "$R/runtime/a/upper"
run mount a 1 installation
refused 1 "user.fuseoverlayfs.opaque" "... which finds what there is to find in it"
! setpriv --reuid 980 --regid 981 --clear-groups setfattr -n trusted.left4me.checked -v 1 "$R/runtime/a" 2>"$stage/out"
ok "... the owner cannot make the mark"
rm -rf "$R/runtime/a"
if command -v strace >/dev/null; then
	fresh
	mkdir -p "$R/runtime/a/upper/d"
	chown 980:981 "$R/runtime/a" "$R/runtime/a/upper"
	# The leak check of a sanitized build does not work under ptrace.
	strace -E ASAN_OPTIONS=detect_leaks=0 -o "$stage/log" -e trace=getdents64 -e inject=getdents64:delay_enter=31000000:when=1 \
		"$overlay" --root="$R" mount a 1 installation 2>"$err"
	status=$?
	refused 1 "'$R/runtime/a/upper' has so many files that 30 s are not enough" "a walk ends after 30 s, with a remedy"
	run mount a 1 installation
	is "$status" 0 "... for that start only"
	run umount a
else
	skip "no strace"
	skip "no strace"
fi

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

# --- whatever the owner renames

for what in runtime/a runtime; do
	for instead in nothing link file; do
		fresh
		run mount a 1 installation
		mv "$R/$what" "$R/away"
		case $instead in
		link) ln -s "$stage/victim" "$R/$what" ;;
		file) echo >"$R/$what" ;;
		esac
		run umount a
		! mounted && [ ! -e /run/left4me/server/a ] && [ ! -e /run/left4me/view/left4me-server@a ] && [ ! -e /run/left4me/mounted/a ]
		ok "$what renamed, $instead in its place: nothing stays mounted"
	done
done
fresh
run mount a 1 installation
mv "$R/overlays" "$R/installation" "$stage"
rm -rf "$stage/overlays" "$stage/installation"
run umount a
[ "$status" = 0 ] && ! mounted
ok "umount needs nothing but the name"

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
[ $(($(date +%s) - start)) -lt 8 ]
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

# --- surroundings

fresh
mkdir "$stage/elsewhere" "$stage/config"
# Not LIBBLKID_DEBUG: util-linux 2.41 reads that in a constructor, before main() can clear it; it only prints.
hostile()
{
	env LEFT4ME_ROOT="$stage/elsewhere" LEFT4ME_INSTANCE=b LEFT4ME_DRY_RUN=1 LEFT4ME_NO_SETNS=1 L4D2_LAYERS=3 \
		LIBMOUNT_FORCE_MOUNT2=always LIBMOUNT_MOUNTINFO="$stage/config" LIBMOUNT_FSTAB="$stage/config" \
		LIBMOUNT_UTAB="$stage/config" LIBMOUNT_MTAB="$stage/config" LIBMOUNT_DEBUG=all \
		LD_LIBRARY_PATH="$stage/elsewhere" LD_BIND_NOW=1 LD_PRELOAD= LD_ORIGIN_PATH=/ POSIXLY_CORRECT=1 \
		JOURNAL_STREAM=1:1 TMPDIR="$stage/elsewhere" LANG=de_DE.UTF-8 LC_ALL=xx RUNTIME_DIRECTORY="$stage/elsewhere" \
		PATH="$stage/elsewhere" HOME="$stage/elsewhere" MALLOC_CHECK_=3 \
		"$overlay" --root="$R" "$@" >"$stage/out" 2>"$err"
}
hostile mount a 2 1 installation && [ "$(cat "$M/who")" = 2 ] && [ ! -s "$err" ] && [ ! -s "$stage/out" ] &&
	[ "$(find "$stage/elsewhere" "$stage/config" | wc -l)" = 2 ]
ok "a hostile environment changes nothing about mount"
hostile mount a 2 1 installation && [ "$(grep -c left4me: /proc/self/mountinfo)" = 1 ]
ok "... nor about a second one"
hostile umount a && ! mounted && [ ! -s "$err" ]
ok "... nor about umount"
fresh 499
# shellcheck disable=SC2046
hostile mount a $(layers_down_from 499) && [ "$(find "$M" -name 'only-*' | wc -l)" = 499 ]
ok "... nor about 500 layers"
hostile umount a
fresh
(umask 077; run mount a 1 installation) && [ "$(stat -c %a "$R/runtime/a" "$R/runtime/a/upper" | sort -u)" = 755 ]
ok "the caller's umask changes nothing"
# shellcheck disable=SC2016
sh -c 'exec 7<"$1" && exec "$overlay" --root="$R" umount a' sh "$M" 2>"$err"
is $? 0 "a descriptor of the mount, handed down, does not make it busy"
is "$(python3 "$here/bare.py" "$overlay" "--root=$R" mount a 1 installation)" 0 "without descriptors 0, 1 and 2"
is "$(cat "$M/who")" 1 "... it is mounted"
is "$(python3 "$here/bare.py" "$overlay" "--root=$R" umount a)" 0 "... and unmounted"
finish
