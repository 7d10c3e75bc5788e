"""unmount.py ROOT NAME: unmounts what a helper script has mounted on ROOT/runtime/NAME/merged; nothing to do is success.

migrate-check puts this text into its script. Whoever owns the directories may exchange one for a link, or move another
mount there, at any time: so each is opened beneath the one before, what is mounted is looked at, and no link is followed.
"""
import ctypes
import os
import re
import sys

UMOUNT_NOFOLLOW = 8
FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
ROOT, NAME = map(os.fsencode, sys.argv[1:])


def mount_of(descriptor):
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
        return re.search(r"^mnt_id:\s*(\d+)$", info.read(), re.M)[1]


def kind_and_source(mount):
    with open("/proc/self/mountinfo", "rb") as table:
        for line in table:
            if line.startswith(mount.encode() + b" "):
                return line.partition(b" - ")[2].split(b" ")[:2]
    return b"", b""


def unmount():
    directory = os.open(ROOT, os.O_PATH | os.O_DIRECTORY)
    for part in (b"runtime", NAME):
        directory = os.open(part, FLAGS, dir_fd=directory)
    merged = os.open(b"merged", FLAGS, dir_fd=directory)
    mount = mount_of(merged)
    os.close(merged)
    if mount == mount_of(directory):
        return
    kind, source = kind_and_source(mount)
    if source == b"left4me:" + NAME or (kind != b"overlay" and not kind.startswith(b"fuse")):
        sys.exit(f"migrate-check: {place}: {ascii(os.fsdecode(kind))} of {ascii(os.fsdecode(source))} is not the helper scripts'")
    os.fchdir(directory)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(b"merged", UMOUNT_NOFOLLOW) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


place = ascii(os.fsdecode(ROOT + b"/runtime/" + NAME + b"/merged"))
try:
    unmount()
except OSError as failure:
    sys.exit(f"migrate-check: {place}: not unmounted: {failure.strerror}. Is it, or a directory above it, a link? Look with findmnt")
