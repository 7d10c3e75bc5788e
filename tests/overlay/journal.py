"""journal.py DIR COMMAND...: runs COMMAND beside a journal of our own below /run/systemd/journal.

With DIR/stream its stderr is a stream to that journal, as systemd connects it. Prints what arrived: "native FIELD=…"
for each field of a datagram, "stderr …" for each line of the stream or of a plain stderr, and "status N".
With DIR/stuck the datagram socket is full and nobody reads it.
"""
import os
import select
import socket
import subprocess
import sys

DIRECTORY, COMMAND = sys.argv[1], sys.argv[2:]
JOURNAL = "/run/systemd/journal"


def fresh_socket(kind, name):
    path = f"{JOURNAL}/{name}"
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path)
    return s


def fill(path):
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.setblocking(False)
    try:
        while True:
            filler.sendto(b"x", path)
    except BlockingIOError:
        return


def main():
    os.makedirs(JOURNAL, exist_ok=True)
    native = fresh_socket(socket.SOCK_DGRAM, "socket")
    listener = fresh_socket(socket.SOCK_STREAM, "stdout")
    listener.listen()
    stuck = os.path.exists(f"{DIRECTORY}/stuck")
    if stuck:
        fill(f"{JOURNAL}/socket")
    if os.path.exists(f"{DIRECTORY}/stream"):
        stderr = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stderr.connect(f"{JOURNAL}/stdout")
        reader = listener.accept()[0]
    else:
        reader, stderr = socket.socketpair()
    status = subprocess.run(COMMAND, stderr=stderr, check=False).returncode
    stderr.close()
    while not stuck and select.select([native], [], [], 0)[0]:
        for line in native.recv(1 << 16).decode().splitlines():
            print("native", line)
    for line in b"".join(iter(lambda: reader.recv(4096), b"")).decode().splitlines():
        print("stderr", line)
    print("status", status)


main()
