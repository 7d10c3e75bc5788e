#!/usr/bin/env python3
"""
left4me-fetch-script: its command line, the database in every state, the row, the file it writes (S68, S70, S71, S110).

Pinned for every run: the database's directory stays as it was, byte for byte and owner for owner; nothing is left in /tmp
or mounted; there is either the whole script, mode 0400 and the build user's, or no file; a failure is one line.
"""

import os
import shutil
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "fetch"))
from bed import *  # noqa: E402,F403

enter()

# --- command line (S45: a failure names what it failed at, in one line)

database((7, "echo hello\n"), (2 ** 63 - 1, "last"))
ok(Run("--help", root=None).out.startswith(b"usage: left4me-fetch-script --uid=UID --gid=GID "), "--help")
ok(Run("--version", root=None).out == b"left4me-fetch-script 1\n", "--version")
for arguments in ([], ["7", "8"], ["--bogus", "7"], ["--root"], ["--root=", "7"], ["--root=var", "7"], ["--root=/a/../b", "7"],
                  ["--root=/a/", "7"], ["--root=//a", "7"], ["--database", "7"], ["--database=left4me.db", "7"],
                  ["--database=/a/./b", "7"], ["7", "--root=/a"]):
    run = Run("--", root=None) if not arguments else Run(*arguments, root=None)
    run.fails(".", "usage error: %r" % arguments, 2)
for id_ in ("..", "a/b", "../7", "", "1" * 65, "x" * 65, "-x", "-7", "A", "7x", "+7", " 7", "7 ", "7\n", "0x7", "07", "007",
            "0", "9223372036854775808", "18446744073709551616", "18446744073709551623", "7.0", "7e0", "٧"):
    Run("--", id_).fails("is not the id of an overlay", "the id %r is refused" % id_, 2)
Run("-x").fails("is not an option", "-x is no id either", 2)
Run().gives("echo hello\n", "the script of a row")
big = "/run/left4me/build/9223372036854775807"
fresh_runtime()
Run("9223372036854775807", runtime=big).gives("last", "the id 2^63-1")
for ids in ((), IDS[:1], IDS[1:], ("--uid=0", IDS[1]), (IDS[0], "--gid=0"), ("--uid=left4me", IDS[1]), ("--uid=-1", IDS[1]),
            ("--uid=4294967295", IDS[1]), ("--uid=", IDS[1]), ("--uid=0980", IDS[1])):
    fresh_runtime()
    Run(ids=ids).fails("--uid and --gid are needed|is not the number of a user or group, or is root's", "ids %r" % (ids,), 2)
fresh_runtime()
Run("--database=" + DATABASE, "7", root="/nowhere").gives("echo hello\n", "--database goes before --root")
fresh_runtime()
Run("7", root=None).fails("'/var/lib/left4me/left4me.db'", "the root is /var/lib/left4me")

# --- the row

for what, script, expected in (("NULL", None, ""), ("an empty text", "", ""), ("a text", "echo 'x'\n\texit 7\n", None),
                               ("bytes that are no UTF-8 in a text", "caf\udce9", b"caf\xe9"),
                               ("1 MiB", "x" * LIMIT, None), ("many lines without a newline at the end", "a\r\nb", None)):
    database((7, script if script is None else Text(script.encode(errors="surrogateescape"))))
    Run().gives(script if expected is None else expected, "%s gives the same script" % what)
for what, script, pattern in (("more than 1 MiB", "x" * (LIMIT + 1), "1048577 bytes long, the limit is 1048576"),
                              ("8 MiB", "x" * 8 * LIMIT, "8388608 bytes long"),
                              ("a NUL inside", "echo a\0b", "holds a NUL"), ("a NUL at the end", "echo\0", "holds a NUL"),
                              ("an integer", 7, "not a text"), ("zero", 0, "not a text"), ("a real", 7.5, "not a text"),
                              ("a blob", b"echo hello", "not a text"), ("an empty blob", b"", "not a text")):
    database((7, script))
    Run().fails("cannot read '%s': the script .*%s" % (DATABASE, pattern), "a script that is %s is refused" % what)
database((6, "six"), (8, "eight"), (70, "seventy"))
Run().fails("view generator_overlays has no row with id 7", "a missing row")
database((7, "one"), (7, "two"))
Run().fails("view generator_overlays has more than one row with id 7", "two rows")
database((7, "sept"), pragma="PRAGMA encoding = 'UTF-16';")
Run().gives("sept", "a UTF-16 database")
database((7, "x\0y"), pragma="PRAGMA encoding = 'UTF-16';")
Run().fails("holds a NUL", "a NUL in a UTF-16 database")

