#!/usr/bin/env python3
"""
What takes time: views that never end or give too much, text by the gigabyte, things in the database's
place on which a reader waits, locks that are held for ever, file systems that hang or give errors.

Pinned: the generator ends within 5 s (its own limits are 2 s for the views and 3 s for all reading: the rest is this
machine's), exits 0, names the cause, and makes the tree of the last good rows, byte for byte; `render` writes nothing.
"""

import errno
import os
import re
import stat
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from dbfile import *  # noqa: E402,F403

OUT_OF_TIME = "could not be read within [23] seconds"
INSTANCE = "SELECT %s FROM n" % constants_of(INSTANCES, name="'s' || i", port=27001, arguments="%s")
ONE = "SELECT " + constants_of(INSTANCES, name="'x'", port=27001, arguments="%s")
COUNTED = "SELECT %s FROM " % constants_of(INSTANCES, name="'x'", port="count(*)")
OVERLAY = "SELECT %s FROM n" % constants_of(OVERLAYS, id="i", name="'x'", script="''")
LAYER = "SELECT %s FROM n" % constants_of(LAYERS, instance="'alpha'", position="%s", overlay="i")


def served(run, want, words):
    """What is wrong with a run that has to use the last good rows, which are 1000 s old."""
    found = run.problems() + same_as_good(run, want)
    if run.status != 0 or ACTIVATION not in run.tree:
        found.append("status %r, %sactivation link" % (run.status, "" if ACTIVATION in run.tree else "no "))
    if not re.search("left4me.db: .*(%s).*; the rows of (1[6-9]|[23][0-9]) min ago are used" % words, "\n".join(run.report)):
        found.append("no message of %r: %r" % (words, run.report))
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Views that never end or give too much, and files on which a reader waits. Each takes the reader's 2 s: two at a time

def device(kind, major, minor):
    return replace(lambda: os.mknod(DATABASE, 0o666 | kind, os.makedev(major, minor)))


def table_of_a_million():
    sql("DELETE FROM generator_instances", MANY % 1000000 + "INSERT INTO generator_instances (%s) " % ", ".join(VIEWS[INSTANCES])
        + INSTANCE % "''")()


def text_of_a_gigabyte():
    """In 1100 rows of a megabyte each, none of which is too long by itself."""
    sql("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "CREATE TABLE megabyte (x)",
        "INSERT INTO megabyte VALUES (printf('%.1000000c', 'x'))",
        "DROP TABLE generator_instances",
        "CREATE VIEW generator_instances AS " + MANY % 1100 + INSTANCE.replace("FROM n", "FROM n, megabyte") % "x")()


