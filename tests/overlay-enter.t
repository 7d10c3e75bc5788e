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
for arguments in "enter" "enter $unit" "enter $unit --" "enter $unit true" "enter -- true" "enter left4me-server@A -- true" \
	"enter build-overlay@x -- true" "enter a -- true" "enter ../x -- true" "enter left4me-server@ -- true"; do
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

# built chroot|plain|filtered|whole: `enter` in it, see sandbox.py
built()
{
	python3 "$here/sandbox.py" "$1" "$jail" /left4me-overlay enter "$unit" -- /bin/true 2>"$err"
	status=$?
	return $status
}
mount --bind /run/left4me/overlay/2/merged "$jail/overlay"
built chroot
said 1 "the sandbox is not in force: .*PrivatePIDs= needs systemd 257" "without a PID namespace of its own nothing is built"
built plain
said 1 "the sandbox is not in force: no system call is filtered" "... nor without a system call filter"
built filtered
said 1 "address filter not enforced" "... nor where the kernel lets a datagram to the loopback address pass"
built whole
is "$status" 0 "with all of it it goes on"
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

# --- nothing of the process changes

start
unit="left4me-server@a"
plain=$(python3 "$here/surroundings.py" 2>"$err")
is "$(python3 "$here/surroundings.py" "$overlay" enter "$unit" -- 2>"$err")" "$plain" \
	"environment, descriptors, umask, signals, limits, directory and PID are as without it"
[ "$(echo "$plain" | wc -l)" -gt 20 ]
ok "... which are looked at"
umount "$R/runtime/a/merged"
run umount a
finish