# --- the views

database(schema="CREATE TABLE other (x)")
Run().fails("has no view generator_overlays; /usr/local/share/left4me/schema/views.sql", "no view")
database(schema="CREATE TABLE generator_overlays (id, name)")
Run().fails(r"view generator_overlays: no such column: script; /usr/local/share/left4me/schema/views.sql", "no column")
database(schema="CREATE TABLE o (id, s); INSERT INTO o VALUES (7, 'seven'), (8, 'eight');"
         "CREATE VIEW generator_overlays AS SELECT id, 'name' AS name, s AS script FROM o")
Run().gives("seven", "a view")
FOREIGN = "CREATE TABLE generator_overlays (id, name, script); CREATE TABLE users (%s); CREATE TABLE log (x);" % ", ".join(
    "c%d" % i for i in range(211))
for what, text in (("trigger that calls a function with 24 arguments", "CREATE TRIGGER t AFTER UPDATE ON users BEGIN INSERT INTO log VALUES "
                    "(json_object(%s)); END" % ", ".join("'c%d', OLD.c%d" % (i, i) for i in range(12))),
                   ("trigger that joins 211 texts", "CREATE TRIGGER t AFTER UPDATE ON users BEGIN INSERT INTO log VALUES (%s); END" %
                    " || ".join("OLD.c%d" % i for i in range(211))),
                   ("view of 60 UNIONs", "CREATE VIEW v AS " + " UNION ".join("SELECT c%d FROM users" % i for i in range(60)))):
    database(schema=FOREIGN + text + "; INSERT INTO generator_overlays VALUES (7, '', 'echo')")
    Run().gives("echo", "a %s does not matter" % what)
HOSTILE = "CREATE VIEW generator_overlays AS "
for what, text in (("counts for ever", "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 7 AS id, i AS script "
                    "FROM n WHERE i < 0"),
                   ("gives rows for ever", "WITH n(i) AS (SELECT 1 UNION ALL SELECT 7 FROM n) SELECT 7 AS id, 'x' AS script FROM n"),
                   ("wants memory", "SELECT 7 AS id, zeroblob(2000000000) AS script"),
                   ("reads a file", "SELECT 7 AS id, readfile('/etc/shadow') AS script"),
                   ("loads an extension", "SELECT 7 AS id, load_extension('/tmp/x') AS script"),
                   ("asks a pragma", "SELECT 7 AS id, file AS script FROM pragma_database_list"),
                   ("is itself", "SELECT * FROM generator_overlays"),
                   ("has control characters in its name", 'SELECT 7 AS id, "\x1b[31mno\nsuch" AS script')):
    database(schema=HOSTILE + text)
    run = Run()
    run.fails("cannot read '%s': " % DATABASE, "a view that %s" % what)
    ok(run.seconds < 9, "... in %.1f s" % run.seconds)
database((7, "main"))
connection = sqlite3.connect(DATABASE)
connection.execute("CREATE TABLE \"temp.generator_overlays\" (id, script)")
connection.commit()
connection.close()
Run().gives("main", "a table with a telling name changes nothing")

# --- states of the database

for state in STATES:
    process = set_up(state)
    Run().gives("new", "%s: the committed script" % state)
    fresh_runtime()
    mount("--bind", DIRECTORY, DIRECTORY)
    mount("-o", "remount,ro,bind", DIRECTORY)
    run = Run()
    umount(DIRECTORY)
    run.gives("new", "... on a read-only mount")
    process.end()

for what, steps in (("a busy writer", "busy"), ("a writer that opens and closes the database each time", "reopening")):
    fresh()
    process = writer(steps)
    found, seen = [], set()
    for _ in range(60):
        fresh_runtime()
        run = Run(still=False)
        first, _, last = (run.script or b"").partition(b" x")
        seen.add(first)
        if run.status or run.wrong or not re.fullmatch(b"x{19999} " + first, last):
            found += run.wrong + ["status %r, %r, %.40r" % (run.status, run.error, run.script)]
    os.kill(process.pid, signal.SIGKILL)
    process.end()
    owners = {os.stat(os.path.join(DIRECTORY, name)).st_uid for name in os.listdir(DIRECTORY)}
    found += [] if owners == {OWNER} else ["owners in the directory: %r" % owners]
    none(found[:5] + ([] if len(seen) > 3 else ["not busy: %r" % seen]), "%s: 60 whole scripts" % what)

