#!/usr/bin/env python3
"""
The database file as it is found (design.md §4, §7; facts.md e, n; S11, S12, S13): every state a writer can leave it in,
on a writable and on a read-only mount, read as root, as root without CAP_CHOWN and as the owner; everything that can be
in its place; a file system that hangs; and the last good rows.

Pinned: exactly the committed rows; the directory stays as it was, byte for byte and owner for owner; the reader is
unprivileged; no run takes 5 s, leaves a process behind or a file in /tmp; what cannot be read is a named error, for
which the last good rows stand in, while `render` writes nothing and `check` fails.
"""

import ctypes
import hashlib
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from unitfile import *  # noqa: E402,F403

tap = Tap()
box = Box()
DATABASE = box.database_path
FOLDER = os.path.dirname(DATABASE)
LAST_GOOD = box.run_dir + "/left4me/last-good"
LIMIT = 5.0
MANY = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "

# ---------------------------------------------------------------------------------------------------------------------
# A mount namespace of this test's own, with an empty /tmp: mounts made here end with it


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def umount(path):
    subprocess.run(["umount", "--lazy", path], check=True, capture_output=True)


def enter_namespace():
    """Whether mounts may be made."""
    clone_newns = 0x00020000
    if not AS_ROOT or ctypes.CDLL(None, use_errno=True).unshare(clone_newns):
        return False
    try:
        mount("--make-rprivate", "/")
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")
    except (subprocess.CalledProcessError, OSError):
        return False
    return True


MOUNTS = enter_namespace()
NO_MOUNTS = "needs root and a mount namespace"


def as_owner():
    if AS_ROOT:
        os.setgroups([])
        os.setgid(OWNER)
        os.setuid(OWNER)


# ---------------------------------------------------------------------------------------------------------------------
# Runs, with their time, what they leave in /tmp and which processes stay

READERS = {
    "root": (),
    "root without CAP_CHOWN": ("setpriv", "--bounding-set=-chown", "--inh-caps=-chown"),
    "the owner": ("setpriv", "--reuid=%d" % OWNER, "--regid=%d" % OWNER, "--clear-groups"),
}
if not AS_ROOT:
    READERS = {"the owner": ()}


