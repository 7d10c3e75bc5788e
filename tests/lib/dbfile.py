"""
For the tests that are about the database's file: the namespace that they live in, runs with what they leave behind, writers,
ways to spoil a database, and the good run before it.
"""

import ctypes
import hashlib
import json
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import traceback

from unitfile import *  # noqa: F403

tap = Tap()
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# ---------------------------------------------------------------------------------------------------------------------
# A mount namespace of this test's own, with an empty /tmp: mounts made here end with it


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def umount(path):
    subprocess.run(["umount", "--lazy", path], check=True, capture_output=True)


def enter_namespace():
    """Whether mounts may be made. The project may lie below /tmp and stays where it is."""
    clone_newns, ms_bind = 0x00020000, 4096
    libc = ctypes.CDLL(None, use_errno=True)
    if not AS_ROOT or libc.unshare(clone_newns):
        return False
    try:
        mount("--make-rprivate", "/")
        project = os.open(PROJECT, os.O_PATH | os.O_DIRECTORY)
        for folder in ("/tmp", "/dev/shm"):
            mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", folder)
        os.makedirs(PROJECT, exist_ok=True)
        if libc.mount(b"/proc/self/fd/%d" % project, PROJECT.encode(), None, ms_bind, None):
            return False
        os.close(project)
        os.chdir(PROJECT)
    except (subprocess.CalledProcessError, OSError):
        return False
    return True


MOUNTS = enter_namespace()
NO_MOUNTS = "needs root and a mount namespace"
SANITIZED = "sanitize" in os.environ.get("BUILD", "")

box = Box()
DATABASE = box.database_path
FOLDER = os.path.dirname(DATABASE)
LAST_GOOD = box.run_dir + "/left4me/last-good"
LIMIT = 5.0
MANY = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "


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
        deadline = time.monotonic() + 2          # for whoever inherits what was killed while it had much memory to give back
        while self.left and all(state in "XZ" for _, state in self.left) and time.monotonic() < deadline:
            time.sleep(0.05)
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


# ---------------------------------------------------------------------------------------------------------------------
# Ways to spoil a good database

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


def good_database():
    box.make_clean()
    box.database(GOOD)


# ---------------------------------------------------------------------------------------------------------------------
# The run before, whose rows are the last good ones

ACTIVATION = UNITS + "multi-user.target.wants/left4me-activate.service"


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


# ---------------------------------------------------------------------------------------------------------------------
# A file system that hangs, or that gives errors


def build_fuse():
    """Why there is none, or an empty string and box.bin/fuse, which is tests/faults/fuse.c."""
    if not MOUNTS:
        return NO_MOUNTS
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse"
    try:
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True,
                               text=True).stdout.split()
        subprocess.run([os.environ.get("CC", "cc"), "-o", box.bin + "/fuse", PROJECT + "/tests/faults/fuse.c", *flags],
                       check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "no compiler or no libfuse3 to build the daemon with"
    return ""


class Faulty:
    """The database's directory behind the daemon, for a with statement; without an error it hangs."""

    def __init__(self, call, name, error=0):
        self.call, self.name, self.error = call, name, error

    def __enter__(self):
        self.backing = box.top + "/backing"
        shutil.rmtree(self.backing, ignore_errors=True)
        os.rename(FOLDER, self.backing)
        os.mkdir(FOLDER)
        self.daemon = subprocess.Popen([box.bin + "/fuse", self.backing, FOLDER, self.call, self.name, str(self.error)],
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


# ---------------------------------------------------------------------------------------------------------------------
# What mostly waits


def together(count, cases, check):
    """
    check(*case) for each case, so many at once, each in a process that has the box for itself: under the same name, but in a
    namespace of its own. What it finds wrong comes back in the order of the cases.
    """
    if not MOUNTS:
        return [check(*case) for case in cases]
    pipes, found = {}, {}
    for number, case in enumerate(cases):
        if len(pipes) == count:
            wait_for_one(pipes, found)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            wrong = ["the test itself failed"]
            try:
                ctypes.CDLL(None).unshare(0x00020000)
                mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", box.top)
                mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")
                os.chdir("/")
                wrong = check(*case)
            except BaseException:
                wrong.append(traceback.format_exc())
            finally:
                os.write(writing, json.dumps(wrong).encode()[:60000])
                os._exit(0)
        os.close(writing)
        pipes[reading] = (number, pid)
    while pipes:
        wait_for_one(pipes, found)
    return [found[number] for number in range(len(cases))]


def wait_for_one(pipes, found):
    ready = select.select(list(pipes), [], [])[0][0]
    number, pid = pipes.pop(ready)
    with open(ready, "rb") as pipe:
        said = pipe.read()
    try:
        found[number] = json.loads(said)
    except ValueError:                           # more than a pipe holds was cut
        raise RuntimeError(said.decode(errors="replace")[:3000]) from None
    os.waitpid(pid, 0)
