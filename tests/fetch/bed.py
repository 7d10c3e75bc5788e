"""
What the fetch-*.t share. The helper always goes to the mount namespace of PID 1, so the test runs again as PID 1 of
a PID namespace of its own, in mount and network namespaces of its own: /run and the database lie on tmpfs there, and
the only address is none at all, because lo is down. TAP, and one call of the helper with everything around it.
"""

import atexit
import ctypes
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

OWNER = 980                      # uid and gid of the database's owner (F17); needs no entry in passwd
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
STAGE = os.environ.pop("LEFT4ME_TEST_STAGE", None)
HELPER = "%s/left4me-fetch-script" % (STAGE or BUILD)
FOLDER = str(STAGE) + "/root"
DATABASE = FOLDER + "/left4me.db"
RUNTIME = "/run/left4me/build/7"
LIMIT = 1024 * 1024
INHERITED = set()


# ---------------------------------------------------------------------------------------------------------------------
# TAP

count = failed = 0


def ok(good, name, detail=""):
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, name.replace("#", "\\#")))
    for line in [] if good else str(detail).splitlines()[:20]:
        print("#   " + line)


def none(problems, name):
    ok(not problems, name, "\n".join(problems))


def skip(reason, name):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, name, reason))


def skip_all(reason):
    print("1..0 # SKIP " + reason)
    sys.exit(0)


def done():
    print("1..%d" % count)
    sys.exit(failed > 0)


# ---------------------------------------------------------------------------------------------------------------------
# The stage


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def umount(path):
    subprocess.run(["umount", path], check=True, capture_output=True)


def enter(*commands):
    """Returns in the second half only."""
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
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
        if not os.access(HELPER, os.X_OK):
            print("Bail out! %s is not built" % HELPER)
            sys.exit(1)
        stage = tempfile.mkdtemp(prefix="left4me-fetch.", dir="/var/tmp")     # below /tmp the helper sees nothing
        atexit.register(shutil.rmtree, stage, ignore_errors=True)
        os.environ["LEFT4ME_TEST_STAGE"] = stage
        sys.exit(subprocess.call([*unshare, sys.executable, "-B", sys.argv[0]]))
    os.umask(0o022)
    mount("--make-rshared", "/")       # as on a host: what the helper mounts must not come through
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        INHERITED.update(table)
    for folder, mode in ((STAGE, "0755"), ("/run", "0755"), ("/tmp", "1777")):
        mount("-t", "tmpfs", "-o", "size=512m,mode=" + mode, "tmpfs", folder)
        if folder == STAGE:      # the checkout may lie below /tmp
            shutil.copy2(BUILD + "/left4me-fetch-script", HELPER)
    fresh()


def fresh():
    for folder in (FOLDER, "/run/left4me"):
        shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(FOLDER)
    os.chown(FOLDER, OWNER, OWNER)
    fresh_runtime()


def fresh_runtime(path=RUNTIME):
    """As systemd makes it before each start."""
    shutil.rmtree("/run/left4me/build", ignore_errors=True)
    os.makedirs(path)
    os.chmod(path, 0o700)
    os.chown(path, OWNER, OWNER)


def as_owner(uid=OWNER):
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


# ---------------------------------------------------------------------------------------------------------------------
# The database


def database(*rows, schema="CREATE TABLE generator_overlays (id, name, script)", owner=OWNER, pragma=""):
    """A closed database with those (id, script), no column types, so that any value can stand there."""
    fresh()
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.executescript(pragma + schema)
    for id_, script in rows:
        connection.execute("INSERT INTO generator_overlays VALUES (?, '', ?)", (id_, script))
    connection.close()
    os.chmod(DATABASE, 0o640)
    os.chown(DATABASE, owner, owner)


class Writer:
    """
    A process that does what the words of steps say, one after the other, as the owner. `old` is checkpointed where
    there is a log, `new` committed later, `never` not at all. The constructor returns when it waits or has ended.
    """

    def __init__(self, steps):
        ready, self.ready = os.pipe()
        self.stop, stop = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(stop)
                as_owner()
                os.umask(0o027)
                self.database = sqlite3.connect(DATABASE, isolation_level=None, timeout=10)
                for step in steps.split():
                    getattr(self, step)()
                status = 0
            finally:
                os._exit(status)
        os.close(self.ready)
        os.close(self.stop)
        self.stop = stop
        os.read(ready, 1)
        os.close(ready)

    def end(self):
        os.close(self.stop)
        os.waitpid(self.pid, 0)

    def run(self, *statements):
        for statement in statements:
            self.database.execute(statement)

    def fill(self):
        self.run("CREATE TABLE generator_overlays (id INTEGER, name TEXT, script TEXT)", "CREATE TABLE filler (x)",
                 "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
                 "INSERT INTO filler SELECT randomblob(2000) FROM n",
                 "INSERT INTO generator_overlays VALUES (7, '', 'old')")

    def wal(self):
        self.run("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0")
        self.fill()
        self.checkpoint()
        self.change("new")

    def rollback(self):
        self.run("PRAGMA journal_mode = DELETE")
        self.fill()
        self.change("new")

    def change(self, script):
        self.run("UPDATE generator_overlays SET script = '%s'" % script)

    def checkpoint(self):
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    def transaction(self):
        self.run("BEGIN IMMEDIATE")
        self.change("never")

    def spill(self):
        self.run("PRAGMA cache_size = 2")
        self.transaction()
        self.run("UPDATE filler SET x = randomblob(2000)")

    def busy(self):
        """Two rows of the same number, replaced in one transaction, again and again."""
        self.run("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 8", "PRAGMA synchronous = OFF")
        self.fill()
        n = 0
        while True:
            n += 1
            self.change("%d %s %d" % (n, "x" * 20000, n))
            if n == 1:
                os.write(self.ready, b"x")

    def reopen(self):
        """The same by one that opens and closes the database for each write: sidecars come and go."""
        self.run("PRAGMA journal_mode = WAL")
        self.fill()
        n = 0
        while True:
            n += 1
            self.change("%d %s %d" % (n, "x" * 20000, n))
            self.close()
            if n == 1:
                os.write(self.ready, b"x")
            time.sleep(0.0005)
            self.database = sqlite3.connect(DATABASE, isolation_level=None, timeout=10)
            self.run("PRAGMA synchronous = OFF")

    def close(self):
        self.database.close()

    def wait(self):
        os.write(self.ready, b"x")
        os.read(self.stop, 1)

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)


