#!/bin/sh
# left4me-overlay enter: what it lets through, what it refuses, and that it changes nothing of what it executes.
# shellcheck disable=SC2016,SC2119,SC2319 # as_owner's variables are its own; ok() reads $?
. tests/overlay/common.sh

V=/run/left4me/view
unit="left4me-server@a"

# entered COMMAND...: as the server's user; its status is in $status, what it said in $err.
entered()
{
	setpriv --reuid 980 --regid 981 --clear-groups "$overlay" enter "$unit" -- "$@" 2>"$err"
	status=$?
	return $status
}

# said STATUS PATTERN DESCRIPTION: the last one ended so and said so, in one line.
said()
{
	[ "$status" = "$1" ] && grep -q -e "$2" "$err" && [ "$(wc -l <"$err")" = 1 ]
	ok "$3"
}

# A root with all directories that a server sees, mounted, and what its unit binds: $R is its view then.
start()
{
	fresh
	mkdir -p "$R/workshop_cache" "$R/.steam" "$R/steam" "$R/runtime/a/merged" "$R/runtime/b"
	chown -R 980:981 "$R"
	run mount a 1 installation
	mount --bind "$M" "$R/runtime/a/merged"
}

# --- command line

fresh
for arguments in "enter" "enter --chdir=/" "enter --chdir= -- true" "enter $unit" "enter $unit --" "enter $unit true" "enter -- true" \
	"enter left4me-server@A -- true" "enter build-overlay@x -- true" "enter a -- true" "enter ../x -- true" "enter left4me-server@ -- true"; do
	# shellcheck disable=SC2086
	"$overlay" $arguments 2>"$err"
	status=$?
	refused 2 . "usage error: '$arguments'"
done
entered /bin/true
said 1 "cannot open '$V/$unit', which ExecStartPre= writes" "without a view nothing is executed"

# --- what is noted

start
is "$(stat -c '%u:%g %a' $V $V/$unit | xargs)" "0:0 755 0:0 644" "the view is root's"
is "$(tr '\0' '\n' <"$V/$unit" | cut -d' ' -f3-)" "$R/installation
$R/overlays
$R/workshop_cache
$R/.steam
$R/steam
$R/runtime/a/merged" "it names all that a server sees"
entered /bin/true
is "$status" 0 "they are what they should be"
entered /bin/false
is "$status" 1 "the status is the command's"
entered /nonexistent
said 1 "cannot execute '/nonexistent': No such file" "a command that is missing is named"
"$overlay" --root="$R" enter "$unit" -- /bin/true 2>"$err"
status=$?
said 1 "belongs to uid 980, not to this unit's user, uid 0" "... and belong to somebody else for another user"

# --- what is refused

other=$stage/other
for name in installation overlays workshop_cache .steam steam runtime/a/merged; do
	for target in / . runtime/b overlays/2; do
		start
		umount "$R/runtime/a/merged"
		mount --bind "$M" "$stage/there"
		[ "$name" = runtime/a/merged ] || mount --bind "$M" "$R/runtime/a/merged"
		# What the bind would show if a link to the target stood there.
		mkdir -p "$other"
		case $target in
		/) mount --bind "$other" "$R/$name" ;;
		*) mount --bind "$R/$target" "$R/$name" ;;
		esac
		entered /bin/true
		said 1 "'$R/$name' is not the directory of that name in this unit: it shows '/" "$name shows $target: refused"
	done
done
grep -q "overlays/2' of tmpfs, which belongs to uid 980" "$err"
ok "the message says which directory it is and whose"
start
rmdir "$R/steam"
entered /bin/true
said 1 "cannot open '$R/steam' in this unit: No such file" "one that is missing is refused"
start
umount "$R/runtime/a/merged"
mv "$R/steam" "$R/away"
run mount a 1 installation
mkdir "$R/steam"
mount --bind "$M" "$R/runtime/a/merged"
entered /bin/true
said 1 "'$R/steam' is not the directory" "one that was not there is refused when it is"
for name in installation overlays workshop_cache .steam steam; do
	start
	run umount a
	mv "$R/$name" "$R/away"
	ln -s "$R/away" "$R/$name"
	run mount a 1 installation
	refused 1 "leads through a symbolic link" "$name that is a link: mount refuses"
done
start
ln -sf "$R/away" "$R/x"
mv "$R/steam" "$R/away"
mv "$R/x" "$R/steam"
entered /bin/true
said 1 "cannot open '$R/steam' in this unit: Not a directory" "a link in the view itself is not followed"

# --- ROOT, or what is below it, on file systems of its own

for where in . overlays installation steam; do
	start
	run umount a
	cp -a "$R/$where" "$stage/copy"
	mount -t tmpfs tmpfs "$R/$where"
	cp -a "$stage/copy/." "$R/$where"
	rm -r "$stage/copy"
	run mount a 1 installation
	mount --bind "$M" "$R/runtime/a/merged"
	entered /bin/true
	is "$status" 0 "$where is a file system of its own"
	mount --bind "$R/runtime/b" "$R/steam"
	entered /bin/true
	said 1 "'$R/steam' is not the directory" "... and another directory is refused all the same"
	umount "$R/steam"
	mount --bind "$R" "$R/steam"
	entered /bin/true
	said 1 "'$R/steam' is not the directory" "... also ROOT itself"
done

# --- builds

