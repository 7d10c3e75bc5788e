"""hang.py DIRECTORY [UID]: a file system in DIRECTORY that never answers who looks for the name 10, until this process is killed.

As an ordinary user can make it: a FUSE in a user namespace, below an overlay, which lets other users in. Its place for others
is /proc/PID/root/DIRECTORY/merged; prints "ready PID" when it is there, and each lookup. With UID, called by root: DIRECTORY
itself, as fusermount would mount it for that user.
"""
import ctypes
import os
import struct
import sys

DIRECTORY = sys.argv[1]
LIBC = ctypes.CDLL(None, use_errno=True)
LOOKUP, FORGET, GETATTR, STATFS, GETXATTR, LISTXATTR = 1, 2, 3, 17, 22, 23
INIT, OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 26, 27, 29, 36, 42
ENOENT, ENOSYS, ENODATA = 2, 38, 61


def mount(source, target, kind, data=""):
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), 0, data.encode()) != 0:
        sys.exit(f"cannot mount {kind}: {os.strerror(ctypes.get_errno())}")


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def reply(code, minor, body):
    """The bytes or the error that answer a request, None where there is no answer."""
    if code == LOOKUP:
        name = body.rstrip(b"\0")
        print("lookup", name.decode(), flush=True)
        return None if name == b"10" else -ENOENT
    if code == INIT:
        return struct.pack("<IIIIHHIIHHII24x", 7, minor, 65536, 0, 0, 0, 65536, 0, 0, 0, 0, 0)
    if code == GETATTR:
        return struct.pack("<QII", 1000, 0, 0) + struct.pack("<QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 1, 0, 0, 0, 0, 0)
    if code == STATFS:
        return struct.pack("<QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 0, 0)
    if code in (OPENDIR, RELEASEDIR):
        return struct.pack("<QII", 0, 0, 0)
    if code in (GETXATTR, LISTXATTR):
        return -ENODATA
    return None if code in (FORGET, BATCH_FORGET, INTERRUPT) else -ENOSYS


def serve(fuse):
    while True:
        request = os.read(fuse, 1 << 20)
        _, code, unique = struct.unpack_from("<IIQ", request)
        body = request[40:]
        answer = reply(code, struct.unpack_from("<I", body, 4)[0] if code == INIT else 0, body)
        if answer is None:
            continue
        error, data = (answer, b"") if isinstance(answer, int) else (0, answer)
        os.write(fuse, struct.pack("<IiQ", 16 + len(data), error, unique) + data)


def mounted_for(uid):
    fuse = os.open("/dev/fuse", os.O_RDWR)
    mount("fuse", DIRECTORY, "fuse", f"fd={fuse},rootmode=40000,user_id={uid},group_id={uid}")
    print("ready", os.getpid(), flush=True)
    serve(fuse)


def main():
    uid, gid = os.getuid(), os.getgid()
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"0 {uid} 1")
    write("/proc/self/gid_map", f"0 {gid} 1")
    mount("none", DIRECTORY, "tmpfs")
    for name in ("fuse", "lower", "merged"):
        os.mkdir(f"{DIRECTORY}/{name}")
    fuse = os.open("/dev/fuse", os.O_RDWR)
    mount("fuse", f"{DIRECTORY}/fuse", "fuse", f"fd={fuse},rootmode=40000,user_id=0,group_id=0")
    if os.fork() == 0:
        serve(fuse)
    os.close(fuse)
    mount("overlay", f"{DIRECTORY}/merged", "overlay", f"lowerdir={DIRECTORY}/lower:{DIRECTORY}/fuse")
    print("ready", os.getpid(), flush=True)
    os.wait()


if len(sys.argv) > 2:
    mounted_for(sys.argv[2])
else:
    main()
