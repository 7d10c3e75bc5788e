#!/bin/sh
# left4me-overlay: the blocks that ext4 keeps for root stay root's, and copy-up works all the same.
# shellcheck disable=SC2016,SC2034,SC2119,SC2319 # as_owner's variables are its own; common.sh reads `needs`; ok() reads $?
needs="mkfs.ext4 getfattr"
. tests/overlay/common.sh

image=$stage/image
disk=/run/disk                  # not below $stage, which fresh clears of mounts
mkdir "$disk"
truncate -s 64M "$image"
mkfs.ext4 -q -F -b 1024 -m 20 "$image"
mount -o loop "$image" "$disk" 2>"$err" || skip_all "no loop device can be mounted here"
trap 'umount "$disk"' EXIT
R=$disk/root

free_for_all() { stat -f -c %a "$disk"; }
free() { stat -f -c %f "$disk"; }

fresh
mkdir "$R/installation/copied"
for i in 1 2 3 4 5; do
	head -c 1500000 /dev/urandom >"$R/installation/copied/$i"
	chmod 666 "$R/installation/copied/$i"
done
run mount a 2 1 installation
is "$status" 0 "an overlay on ext4"
export here
is "$(as_owner 'python3 "$here/fill.py" "$seen"')" "write_all: ENOSPC
allocate: ENOSPC
map_holes: ENOSPC
make_directories: ENOSPC
make_small_files: ENOSPC
set_attributes: ENOSPC
copy_up: ENOSPC" "a server finds an end, in each way that it fills the disk"
sync
[ "$(free_for_all)" -lt 500 ]
ok "a server fills what is there for it"
[ "$(free)" -gt 10000 ]
ok "... and root's reserve is still there, $(free) blocks"
dd if=/dev/zero of="$disk/roots" bs=1M count=5 2>"$stage/out"
ok "... root can write"
rm "$disk/roots"
run umount a
[ "$status" = 0 ] && ! mounted && [ ! -e "$R/runtime/a/work/work" ]
ok "it is unmounted"

# The reserve is there to be had, and fill.py takes it where it can.
rm -rf "$R/runtime/a"
mkdir -p "$R/control/upper" "$R/control/work" "$stage/control"
chown 980:981 "$R/control/upper"
mount -t overlay -o "lowerdir=$R/installation,upperdir=$R/control/upper,workdir=$R/control/work" control "$stage/control"
setpriv --reuid 980 --regid 981 --clear-groups sh -c 'exec python3 "$0/fill.py" "$1"' "$here" "$stage/control" >"$stage/out"
sync
[ "$(free)" -lt 5000 ]
ok "through an overlay that root mounts it is used up, $(free) blocks"
umount "$stage/control"
rm -rf "$R/control"

# What copy-up takes: the layers' files belong to others, or have modes that keep their owner out.
fresh
layer=$R/overlays/1
echo text >"$layer/roots"
echo text >"$layer/closed"
chown 980:981 "$layer/closed"
chmod 0 "$layer/closed"
chown 4711:4712 "$layer/only-1"
chmod 6666 "$layer/only-1"
mkdir -p "$layer/directory/inner"
echo text >"$layer/directory/inner/file"
setfattr -n user.some -v thing "$layer/roots"
chmod 666 "$layer/roots"
chmod 777 "$layer" "$layer/directory" "$layer/directory/inner"
run mount a 1 installation
is "$status" 0 "another"
as_owner 'echo more >>"$seen/roots" && echo more >>"$seen/only-1"'
is "$(cat "$M/roots" && stat -c %u:%g "$R/runtime/a/upper/roots") $(getfattr --only-values -n user.some "$M/roots" 2>"$stage/out")" "text
more
0:0 thing" "a file of root's is copied up with owner and attributes"
is "$(stat -c %u:%g "$R/runtime/a/upper/only-1")" 4711:4712 "a file of somebody else's too"
as_owner 'chmod 600 "$seen/closed" && echo more >>"$seen/closed" && [ "$(wc -l <"$seen/closed")" = 2 ]'
ok "its own file of mode 0 is copied up"
as_owner 'mkdir "$seen/new" && mv "$seen/who" "$seen/new/who" && ln "$seen/new/who" "$seen/again" && mkfifo "$seen/fifo" &&
	ln -s / "$seen/link" && touch "$seen/directory/inner/mine"'
ok "it makes and moves what it likes"
as_owner 'rm -r "$seen/directory/inner" "$seen/directory" "$seen/roots"'
[ ! -e "$M/directory" ] && [ ! -e "$M/roots" ] && [ -e "$layer/directory/inner/file" ]
ok "it removes files and whole directories of a lower layer"
as_owner 'mkdir "$seen/directory"' && [ "$(ls -A "$M/directory")" = "" ]
ok "a directory that it makes anew hides the one below"
is "$(stat -c %u:%g "$M/new" "$M/directory" | sort -u)" 980:981 "what it makes is its own"
run umount a
run mount a 1 installation
[ "$status" = 0 ] && [ ! -e "$M/roots" ] && [ "$(ls -A "$M/directory")" = "" ] && [ -e "$M/new/who" ]
ok "all of it is there after the next mount"

run umount a
umount "$disk"
trap - EXIT
finish