fresh()
process = writer("rollback spilled_transaction wait")
run = Run()
run.fails("cannot read '%s': (database is locked|could not be read)" % DATABASE, "a writer that keeps its lock, half of its work in the file")
ok(0.5 < run.seconds < 9, "... is given up after %.1f s" % run.seconds)
process.end()

# --- what is in its place

database((7, "echo"))
for what, change, pattern in (("missing", lambda: None, "cannot read '.*': No such file"),
                              ("a directory", lambda: os.mkdir(DATABASE), "is not a regular file"),
                              ("a FIFO", lambda: os.mkfifo(DATABASE), "is not a regular file"),
                              ("a link", lambda: os.symlink("real.db", DATABASE), "is a symbolic link"),
                              ("empty", lambda: open(DATABASE, "w").close(), "is empty"),
                              ("no database", lambda: write_file(b"x" * 5000), "file is not a database"),
                              ("cut short", lambda: write_file(whole[:5000]), "is truncated|malformed")):
    def write_file(data):
        with open(DATABASE, "wb") as file:
            file.write(data)
    database((7, "echo"), (8, "y" * 20000))
    with open(DATABASE, "rb") as source:
        whole = source.read()
    os.rename(DATABASE, DIRECTORY + "/real.db")
    change()
    Run().fails(pattern, "a database that is %s" % what)

# --- rights: the database is read with the user's, whoever owns it

database((7, "echo"), owner=0)
os.chmod(DATABASE, 0o644)
Run().gives("echo", "a root-owned database that everybody may read")
for owner in (0, 981):
    database((7, "echo"), owner=owner)
    os.chmod(DATABASE, 0o600)
    Run().fails("cannot read '%s': user 980 may not read it: it belongs to user %d" % (DATABASE, owner),
                "one of user %d that only that user may read: not read as root" % owner)
    os.chmod(DATABASE, 0o644)
    Run().gives("echo", "... and if everybody may read it, it does not matter whose it is")
fresh_runtime()
database((7, "echo"))
os.chmod(DIRECTORY, 0o700)
Run().gives("echo", "a directory that only its owner may enter")
os.chown(DIRECTORY, 0, 0)
fresh_runtime()
Run().fails("user 980 may not enter '%s'" % DIRECTORY, "a directory that only root may enter: not entered as root")
fresh()
database((7, "echo"))
Run(preexec_fn=as_owner).fails("cannot enter PID 1's mount namespace: Operation not permitted", "without root")
Run(before=("setpriv", "--groups=0,4,42")).gives("echo", "supplementary groups change nothing")

# --- the directory that it makes, and removes


def leave_behind(make):
    """What stands at RUNTIME when the helper is called."""
    fresh_runtime()
    make()


def old_directory():
    """As the first version had it: the unit's runtime directory, left4me's, with its script."""
    os.mkdir(RUNTIME, 0o700)
    with open(RUNTIME + "/script", "w", encoding="utf-8") as file:
        file.write("stale")
    os.chown(RUNTIME, OWNER, OWNER)


def hostile_script(make):
    def made():
        os.mkdir(RUNTIME)
        with open("/run/victim", "w", encoding="utf-8") as file:
            file.write("victim")
        make(RUNTIME + "/script")
    return made


for what, make in (("an earlier one", old_directory), ("an empty one", lambda: os.mkdir(RUNTIME)),
                   ("one with a link for a script", hostile_script(lambda path: os.symlink("/run/victim", path))),
                   ("one with a dangling link", hostile_script(lambda path: os.symlink("/run/none", path))),
                   ("one with a FIFO", hostile_script(os.mkfifo))):
    leave_behind(make)
    Run().gives("echo", "%s is replaced" % what)
    leave_behind(make)
    run = Run("--remove", "7", ids=(), root=None)
    run.wrong += ["it is there"] if os.path.lexists(RUNTIME) else []
    run.wrong += ["the victim is gone"] if os.path.exists("/run/victim") and open("/run/victim", encoding="utf-8").read() != "victim" else []
    none(run.wrong + ([] if (run.status, run.error) == (0, "") else [run.error]), "%s is removed" % what)