# name: (what the writer does, what is removed afterwards, which sidecars there must be)
STATES = {
    "a clean WAL database": ("wal close", "", ""),
    "a live writer in a transaction": ("wal transaction wait", "", "-shm -wal"),
    "an idle connection, the -wal empty": ("wal checkpoint wait", "", "-shm -wal"),
    "a crashed writer, -wal and -shm left": ("wal transaction die", "", "-shm -wal"),
    "a crashed writer that had spilled": ("wal spill die", "", "-shm -wal"),
    "-wal without -shm": ("wal transaction die", "-shm", "-wal"),
    "-wal without -shm, the writer had spilled": ("wal spill die", "-shm", "-wal"),
    "a rollback-journal database": ("rollback close", "", ""),
    "a rollback journal of a live writer": ("rollback transaction wait", "", "-journal"),
    "a hot journal": ("rollback spill die", "", "-journal"),
}


def set_up(state):
    """Leaves the database in that state; the writer's end() is due."""
    steps, remove, sidecars = STATES[state]
    fresh()
    writer = Writer(steps)
    if remove:
        os.unlink(DATABASE + remove)
    there = " ".join(sorted(f[len("left4me.db"):] for f in os.listdir(FOLDER) if f != "left4me.db"))
    assert there == sidecars, (state, there)
    return writer


def state_of(folder):
    """Everything about a directory that a reader could change, but for what every reader marks in a live -shm."""
    found = {}
    for name in [".", *sorted(os.listdir(folder))]:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        found[name] = [status.st_ino, oct(status.st_mode), status.st_uid, status.st_gid, status.st_size]
        if not name.endswith("-shm"):
            found[name] += [status.st_mtime_ns, status.st_ctime_ns]
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found[name].append(hashlib.sha256(file.read()).hexdigest())
    return found


# ---------------------------------------------------------------------------------------------------------------------
# A run


class Run:
    """The helper's end, and `wrong`: whatever no run may do, whether it succeeds or fails."""

    def __init__(self, *arguments, before=(), root=FOLDER, environment=None, still=True, runtime=RUNTIME, **options):
        environment = {"RUNTIME_DIRECTORY": RUNTIME} if environment is None else environment
        mounts, folder = self.mounts(), state_of(FOLDER) if still else None
        began = time.monotonic()
        done_ = subprocess.run([*before, HELPER, *(["--root=" + root] if root else []), *(arguments or ["7"])],
                               env=environment, capture_output=True, timeout=60, check=False, **options)
        self.seconds = time.monotonic() - began
        self.status, self.out, self.error = done_.returncode, done_.stdout, done_.stderr.decode(errors="replace")
        self.script, self.wrong = None, []
        self.look_at_runtime(runtime)
        if self.mounts() != mounts:
            self.wrong += ["mounted or unmounted: " + line for line in sorted(self.mounts() ^ mounts)]
        if os.listdir("/tmp"):
            self.wrong.append("left in /tmp: %r" % os.listdir("/tmp"))
        if still and state_of(FOLDER) != folder:
            self.wrong.append("the database's directory was\n%r\nis\n%r" % (folder, state_of(FOLDER)))
        if self.status != 0 and not before and not re.fullmatch(r"left4me-fetch-script: [^\x00-\x1f\x7f-\x9f]+\n", self.error):
            self.wrong.append("not one line on stderr: %r" % self.error)

    @staticmethod
    def mounts():
        """Not those that this namespace began with: they go when somebody else removes the directory they are on."""
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            return set(table) - INHERITED

    def look_at_runtime(self, runtime):
        found = sorted(os.listdir(runtime)) if os.path.isdir(runtime) else []
        if found not in ([], ["script"]):
            self.wrong.append("in the runtime directory: %r" % found)
        elif found:
            status = os.lstat(runtime + "/script")
            entry = (oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink)
            if entry != ("0o100400", OWNER, OWNER, 1):
                self.wrong.append("the script is %r" % (entry,))
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
        if self.script is not None:
            self.wrong.append("there is a script: %.80r" % self.script)
        none(self.wrong, name)


def unshare(flags):
    return ctypes.CDLL(None, use_errno=True).unshare(flags) == 0