fresh
unit="build-overlay@2"
run build 2
is "$(tr '\0' '\n' <"$V/$unit" | cut -d' ' -f3-)" /overlay "of a build /overlay is noted"
run build 7
said 251 "overlay 7 has no directory: '$R/overlays/7'" "an overlay without a directory is refused"
ln -s 2 "$R/overlays/7"
run build 7
said 251 "'$R/overlays/7' is a symbolic link" "... and a link"
# A root like a build's: /overlay is there, and the helper.
jail=/run/jail
mkdir "$jail" "$jail/overlay" "$jail/run"
for directory in /usr /bin /lib* /proc; do
	if [ -L "$directory" ]; then
		cp -P "$directory" "$jail"
	else
		mkdir "$jail$directory" && mount --rbind "$directory" "$jail$directory"
	fi
done
mkdir -p "$jail$V" && mount --bind "$V" "$jail$V"
cp "$overlay" "$jail/left4me-overlay"

# built chroot|plain|filtered|whole [COMMAND...]: `enter` in it, see sandbox.py
built()
{
	kind=$1
	shift
	[ $# -gt 0 ] || set -- /bin/true
	# A leak check would look for its process in a /proc of another PID namespace.
	ASAN_OPTIONS=detect_leaks=0 python3 "$here/sandbox.py" "$kind" "$jail" /left4me-overlay enter "$unit" -- "$@" 2>"$err"
	status=$?
	return $status
}
succeeded() { getfattr --absolute-names -d -m . "/run/left4me/overlay/$1/merged" >"$stage/attributes" && ! grep -q 'unfinished="1"' "$stage/attributes" && echo 1 || echo 0; } # ID
mount --bind /run/left4me/overlay/2/merged "$jail/overlay"
built chroot
said 1 "the sandbox is not in force: .*PrivatePIDs= needs systemd 257" "without a PID namespace of its own nothing is built"
built plain
said 1 "the sandbox is not in force: no system call is filtered" "... nor without a system call filter"
built filtered
said 1 "address filter is not enforced" "... nor where the kernel lets a datagram to the loopback address pass"
built whole /bin/sh -c 'exit 3'
is "$status/$(succeeded 2)" 3/0 "a script that fails gives its status, and has not succeeded"
# shellcheck disable=SC2016 # for that shell
built whole /bin/sh -c 'kill -9 $$'
is "$status/$(succeeded 2)" 137/0 "... and one that is killed"
built whole /nonexistent
said 1 "cannot execute '/nonexistent': No such file" "... and one that is not there"
built whole /bin/sh -c '(sleep 1000 &) ; exit 0'
is "$status/$(succeeded 2)" 0/1 "with all of it it goes on, waits for the script alone, and shows its success"
umount "$jail/overlay"
for target in . runtime overlays/1 overlays/2; do
	mount --bind "$R/$target" "$jail/overlay"
	built whole
	said 1 "'/overlay' is not the directory" "a build that shows $target is refused"
	umount "$jail/overlay"
done
run discard 2
[ "$status" = 0 ] && [ ! -e "$V/$unit" ]
ok "discard removes the view of a build"
run discard 2
is "$status" 0 "... and is nothing if there is none"

# --- the update of the installation

unit=left4me-update
mkdir "$R/steam"
chown 980:981 "$R" "$R/installation" "$R/steam"
run build installation
is "$(tr '\0' '\n' <"$V/$unit" | cut -d' ' -f3-)" "/overlay
$R/steam" "of an update /overlay and the program's home are noted"
mkdir -p "$jail$R/steam"
mount --bind /run/left4me/overlay/installation/merged "$jail/overlay"
mount --bind "$R/steam" "$jail$R/steam"
built chroot
said 1 "the sandbox is not in force: .*PrivatePIDs= needs systemd 257" "without a PID namespace nothing is updated"
built filtered /bin/sh -c 'echo new >/overlay/new'
is "$status/$(succeeded installation)" 0/1 "an update needs no address filter"
umount "$jail$R/steam"
mount --bind "$R/overlays" "$jail$R/steam"
built whole
said 1 "'$R/steam' is not the directory" "... and another directory as its home is refused"
umount "$jail$R/steam" "$jail/overlay"
run commit installation
is "$status/$(cat "$R/installation/new")" 0/new "what it made is the installation"
run discard installation
is "$(ls -A "$R/.left4me/installation" 2>/dev/null)" "" "... and nothing else is left"
rm "$R/installation/new"
mv "$R/steam" "$R/away"
run build installation
said 251 "cannot open '$R/steam'" "without the program's home there is no update"
mv "$R/away" "$R/steam"
run discard installation

# --- nothing of the process changes

start
unit="left4me-server@a"
plain=$(python3 "$here/surroundings.py" 2>"$err")
is "$(python3 "$here/surroundings.py" "$overlay" enter "$unit" -- 2>"$err")" "$plain" \
	"environment, descriptors, umask, signals, limits, directory and PID are as without it"
[ "$(echo "$plain" | wc -l)" -gt 20 ]
ok "... which are looked at"
elsewhere=$(python3 "$here/surroundings.py" "$overlay" enter --chdir=/usr/bin "$unit" -- 2>"$err")
is "$(printf '%s\n' "$elsewhere" | sed 's|^/usr/bin |/usr |')" "$plain" "with --chdir=DIR nothing changes but the directory"
is "$(printf '%s\n' "$elsewhere" | grep -c '^/usr/bin ')" 1 "... which does (S31)"
python3 "$here/surroundings.py" "$overlay" enter --chdir=/etc/passwd "$unit" -- >/dev/null 2>"$err"
grep -q "cannot change to '/etc/passwd': Not a directory" "$err"
ok "... to a directory"
is "$(python3 "$here/surroundings.py" "$overlay" enter --chdir=/nonexistent "$unit" -- 2>"$err")" "$plain" "... and where it is not there, nothing"
umount "$R/runtime/a/merged"
run umount a
finish