def session_members(session):
    """Processes of a session that still live; a zombie that nobody waits for counts as well."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.append((int(pid), fields[0]))
    return found


class Run:
    def __init__(self, arguments, before=()):
        temporary = set(os.listdir("/tmp")) if MOUNTS else set()
        environment_ = {k: v for k, v in os.environ.items() if not k.startswith("SYSTEMD_")}
        began = time.monotonic()
        process = subprocess.Popen([*before, box.program, *arguments], cwd="/", start_new_session=True, env=environment_,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # What stays behind may hold our pipes open: wait for the process, not for the end of its output.
        try:
            self.status = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            self.status = "killed by the test"
        self.seconds = time.monotonic() - began
        for pipe in (process.stdout, process.stderr):
            os.set_blocking(pipe.fileno(), False)
        self.printed, self.messages = lines(process.stdout.read()), lines(process.stderr.read())
        self.left = session_members(process.pid)
        self.temporary = sorted(set(os.listdir("/tmp")) - temporary) if MOUNTS else []

    def problems(self, limit=LIMIT):
        found = []
        if self.seconds >= limit:
            found.append("took %.1f s" % self.seconds)
        if self.left:
            found.append("processes left: %r" % self.left)
        if self.temporary:
            found.append("left in /tmp: %r" % self.temporary)
        return found


class Generated(Run):
    """A run of the generator and what it gave."""

    def __init__(self, reader=None, keep_last_good=False):
        if not keep_last_good:
            shutil.rmtree(box.run_dir + "/left4me", ignore_errors=True)
        box.new_run()
        before = READERS[reader] if reader else ()
        owner = OWNER if reader == "the owner" and AS_ROOT else os.geteuid()
        for folder, folders, files in os.walk(box.run_dir):
            for name in [folder] + [os.path.join(folder, f) for f in files]:
                os.lchown(name, owner, owner if AS_ROOT else -1)
        super().__init__(["--root=" + box.root, box.normal], before)
        self.tree = box.tree()
        self.report = box.report()

    def servers(self):
        """Which servers there are, by name; a refused one with a question mark."""
        names = set()
        for path, (kind, _, data) in self.tree.items():
            match = re.fullmatch(UNITS + r"left4me-server@(.+)\.service", path)
            if match:
                names.add(match.group(1) + ("?" if b"refused" in data else ""))
        return names


# ---------------------------------------------------------------------------------------------------------------------
# The directory before and after


def state_of(folder):
    """Everything about a directory that a reader could change; -shm too, which a careless reader marks or rebuilds."""
    found = {}
    for name in [".", *sorted(os.listdir(folder))]:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        found[name] = [status.st_ino, oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, status.st_ctime_ns]
        if name != ".":
            with open(path, "rb") as file:
                found[name] += [status.st_size, hashlib.sha256(file.read()).hexdigest()]
    return found


# ---------------------------------------------------------------------------------------------------------------------
# States. Each maker leaves the database with alpha (checkpointed) and bravo (committed later); mallory is never committed.

class Writer:
    """A process of its own that writes to the database as its owner; forked, so that any python3 will do."""

    def __init__(self):
        self.database = sqlite3.connect(DATABASE, isolation_level=None)

    def run(self, *statements):
        for statement in statements:
            self.database.execute(statement)

    def server(self, name, port):
        self.run("INSERT INTO generator_instances VALUES ('%s', %d, '', 1)" % (name, port))

    def schema(self):
        self.run("CREATE TABLE generator_instances (name TEXT, port INTEGER, arguments TEXT, enabled INTEGER)",
                 "CREATE TABLE generator_layers (instance TEXT, position INTEGER, overlay INTEGER)",
                 "CREATE TABLE generator_overlays (id INTEGER, name TEXT, script TEXT)",
                 "CREATE TABLE filler (x)",
                 MANY % 200 + "INSERT INTO filler SELECT randomblob(2000) FROM n")

    def wal(self):
        self.run("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0")
        self.schema()
        self.server("alpha", 27001)
        self.checkpoint()
        self.server("bravo", 27002)

    def rollback(self):
        self.run("PRAGMA journal_mode = DELETE")
        self.schema()
        self.server("alpha", 27001)
        self.server("bravo", 27002)

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
        self.server("mallory", 27003)

    def spilled_transaction(self):
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
    """Runs body(writer) in a child; the constructor returns when the writer is ready or has ended."""

    def __init__(self, body):
        ready, self.ready = os.pipe()
        stop, self.stop = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self.stop)
                as_owner()
                os.umask(0o027)
                writer = Writer()
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


def writer(steps):
    """A writer that does what the words of steps say, one after the other."""
    def body(writer_):
        for step in steps.split():
            getattr(writer_, step)()
    return Forked(body)


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


def set_up(state):
    steps, remove, sidecars = STATES[state]
    box.make_clean()
    process = writer(steps)
    for suffix in remove:
        os.unlink(DATABASE + suffix)
    there = {suffix for suffix in ("-wal", "-shm", "-journal") if os.path.exists(DATABASE + suffix)}
    return process, [] if there == sidecars else ["the test's own state is wrong: %r" % there]


def read_only(folder):
    mount("--bind", folder, folder)
    mount("-o", "remount,ro,bind", folder)


for state in STATES:
    for reader in READERS:
        for kind in ("writable", "read-only"):
            name = "%s, %s, read by %s" % (state, kind, reader)
            if kind == "read-only" and not MOUNTS:
                tap.skip(name, NO_MOUNTS)
                continue
            process, found = set_up(state)
            if kind == "read-only":
                read_only(FOLDER)
            before = state_of(FOLDER)
            run = Generated(reader)
            after = state_of(FOLDER)
            if kind == "read-only":
                umount(FOLDER)
            process.end()
            found += run.problems()
            if (run.status, run.report, run.servers()) != (0, [], {"alpha", "bravo"}):
                found.append("status %r, servers %r, report %r" % (run.status, run.servers(), run.report))
            if b"uncommitted" in b"".join(e[2] for e in run.tree.values()):
                found.append("an uncommitted value was read")
            found += ["%s: %r, was %r" % (n, after.get(n), before.get(n)) for n in sorted(set(before) | set(after))
                      if before.get(n) != after.get(n)]
            tap.none(found, name)
    process, found = set_up(state)
    before = state_of(FOLDER)
    rendered, checked = Run(["render", "--format=tree", "--root=" + box.root, "--output=" + box.top + "/out"]), \
        Run(["check", "--root=" + box.root])
    after = state_of(FOLDER)
    process.end()
    found += rendered.problems() + checked.problems()
    want = artifacts(run.tree)
    found += [d for d in [difference(snapshot(box.top + "/out"), want)] if d]
    shutil.rmtree(box.top + "/out", ignore_errors=True)
    if (rendered.status, checked.status, before == after) != (0, 0, True):
        found.append("render %r %r, check %r %r, directory unchanged: %r" % (
            rendered.status, rendered.messages, checked.status, checked.printed, before == after))
    tap.none(found, "%s: render and check" % state)

# ---------------------------------------------------------------------------------------------------------------------
# A busy writer: every read sees one point in time, in all three views

def busy(reopen, pause):
    """A writer that replaces every row of all three views in one transaction, again and again."""
    def body(writer_):
        writer_.run("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 8")
        writer_.schema()
        n = 0
        while not n or not writer_.told_to_stop():
            n += 1
            if reopen:
                writer_.database.close()
                writer_.database = sqlite3.connect(DATABASE, isolation_level=None, timeout=10)
            writer_.run("PRAGMA synchronous = OFF", "BEGIN IMMEDIATE", *("DELETE FROM " + v for v in VIEWS))
            for i in range(40):
                writer_.run("INSERT INTO generator_instances VALUES ('s%02d', %d, '+n %d', 1)" % (i, 27100 + i, n),
                            "INSERT INTO generator_layers VALUES ('s%02d', 1, %d)" % (i, n * 100 + i),
                            "INSERT INTO generator_overlays VALUES (%d, 'n%d', 'echo')" % (n * 100 + i, n))
            writer_.run("COMMIT")
            if n == 1:
                writer_.ready()
            time.sleep(pause)
    return Forked(body)


def one_point_in_time(run):
    numbers = set()
    for path, (kind, _, data) in run.tree.items():
        match = re.fullmatch(UNITS + r"(left4me-server@s\d\d|build-overlay@(\d+))\.service", path)
        if not match:
            continue
        entries = parse(data)
        if match.group(2):
            numbers |= {int(match.group(2)) // 100, int(re.search(r"n(\d+)", values(entries, "Description")[0]).group(1))}
        else:
            environment_ = environment(entries, os.path.basename(path))
            numbers |= {int(split_words(environment_["L4D2_ARGS"], False)[1]),
                        int(environment_["L4D2_LAYERS"].split()[0]) // 100}
    return numbers


for name, settings, reads in [("a busy writer that checkpoints all the time", (False, 0.002), 100),
                              ("a writer that opens and closes the database for each write", (True, 0.01), 40)]:
    box.make_clean()
    process = busy(*settings)
    found, seen, slowest = [], set(), 0
    for _ in range(reads):
        run = Generated()
        numbers = one_point_in_time(run)
        slowest = max(slowest, run.seconds)
        seen |= numbers
        found += run.problems()
        if (run.status, run.report, len(numbers)) != (0, [], 1):
            found.append("status %r, report %r, points in time %r" % (run.status, run.report, sorted(numbers)))
    owners = {os.stat(os.path.join(FOLDER, n)).st_uid for n in os.listdir(FOLDER)}
    if owners != {OWNER if AS_ROOT else os.geteuid()}:
        found.append("owners in the directory: %r" % owners)
    process.end()
    if len(seen) < 3:
        found.append("the writer was not busy: %r" % seen)
    tap.none(found[:5], "%s: %d consistent reads" % (name, reads))

# ---------------------------------------------------------------------------------------------------------------------
# What else can stand there: a named error, quickly; nothing of it in the tree

GOOD = Rows([("alpha", 27001, "+map x", 1), ("bravo", 27002, "", 0)], [("alpha", 1, 1)], [(1, "maps", "echo")])
NO_END = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "


def sql(*statements):
    def make():
        connection = sqlite3.connect(DATABASE, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()
    return make


def view(name, text):
    return sql("DROP TABLE " + name, "CREATE VIEW %s AS %s" % (name, text))


def change(edit):
    """Rewrites the file's bytes in place."""
    def make():
        with open(DATABASE, "rb") as file:
            data = bytearray(file.read())
        edited = edit(data)
        data = data if edited is None else edited
        with open(DATABASE, "wb") as file:
            file.write(data)
    return make


