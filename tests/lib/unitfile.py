"""
What the tests in Python share: a throw-away host (Box) with runs of the generator in it, and what they leave as snapshots
of files. With it come a parser of units and sudo rules (syntax), rows for the database (views) and TAP (tap).
"""

import atexit
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile

from syntax import *  # noqa: F403
from tap import *  # noqa: F403
from views import *  # noqa: F403

# ---------------------------------------------------------------------------------------------------------------------
# Files


def snapshot(top, content=True):
    """{relative path: (kind, mode, bytes or target)} of everything below top, but for what the time of a reading decides."""
    found, pending = {}, [""] if os.path.isdir(top) else []
    while pending:
        directory = pending.pop()
        for entry in os.scandir(os.path.join(top, directory)):
            if entry.name == "left4me-reload.service.d":
                continue
            path = directory + "/" + entry.name if directory else entry.name
            mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
            if entry.is_symlink():
                found[path] = ("link", 0o777, os.readlink(entry.path).encode())
            elif entry.is_dir():
                found[path] = ("dir", mode, b"")
                pending.append(path)
            elif entry.is_file():
                found[path] = ("file", mode, b"")
                if content:
                    with open(entry.path, "rb") as file:
                        found[path] = ("file", mode, file.read())
            else:
                found[path] = ("other", mode, b"")
    return found


def write(path, data, mode=0o644):
    """Makes the file with that mode, whatever the umask is, and the directories above it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
    os.chmod(path, mode)


def difference(got, want):
    """A few lines on how two snapshots differ; empty when they do not."""
    lines = []
    for path in sorted(set(got) | set(want)):
        if path not in got:
            lines.append("missing: %s" % path)
        elif path not in want:
            lines.append("unexpected: %s (%s)" % (path, got[path][0]))
        elif got[path] != want[path]:
            lines.append("differs: %s: got %.1500r, want %.1500r" % (path, got[path], want[path]))
    return "\n".join(lines[:12])


# ---------------------------------------------------------------------------------------------------------------------
# The program under test and a host for it

UNITS = "systemd/generator/"


def lines(data):
    """Lines end with a newline and nothing else; str.splitlines() would also cut at U+2028."""
    return data.decode("utf-8", "surrogateescape").split("\n")[:-1] if data else []


class Result:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout
        self.printed = lines(completed.stdout)
        self.messages = lines(completed.stderr)


def temporary_directory(*where):
    """A new directory in the first of the places that is writable. The database's owner may enter it; it is removed at exit."""
    for place in where:
        if os.access(place, os.W_OK):
            break
    else:
        place = None
    path = tempfile.mkdtemp(prefix="left4me-test.", dir=place)
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Box:
    """
    A temporary directory with a host's files in root/ and its /run in run/: in memory as /run is, since a disk takes
    a hundred times as long. The program stands elsewhere, because that memory may be mounted noexec.
    """

    def __init__(self):
        self.top = temporary_directory("/dev/shm")
        self.bin = temporary_directory("/var/tmp")
        self.root = self.top + "/root"
        self.run_dir = self.top + "/run"
        self.normal = self.run_dir + "/systemd/generator"
        self.database_path = self.root + "/var/lib/left4me/left4me.db"
        self.program = self.bin + "/left4me-generator"
        shutil.copy2(BUILD + "/left4me-generator", self.program)
        self.make_clean()

    def make_clean(self):
        for directory in (self.root, self.run_dir):
            shutil.rmtree(directory, ignore_errors=True)
        for directory in (self.root + "/etc/left4me", os.path.dirname(self.database_path), self.normal):
            os.makedirs(directory, 0o755)
        self.give(os.path.dirname(self.database_path))

    def give(self, *paths):
        """Gives files to the database's owner, if we are root."""
        for path in paths:
            if AS_ROOT:
                os.chown(path, OWNER, OWNER)

    def config(self, text, name="left4me.conf", mode=0o644):
        write(self.root + "/etc/left4me/" + name, text, mode)

    def database(self, rows):
        path = self.database_path
        if os.path.lexists(path):
            os.unlink(path)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
        fill(connection, rows)
        connection.execute("COMMIT")
        connection.close()
        os.chmod(path, 0o640)
        self.give(path)

    def new_run(self):
        """Empties the generator directory, as systemd does before each run; RUN/left4me stays."""
        shutil.rmtree(self.normal, ignore_errors=True)
        os.makedirs(self.normal, 0o755)

    def execute(self, arguments, stdin=b"", env=None, before=(), preexec=None):
        environment_ = {k: v for k, v in os.environ.items() if not k.startswith("SYSTEMD_")}
        environment_.update(env or {})
        command_ = [*before, self.program, *arguments]
        try:
            return Result(subprocess.run(command_, input=stdin, env=environment_, cwd="/", capture_output=True,
                                         timeout=30, preexec_fn=preexec))
        except subprocess.TimeoutExpired:
            return Result(subprocess.CompletedProcess(command_, "hangs", b"", b""))

    def generate(self, **options):
        self.new_run()
        return self.execute(["--root=" + self.root, self.normal], **options)

    def render(self, form="tree", more=(), **options):
        """Renders into out/ (a tree) or out.json, which is removed first."""
        output = self.top + ("/out" if form == "tree" else "/out.json")
        shutil.rmtree(output, ignore_errors=True)
        if os.path.lexists(output):
            os.unlink(output)
        return self.execute(["render", "--format=" + form, "--output=" + output, "--root=" + self.root, *more],
                            **options)

    def check(self, more=(), **options):
        return self.execute(["check", "--root=" + self.root, *more], **options)

    def tree(self):
        return snapshot(self.run_dir)

    def report(self):
        path = self.run_dir + "/left4me/report"
        if not os.path.exists(path):
            return ["there is no report"]
        with open(path, "rb") as file:
            return lines(file.read())


# What stays in force (generator/advice.c): check and the report say it, render does not.
ADVICE = re.compile(r"(?:warning: )?generator_instances(?:, row \d+, \w+ of |: (?:created of )?)instance '|"
                    r"warning: \[update\] web_may_start: |\[game\] memory_high: \S+ is above|\[(?:host|web)\] \w+: \S+ lies where units have")


def without_advice(messages):
    return [line for line in messages if not ADVICE.match(line)]


def artifacts(tree):
    """A snapshot of RUN without report and last good rows, which are about the run and not about the host."""
    return {p: e for p, e in tree.items() if p not in ("left4me/report", "left4me/last-good")}


def parse_tree(tree):
    """Parses every file of a snapshot of RUN; {path: entries} for units, rules for sudoers. Malformed names the file."""
    parsed = {}
    for path, (kind, _, data) in tree.items():
        if kind != "file" or path in ("left4me/report", "left4me/last-good"):
            continue
        try:
            parsed[path] = sudoers(data) if path.startswith("left4me/sudoers.d/") else parse(data)
        except Malformed as error:
            raise Malformed("%s: %s" % (path, error))
    return parsed
