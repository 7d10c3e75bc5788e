#!/usr/bin/env python3
"""
What a crashed writer leaves is read in place, whatever its size: a hot journal is applied in memory, a log without its index
is read with one in memory. SQLite itself says what is right: it recovers a copy of the same files, and the generator
makes the same units of either.

Pinned, for a writer killed at every write of a transaction, in each journal mode and with odd page sizes: those rows; the
directory stays as it was; nothing is copied to /tmp; a gigabyte takes no more memory and not much more time than a megabyte.
"""

import os
import shutil
import sqlite3
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from dbfile import *  # noqa: E402,F403

CALLS = int(os.environ.get("LEFT4ME_RECOVERY_CALLS", "12"))      # at most so many for each case
STRACE = shutil.which("strace")
RECOVERED = box.top + "/recovered"
ALL_ROWS = "UPDATE generator_instances SET port = port + 100, arguments = 'uncommitted ' || hex(randomblob(300))"


def prepare(*pragmas, rows=200):
    """A database with that many servers, closed."""
    def body(writer_):
        writer_.run(*pragmas)
        writer_.schema()
        writer_.run(MANY % rows + "INSERT INTO generator_instances (name, port, arguments, enabled) SELECT printf('s%04d', i), 27000 + i, "
                    "hex(zeroblob(200)), i % 2 FROM n", "DELETE FROM filler WHERE rowid % 3 = 0")
        writer_.close()
    box.make_clean()
    Forked(DATABASE, body).end()


