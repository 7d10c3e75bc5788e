#!/usr/bin/python3
"""epoll.py take|ask [SECONDS]: takes 60000 epoll watches and 80 MiB of pipes of this user's, or asks what a program gets that
needs one watch and one pipe."""
import fcntl
import os
import resource
import select
import sys
import time

F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def watches(number):
    targets = [end for _ in range(min(number, 1000) // 2 + 1) for end in os.pipe()]
    polls, count = [], 0
    try:
        while count < number:
            polls.append(select.epoll())
            for target in targets:
                polls[-1].register(target, 0)
                count += 1
    except OSError:
        pass
    return min(count, number), polls, targets


def pipes(number):
    kept = []
    try:
        for _ in range(number):
            kept.append(os.pipe())
            fcntl.fcntl(kept[-1][1], F_SETPIPE_SZ, 1 << 20)
    except OSError:
        pass
    return kept


if sys.argv[1] == "take":
    kept_pipes = pipes(80)
    taken, *kept_watches = watches(60000)
    print(f"taken: {taken} watches, {sum(fcntl.fcntl(w, F_GETPIPE_SZ) for _, w in kept_pipes) >> 20} MiB of pipes", flush=True)
    time.sleep(float(sys.argv[2]))
else:
    reading, writing = os.pipe()
    size = fcntl.fcntl(writing, F_GETPIPE_SZ)
    print(f"a watch {'is' if watches(1)[0] else 'is not'} to be had, a pipe has {size} bytes")