# (what, how it is made from the good database, what the message must name)
SLOW = [
    ("a view that never ends", view(INSTANCES, NO_END + INSTANCE % "''"), INSTANCES + ": (has more than 50000 rows|%s)" % OUT_OF_TIME),
    ("a view that never gives a row", view(INSTANCES, NO_END + INSTANCE % "''" + " WHERE i < 0"), INSTANCES + ": " + OUT_OF_TIME),
    ("an overlays view that never ends", view(OVERLAYS, NO_END + OVERLAY), OVERLAYS + ": (has more than 100000 rows|%s)" % OUT_OF_TIME),
    ("a view sorted without an end", view(LAYERS, NO_END + LAYER % "-i"), LAYERS + ": (has more than 200000 rows|%s)" % OUT_OF_TIME),
    ("a view that counts to a trillion", view(INSTANCES, MANY % 10**12 + COUNTED + "n"), INSTANCES + ": " + OUT_OF_TIME),
    ("a product of five tables", view(INSTANCES, MANY % 20000 + COUNTED + "n a, n b, n c, n d, n e"), INSTANCES + ": " + OUT_OF_TIME),
    ("a view that refers to itself", view(INSTANCES, "SELECT * FROM generator_instances"), INSTANCES + ".* circular"),
    ("two views that refer to each other", sql("DROP TABLE generator_instances", "CREATE VIEW other AS SELECT * FROM generator_instances", "CREATE VIEW generator_instances AS SELECT * FROM other"), INSTANCES + ".* circular"),
    ("a view of a million rows", view(INSTANCES, MANY % 1000000 + INSTANCE % "''"), INSTANCES + ": (has more than 50000 rows|%s)" % OUT_OF_TIME),
    ("a table of a million rows", table_of_a_million, INSTANCES + ": (has more than 50000 rows|%s)" % OUT_OF_TIME),
    ("a million overlays", view(OVERLAYS, MANY % 1000000 + OVERLAY), OVERLAYS + ": (has more than 100000 rows|%s)" % OUT_OF_TIME),
    ("200 001 layers", view(LAYERS, MANY % 200001 + LAYER % "i"), LAYERS + ": (has more than 200000 rows|%s)" % OUT_OF_TIME),
    ("a gigabyte of text in a thousand rows", text_of_a_gigabyte, INSTANCES + ": (its rows are larger than 64 MiB|string or blob too big|out of memory|%s)" % OUT_OF_TIME),
    ("a text of a gigabyte", view(INSTANCES, ONE % "CAST(zeroblob(1000000000) AS TEXT)"), INSTANCES + ": string or blob too big"),
    ("a text over the limit of a value", view(INSTANCES, ONE % "hex(zeroblob(60000000))"), INSTANCES + ": (string or blob too big|%s)" % OUT_OF_TIME),
    ("a text that doubles without an end", view(INSTANCES, "WITH n(i, x) AS (SELECT 1, 'x' UNION ALL SELECT i + 1, x || x FROM n) " + INSTANCE % "x"), INSTANCES + ": (string or blob too big|out of memory|its rows are larger than 64 MiB|%s)" % OUT_OF_TIME),
    ("a blob of a gigabyte", view(OVERLAYS, "SELECT " + constants_of(OVERLAYS, id=1, script="zeroblob(1000000000)")), OVERLAYS + ": string or blob too big"),
    ("rows of a megabyte, many", view(INSTANCES, MANY % 5000 + INSTANCE % "printf('%.1000000c', 'x')"), INSTANCES + ": (its rows are larger than 64 MiB|string or blob too big|out of memory|%s)" % OUT_OF_TIME),
    ("a FIFO", replace(lambda: os.mkfifo(DATABASE)), "is not a regular file"),
    ("a link to a device", replace(lambda: os.symlink("/dev/zero", DATABASE)), "is a symbolic link"),
    ("a device without an end", device(stat.S_IFCHR, 1, 5), "is not a regular file"),
    ("a device that blocks", device(stat.S_IFCHR, 5, 0), "is not a regular file|No such device"),
]


def slow(name, make, words):
    if "device " in name and not AS_ROOT:
        return []
    want, data = after_good_run(age=1000)
    make()
    if os.path.exists(DATABASE) and not os.path.islink(DATABASE):
        box.give(DATABASE)
    run = Generated(keep_last_good=True)
    if run.seconds > 2.5:                        # a busy machine: the child had no time left to say why
        words += "|" + OUT_OF_TIME
    found = served(run, want, words)
    with open(LAST_GOOD, "rb") as file:
        found += [] if file.read() == data else ["last-good was changed"]
    # What makes the next reload wait; most of a second may be the rest of a run.
    waits = os.path.exists(box.run_dir + "/systemd/generator/left4me-reload.service.d/10-slow.conf")
    if (waits and run.seconds < 1) or (not waits and run.seconds > 1.9):
        found.append("%.1f s, and the next reload %s" % (run.seconds, "waits" if waits else "does not wait"))
    if run.seconds < 1:
        rendered = Run(["render", "--format=tree", "--root=" + box.root, "--output=" + box.top + "/out"])
        found += rendered.problems()
        if rendered.status != 2 or os.path.exists(box.top + "/out") or not re.search(words, "".join(rendered.messages)):
            found.append("render: %r %r" % (rendered.status, rendered.messages))
    return found


for (name, _, _), found in zip(SLOW, together(2, SLOW, slow)):
    tap.none(found, "%s: named, in time, and the last good rows serve" % name)

# Whatever comes of these, it comes in time
for name, make in [
    ("an expensive comparison", view(INSTANCES, "SELECT " + constants_of(
        INSTANCES, name="'x'", port=27001, enabled="(replace(printf('%.4000000c', 'a'), 'a', 'ab') LIKE '%a%a%a%a%a%c')"))),
    ("a -journal that is a FIFO", sidecars(os.mkfifo, "-journal")),
    ("a -wal and a -shm that are FIFOs", sidecars(os.mkfifo, "-wal", "-shm")),
]:
    good_database()
    make()
    run = Generated()
    tap.none(run.problems() + ([] if run.status == 0 else ["status %r" % run.status]), "%s: in time" % name)

# ---------------------------------------------------------------------------------------------------------------------
# A lock that is held for ever is waited for, but not for longer than a second


def hold(*pragmas):
    """A writer that holds the lock until it is told to end, half of its work in the file."""
    def body(writer_):
        writer_.run(*pragmas)
        writer_.schema()
        writer_.insert(INSTANCES, instance("alpha", 27001))
        writer_.run("BEGIN EXCLUSIVE")
        writer_.insert(INSTANCES, instance("mallory", 27003))
        writer_.wait()
    return forked(body)


