#!/usr/bin/env python3
"""
Killed at any moment, and two at once: LEFT4ME_KILLS (1000) runs end by SIGKILL after a random time, with the
database of one of two hosts in turn and nothing cleaned up in between but the generator directory, as systemd does it; then
two generators write to one RUN at the same time, each with its own database, again and again.

All the while another process reads the sudoers file. Pinned: it is always there and always that of one of the hosts, as
the last good rows are; each unit is whole; a run that may end gives the tree of its host, byte for byte.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from hosts import *  # noqa: E402,F403

KILLS = int(os.environ.get("LEFT4ME_KILLS", "1000"))
SECONDS_AT_ONCE = 5
SEED = int(os.environ.get("SEED", "0")) or int(time.time())
random.seed(SEED)


class Reader:
    """Reads one file again and again; end() returns how often, and what it read that was not one of `texts`."""

    def __init__(self, path, texts):
        reading, writing = os.pipe()
        stop, self.stop = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stop)
            self.read(path, texts, stop, writing)
        os.close(stop)
        os.close(writing)
        self.result = reading

    @staticmethod
    def read(path, texts, stop, writing):
        os.set_blocking(stop, False)
        times, odd = 0, set()
        while True:
            try:
                with open(path, "rb") as file:
                    text = file.read()
            except OSError as error:
                text = repr(error).encode()
            times += 1
            if text not in texts:
                odd.add(text[:200])
            try:
                os.read(stop, 1)
                break
            except BlockingIOError:
                time.sleep(0.0002)
        os.write(writing, repr((times, sorted(odd)[:5])).encode())
        os._exit(0)

    def end(self):
        os.close(self.stop)
        with open(self.result) as file:
            result = eval(file.read())
        os.waitpid(self.pid, 0)
        return result


def start(host):
    return subprocess.Popen(host.command(), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env={})


learn("live")
texts = {host.want[SUDOERS][2] for host in hosts}
both = [t for host in hosts for t in (host.want, host.fallback)]
reader = Reader(box.run_dir + "/" + SUDOERS, texts)
began = time.monotonic()
for host in hosts * 5:
    host.run()
duration = (time.monotonic() - began) / 10

found, killed = [], 0
for number in range(KILLS):
    host = hosts[number % 2]
    box.new_run()
    process = start(host)
    time.sleep(random.uniform(0, 0.8 * duration))
    process.kill()
    killed += process.wait() == -signal.SIGKILL
    tree = box.tree()
    for path, entry in tree.items():
        if path.startswith(UNITS) and entry[0] != "dir" and entry not in [t.get(path) for t in both]:
            found.append("torn: %s %.100r" % (path, entry))
        if path == LAST_GOOD_FILE and entry not in [h.want[path] for h in hosts]:
            found.append("torn: %s %.100r" % (path, entry))
    if number % 10 == 9:
        found += repaired(host)
tap.none(found[:5], "%d runs, most of them killed: every file whole, and the next run as ever" % KILLS)
tap.ok(killed > KILLS / 5, "%d of them were" % killed, "seed %d" % SEED)
times, odd = reader.end()
tap.ok(times > KILLS and not odd, "the sudoers file meanwhile: always there and whole", "seed %d, %d times, %r" % (SEED, times, odd))
print("# read %d times, seed %d" % (times, SEED))
left = [name for name in os.listdir("/tmp") if re.fullmatch(r"left4me-\d+-\d+", name)] if MOUNTS else []
tap.ok(not left, "nothing in /tmp", left)


def empty(directory):
    """Empties a directory that somebody else writes to."""
    for name in os.listdir(directory):
        shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
        try:
            os.unlink(os.path.join(directory, name))
        except OSError:
            pass


def again_and_again(host, until):
    """How often a loop of runs ended with which exit status."""
    statuses = {}
    while time.monotonic() < until:
        empty(box.normal)
        status = start(host).wait()
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


for host in hosts:
    host.run()
reader = Reader(box.run_dir + "/" + SUDOERS, texts)
until = time.monotonic() + SECONDS_AT_ONCE
pipes = []
for host in hosts:
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.write(writing, repr(again_and_again(host, until)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    pipes.append(reading)
statuses = [eval(os.fdopen(pipe).read()) for pipe in pipes]
for _ in pipes:
    os.wait()
times, odd = reader.end()
print("# exit statuses of the one and the other: %r; read %d times" % (statuses, times))
tap.ok(not odd, "two generators at once: the sudoers file is always there and whole", "%d times, %r" % (times, odd))
tree = box.tree()
tap.ok(tree[LAST_GOOD_FILE] in [h.want[LAST_GOOD_FILE] for h in hosts], "the last good rows are whole", tree[LAST_GOOD_FILE])
tap.ok(all(set(s) <= {0, 1} and s.get(0) for s in statuses), "they end as ever", statuses)
for host in hosts:
    tap.none(repaired(host), "the next run as ever")
end_writers()

tap.done()
