"""
What the fetch-*.t share. The helper always goes to the mount namespace of PID 1, so the test runs again as PID 1 of
a PID namespace of its own, in mount and network namespaces of its own, where /run and the database are on tmpfs and no
interface is up. Run is one call of the helper with everything around it. Writers and the states that they leave are those
of lib/database.py.
"""

import atexit
import ctypes
import itertools
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from database import *  # noqa: E402,F403
from tap import *  # noqa: E402,F403
from views import *  # noqa: E402,F403

tap = Tap("left4me-fetch-script")
ok, none, done = tap.ok, tap.none, tap.done
STAGE = os.environ.pop("LEFT4ME_TEST_STAGE", None)
HELPER = "%s/left4me-fetch-script" % (STAGE or BUILD)
DIRECTORY = str(STAGE) + "/root"
DATABASE = DIRECTORY + "/left4me.db"
RUNTIME = "/run/left4me/build/7"
IDS = ("--uid=%d" % OWNER, "--gid=%d" % OWNER)
LIMIT = 1024 * 1024
INHERITED = set()


def skip(reason, name):
    tap.skip(name, reason)


# ---------------------------------------------------------------------------------------------------------------------
# The stage


def enter(*commands):
    """Starts the test again in its namespaces; returns only there."""
    if STAGE is None:
        if os.geteuid() != 0:
            skip_all("needs root: the helper moves into PID 1's mount namespace")
        for command in ("unshare", *commands):
            if not shutil.which(command):
                skip_all(command + " is not installed")
        unshare = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc",
                   "--propagation", "private"]
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            skip_all("mount, PID and network namespaces are not allowed here")
        stage = tempfile.mkdtemp(prefix="left4me-fetch.", dir="/var/tmp")     # /tmp is covered for the helper
        atexit.register(shutil.rmtree, stage, ignore_errors=True)
        os.environ["LEFT4ME_TEST_STAGE"] = stage
        sys.exit(subprocess.call([*unshare, sys.executable, "-B", sys.argv[0]]))
    os.umask(0o022)
    mount("--make-rshared", "/")       # as on a host; what the helper mounts must not propagate
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        INHERITED.update(table)
    for directory, mode in ((STAGE, "0755"), ("/run", "0755"), ("/tmp", "1777")):
        mount("-t", "tmpfs", "-o", "size=512m,mode=" + mode, "tmpfs", directory)
        if directory == STAGE:      # before /tmp is covered: the checkout may be there
            shutil.copy2(BUILD + "/left4me-fetch-script", HELPER)
    fresh()


def fresh():
    for directory in (DIRECTORY, "/run/left4me"):
        shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(DIRECTORY)
    os.chown(DIRECTORY, OWNER, OWNER)
    fresh_runtime()


def fresh_runtime():
    """As systemd-tmpfiles makes it at boot."""
    shutil.rmtree("/run/left4me/build", ignore_errors=True)
    os.makedirs("/run/left4me/build")


# ---------------------------------------------------------------------------------------------------------------------
# The database


def database(*scripts, schema=None, owner=OWNER, pragma=""):
    """A database that nobody has open, with overlays (id, script) or with another schema."""
    fresh()
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.executescript(pragma)
    if schema is None:
        fill(connection, Rows(overlays=[overlay(id_, script=script) for id_, script in scripts]))
    else:
        connection.executescript(schema)
    connection.close()
    os.chmod(DATABASE, 0o640)
    os.chown(DATABASE, owner, owner)


class BusyWriter(Writer):
    def long_change(self, n):
        self.change("%d %s %d" % (n, "x" * 20000, n))
        if n == 1:
            self.ready()

    def busy(self):
        """A long script, replaced in one transaction, again and again."""
        self.run("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 8", "PRAGMA synchronous = OFF")
        self.first()
        for n in itertools.count(1):
            self.long_change(n)

    def reopening(self):
        """The same by one that opens and closes the database for each write: sidecars come and go."""
        self.run("PRAGMA journal_mode = WAL")
        self.first()
        for n in itertools.count(1):
            self.long_change(n)
            self.close()
            time.sleep(0.0005)
            self.open()
            self.run("PRAGMA synchronous = OFF")


def writer(steps):
    return start_writer(DATABASE, steps, BusyWriter)


def set_up(state):
    """Leaves the database in that state; the writer's end() is due."""
    fresh()
    process, wrong = leave(DATABASE, state)
    assert not wrong, (state, wrong)
    return process


def still_state():
    """Of the database's directory: what no run may change."""
    return state_of(DIRECTORY, live_index=False)


# ---------------------------------------------------------------------------------------------------------------------
# A run


class Run:
    """How the helper ended, and `wrong`: what no run may do, whether it succeeds or fails."""

    def __init__(self, *arguments, before=(), root=DIRECTORY, environment=None, still=True, runtime=RUNTIME, ids=IDS, **options):
        environment = {} if environment is None else environment
        mounts, before_ = self.mounts(), still_state() if still else None
        began = time.monotonic()
        done_ = subprocess.run([*before, HELPER, *ids, *(["--root=" + root] if root else []), *(arguments or ["7"])],
                               env=environment, capture_output=True, timeout=60, check=False, **options)
        self.seconds = time.monotonic() - began
        self.status, self.out, self.error = done_.returncode, done_.stdout, done_.stderr.decode(errors="replace")
        self.script, self.wrong = None, []
        self.look_at_runtime(runtime)
        if self.mounts() != mounts:
            self.wrong += ["mounted or unmounted: " + line for line in sorted(self.mounts() ^ mounts)]
        if os.listdir("/tmp"):
            self.wrong.append("left in /tmp: %r" % os.listdir("/tmp"))
        if still and still_state() != before_:
            self.wrong.append("the database's directory was\n%r\nis\n%r" % (before_, still_state()))
        if self.status != 0 and not before and not re.fullmatch(r"left4me-fetch-script: [^\x00-\x1f\x7f-\x9f]+\n", self.error):
            self.wrong.append("not one line on stderr: %r" % self.error)

    @staticmethod
    def mounts():
        """Without those that the namespace began with: they go when somebody removes the directory below them."""
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            return set(table) - INHERITED

    def look_at_runtime(self, runtime):
        if not os.path.isdir(runtime):
            return
        found, entries = sorted(os.listdir(runtime)), []
        if found not in ([], ["script"]):
            self.wrong.append("in the runtime directory: %r" % found)
        elif found:
            for path in (runtime, runtime + "/script"):
                status = os.lstat(path)
                entries.append((oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink))
            if entries != [("0o40750", 0, OWNER, 2), ("0o100440", 0, OWNER, 1)] and self.status == 0:
                self.wrong.append("directory and script are %r" % entries)
            with open(runtime + "/script", "rb") as file:
                self.script = file.read()

    def gives(self, script, name):
        script = script.encode() if isinstance(script, str) else script
        if (self.status, self.error, self.out) != (0, "", b""):
            self.wrong.append("status %r, %r" % (self.status, self.error))
        if self.script != script:
            self.wrong.append("script %.80r, not %.80r" % (self.script, script))
        none(self.wrong, name)

    def fails(self, pattern, name, status=1):
        if self.status != status or not re.search(pattern, self.error):
            self.wrong.append("status %r, %r" % (self.status, self.error))
        if self.script is not None or os.path.isdir(RUNTIME):
            self.wrong.append("there is a directory, with a script: %.80r" % self.script)
        none(self.wrong, name)


def unshare(flags):
    return ctypes.CDLL(None, use_errno=True).unshare(flags) == 0
