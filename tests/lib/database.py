"""
The database's file as its writers leave it, for the tests of both programs that read it: a writer in a process of its own,
the states by name, and everything about a directory that a reader could change.
"""

import hashlib
import os
import select
import signal
import sqlite3

from tap import AS_ROOT, OWNER
from views import INSTANCES, OVERLAYS, SCHEMA, insert, instance, overlay


def as_owner(uid=OWNER):
    """Becomes the database's owner, for good, where that is possible."""
    if AS_ROOT:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


class Writer:
    """
    Writes step by step; the methods without arguments are the words of STATES. Server alpha and the script `old` of
    overlay 7 are there first, in the file itself where there is a log; bravo and `new` are committed later, mallory and
    `never` not at all.
    """

    def __init__(self, path):
        self.path = path
        self.ready = self.stop = None            # Forked sets them
        self.open()

    def open(self):
        self.database = sqlite3.connect(self.path, isolation_level=None, timeout=10)

    def run(self, *statements):
        for statement in statements:
            self.database.execute(statement)

    def insert(self, view, row):
        insert(self.database, view, row)

    def schema(self):
        self.database.executescript(SCHEMA)
        self.run("CREATE TABLE filler (x)",
                 "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
                 "INSERT INTO filler SELECT randomblob(2000) FROM n")

    def first(self):
        self.schema()
        self.insert(INSTANCES, instance("alpha", 27001))
        self.insert(OVERLAYS, overlay(7, script="old"))

    def later(self):
        self.insert(INSTANCES, instance("bravo", 27002))
        self.change("new")

    def change(self, script):
        self.run("UPDATE generator_overlays SET script = '%s'" % script)

    def wal(self):
        self.run("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0")
        self.first()
        self.checkpoint()
        self.later()

    def rollback(self):
        self.run("PRAGMA journal_mode = DELETE")
        self.first()
        self.later()

    def checkpoint(self):
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    def journal_cut(self):
        self.run("PRAGMA journal_mode = TRUNCATE", "INSERT INTO filler VALUES (1)")

    def journal_kept(self):
        self.run("PRAGMA journal_mode = PERSIST", "INSERT INTO filler VALUES (1)")

    def large(self):
        self.run("INSERT INTO filler VALUES (zeroblob(70000000))")

    def transaction(self):
        self.run("BEGIN IMMEDIATE")
        self.insert(INSTANCES, instance("mallory", 27003))
        self.change("never")

    def spilled_transaction(self):
        """So large that it is partly in the files already."""
        self.run("PRAGMA cache_size = 2")
        self.transaction()
        self.run("UPDATE generator_instances SET port = 27900 + rowid, arguments = 'uncommitted'",
                 "UPDATE filler SET x = randomblob(2000)")

    def close(self):
        self.database.close()

    def wait(self):
        self.ready()
        os.read(self.stop, 1)

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def told_to_stop(self):
        return bool(select.select([self.stop], [], [], 0)[0])


class Forked:
    """Runs body(writer) in a child, as the owner; the constructor returns when the writer is ready or has ended."""

    def __init__(self, path, body, kind=Writer):
        ready, self.ready = os.pipe()
        stop, self.stop = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self.stop)
                as_owner()
                os.umask(0o027)
                writer = kind(path)
                writer.stop, writer.ready = stop, lambda: os.write(self.ready, b"x")
                body(writer)
                status = 0
            finally:
                os._exit(status)
        os.close(stop)
        os.close(self.ready)
        os.read(ready, 1)
        os.close(ready)

    def end(self):
        os.close(self.stop)
        os.waitpid(self.pid, 0)


def start_writer(path, steps, kind=Writer):
    """A writer that does what the words of steps say, one after the other."""
    def body(writer):
        for step in steps.split():
            getattr(writer, step)()
    return Forked(path, body, kind)


# name: (what the writer does, what is removed afterwards, which sidecars there must be)
STATES = {
    "a clean WAL database without sidecars": ("wal close", [], set()),
    "a live writer in a transaction": ("wal transaction wait", [], {"-wal", "-shm"}),
    "an idle connection, the -wal empty": ("wal checkpoint wait", [], {"-wal", "-shm"}),
    "a crashed writer, -wal and -shm left": ("wal transaction die", [], {"-wal", "-shm"}),
    "a crashed writer that had spilled, -wal and -shm left": ("wal spilled_transaction die", [], {"-wal", "-shm"}),
    "-wal without -shm": ("wal transaction die", ["-shm"], {"-wal"}),
    "-wal without -shm, the writer had spilled": ("wal spilled_transaction die", ["-shm"], {"-wal"}),
    "an empty -wal without -shm": ("wal checkpoint die", ["-shm"], {"-wal"}),
    "a rollback-journal database": ("rollback close", [], set()),
    "a rollback-journal database with a live writer that has not spilled": ("rollback transaction wait", [], {"-journal"}),
    "a hot journal": ("rollback spilled_transaction die", [], {"-journal"}),
    "a journal that was cut to nothing (journal_mode=TRUNCATE)": ("rollback journal_cut close", [], {"-journal"}),
    "a journal whose header is zero (journal_mode=PERSIST)": ("rollback journal_kept close", [], {"-journal"}),
}


def leave(path, state):
    """Leaves the database in that state: the writer, whose end() is due, and what is wrong with the state itself."""
    steps, remove, sidecars = STATES[state]
    process = start_writer(path, steps)
    for suffix in remove:
        os.unlink(path + suffix)
    there = {suffix for suffix in ("-wal", "-shm", "-journal") if os.path.exists(path + suffix)}
    return process, [] if there == sidecars else ["the test's own state is wrong: %r" % there]


def state_of(directory, live_index=True):
    """
    Everything about a directory that a reader could change. live_index: also what readers mark in the -shm of a live
    writer, which a careless one rebuilds.
    """
    found = {}
    for name in [".", *sorted(os.listdir(directory))]:
        path = os.path.join(directory, name)
        status = os.lstat(path)
        found[name] = [status.st_ino, oct(status.st_mode), status.st_uid, status.st_gid]
        found[name] += [status.st_size] if os.path.isfile(path) else []
        if live_index or not name.endswith("-shm"):
            found[name] += [status.st_mtime_ns, status.st_ctime_ns]
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found[name].append(hashlib.sha256(file.read()).hexdigest())
    return found