LOCKS = [
    ("BEGIN EXCLUSIVE, rollback journal", ["PRAGMA journal_mode = DELETE"], "database is locked"),
    ("an uncommitted transaction that has spilled, rollback journal", ["PRAGMA journal_mode = DELETE", "PRAGMA cache_size = 2"], "database is locked"),
    ("locking_mode=EXCLUSIVE, rollback journal", ["PRAGMA journal_mode = DELETE", "PRAGMA locking_mode = EXCLUSIVE"], "database is locked"),
    ("locking_mode=EXCLUSIVE after the first look, WAL", ["PRAGMA journal_mode = WAL", "SELECT * FROM sqlite_schema", "PRAGMA locking_mode = EXCLUSIVE"], "database is locked"),
]


def locked(name, pragmas, words):
    want, _ = after_good_run(age=1000)
    os.unlink(DATABASE)
    process = hold(*pragmas)
    run = Generated(keep_last_good=True)
    process.end()
    return served(run, want, words)


for (name, _, _), found in zip(LOCKS, together(4, LOCKS, locked)):
    tap.none(found, "a lock held for ever (%s): named, in time, and the last good rows serve" % name)

# ---------------------------------------------------------------------------------------------------------------------
# A file system that hangs, as NFS does without its server: the daemon passes everything through, but never answers one kind
# of request for one name. And one whose disk is broken

HANGS = [
    ("the answer to open", "a clean WAL database without sidecars", "open", "left4me.db"),
    ("the answer to read", "a clean WAL database without sidecars", "read", "left4me.db"),
    ("the attributes of the database", "a clean WAL database without sidecars", "getattr", "left4me.db"),
    ("the attributes of the directory", "a clean WAL database without sidecars", "getattr", "."),
    ("the attributes of the -wal", "-wal without -shm", "getattr", "left4me.db-wal"),
    ("reading the -wal for a private copy", "-wal without -shm", "read", "left4me.db-wal"),
    ("reading the journal for a private copy", "a hot journal", "read", "left4me.db-journal"),
]
BROKEN = [("open", "a clean WAL database without sidecars", "open", "left4me.db"),
          ("read", "a clean WAL database without sidecars", "read", "left4me.db"),
          ("getattr", "a clean WAL database without sidecars", "getattr", "left4me.db"),
          ("reading the -wal for a private copy", "-wal without -shm", "read", "left4me.db-wal"),
          ("reading the journal", "a hot journal", "read", "left4me.db-journal")]


def good_run_of(state):
    process, found = set_up(state)
    process.end()
    first = Generated()
    os.utime(LAST_GOOD, (time.time() - 1000, time.time() - 1000))
    if (first.report, first.servers()) != ([], {"alpha", "bravo"}):
        found.append("before: %r" % first.report)
    return artifacts(first.tree), found


def hanging(name, state, call, file):
    want, found = good_run_of(state)
    with Faulty(call, file):
        run = Generated(keep_last_good=True)
        stuck = run.left
        run.left = []                            # what waits for the file system cannot end before it answers
        found += served(run, want, OUT_OF_TIME)
        if call == "open" or file.endswith("-wal"):
            rendered = Run(["render", "--format=tree", "--root=" + box.root, "--output=" + box.top + "/out"])
            rendered.left = []
            found += rendered.problems()
            if rendered.status != 2 or os.path.exists(box.top + "/out"):
                found.append("render: %r %r" % (rendered.status, rendered.messages))
    deadline = time.monotonic() + 5
    while any(os.path.exists("/proc/%d" % pid) and open("/proc/%d/stat" % pid).read().split()[2] != "Z" for pid, _ in stuck):
        if time.monotonic() > deadline:
            return found + ["still there when the file system is gone: %r" % stuck]
        time.sleep(0.05)
    return found


def broken(name, state, call, file):
    want, found = good_run_of(state)
    with Faulty(call, file, errno.EIO):
        run = Generated(keep_last_good=True)
    return found + served(run, want, "Input/output error|disk I/O error")


reason = build_fuse()
for kind, cases, check, title in [("hangs", HANGS, hanging, "named, in time, and the last good rows serve"),
                                  ("gives EIO", BROKEN, broken, "named, and the last good rows serve")]:
    for (name, *_), found in zip(cases, [None] * len(cases) if reason else together(8, cases, check)):
        name = "a file system that %s: %s: %s" % (kind, name, title)
        if reason:
            tap.skip(name, reason)
        else:
            tap.none(found, name)

tap.done()
