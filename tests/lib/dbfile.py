"""
For the tests of the generator that are about the database's file: the namespace that they live in, runs with what they
leave behind, ways to spoil a database, and the good run before it. Writers and states are database.py's.
"""

import ctypes
import json
import os
import re
import select
import shutil
import sqlite3
import subprocess
import time
import traceback

from database import *  # noqa: F403
from unitfile import *  # noqa: F403

tap = Tap()
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# ---------------------------------------------------------------------------------------------------------------------
# The test has a mount namespace of its own, with an empty /tmp: what it mounts is gone when it ends


def enter_namespace():
    """Whether mounts are possible. A checkout below /tmp stays visible."""
    clone_newns, ms_bind = 0x00020000, 4096
    libc = ctypes.CDLL(None, use_errno=True)
    if not AS_ROOT or libc.unshare(clone_newns):
        return False
    try:
        mount("--make-rprivate", "/")
        project = os.open(PROJECT, os.O_PATH | os.O_DIRECTORY)
        for directory in ("/tmp", "/dev/shm"):
            mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", directory)
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
DIRECTORY = os.path.dirname(DATABASE)
LAST_GOOD = box.run_dir + "/left4me/last-good"
LIMIT = 5.0
MANY = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "


# ---------------------------------------------------------------------------------------------------------------------
# Runs: how long they take, what they leave in /tmp, which processes they leave behind

READERS = {
    "root": (),
    "root without CAP_CHOWN": ("setpriv", "--bounding-set=-chown", "--inh-caps=-chown"),
    "the owner": ("setpriv", "--reuid=%d" % OWNER, "--regid=%d" % OWNER, "--clear-groups"),
}
if not AS_ROOT:
    READERS = {"the owner": ()}


def session_members(session):
    """Processes of a session that are still alive, zombies that nobody waits for included."""
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
        # A process left behind may hold our pipes open: wait for the program, not for the end of its output.
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
        deadline = time.monotonic() + 2          # init needs a moment to reap a killed process that had much memory
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
    """A run of the generator and its results."""

    def __init__(self, reader=None, keep_last_good=False):
        if not keep_last_good:
            shutil.rmtree(box.run_dir + "/left4me", ignore_errors=True)
        box.new_run()
        before = READERS[reader] if reader else ()
        owner = OWNER if reader == "the owner" and AS_ROOT else os.geteuid()
        for directory, _, files in os.walk(box.run_dir):
            for name in [directory] + [os.path.join(directory, f) for f in files]:
                os.lchown(name, owner, owner if AS_ROOT else -1)
        super().__init__(["--root=" + box.root, box.normal], before)
        self.tree = box.tree()
        self.report = box.report()

    def servers(self):
        """The names of the servers; a refused one ends in a question mark."""
        names = set()
        for path, (kind, _, data) in self.tree.items():
            match = re.fullmatch(UNITS + r"left4me-server@(.+)\.service", path)
            if match:
                names.add(match.group(1) + ("?" if b"refused" in data else ""))
        return names


# ---------------------------------------------------------------------------------------------------------------------
# The database and its writers (database.py has both)


def set_up(state):
    box.make_clean()
    return leave(DATABASE, state)


def forked(body):
    return Forked(DATABASE, body)


def writer(steps):
    return start_writer(DATABASE, steps)


def read_only(directory):
    mount("--bind", directory, directory)
    mount("-o", "remount,ro,bind", directory)


# ---------------------------------------------------------------------------------------------------------------------
# Ways to damage a good database

GOOD = Rows([instance("alpha", 27001, "+map x"), instance("bravo", 27002, enabled=0)], stack("alpha", 1),
            [overlay(1, "maps", "echo")])
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
    """Moves the good database to `path` and leaves a link to it."""
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
# An earlier run, whose rows are the last good ones

ACTIVATION = UNITS + "timers.target.wants/left4me-activate.timer"
# without any rows, on a host that runs
LATER = UNITS + "left4me-check.service.wants/left4me-activate.timer"


def after_good_run(age=0):
    """Makes a good run and its last-good file `age` seconds old. Returns the artifacts of the run and the bytes of the file."""
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
    """Builds tests/faults/fuse.c as box.bin/fuse. Returns an empty string, or why that is not possible."""
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
    """A context in which the database's directory is behind the daemon, which answers with `error`, or never."""

    def __init__(self, call, name, error=0):
        self.call, self.name, self.error = call, name, error

    def __enter__(self):
        self.backing = box.top + "/backing"
        shutil.rmtree(self.backing, ignore_errors=True)
        os.rename(DIRECTORY, self.backing)
        os.mkdir(DIRECTORY)
        self.daemon = subprocess.Popen([box.bin + "/fuse", self.backing, DIRECTORY, self.call, self.name, str(self.error)],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(100):
            if os.path.ismount(DIRECTORY) if self.name != "." else open("/proc/self/mounts").read().count(DIRECTORY + " "):
                return self
            time.sleep(0.02)
        raise RuntimeError("the daemon did not mount: %r" % self.daemon.poll())

    def __exit__(self, *_):
        self.daemon.kill()
        self.daemon.wait()
        self.daemon.stderr.close()
        umount("--lazy", DIRECTORY)
        os.rmdir(DIRECTORY)
        os.rename(self.backing, DIRECTORY)


# ---------------------------------------------------------------------------------------------------------------------
# Checks that spend their time waiting


def together(count, cases, check):
    """
    Runs check(*case) for each case, `count` at a time, each in a process and a mount namespace of its own, in which the box
    is its own too. Returns what each found wrong, in the order of the cases.
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
    except ValueError:                           # cut, because it was more than a pipe holds
        raise RuntimeError(said.decode(errors="replace")[:3000]) from None
    os.waitpid(pid, 0)
