"""peer.py --root=ROOT mount NAME LAYER...: what left4me-overlay does, through ctypes. For tests/bench-overlay only."""
import argparse
import ctypes
import fcntl
import os
import re
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
OPENAT2, PIDFD_OPEN, FSOPEN, FSCONFIG, FSMOUNT, MOVE_MOUNT = 437, 434, 430, 431, 432, 429
CLONE_NEWNS, NO_SYMLINKS, BENEATH, SET_STRING, CREATE = 0x20000, 4, 8, 1, 6


class OpenHow(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


def call(*arguments):
    result = LIBC.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def beneath(directory, path, flags=os.O_PATH):
    how = OpenHow(flags | os.O_DIRECTORY | os.O_CLOEXEC, 0, NO_SYMLINKS | BENEATH)
    return call(OPENAT2, directory, path.encode(), ctypes.byref(how), ctypes.sizeof(how))


def refuse_taint(top):
    for directory, _, names, fd in os.fwalk(".", dir_fd=top):
        for name in (".", *names):
            attributes = os.listxattr(f"/proc/self/fd/{fd}/{name}", follow_symlinks=False)
            if any(a.startswith("user.fuseoverlayfs.") for a in attributes):
                sys.exit(f"tainted: {directory}/{name}")


def tell_journal(name, message):
    if os.path.exists("/run/systemd/journal/socket"):
        entry = f"MESSAGE={message}\nLEFT4ME_INSTANCE={name}\nPRIORITY=6\n"
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(entry.encode(), "/run/systemd/journal/socket")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default="/var/lib/left4me")
    parser.add_argument("verb", choices=["mount"])
    parser.add_argument("name")
    parser.add_argument("layers", nargs="+")
    options = parser.parse_args()
    if not re.fullmatch("[a-z0-9][a-z0-9_-]{0,63}", options.name) or options.layers[-1] != "installation":
        parser.error("bad name or layers")
    if not all(re.fullmatch("[1-9][0-9]{0,18}", layer) for layer in options.layers[:-1]):
        parser.error("bad layer")
    return options.root, options.name, options.layers


def main():
    path, name, layers = parse()
    if LIBC.setns(call(PIDFD_OPEN, 1, 0), CLONE_NEWNS) < 0:
        sys.exit("setns failed")
    root = os.open(path, os.O_PATH | os.O_DIRECTORY)
    instance = beneath(root, f"runtime/{name}", os.O_RDONLY)
    fcntl.flock(instance, fcntl.LOCK_EX)
    with open("/proc/self/mountinfo") as table:
        if any(f" - overlay left4me:{name} " in line for line in table):
            return
    lower = [beneath(root, x if x == "installation" else f"overlays/{int(x)}") for x in layers]
    upper, work, merged = (beneath(instance, x) for x in ("upper", "work", "merged"))
    refuse_taint(upper)
    context = call(FSOPEN, b"overlay", 1)
    pairs = [("source", f"left4me:{name}")] + [("lowerdir+", f"/proc/self/fd/{fd}") for fd in lower]
    pairs += [("upperdir", f"/proc/self/fd/{upper}"), ("workdir", f"/proc/self/fd/{work}")]
    for key, value in pairs:
        call(FSCONFIG, context, SET_STRING, key.encode(), value.encode(), 0)
    call(FSCONFIG, context, CREATE, None, None, 0)
    call(MOVE_MOUNT, call(FSMOUNT, context, 1, 6), b"", merged, b"", 0x44)
    tell_journal(name, "mounted")


main()
