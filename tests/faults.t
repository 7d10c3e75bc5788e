#!/usr/bin/env python3
"""
Faults (design.md §4, §5, §7): each system call of a run, of the program and of its reading child, fails once with each
error that it can give, and the process is killed once before each of them; then each allocation of memory. All this on a
host with an earlier good run, whose rows were other ones.

Pinned, after every single fault: each file is whole or absent, in the generator directory as in RUN/left4me; the sudoers
file is the old or the new one; exit status 0 means that the whole tree is there, and that the report says from what
it was made when that is not the database and the configuration; any other means that nothing of it is; no process stays, no file in /tmp;
the next run gives exactly what it gives without a fault before it.

The tool is tests/faults/inject.c, whose head says why.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from dbfile import *  # noqa: E402,F403

SUDOERS, LAST_GOOD, REPORT = ("left4me/" + name for name in ("sudoers.d/left4me", "last-good", "report"))

if SANITIZED:
    print("1..0 # SKIP a sanitizer makes thousands of system calls of its own")
    sys.exit(0)


def compile_tool(name, *flags):
    output = box.bin + "/" + name
    done = subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", *flags, "-o", output,
                           PROJECT + "/tests/faults/%s.c" % name], capture_output=True, text=True)
    if done.returncode or done.stderr:
        print("Bail out! %s does not compile: %s" % (name, done.stderr[:500].replace("\n", " ")))
        sys.exit(1)
    return output


inject = compile_tool("inject")

# ---------------------------------------------------------------------------------------------------------------------
# Two hosts with one RUN: what one wrote is the earlier state for the other

ROWS = {
    "a": Rows([("alpha", 27001, "+map a", 1), ("bravo", 27002, "", 0)], [("alpha", 1, 1), ("alpha", 2, 2)],
              [(1, "maps", "echo a"), (2, "base", None)]),
    "b": Rows([("alpha", 27001, "+map b", 1), ("charlie", 27003, "", 1)], [("alpha", 1, 3)], [(1, "maps", "echo b"), (3, "more", "echo")]),
}
CONFIGURATION = {
    "left4me.conf": "[host]\ncpus = 8\nsystem_cpus = 0,4\n[workshop]\nrefresh = daily\n",
    "left4me.conf.d/10-game.conf": "[game]\nmemory_high = 1G\n",
    "host.env": "LEFT4ME_PORT_RANGE_START=27000\nLEFT4ME_PORT_RANGE_END=27100\n",
    "web.env": "SECRET_KEY=x\n",
}
connections = []


class Host:
    def __init__(self, name):
        self.root = box.top + "/" + name
        self.rows = ROWS[name]
        self.database = self.root + "/var/lib/left4me/left4me.db"
        for file, text in CONFIGURATION.items():
            write(self.root + "/etc/left4me/" + file, text)

    def make_database(self, state):
        """As a writer leaves it who ends well, still lives, or crashes in a transaction."""
        folder = os.path.dirname(self.database)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        box.give(folder)
        connection = sqlite3.connect(self.database, isolation_level=None)
        connection.execute("PRAGMA journal_mode = " + ("DELETE" if state == "journal" else "WAL"))
        connection.execute("CREATE TABLE filler AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12) "
                           "SELECT randomblob(2000) AS x FROM n")
        fill(connection, self.rows)
        box.give(self.database)
        if state != "closed":
            connection.execute("PRAGMA cache_size = 2")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE generator_instances SET port = 1")
            connection.execute("UPDATE filler SET x = randomblob(2000)")
        if state in ("wal", "journal"):
            self.crash(connection, "-" + state)
        if state == "live":
            connections.append(connection)
        else:
            connection.close()

    def crash(self, connection, sidecar):
        """The files as they lie there, but without their writer and its -shm."""
        for suffix in ("", sidecar):
            shutil.copy(self.database + suffix, box.top + "/copy" + suffix)
        connection.execute("ROLLBACK")
        connection.close()
        for suffix in ("", sidecar):
            shutil.move(box.top + "/copy" + suffix, self.database + suffix)
            box.give(self.database + suffix)

    def command(self):
        return [box.program, "--root=" + self.root, box.normal]

    def run(self, before=(), env=None):
        box.new_run()
        return subprocess.run([*before, *self.command()], capture_output=True, cwd="/", env=env or {}, timeout=60)


hosts = [Host("a"), Host("b")]


def units(tree):
    return {p: e for p, e in tree.items() if p.startswith(UNITS)}


def learn(state):
    """What a run of each host gives: with its database, without it, and without another thing that it reads."""
    for host in hosts:
        host.make_database(state)
    for folder in ("systemd/units", "left4me/sudoers.d"):
        os.makedirs(os.path.join(box.run_dir, folder), exist_ok=True)
    for unit in ("left4me-server@gone", "build-overlay@77"):
        link = box.run_dir + "/systemd/units/invocation:%s.service" % unit
        if not os.path.lexists(link):
            os.symlink("0123456789abcdef0123456789abcdef", link)
    for host, other in (hosts, hosts[::-1]):
        host.run()
        host.want = box.tree()
        read = {name: host.root + "/etc/left4me/" + name for name in CONFIGURATION}
        host.without = {name: tree_without(host, path) for name, path in [*read.items(), ("units", box.run_dir + "/systemd/units")]}
        other.run()
        host.fallback = tree_without(host, os.path.dirname(host.database))
    hosts[0].run()


def tree_without(host, path):
    os.rename(path, box.top + "/away")
    host.run()
    os.rename(box.top + "/away", path)
    tree = box.tree()
    return {p: tree[p] for p in [*units(tree), SUDOERS]}


# ---------------------------------------------------------------------------------------------------------------------
# What must be true after a fault


def torn_files(tree, old, new):
    """Files that are neither whole nor absent."""
    found = []
    for path, entry in tree.items():
        if path.startswith(UNITS) and entry[0] != "dir":
            if entry not in [t.get(path) for t in (new.want, new.fallback, *new.without.values())]:
                found.append("torn: %s %.200r" % (path, entry))
        if path == SUDOERS and entry == new.without["units"][path]:
            continue
        if path in (SUDOERS, LAST_GOOD) and entry not in (old.want[path], new.want[path]):
            found.append("neither the old nor the new: %s %.200r" % (path, entry))
        if path == REPORT and entry[2] and not entry[2].endswith(b"\n"):
            found.append("torn report %r" % entry[2])
    return found + ["%s is gone" % p for p in (SUDOERS, LAST_GOOD, REPORT) if p not in tree]


def temporary(tree):
    return ["temporary file left: " + p for p, e in tree.items() if p.endswith(".new") or os.path.basename(p).startswith(".")]


def what_the_status_tells(tree, status, messages, new):
    """0 and a whole tree, or not 0, a message and nothing of ours."""
    report = tree.get(REPORT, ("", 0, b""))[2].decode("utf-8", "replace")
    made = units(tree)
    if status != 0:
        return ["status %d, but there is %s" % (status, p) for p in made][:3] + temporary(tree) + (
            [] if messages or status == 127 else ["status %d without a message" % status])
    made[SUDOERS] = tree[SUDOERS]
    if made == {p: new.want[p] for p in [*units(new.want), SUDOERS]}:
        return []
    if made == new.fallback:
        return [] if re.search(r"left4me.db: .*seconds ago", report) else ["the last good rows, but the report: %r" % report]
    for name, want in new.without.items():
        if made == want and name.partition("/")[0] in report:
            return []
    return ["status 0, but the tree: %s; report %r" % (difference(made, units(new.want)), report)]


def after_fault(old, new, status, messages):
    tree = box.tree()
    found = torn_files(tree, old, new)
    if status < 128:
        found += what_the_status_tells(tree, status, messages, new)
    return found


def repaired(host):
    """The next run."""
    done = host.run()
    changed = difference(box.tree(), host.want)
    return ["the next run: status %d, %s" % (done.returncode, changed)] if changed or done.returncode else []


# ---------------------------------------------------------------------------------------------------------------------
# Each system call


def try_fault(process, number, kind, old, new):
    """Whether there was such a call and such an error, and what was wrong after it."""
    done = new.run([inject, process, str(number), str(kind)])
    reached, name, error, status, left = done.stdout.decode().split()
    if reached == "0":
        return False, []
    found = after_fault(old, new, int(status), done.stderr)
    found += ["a process left"] if left != "0" else []
    for copy in [name for name in os.listdir("/tmp") if re.fullmatch(r"left4me-\d+-\d+", name)] if MOUNTS else []:
        shutil.rmtree("/tmp/" + copy)
        if process == "c" or kind:              # whom a signal ends cannot remove its copy
            found.append("left in /tmp: " + copy)
    found += repaired(new)
    what = os.strerror(int(error)) if kind else "killed"
    return True, ["%s %d %s: %s: %s" % (process, number, name, what, f) for f in found]


def try_each(process):
    """Every kind of fault at every call, until there is none of that number."""
    old, new = hosts
    tried, number, missed, found = 0, 0, 0, []
    while missed < 3:
        number, kind, reached = number + 1, 0, True
        while reached:
            reached, wrong = try_fault(process, number, kind, old, new)
            old, new = new, old
            tried += reached
            found += wrong
            kind += 1
        missed = missed + 1 if kind == 1 else 0
    hosts[:] = old, new
    return tried, number - missed, found


total = 0
for state, processes, title in [("closed", "pc", ""), ("live", "c", ", beside a live writer"), ("wal", "c", ", a log to copy"),
                                ("journal", "c", ", a journal to copy")]:
    learn(state)
    for process in processes:
        tried, calls, found = try_each(process)
        total += tried
        tap.none(found, "%d faults at the %d system calls of the %s%s" % (
            tried, calls, {"p": "program", "c": "reading child"}[process], title))
    for connection in connections:
        connection.close()
    connections.clear()
print("# %d faults" % total)

tap.done()