def replace(make_it):
    def make():
        os.unlink(DATABASE)
        make_it()
    return make


def corrupt_page(table):
    def make():
        connection = sqlite3.connect(DATABASE)
        page, = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        size, = connection.execute("PRAGMA page_size").fetchone()
        connection.close()
        with open(DATABASE, "r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * 200)
    return make


def elsewhere(path):
    """The good database under another name, the given thing in its place."""
    os.rename(DATABASE, path)
    os.symlink(path, DATABASE)


def sidecars(make_it, *suffixes):
    def make():
        for suffix in suffixes:
            make_it(DATABASE + suffix)
            if not os.path.islink(DATABASE + suffix):
                box.give(DATABASE + suffix)
    return make


def truncate(size):
    return change(lambda data: data[:size] if size > 0 else data[:len(data) + size])


INSTANCES, LAYERS, OVERLAYS = VIEWS
SANITIZED = "sanitize" in os.environ.get("BUILD", "")

# (what, how it is made from the good database, what the message must name)
FAULTS = [
    ("no file", lambda: os.unlink(DATABASE), "left4me.db"),
    ("no directory", lambda: shutil.rmtree(FOLDER), "left4me.db"),
    ("an empty file", change(lambda data: b""), "generator_instances|empty"),
    ("not a database", change(lambda data: b"#!/bin/sh\necho hello\n" * 500), "not a database"),
    ("a short text", change(lambda data: b"hello"), "not a database"),
    ("cut to 100 bytes", truncate(100), "left4me.db"),
    ("cut to half", change(lambda data: data[:len(data) // 2]), "malformed|corrupt|truncated"),
    ("cut by a page", truncate(-4096), "malformed|corrupt|truncated"),
    ("cut by one byte", truncate(-1), "malformed|corrupt|truncated"),
    ("one corrupt page, of the instances", corrupt_page(INSTANCES), "malformed|corrupt"),
    ("one corrupt page, of the layers", corrupt_page(LAYERS), "malformed|corrupt"),
    ("one corrupt page, of the overlays", corrupt_page(OVERLAYS), "malformed|corrupt"),
    ("a corrupt schema", change(lambda data: data.__setitem__(slice(100, 130), b"\xff" * 30)), "malformed|corrupt|not a database"),
    ("a header of zeros", change(lambda data: data.__setitem__(slice(0, 100), b"\0" * 100)), "not a database|malformed|corrupt"),
    ("no instances view", sql("DROP TABLE " + INSTANCES), INSTANCES),
    ("no layers view", sql("DROP TABLE " + LAYERS), LAYERS),
    ("no overlays view", sql("DROP TABLE " + OVERLAYS), OVERLAYS),
    ("a view with a missing column", view(INSTANCES, "SELECT 'x' AS name, 27001 AS prot, '' AS arguments, 1 AS enabled"), "port"),
    ("a layers view with a missing column", view(LAYERS, "SELECT 'x' AS instance, 1 AS overlay"), "position"),
    ("an overlays view with a missing column", view(OVERLAYS, "SELECT 1 AS id, 'x' AS script"), "name"),
    ("a view over a table that is gone", view(INSTANCES, "SELECT * FROM gone"), "generator_instances|gone"),
    ("a view that never ends", view(INSTANCES, NO_END + "SELECT 's' || i AS name, 1 AS port, '' AS arguments, 1 AS enabled FROM n"), INSTANCES),
    ("a view that never gives a row", view(INSTANCES, NO_END + "SELECT i AS name, 1 AS port, '' AS arguments, 1 AS enabled FROM n WHERE i < 0"), INSTANCES),
    ("an overlays view that never ends", view(OVERLAYS, NO_END + "SELECT i AS id, 'x' AS name, '' AS script FROM n"), OVERLAYS),
    ("a view that refers to itself", view(INSTANCES, "SELECT * FROM generator_instances"), INSTANCES),
    ("20 001 instances", sql(MANY % 20001 + "INSERT INTO generator_instances SELECT 's' || i, 27001, '', 0 FROM n"), INSTANCES + ".*20 ?000"),
    ("a million rows", view(INSTANCES, MANY % 1000000 + "SELECT 's' || i AS name, 27001 AS port, '' AS arguments, 1 AS enabled FROM n"), INSTANCES + ".*(20 ?000|seconds)"),
    ("200 001 layers", view(LAYERS, MANY % 200001 + "SELECT 'alpha' AS instance, i AS position, i AS overlay FROM n"), LAYERS + ".*200 ?000"),
    ("a million overlays", view(OVERLAYS, MANY % 1000000 + "SELECT i AS id, 'x' AS name, '' AS script FROM n"), OVERLAYS + ".*(20 ?000|seconds)"),
    ("a text over the limit of a value", view(INSTANCES, "SELECT 'x' AS name, 27001 AS port, hex(zeroblob(60000000)) AS arguments, 1 AS enabled"), INSTANCES + "|seconds"),
    ("a blob of a gigabyte", view(OVERLAYS, "SELECT 1 AS id, 'x' AS name, zeroblob(1000000000) AS script"), OVERLAYS),
    ("rows of a megabyte, many", view(INSTANCES, MANY % 5000 + "SELECT 's' || i AS name, 27001 AS port, printf('%.1000000c', 'x') AS arguments, 1 AS enabled FROM n"), INSTANCES),
    ("a view over a pragma", view(INSTANCES, "SELECT name, 27001 AS port, file AS arguments, 1 AS enabled FROM pragma_database_list"), INSTANCES),
    ("a view that loads an extension", view(INSTANCES, "SELECT load_extension('/tmp/evil') AS name, 27001 AS port, '' AS arguments, 1 AS enabled"), INSTANCES),
    ("an expensive comparison", view(INSTANCES, "SELECT 'x' AS name, 27001 AS port, '' AS arguments, (replace(printf('%.4000000c', 'a'), 'a', 'ab') LIKE '%a%a%a%a%a%c') AS enabled"), None),
    ("a -wal and a -shm that are FIFOs", sidecars(os.mkfifo, "-wal", "-shm"), "left4me.db"),
    ("a -journal that is a FIFO", sidecars(os.mkfifo, "-journal"), None),
    ("a -wal that is a link to a file of root's", sidecars(lambda p: os.symlink("/etc/shadow", p), "-wal"), None),
    ("a -wal of garbage", sidecars(lambda p: write(p, b"garbage" * 1000), "-wal"), None),
    ("a -wal and a -shm of garbage", sidecars(lambda p: write(p, b"garbage" * 10000), "-wal", "-shm"), None),
    ("a -journal of garbage", sidecars(lambda p: write(p, b"garbage" * 1000), "-journal"), None),
    ("a directory", replace(lambda: os.mkdir(DATABASE)), "left4me.db"),
    ("a FIFO", replace(lambda: os.mkfifo(DATABASE)), "left4me.db"),
    ("a symlink to the database", lambda: elsewhere(FOLDER + "/real.db"), "left4me.db.*(link|regular)"),
    ("a symlink to a file of root's", replace(lambda: os.symlink("/etc/shadow", DATABASE)), "left4me.db.*(link|regular)"),
    ("a symlink to nowhere", replace(lambda: os.symlink("/nowhere", DATABASE)), "left4me.db"),
    ("a device", replace(lambda: os.symlink("/dev/zero", DATABASE)), "left4me.db"),
]


def good_database():
    box.make_clean()
    box.database(GOOD)


good_database()
good = Generated()
tap.ok((good.status, good.report, good.servers()) == (0, [], {"alpha", "bravo"}), "the good database", good.report)
ACTIVATION = UNITS + "multi-user.target.wants/left4me-activate.service"
tap.ok(ACTIVATION not in good.tree and UNITS + "left4me-activate.service" in good.tree,
       "rows from the database itself: left4me-activate.service is there, but not linked")
ROW_FILES = re.compile(UNITS + r"(left4me\.target\.wants/left4me-server@.+|left4me-server@.+|build-overlay@.+)\.service")


def without_rows(tree):
    """What needs no database: everything but the units of rows and what stands in RUN/left4me."""
    return {p: e for p, e in tree.items() if not ROW_FILES.fullmatch(p) and not p.startswith("left4me")}


def render_and_check_problems():
    """render writes nothing and says why, check fails."""
    found = []
    for form, output in (("tree", box.top + "/out"), ("bundlewrap", box.top + "/out.json")):
        rendered = Run(["render", "--format=" + form, "--root=" + box.root, "--output=" + output])
        if rendered.status != 2 or not rendered.messages or os.path.exists(output):
            found.append("render %s: %r %r" % (form, rendered.status, rendered.messages))
            remove(output)
        found += rendered.problems()
    checked = Run(["check", "--root=" + box.root])
    if checked.status not in (1, 2) or not checked.printed:
        found.append("check: %r %r" % (checked.status, checked.printed))
    return found + checked.problems()


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
    if os.path.exists(path):
        os.unlink(path)


for name, make, words in FAULTS:
    if SANITIZED and "megabyte" in name:
        tap.skip(name, "a sanitized build does not read that much in its time")
        continue
    good_database()
    os.makedirs(box.run_dir + "/left4me/sudoers.d", exist_ok=True)
    make()
    if os.path.exists(DATABASE) and not os.path.islink(DATABASE):
        box.give(DATABASE)
    run = Generated()
    found = run.problems()
    if words is None:
        tap.none(found + ([] if run.status == 0 else ["status %r" % run.status]), "%s: in time, whatever comes of it" % name)
        continue
    if run.status != 0 or ACTIVATION not in run.tree:
        found.append("status %r, %sactivation link" % (run.status, "" if ACTIVATION in run.tree else "no "))
    got = without_rows(run.tree)
    got.pop(ACTIVATION, None)
    changed = difference(got, {p: e for p, e in without_rows(good.tree).items() if p in got or e[0] != "dir"})
    found += [changed] if changed else []
    found += ["unit of a row: %s" % p for p in run.tree if ROW_FILES.fullmatch(p)]
    if "left4me/last-good" in run.tree:
        found.append("last-good was written without rows")
    if len(run.report) < 1 or words and not re.search(words, run.report[0]):
        found.append("no message on %r" % words)
    if any(len(line) > 500 or re.search("[\x00-\x1f\x7f-\x9f]", line) for line in run.report):
        found.append("message not fit for a terminal")
    found += ["report: %r" % run.report] if found else []
    if run.seconds < 1:                          # what takes its time takes it each time
        found += render_and_check_problems()
    tap.none(found, name)

# Nobody else's file
if AS_ROOT:
    good_database()
    os.chmod(DATABASE, 0o000)
    run = Generated()
    tap.ok(re.search("[Pp]ermission", "".join(run.report)), "a database that its own owner may not read", run.report)
    good_database()
    before = READERS["the owner"][:1] + ("--reuid=65534", "--regid=65534", "--clear-groups")
    checked = Run(["check", "--root=" + box.root], before)
    tap.ok(checked.status in (1, 2) and re.search("[Pp]ermission", "".join(checked.printed)),
           "a reader without permission", "%r %r" % (checked.status, checked.printed))
    good_database()
    os.chown(DATABASE, 0, 0)
    os.chown(FOLDER, 0, 0)
    run = Generated()
    tap.ok((run.report, run.servers()) == ([], {"alpha", "bravo"}), "a database of root's own is read too", run.report)
    good_database()
    real = box.root + "/srv"
    os.rename(box.root + "/var/lib", real)
    os.symlink(real, box.root + "/var/lib")
    run = Generated()
    tap.ok((run.report, run.servers()) == ([], {"alpha", "bravo"}), "a link in the path above the database is followed",
           run.report)
else:
    for name in ("a database that its own owner may not read", "a reader without permission", "a database of root's own is read too",
                 "a link in the path above the database is followed"):
        tap.skip(name, "needs root")

# At the limits
good_database()
sql(MANY % 19998 + "INSERT INTO generator_instances SELECT 's' || i, 27001, '', 0 FROM n")()
run = Generated()
tap.none(run.problems() + ([] if (run.status, len(run.servers())) == (0, 20000) and run.report[-1] == "and 9998 more" else
                           ["%r %r" % (run.status, run.report[-3:])]), "20 000 instances, nearly all of them refused, in time")

# ---------------------------------------------------------------------------------------------------------------------
# Who reads

READER_FIELDS = {"Uid": [str(OWNER)] * 4, "Gid": [str(OWNER)] * 4, "Groups": [], "CapEff": ["0" * 16], "CapPrm": ["0" * 16]}


def reader_of_a_view_without_end():
    """The status of the child while it reads, and its limits, by key."""
    view(INSTANCES, NO_END + "SELECT i AS name, 1 AS port, '' AS arguments, 1 AS enabled FROM n WHERE i < 0")()
    box.new_run()
    process = subprocess.Popen([box.program, "--root=" + box.root, box.normal], cwd="/", stderr=subprocess.DEVNULL)
    status = {}
    try:
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and status.get("Uid", ["0"])[0] == "0":
            time.sleep(0.1)
            with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
                children = file.read().split()
            for child in children:
                with open("/proc/%s/status" % child) as file:
                    status = {line.partition(":")[0]: line.partition(":")[2].split() for line in file}
                with open("/proc/%s/limits" % child) as file:
                    for line in file:
                        if line.startswith(("Max cpu time", "Max address space")):
                            status[" ".join(line.split()[:3])] = line.split()[3:5]
    except OSError:
        pass
    process.wait()
    return status


if AS_ROOT:
    good_database()
    status = reader_of_a_view_without_end()
    tap.equal({key: status.get(key) for key in READER_FIELDS}, READER_FIELDS, "the reader is the file's owner, for good, and no more")
    limits = {key: value for key, value in status.items() if key.startswith("Max ")}
    if SANITIZED:
        tap.skip("its time and memory are limited", "a sanitizer's shadow memory needs more")
    else:
        tap.ok(len(limits) == 2 and not any("unlimited" in value for value in limits.values()), "its time and memory are limited", limits)
else:
    tap.skip("the reader is the file's owner, for good, and no more", "needs root")
    tap.skip("its time and memory are limited", "needs root")

# ---------------------------------------------------------------------------------------------------------------------
# Last good rows


def after_good_run(age=0):
    """A good run, then its last-good made older; gives the artifacts of that run and the file's bytes."""
    good_database()
    first = Generated()
    with open(LAST_GOOD, "rb") as file:
        data = file.read()
    if age:
        os.utime(LAST_GOOD, (time.time() - age, time.time() - age))
    return artifacts(first.tree), data


def same_as_good(run, want):
    got = artifacts(run.tree)
    got.pop(ACTIVATION, None)
    got.pop(os.path.dirname(ACTIVATION), None)
    want = {p: e for p, e in want.items() if p != os.path.dirname(ACTIVATION)}
    changed = difference(got, want)
    return ["tree: " + changed] if changed else []


want, data = after_good_run()
tap.ok(data.startswith(b"left4me last-good 1\n"), "last-good begins with its name and version", data[:60])
tap.ok(b"echo" not in data, "last-good has no script text")
tap.equal(oct(os.stat(LAST_GOOD).st_mode & 0o7777), "0o600", "last-good is 0600")

for name, make, words in FAULTS:
    if words is None or re.search("million|gigabyte|over the limit|megabyte|view that never|200 001", name):
        continue                                 # above already; here they would only take their time again
    want, data = after_good_run(age=1000)
    make()
    run = Generated(keep_last_good=True)
    found = run.problems() + same_as_good(run, want)
    if run.status != 0 or ACTIVATION not in run.tree:
        found.append("status %r, %sactivation link" % (run.status, "" if ACTIVATION in run.tree else "no "))
    if not any(re.search(r"\b10\d\d s(econds)?\b", line) for line in run.report) or not re.search(words, "\n".join(run.report)):
        found.append("the report does not say how old the rows are (in seconds) and why (%r): %r" % (words, run.report))
    with open(LAST_GOOD, "rb") as file:
        if file.read() != data:
            found.append("last-good was changed")
    tap.none(found, "%s: the last good rows serve" % name)

want, data = after_good_run()
os.unlink(DATABASE)
for _ in range(3):
    run = Generated(keep_last_good=True)
tap.none(same_as_good(run, want), "they serve again and again")
checked = Run(["check", "--root=" + box.root])
tap.ok(checked.status in (1, 2) and checked.printed, "check fails meanwhile", checked.printed)
box.database(GOOD.add([("charlie", 27003, "", 1)]))
run = Generated(keep_last_good=True)
tap.ok((run.report, run.servers()) == ([], {"alpha", "bravo", "charlie"}) and ACTIVATION not in run.tree,
       "when the database is back, its rows count", "%r %r" % (run.report, run.servers()))

want, data = after_good_run()
for name, text in [
    ("another version", data.replace(b"left4me last-good 1\n", b"left4me last-good 2\n")), ("an empty file", b""),
    ("only its first line", b"left4me last-good 1\n"), ("something else", b"hello\n"), ("zeros", b"\0" * 4096),
    ("a byte missing at the end", data[:-1]), ("the last third missing", data[:len(data) * 2 // 3]), ("half of it", data[:len(data) // 2]),
    ("something after the end", data + b"alpha\n"), ("binary garbage after its first line", b"left4me last-good 1\n" + bytes(range(256)) * 8),
    ("a huge number in each place of a number", re.sub(rb"\d+", b"99999999999999999999", data.split(b"\n", 1)[1]).join([b"left4me last-good 1\n", b""])),
]:
    good_database()
    os.unlink(DATABASE)
    Generated()
    write(LAST_GOOD, text, 0o600)
    run = Generated(keep_last_good=True)
    found = run.problems()
    if (run.status, run.servers()) != (0, set()):
        found.append("status %r, servers %r" % (run.status, run.servers()))
    if AS_ROOT and not any("there are no servers" in line for line in run.report):
        found.append("the report does not say that there are no rows: %r" % run.report)
    tap.none(found, "last-good with %s is ignored" % name)

for name, old, new in [("a name that is a path", b"alpha", b"../xx"), ("a newline in a name", b"alpha", b"al\nha"),
                       ("a newline in the arguments", b"+map x", b"+map\nx"), ("a port out of range", b"27001", b"17001")]:
    want, data = after_good_run()
    if old not in data:
        tap.skip("last-good with %s" % name, "this value is kept in another form")
        continue
    os.unlink(DATABASE)
    write(LAST_GOOD, data.replace(old, new), 0o600)
    run = Generated(keep_last_good=True)
    found = run.problems()
    try:
        parse_tree(run.tree)
    except Malformed as error:
        found.append(str(error))
    if not run.servers() <= {"alpha?", "bravo", "bravo?"}:
        found.append("servers %r, report %r" % (run.servers(), run.report))
    tap.none(found, "last-good with %s goes through the same checks" % name)

for name, make in [("a directory", lambda: os.mkdir(LAST_GOOD)), ("a FIFO", lambda: os.mkfifo(LAST_GOOD)),
                   ("a link to nowhere", lambda: os.symlink("/nowhere", LAST_GOOD))]:
    good_database()
    Generated()
    os.unlink(LAST_GOOD)
    make()
    os.rename(DATABASE, DATABASE + ".away")
    run = Generated(keep_last_good=True)
    tap.none(run.problems() + ([] if (run.status, run.servers()) == (0, set()) else ["%r %r" % (run.status, run.servers())]),
             "%s in last-good's place is no last-good" % name)

good_database()
os.unlink(DATABASE)
Generated()
os.makedirs(box.run_dir + "/left4me/sudoers.d", exist_ok=True)
write(box.run_dir + "/left4me/sudoers.d/left4me", "# an older one\n", 0o440)
run = Generated(keep_last_good=True)
tap.equal(run.tree["left4me/sudoers.d/left4me"][2], b"# an older one\n", "without rows an existing sudoers file is left as it is")

# A writer that holds the database for long: busy is waited for, but not for long
good_database()
os.unlink(DATABASE)
process = writer("rollback wait")
first = Generated()
process.end()
os.unlink(DATABASE)
process = writer("rollback spilled_transaction wait")
run = Generated(keep_last_good=True)
process.end()
tap.none(run.problems() + same_as_good(run, artifacts(first.tree)) + (
    [] if re.search("lock|busy", "".join(run.report)) else ["report: %r" % run.report]),
    "a writer that holds the lock: the last good rows serve, in time")

# ---------------------------------------------------------------------------------------------------------------------
# A copy that is too large

if MOUNTS:
    box.make_clean()
    writer("wal large die").end()
    os.unlink(DATABASE + "-shm")
    run = Generated()
    tap.none(run.problems() + ([] if re.search("64 MiB|67108864", "".join(run.report)) and not run.servers() else
                               ["%r %r" % (run.report, run.servers())]), "more than 64 MiB to copy count as unreadable")
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", "/tmp")
    process, found = set_up("-wal without -shm")
    run = Generated()
    process.end()
    tap.none(run.problems() + ([] if run.report and not run.servers() and run.status == 0 else
                               ["%r %r" % (run.report, run.servers())]), "no room for a copy in /tmp is a named error")
    umount("/tmp")
else:
    tap.skip("more than 64 MiB to copy count as unreadable", NO_MOUNTS)
    tap.skip("no room for a copy in /tmp is a named error", NO_MOUNTS)

# ---------------------------------------------------------------------------------------------------------------------
# A file system that hangs: the daemon passes everything through, but never answers one kind of request for one name

FUSE_SOURCE = r"""
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

static int backing;
static const char *hang_call, *hang_name;

static const char *below(const char *path) { return path[1] ? path + 1 : "."; }

static void hang(const char *call, const char *path)
{
	while (strcmp(call, hang_call) == 0 && strcmp(below(path), hang_name) == 0)
		pause();
}

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
	(void) info;
	hang("getattr", path);
	return fstatat(backing, below(path), st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int do_open(const char *path, struct fuse_file_info *info)
{
	hang("open", path);
	int fd = openat(backing, below(path), O_RDONLY | O_CLOEXEC);
	info->fh = (uint64_t) fd;
	return fd < 0 ? -errno : 0;
}

static int do_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info)
{
	hang("read", path);
	ssize_t n = pread((int) info->fh, buffer, size, offset);
	return n < 0 ? -errno : (int) n;
}

static int do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
		      enum fuse_readdir_flags flags)
{
	(void) offset; (void) info; (void) flags;
	hang("readdir", path);
	DIR *directory = fdopendir(openat(backing, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!directory)
		return -errno;
	for (struct dirent *entry; (entry = readdir(directory)); )
		fill(buffer, entry->d_name, NULL, 0, 0);
	closedir(directory);
	return 0;
}

static int do_release(const char *path, struct fuse_file_info *info)
{
	(void) path;
	return close((int) info->fh);
}

int main(int argc, char **argv)
{
	static const struct fuse_operations operations = {
		.getattr = do_getattr, .open = do_open, .read = do_read, .readdir = do_readdir, .release = do_release,
	};
	char *arguments[] = { argv[0], argv[2], "-f", "-o", "allow_other,default_permissions,attr_timeout=0,entry_timeout=0", NULL };
	if (argc != 5)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	backing = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	hang_call = argv[3];
	hang_name = argv[4];
	return fuse_main(5, arguments, &operations, NULL);
}
"""


def build_fuse():
    """Why there is none, or an empty string and box.bin/fuse."""
    if not MOUNTS:
        return NO_MOUNTS
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse"
    write(box.bin + "/fuse.c", FUSE_SOURCE)
    try:
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True, text=True).stdout.split()
        subprocess.run([os.environ.get("CC", "cc"), "-o", box.bin + "/fuse", box.bin + "/fuse.c", *flags], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "no compiler or no libfuse3 to build the daemon with"
    return ""


class Hanging:
    """The database's directory behind the daemon, for a with statement."""

    def __init__(self, call, name):
        self.call, self.name = call, name

    def __enter__(self):
        self.backing = box.top + "/backing"
        shutil.rmtree(self.backing, ignore_errors=True)
        os.rename(FOLDER, self.backing)
        os.mkdir(FOLDER)
        self.daemon = subprocess.Popen([box.bin + "/fuse", self.backing, FOLDER, self.call, self.name],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(100):
            if os.path.ismount(FOLDER) if self.name != "." else open("/proc/self/mounts").read().count(FOLDER + " "):
                return self
            time.sleep(0.02)
        raise RuntimeError("the daemon did not mount: %r" % self.daemon.poll())

    def __exit__(self, *_):
        self.daemon.kill()
        self.daemon.wait()
        self.daemon.stderr.close()
        umount(FOLDER)
        os.rmdir(FOLDER)
        os.rename(self.backing, FOLDER)


HANGS = [
    ("the answer to open", "a clean WAL database without sidecars", "open", "left4me.db"),
    ("the answer to read", "a clean WAL database without sidecars", "read", "left4me.db"),
    ("the attributes of the database", "a clean WAL database without sidecars", "getattr", "left4me.db"),
    ("the attributes of the directory", "a clean WAL database without sidecars", "getattr", "."),
    ("the attributes of the -wal", "-wal without -shm", "getattr", "left4me.db-wal"),
    ("reading the -wal for a private copy", "-wal without -shm", "read", "left4me.db-wal"),
    ("reading the journal for a private copy", "a hot journal", "read", "left4me.db-journal"),
]
reason = build_fuse()
for name, state, call, file in HANGS:
    name = "a file system that hangs: %s" % name
    if reason:
        tap.skip(name, reason)
        continue
    process, found = set_up(state)
    process.end()
    first = Generated()
    if os.path.exists(LAST_GOOD):
        os.utime(LAST_GOOD, (time.time() - 1000, time.time() - 1000))
    if (first.report, first.servers()) != ([], {"alpha", "bravo"}):
        found.append("before: %r" % first.report)
    with Hanging(call, file):
        run = Generated(keep_last_good=True)
        stuck = run.left
        run.left = []                            # what waits for the file system cannot end before it answers
        found += run.problems() + same_as_good(run, artifacts(first.tree))
        if not re.search(r"\b10\d\d s", "".join(run.report)):
            found.append("report: %r" % run.report)
        if call == "open" or file.endswith("-wal"):
            rendered = Run(["render", "--format=tree", "--root=" + box.root, "--output=" + box.top + "/out"])
            rendered.left = []
            found += rendered.problems()
            if rendered.status != 2 or os.path.exists(box.top + "/out"):
                found.append("render: %r %r" % (rendered.status, rendered.messages))
    time.sleep(0.2)
    stuck = [pid for pid, _ in stuck if os.path.exists("/proc/%d" % pid) and open("/proc/%d/stat" % pid).read().split()[2] != "Z"]
    found += ["still there when the file system is gone: %r" % stuck] if stuck else []
    tap.none(found, name)

tap.done()