for what, make, pattern in (("a directory in place of the script", hostile_script(os.mkdir), "Is a directory"),
                            ("something else in it", lambda: os.makedirs(RUNTIME + "/else"), "Directory not empty"),
                            ("a link", lambda: os.symlink("/run", RUNTIME), "Too many levels|Not a directory"),
                            ("a file", lambda: open(RUNTIME, "w", encoding="utf-8").close(), "Not a directory")):
    leave_behind(make)
    run = Run(runtime="/nowhere")
    none([] if run.status == 1 and re.search("cannot replace '%s': (%s)" % (RUNTIME, pattern), run.error) else [run.error],
         "%s is named, and not replaced" % what)
fresh_runtime()
os.rmdir("/run/left4me/build")
Run().gives("echo", "the directory above is made where it is missing")
fresh_runtime()
none([Run("--remove", "7", ids=(), root=None).error] if Run("--remove", "7", ids=(), root=None).status else [], "nothing to remove is no error")
for name, make in (("another user's", lambda: os.chown("/run/left4me/build", OWNER, OWNER)),
                   ("open to others", lambda: os.chmod("/run/left4me/build", 0o777))):
    fresh_runtime()
    make()
    Run().fails("another user than root may write in '/run/left4me/build': remove it", "a directory above that is %s" % name)
for link in ("build", ""):
    fresh_runtime()
    path = ("/run/left4me/" + link).rstrip("/")
    os.rename(path, "/run/elsewhere")
    os.symlink("/run/elsewhere", path)
    run = Run(runtime="/nowhere")
    run.wrong += ["written through it"] if any("script" in f for _, _, f in os.walk("/run/elsewhere")) else []
    none(run.wrong + ([] if run.status == 1 and "Too many levels" in run.error else [run.error]), "%s is a link" % path)
    os.unlink(path)
    shutil.rmtree("/run/elsewhere")
fresh_runtime()
run = Run(environment={"RUNTIME_DIRECTORY": "/run/elsewhere"})
run.gives("echo", "RUNTIME_DIRECTORY has no meaning")
database((7, "x" * LIMIT))
fresh_runtime()
mount("-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs", "/run/left4me/build")
Run().fails("cannot make '%s': No space left" % RUNTIME, "no space: neither file nor directory")
umount("/run/left4me/build")
for name, argument in (("a file size limit", "--fsize=1000"), ("no more open files than it needs", "--nofile=32")):
    fresh_runtime()
    run = Run(before=("prlimit", argument))
    none(run.wrong + ([] if (run.status == 0) == (run.script == b"x" * LIMIT) else ["status %r with %.20r" % (
        run.status, run.script)]), "%s: the whole script or none" % name)

# --- the caller's environment (S43) and descriptors

hostile = {"RUNTIME_DIRECTORY": "/nowhere", "TMPDIR": STAGE, "SQLITE_TMPDIR": STAGE, "HOME": STAGE, "POSIXLY_CORRECT": "1",
           "LEFT4ME_ROOT": "/nowhere", "LEFT4ME_DATABASE": "/nowhere", "DATABASE_URL": "sqlite:////nowhere", "LANG": "de_DE.UTF-8",
           "LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "de", "CACHE_DIRECTORY": "/nowhere", "STATE_DIRECTORY": "/nowhere",
           "LD_LIBRARY_PATH": "/nowhere", "LD_BIND_NOW": "1", "SQLITE_HISTORY": "/nowhere", "MALLOC_CHECK_": "3",
           "NOTIFY_SOCKET": "/nowhere", "RES_OPTIONS": "debug", "PATH": "/nowhere", "TZ": "/etc/shadow"}
for state in ("a clean WAL database without sidecars", "-wal without -shm", "a hot journal"):
    process = set_up(state)
    Run(environment=hostile).gives("new", "a hostile environment changes nothing, %s" % state)
    process.end()
database((7, "echo hello\n"))
for umask in (0o000, 0o777):
    fresh_runtime()
    Run(preexec_fn=lambda: os.umask(umask)).gives("echo hello\n", "umask %03o" % umask)
fresh_runtime()
Run(preexec_fn=lambda: os.closerange(0, 3)).gives("echo hello\n", "without descriptors 0, 1 and 2")
os.rename(DATABASE, DATABASE + ".away")
run = Run(preexec_fn=lambda: os.closerange(0, 3), still=False)
ok(run.status == 1 and run.script == b"echo hello\n", "... a message goes nowhere, the script that was there is whole")
os.rename(DATABASE + ".away", DATABASE)
fresh_runtime()
os.chdir("/")
Run(cwd=DIRECTORY).gives("echo hello\n", "any working directory")

done()