def crash(call, number, *statements):
    """A writer that is killed at its number-th call of that name in the last statement; whether it came to that."""
    steps = "import os, sqlite3\n"
    if AS_ROOT:
        steps += "os.setgroups([])\nos.setgid(%d)\nos.setuid(%d)\n" % (OWNER, OWNER)
    steps += "d = sqlite3.connect(%r, isolation_level=None)\n" % DATABASE
    steps += "".join("d.execute(%r)\n" % s for s in statements)
    done = subprocess.run([STRACE, "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                           "inject=%s:signal=KILL:when=%d" % (call, number), sys.executable, "-c", steps],
                          capture_output=True)
    if done.returncode not in (0, 137, -9):
        raise RuntimeError(done.stderr)
    return done.returncode != 0


def as_sqlite_reads_it():
    """Has SQLite recover a copy, puts that in place of the database and gives what the generator makes of it."""
    shutil.rmtree(RECOVERED, ignore_errors=True)
    shutil.copytree(DIRECTORY, RECOVERED)
    connection = sqlite3.connect(RECOVERED + "/" + os.path.basename(DATABASE), isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    for name in os.listdir(DIRECTORY):
        os.unlink(DIRECTORY + "/" + name)
    shutil.copy(RECOVERED + "/" + os.path.basename(DATABASE), DATABASE)
    box.give(DATABASE)
    return Generated()


def compared():
    """What is wrong with a run on the files as they are."""
    before = state_of(DIRECTORY)
    run = Generated()
    found = run.problems() + ([] if state_of(DIRECTORY) == before else ["the directory was changed"])
    want = as_sqlite_reads_it()
    differing = difference(artifacts(run.tree), artifacts(want.tree))
    return found + ([differing] if differing else []) + ([] if run.report == want.report and len(want.servers()) > 10 else [
        "report %r, of the recovered copy %r; %d servers" % (run.report, want.report, len(want.servers()))])


def killed_at_each(call, pragmas, statements, remove=(), most=CALLS):
    """Problems, and at how many calls the writer was killed."""
    found, number, tried, step = [], 1, 0, 1
    while True:
        prepare(*pragmas)
        if not crash(call, number, *statements):
            return found, tried
        for suffix in remove:
            if os.path.exists(DATABASE + suffix):
                os.unlink(DATABASE + suffix)
        found += ["at %s %d: %s" % (call, number, f) for f in compared()]
        tried += 1
        step = 1 if tried < most / 2 else 7
        number += step
        if tried == most:
            return found, tried


SPILL = ["PRAGMA cache_size = 2", "BEGIN IMMEDIATE", ALL_ROWS, "UPDATE filler SET x = randomblob(1500)", "COMMIT"]
SHRINK = ["PRAGMA cache_size = 2", "BEGIN IMMEDIATE", ALL_ROWS, "DELETE FROM filler", "COMMIT"]
GROW = ["PRAGMA cache_size = 2", "BEGIN IMMEDIATE", ALL_ROWS, MANY % 300 + "INSERT INTO filler SELECT randomblob(2000) FROM n", "COMMIT"]
WAL = ["PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0", ALL_ROWS.replace("uncommitted", "first"), *SPILL,
       "PRAGMA wal_checkpoint(RESTART)", *SPILL[1:]]
OTHER = "ATTACH '%s/other.db' AS other" % DIRECTORY
TWO = [OTHER, "CREATE TABLE IF NOT EXISTS other.t (x)", *SPILL[:-1], "INSERT INTO other.t VALUES (randomblob(9000))", "COMMIT"]

CASES = [
    ("a hot journal", "pwrite64", [], SPILL, ()),
    ("... at the end of its transaction", "unlink", [], SPILL, ()),
    ("... of a database that grows", "pwrite64", [], GROW, ()),
    ("... of a database that shrinks", "pwrite64", ["PRAGMA auto_vacuum = FULL"], SHRINK, ()),
    ("... that has shrunk already", "unlink", ["PRAGMA auto_vacuum = FULL"], SHRINK, ()),
    ("... that is cut to nothing at the end", "ftruncate", [], ["PRAGMA journal_mode = TRUNCATE", *SPILL], ()),
    ("... that is kept, with more of an older one behind it", "pwrite64", [],
     ["PRAGMA journal_mode = PERSIST", *GROW, *SPILL[1:]], ()),
    ("... that nobody synced", "pwrite64", [], ["PRAGMA synchronous = OFF", *SPILL], ()),
    ("... of pages of 512 bytes", "pwrite64", ["PRAGMA page_size = 512"], SPILL, ()),
    ("... of pages of 64 KiB", "pwrite64", ["PRAGMA page_size = 65536"], SPILL, ()),
    ("... of a transaction in two databases", "pwrite64", [], TWO, ()),
    ("... at whose end the files go one by one", "unlink", [], TWO, ()),
    ("... of a VACUUM", "pwrite64", [], ["PRAGMA cache_size = 2", "VACUUM"], ()),
    ("a log without its index", "pwrite64", [], WAL, ("-shm",)),
    ("... of pages of 512 bytes", "pwrite64", ["PRAGMA page_size = 512"], WAL, ("-shm",)),
    ("... of pages of 64 KiB", "pwrite64", ["PRAGMA page_size = 65536"], WAL, ("-shm",)),
    ("... while the database turns to a log", "pwrite64", [], WAL[:2], ("-shm",)),
]

for name, call, pragmas, statements, remove in CASES:
    if not STRACE:
        tap.skip("%s, at each %s" % (name, call), "no strace")
        continue
    found, tried = killed_at_each(call, pragmas, statements, remove)
    tap.none(found[:8] + ([] if tried else ["the writer was never killed"]), "%s, at %d calls of %s" % (name, tried, call))

# ---------------------------------------------------------------------------------------------------------------------
# Of a transaction in several databases the super-journal tells whether it was committed: SQLite reads a copy alike


def with_super_journal(name, content):
    """A hot journal that ends with the name of a super-journal (SQLite's pager.c, writeSuperJournal())."""
    prepare()
    crash("fdatasync", 6, *SPILL)
    with open(DATABASE + "-journal", "ab") as file:
        text = name.encode()
        file.write(struct.pack(">I", 2 ** 30 // 4096 + 1) + text + struct.pack(">II", len(text), sum(text)) + b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
    if content is not None:
        with open(name, "wb") as file:
            file.write(content)
        box.give(name)


SUPER = DIRECTORY + "/left4me.db-mj12345678"
for name, path, content in (
        ("is gone", SUPER, None), ("is there", SUPER, DATABASE.encode() + b"-journal\0"), ("is empty", SUPER, b""),
        ("was in a directory that is gone", "/nowhere/left4me.db-mj12345678", None), ("has a name that is too long", "/x" * 300, None)):
    if not STRACE:
        tap.skip("a hot journal whose super-journal %s" % name, "no strace")
        continue
    with_super_journal(path, content)
    tap.none(compared(), "a hot journal whose super-journal %s" % name)

# ---------------------------------------------------------------------------------------------------------------------
# Size


def large(mib, *pragmas):
    """Servers that are all committed, and a table of that size, closed. No fsync: a test's database may be lost."""
    def body(writer_):
        writer_.run("PRAGMA synchronous = OFF", *pragmas)
        writer_.schema()
        writer_.insert(INSTANCES, instance("alpha", 27001))
        writer_.run(MANY % mib + "INSERT INTO filler SELECT randomblob(1048576) FROM n")
        writer_.close()
    box.make_clean()
    Forked(DATABASE, body).end()


def rewrite(pragmas, committed, remove, part=1):
    """A writer that changes a part of it and dies before the end of its transaction."""
    def body(writer_):
        writer_.run("PRAGMA synchronous = OFF", *pragmas)
        if committed:
            writer_.insert(INSTANCES, instance("bravo", 27002))
        writer_.run("BEGIN IMMEDIATE", "DELETE FROM generator_instances",
                    "UPDATE filler SET x = zeroblob(length(x)) WHERE rowid %% %d = 0" % part)
        writer_.die()
    Forked(DATABASE, body).end()
    for suffix in remove:
        os.unlink(DATABASE + suffix)


for mib, part in ((90, 1), (1024, 4)):
    for name, pragmas, committed, remove in (
            ("a hot journal of much of it", ["PRAGMA cache_size = 10"], False, ()),
            ("a log of much of it, without its index", ["PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0", "PRAGMA cache_size = 10"], True, ("-shm",))):
        large(mib)
        rewrite(pragmas, committed, remove, part)
        before = state_of(DIRECTORY)
        size = sum(os.path.getsize(DIRECTORY + "/" + n) for n in os.listdir(DIRECTORY)) >> 20
        run = Generated()
        found = run.problems() + ([] if state_of(DIRECTORY) == before else ["the directory was changed"])
        servers = {"alpha", "bravo"} if committed else {"alpha"}
        if (run.report, run.servers()) != ([], servers):
            found.append("servers %r, report %r" % (run.servers(), run.report))
        tap.none(found, "%d MiB, %s: %d MiB of files read in %.2f s" % (mib, name, size, run.seconds))

# ---------------------------------------------------------------------------------------------------------------------
# What cannot be done in time is said, and is over with the crash's end

if MOUNTS and STRACE and not SANITIZED:
    large(4)
    rewrite(["PRAGMA cache_size = 10"], False, ())
    slow = [STRACE, "-f", "-qq", "-o", "/dev/null", "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=20000"]
    run = Run(["render", "--format=tree", "--root=" + box.root, "--output=" + box.top + "/out"], slow)
    tap.ok(run.status == 2 and re.search(r"its journal of 4 MiB could not be recovered within 2 seconds", "".join(run.messages)) and run.seconds < 5,
           "a journal that takes too long is named with its size", run.messages)
    sqlite3.connect(DATABASE).execute("SELECT count(*) FROM generator_instances").fetchall()
    run = Generated()
    tap.ok((run.report, run.servers()) == ([], {"alpha"}), "... and when the application has rolled it back, the rows are there", run.report)
else:
    tap.skip("a journal that takes too long", "needs root and strace, which LeakSanitizer does not stand")

tap.done()
