#!/bin/sh
# left4me-overlay: names, links and marks that the owner of the root may make, at any time.
. tests/overlay/common.sh

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
finish
