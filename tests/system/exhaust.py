#!/usr/bin/python3
"""exhaust.py SECONDS: takes all it can get of what the kernel counts for a user or for the whole host, a line each, keeps it
for SECONDS, or until it is told to end, and then gives it back. With 0 nothing is kept: so root asks what is left for it."""
import ctypes
import os
import resource
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
LIMIT = 10000
keep = float(sys.argv[1]) > 0
word = f"exhaust-{os.getpid()}"


def syscall(number, *arguments):
    return LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])


def count(name, take, give_back):
    got = []
    while len(got) < LIMIT and (one := take(len(got))) is not None:
        got.append(one)
    print(name, len(got), flush=True)
    if keep:
        return
    for one in got:
        give_back(one)


def positive(result):
    return None if result < 0 else result


def timer(_):
    made = ctypes.c_int()
    return None if syscall(222, 1, 0, ctypes.byref(made)) else made.value


def terminal(_):
    try:
        return os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None


def context(_):
    made = ctypes.c_long()
    return None if syscall(206, 512, ctypes.byref(made)) else made.value


def no_more(*_):
    while syscall(128, ctypes.byref(blocked), 0, ctypes.byref(at_once), 8) > 0:
        pass


blocked, at_once = ctypes.c_uint64(1 << (signal.SIGRTMIN - 1)), (ctypes.c_long * 2)()
ENDS = (signal.SIGINT, signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN, *(ENDS if keep else ())])
count("inotify", lambda n: positive(syscall(294, 0)), os.close)
count("queues", lambda n: positive(syscall(240, f"{word}-{n}".encode(), os.O_CREAT | os.O_RDWR, 0o600, 0)), os.close)
for n in range(0 if keep else 300):
    syscall(241, f"{word}-{n}".encode())
count("timers", timer, lambda made: syscall(226, made))
count("signals", lambda n: None if LIBC.sigqueue(os.getpid(), signal.SIGRTMIN, None) else n, lambda n: n or no_more())
count("terminals", terminal, os.close)
count("aio", context, lambda made: syscall(207, made))
count("keys", lambda n: positive(syscall(248, b"user", f"{word}-{n}".encode(), b"x", 1, -2)),
      lambda key: syscall(250, 9, key, -2))
print("holding", flush=True)
if keep:
    signal.sigtimedwait(ENDS, float(sys.argv[1]))
    for n in range(300):
        syscall(241, f"{word}-{n}".encode())
