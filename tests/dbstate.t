#!/usr/bin/env python3
"""
The database file in every state that a writer can leave it in (S11, S12, S13), on a writable and on a read-only mount, read
as root, as root without CAP_CHOWN and as the owner; and what else can stand in its place. time.t has what takes long,
writer.t busy writers, lastgood.t the last good rows themselves.

Pinned: exactly the committed rows are read; the directory stays as it was, byte for byte and owner for owner; the reader is
unprivileged; no run takes 5 s or leaves a process or a file in /tmp behind; what cannot be read is an error that says why,
and then the last good rows are used, `render` writes nothing and `check` fails.
"""

import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from dbfile import *  # noqa: E402,F403

for state in STATES:
    for reader in READERS:
        for kind in ("writable", "read-only"):
            name = "%s, %s, read by %s" % (state, kind, reader)
            if kind == "read-only" and not MOUNTS:
                tap.skip(name, NO_MOUNTS)
                continue
            process, found = set_up(state)
            if kind == "read-only":
                read_only(DIRECTORY)
            before = state_of(DIRECTORY)
            run = Generated(reader)
            after = state_of(DIRECTORY)
            if kind == "read-only":
                umount("--lazy", DIRECTORY)
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
    before = state_of(DIRECTORY)
    rendered, checked = Run(["render", "--format=tree", "--root=" + box.root, "--output=" + box.top + "/out"]), \
        Run(["check", "--root=" + box.root])
    after = state_of(DIRECTORY)
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
# What else can stand in its place: an error that says so, soon; nothing of it in the tree

DISABLED = "INSERT INTO generator_instances (name, port, enabled) SELECT 's' || i, 27001, 0 FROM n"

# (what, how it is made from the good database, what the message must name)
FAULTS = [
    ("no file", lambda: os.unlink(DATABASE), "left4me.db"),
    ("no directory", lambda: shutil.rmtree(DIRECTORY), "left4me.db"),
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
    ("a view with a missing column", view(INSTANCES, "SELECT " + constants_of(INSTANCES).replace("AS port", "AS prot")), "port"),
    ("a layers view with a missing column", view(LAYERS, "SELECT " + constants_of(LAYERS).replace("AS position", "AS place")), "position"),
    ("an overlays view with a missing column", view(OVERLAYS, "SELECT " + constants_of(OVERLAYS).replace("AS name", "AS title")), "name"),
    ("a view over a table that is gone", view(INSTANCES, "SELECT * FROM gone"), "generator_instances|gone"),
    ("20 003 instances", sql(MANY % 20001 + DISABLED), INSTANCES + ": has 20003 rows, more than 10 times"),
    ("a view over a pragma", view(INSTANCES, "SELECT %s FROM pragma_database_list" % constants_of(INSTANCES, name="name", port=27001, arguments="file")), INSTANCES),
    ("a view that loads an extension", view(INSTANCES, "SELECT " + constants_of(INSTANCES, name="load_extension('/tmp/evil')", port=27001)), INSTANCES),
    ("a -wal that is a link to a file of root's", sidecars(lambda p: os.symlink("/etc/shadow", p), "-wal"), "its -wal file is a symbolic link"),
    ("a -wal of garbage", sidecars(lambda p: write(p, b"garbage" * 1000), "-wal"), None),
    ("a -wal and a -shm of garbage", sidecars(lambda p: write(p, b"garbage" * 10000), "-wal", "-shm"), None),
    ("a -journal of garbage", sidecars(lambda p: write(p, b"garbage" * 1000), "-journal"), None),
    ("a directory", replace(lambda: os.mkdir(DATABASE)), "left4me.db"),
    ("a symlink to the database", lambda: elsewhere(DIRECTORY + "/real.db"), "left4me.db.*(link|regular)"),
    ("a symlink to a file of root's", replace(lambda: os.symlink("/etc/shadow", DATABASE)), "left4me.db.*(link|regular)"),
    ("a symlink to nowhere", replace(lambda: os.symlink("/nowhere", DATABASE)), "left4me.db"),
]

good_database()
good = Generated()
tap.ok((good.status, good.report, good.servers()) == (0, [], {"alpha", "bravo"}), "the good database", good.report)
tap.ok(ACTIVATION not in good.tree and UNITS + "left4me-activate.timer" in good.tree,
       "rows from the database itself: left4me-activate.timer is there, but not linked")
ROW_FILES = re.compile(UNITS + r"(left4me(-queue)?\.target\.wants/left4me-(server|queue)@.+|left4me-server@.+|build-overlay@.+)\.service")


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

for name, make, words in FAULTS:
    if words is None:
        continue
    want, data = after_good_run(age=1000)
    make()
    run = Generated(keep_last_good=True)
    found = run.problems() + same_as_good(run, want)
    if run.status != 0 or ACTIVATION not in run.tree:
        found.append("status %r, %sactivation link" % (run.status, "" if ACTIVATION in run.tree else "no "))
    if not any(re.search(r"\b(999|10\d\d) s(econds)?\b", line) for line in run.report) or not re.search(words, "\n".join(run.report)):
        found.append("the report does not say how old the rows are (in seconds) and why (%r): %r" % (words, run.report))
    with open(LAST_GOOD, "rb") as file:
        if file.read() != data:
            found.append("last-good was changed")
    tap.none(found, "%s: the last good rows serve" % name)

# Nobody else's file
REFUSED = "left4me.db: user %d may not %s: it belongs to user %d and group %d with mode %04o; chown or chmod it; "
CLOSED = (
    ("a database that its own owner may not read", lambda: os.chmod(DATABASE, 0o000), ("read it", OWNER, OWNER, 0)),
    ("a database that only root may read", lambda: (os.chown(DATABASE, 0, 0), os.chmod(DATABASE, 0o640)), ("read it", 0, 0, 0o640)),
    ("a directory that only root may enter", lambda: (os.chown(DIRECTORY, 0, 0), os.chmod(DIRECTORY, 0o700)),
     ("enter '%s'" % DIRECTORY, 0, 0, 0o700)),
    ("a directory above it that only root may enter", lambda: os.chmod(os.path.dirname(DIRECTORY), 0o710),
     ("enter '%s'" % os.path.dirname(DIRECTORY), 0, 0, 0o710)),
)
SIDECARS = (
    ("-wal", "a crashed writer, -wal and -shm left"), ("-shm", "a crashed writer, -wal and -shm left"),
    ("-wal", "-wal without -shm"), ("-journal", "a hot journal"),
)
for name, make, words in CLOSED if AS_ROOT else ():
    good_database()
    make()
    run = Generated()
    tap.ok(REFUSED % (OWNER, *words) in "".join(run.report), "%s: who was refused what" % name, run.report)
    checked = Run(["check", "--root=" + box.root])
    tap.ok((checked.status, REFUSED % (OWNER, *words) in "".join(checked.printed)) == (2, True), "... by check as well", checked.printed)
for suffix, state in SIDECARS if AS_ROOT else ():
    process, found = set_up(state)
    process.end()
    os.chown(DATABASE + suffix, 0, 0)
    os.chmod(DATABASE + suffix, 0o600)
    run = Generated()
    found += [] if REFUSED % (OWNER, "read its %s file" % suffix, 0, 0, 0o600) in "".join(run.report) else [repr(run.report)]
    tap.none(found + run.problems(1), "a %s of root's, %s: who was refused what" % (suffix, state))
KINDS = {"a directory": os.mkdir, "a pipe": os.mkfifo, "a link": lambda path: os.symlink("/nowhere", path)}
for name, make in KINDS.items():
    process, found = set_up("a crashed writer, -wal and -shm left")
    process.end()
    os.unlink(DATABASE + "-shm")
    make(DATABASE + "-shm")
    run = Generated()
    found += [] if (run.report, run.servers()) == ([], {"alpha", "bravo"}) else ["%r %r" % (run.report, run.servers())]
    tap.none(found + run.problems(1), "a -shm that is %s is none: the -wal is read without" % name)
    for suffix, words in (("-wal", "its -wal file is"), ("-journal", "its -journal file is")):
        good_database()
        make(DATABASE + suffix)
        run = Generated()
        good = run.servers() == {"alpha", "bravo"} or re.search(words + " (not a regular file|a symbolic link)", "".join(run.report))
        tap.none(run.problems(2) + ([] if good else [repr(run.report)]), "a %s that is %s is named, or nothing depends on it" % (suffix, name))
if AS_ROOT:
    good_database()
    before = READERS["the owner"][:1] + ("--reuid=65534", "--regid=65534", "--clear-groups")
    checked = Run(["check", "--root=" + box.root], before)
    tap.ok(checked.status == 2 and REFUSED % (65534, "read it", OWNER, OWNER, 0o640) in "".join(checked.printed),
           "a reader without permission", "%r %r" % (checked.status, checked.printed))
    good_database()
    os.chown(DATABASE, 0, 0)
    os.chmod(DATABASE, 0o644)
    os.chown(DIRECTORY, 0, 0)
    run = Generated()
    tap.ok((run.report, run.servers()) == ([], {"alpha", "bravo"}), "a database of root's that everybody may read is read", run.report)
    good_database()
    box.config("[host]\nuid = 0\n")
    run = Generated()
    tap.ok(re.search("is not read as root|uid", "".join(run.report)), "with [host] uid = 0 it is not read as root", run.report)
    good_database()
    real = box.root + "/srv"
    os.rename(box.root + "/var/lib", real)
    os.symlink(real, box.root + "/var/lib")
    run = Generated()
    tap.ok((run.report, run.servers()) == ([], {"alpha", "bravo"}), "a link in the path above the database is followed",
           run.report)
else:
    for name in ("a database or directory that is closed", "a sidecar that is closed", "a reader without permission", "a database of root's",
                 "a link in the path above the database is followed"):
        tap.skip(name, "needs root")

# At the limits
good_database()
box.config("[host]\nservers = 5000\n")
sql(MANY % 19998 + DISABLED)()
run = Generated()
tap.none(run.problems() + ([] if (run.status, len(run.servers())) == (0, 5000) and
                           "no rule for 15000 of 20000" in run.report[0] and len(run.report) > 4990 else
                           ["%r %d %r" % (run.status, len(run.report), run.report[:3])]), "20 000 instances, nearly all of them refused, in time")
box.config("")

# ---------------------------------------------------------------------------------------------------------------------
# Who reads

READER_FIELDS = {"Uid": [str(OWNER)] * 4, "Gid": [str(OWNER)] * 4, "Groups": [], "CapEff": ["0" * 16], "CapPrm": ["0" * 16],
                 "NoNewPrivs": ["1"], "Seccomp": ["2"]}


def reader_of_a_view_without_end(owner=OWNER):
    """The status of the child while it reads a database of that user's, and its limits, by key."""
    view(INSTANCES, NO_END + "SELECT %s FROM n WHERE i < 0" % constants_of(INSTANCES, name="i"))()
    os.chown(DATABASE, owner, owner)
    os.chown(DIRECTORY, owner, owner)
    os.chmod(DATABASE, 0o644)
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
    tap.equal({key: status.get(key) for key in READER_FIELDS}, READER_FIELDS, "the reader is the configured user, for good, and confined")
    for owner in (0, 65534):
        good_database()
        other = reader_of_a_view_without_end(owner)
        tap.equal({key: other.get(key) for key in READER_FIELDS}, READER_FIELDS, "... whoever owns the file, user %d" % owner)
    limits = {key: value for key, value in status.items() if key.startswith("Max ")}
    if SANITIZED:
        tap.skip("its time and memory are limited", "a sanitizer's shadow memory needs more")
    else:
        tap.ok(len(limits) == 2 and not any("unlimited" in value for value in limits.values()), "its time and memory are limited", limits)
else:
    tap.skip("the reader is the configured user, for good, and confined", "needs root")
    tap.skip("its time and memory are limited", "needs root")

# ---------------------------------------------------------------------------------------------------------------------
# A schema that is none of our business

COLUMNS = ["c%d" % i for i in range(211)]
UNKNOWN = "CREATE TRIGGER newer AFTER INSERT ON users BEGIN SELECT @@ of a later version; END"


def unknown_to_sqlite():
    """A trigger in a syntax that this SQLite does not know."""
    sql("CREATE TRIGGER newer AFTER INSERT ON users BEGIN SELECT 1; END", "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = '%s' WHERE name = 'newer'" % UNKNOWN)()


def script(text):
    def make():
        connection = sqlite3.connect(DATABASE, isolation_level=None)
        connection.executescript(text)
        connection.close()
    return make


def rewritten(**texts):
    """A schema in which these objects have texts that this SQLite would not take."""
    return script("CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END; CREATE VIEW v AS SELECT 1; CREATE TABLE u (a);"
                  "CREATE INDEX i ON users (c1); CREATE INDEX o ON generator_instances (name); PRAGMA writable_schema = ON;" +
                  "".join("UPDATE sqlite_master SET sql = '%s' WHERE name = '%s';" % (text, name) for name, text in texts.items()))


def with_functions():
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.create_function("slug", 1, str, deterministic=True)
    connection.create_collation("german", lambda a, b: (a > b) - (a < b))
    for statement in ("CREATE INDEX by_slug ON users (slug(c1))", "CREATE TABLE g (a TEXT COLLATE german, b AS (slug(a)), CHECK (slug(a) > ''))",
                      "CREATE INDEX by_a ON g (a)", "CREATE INDEX by_name ON generator_instances (slug(name), name COLLATE german)", "CREATE VIEW slugs AS SELECT slug(a) FROM g ORDER BY a"):
        connection.execute(statement)
    connection.close()


def without_module():
    """A virtual table of an extension that is not loaded, and a view over it."""
    sql("PRAGMA writable_schema = ON", "INSERT INTO sqlite_master VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING spatial(a)')",
        "INSERT INTO sqlite_master VALUES ('view', 'w', 'w', 0, 'CREATE VIEW w AS SELECT * FROM v')")()


FOREIGN = [
    ("a virtual table of an extension that is not there", without_module),
    ("2000 tables with an index each", sql("BEGIN", *["CREATE TABLE t%d (a, b, c, d); CREATE INDEX i%d ON t%d (a)".split(";")[k] % ((i,) * (k + 1))
                                                     for i in range(2000) for k in (0, 1)], "COMMIT")),
    ("STRICT tables, computed columns and window functions", sql(
        "CREATE TABLE strict_one (a INTEGER, b AS (a * 2) STORED, c TEXT AS (json_extract(a, '$.x')))",
        "CREATE TABLE strict_two (a INTEGER, b TEXT) STRICT", "CREATE VIEW ranks AS SELECT a, row_number() OVER (ORDER BY a) FROM strict_two")),
    ("a trigger that calls json_object() with twelve columns", sql("CREATE TRIGGER audit AFTER UPDATE ON users BEGIN INSERT INTO log "
     "VALUES (json_object(%s)); END" % ", ".join("'%s', OLD.%s" % (c, c) for c in COLUMNS[:12]))),
    ("a trigger that joins the text of 45 columns", sql("CREATE TRIGGER audit AFTER UPDATE ON users BEGIN INSERT INTO log VALUES (%s); END" %
     " || ',' || ".join("quote(OLD.%s)" % c for c in COLUMNS[:45]))),
    ("a trigger that joins the text of 211", sql("CREATE TRIGGER audit AFTER UPDATE ON users BEGIN INSERT INTO log VALUES (%s); END" %
     " || ',' || ".join("quote(OLD.%s)" % c for c in COLUMNS))),
    ("a table of 2000 columns", sql("CREATE TABLE wide (%s)" % ", ".join("c%d" % i for i in range(2000)))),
    ("a view of 60 UNIONs", sql("CREATE VIEW many AS " + " UNION ".join("SELECT c%d FROM users" % i for i in range(60)))),
    ("a view of 400 UNION ALLs", sql("CREATE VIEW many AS " + " UNION ALL ".join("SELECT %d" % i for i in range(400)))),
    ("a view of two megabytes", sql("CREATE VIEW long AS SELECT '%s' AS x" % ("x" * 2000000))),
    ("a trigger that fires a hundred others", sql(*["CREATE TRIGGER t%d AFTER UPDATE OF c%d ON users BEGIN UPDATE users SET c%d = 1; END" %
     (i, i, i + 1) for i in range(100)])),
    ("indexes, columns and checks with functions and a collation of the application's", with_functions),
    ("a trigger in the syntax of a later SQLite", unknown_to_sqlite),
    ("a full-text and a spatial index, their triggers and a view over them", script(
        "CREATE TABLE doc (id INTEGER PRIMARY KEY, t); CREATE VIRTUAL TABLE f USING fts5 (t, content=doc, content_rowid=id);"
        "CREATE TRIGGER d AFTER INSERT ON doc BEGIN INSERT INTO f (rowid, t) VALUES (new.id, new.t); END; INSERT INTO doc (t) VALUES ('x');"
        "CREATE VIRTUAL TABLE r USING rtree (id, a, b); CREATE VIEW found AS SELECT * FROM f WHERE f MATCH 'x'")),
    ("tables WITHOUT ROWID and a trigger with a CTE and an upsert", script(
        "CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; CREATE TRIGGER wt AFTER INSERT ON w BEGIN INSERT INTO w "
        "SELECT * FROM (WITH x (n) AS (SELECT 1) SELECT n, n FROM x) WHERE 1 ON CONFLICT DO UPDATE SET b = excluded.b; END")),
    ("views 500 deep, and two that need each other", sql(
        "CREATE VIEW d0 AS SELECT 1 AS a", *["CREATE VIEW d%d AS SELECT * FROM d%d" % (i, i - 1) for i in range(1, 500)],
        "CREATE VIEW x1 AS SELECT 1 AS a", "CREATE VIEW x2 AS SELECT * FROM x1", "DROP VIEW x1", "CREATE VIEW x1 AS SELECT * FROM x2")),
    ("an expression 900 deep and an IN of 30 000", sql(
        "CREATE VIEW deep AS SELECT c1 FROM users WHERE %s" % " AND ".join("c1 <> %d" % i for i in range(900)),
        "CREATE VIEW long AS SELECT c1 FROM users WHERE c1 IN (%s)" % ",".join(map(str, range(30000))))),
    ("statistics that are garbage", script("CREATE TABLE s (a, b); CREATE INDEX si ON s (a, b); INSERT INTO s VALUES (1, 2); ANALYZE;"
                                           "UPDATE sqlite_stat1 SET stat = hex(zeroblob(100000))")),
    ("what an ALTER TABLE of old has left behind", script(
        "PRAGMA legacy_alter_table = ON; CREATE TABLE l (a, b); CREATE VIEW lv AS SELECT b FROM l; "
        "CREATE TRIGGER lt AFTER INSERT ON l BEGIN SELECT b FROM gone; END; ALTER TABLE l RENAME TO l2; CREATE TABLE fk (a REFERENCES gone (b))")),
    ("a trigger and a view that name another database", rewritten(
        t="CREATE TRIGGER t AFTER INSERT ON users BEGIN INSERT INTO other.log VALUES (1); END", v="CREATE VIEW v AS SELECT * FROM other.log")),
    ("a table and an index in the syntax of a later SQLite", rewritten(
        u="CREATE TABLE u (a) PARTITIONED BY a", i="CREATE INDEX i ON users (c1) USING brin")),
    ("an index of a table of ours in the syntax of a later SQLite", rewritten(o="CREATE INDEX o ON generator_instances (name) USING brin")),
    ("names of every kind", script('CREATE TABLE "a""b [c]" ("sel""ect", [x y], `z`); CREATE INDEX "i ; --" ON "a""b [c]" ("sel""ect")')),
    ("a LIKE with a pattern of 2000 bytes in a check", sql("CREATE TABLE liked (x CHECK (x LIKE '%s'))" % ("%a" * 1000))),
]
for name, make in FOREIGN:
    good_database()
    sql("CREATE TABLE users (%s)" % ", ".join(COLUMNS), "CREATE TABLE log (x)")()
    make()
    run = Generated()
    tap.none(run.problems() + ([] if (run.report, run.servers()) == ([], {"alpha", "bravo"}) else ["%r %r" % (run.report, run.servers())]),
             "%s does not matter" % name)

# The forms of the file that SQLite knows
FORMS = ["page_size = 512", "page_size = 65536", "auto_vacuum = FULL", "auto_vacuum = INCREMENTAL", "encoding = 'UTF-16be'",
         "encoding = 'UTF-16le'", "journal_mode = PERSIST", "journal_mode = TRUNCATE", "journal_mode = MEMORY", "journal_mode = OFF",
         "journal_mode = WAL", "application_id = 7", "secure_delete = ON"]
for form in FORMS:
    box.make_clean()
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.executescript("PRAGMA %s; %s" % (form, SCHEMA))
    insert(connection, INSTANCES, instance("alpha", 27001, "+hostname Gr\u00f6\u00dfe"))
    connection.close()
    box.give(DATABASE)
    before = state_of(DIRECTORY)
    run = Generated()
    tap.ok((run.report, run.servers(), state_of(DIRECTORY) == before) == ([], {"alpha"}, True), "a database with %s is read" % form, run.report)

OWN = [
    ("a text joined of 150 pieces", "SELECT %s AS name, 27001 AS port, '' AS arguments, 1 AS enabled" % " || ".join(["'a'"] * 150),
     r"view generator_instances: Expression tree is too large \(maximum depth 100\); left4me-views\(5\) has the limits"),
]
for name, text, words in OWN:
    good_database()
    sql("CREATE TABLE wide (name, port, arguments, enabled, %s)" % ", ".join(COLUMNS))()
    view(INSTANCES, text)()
    run = Generated()
    tap.ok(re.search(words, "".join(run.report)), "a view with %s is that view's error" % name, run.report)

WIDE = "'+map ' || c1 AS arguments, c2 AS name, 27001 AS port, 1 AS enabled"
MADE = [
    ("of a table of 211 columns", [], "SELECT %s FROM users" % WIDE),
    ("of another view of all its columns", ["CREATE VIEW every AS SELECT * FROM users"], "SELECT %s FROM every" % WIDE),
    ("60 views above it", ["CREATE VIEW d0 AS SELECT * FROM users", *["CREATE VIEW d%d AS SELECT * FROM d%d" % (i, i - 1) for i in range(1, 60)]],
     "SELECT %s FROM d59" % WIDE),
    ("of 60 SELECTs, one with 40 arguments", [], "SELECT %s FROM users UNION ALL SELECT printf('%s', %s), 'b', 27002, 0 WHERE 0%s" %
     (WIDE, "%d" * 40, ", ".join("1" * 40), " UNION ALL SELECT '', 'b', 27002, 0 WHERE 0" * 58)),
    ("of 20 tables joined", ["CREATE TABLE j%d (id)" % i for i in range(20)],
     "SELECT %s FROM users %s" % (WIDE, " ".join("LEFT JOIN j%d ON j%d.id = c1" % (i, i) for i in range(20)))),
    ("of a list of JSON's", [], "SELECT (SELECT group_concat(value, ' ') FROM json_each('[\"+map\", \"x\"]')) AS arguments, "
     "c2 AS name, 27001 AS port, 1 AS enabled FROM users"),
    ("of a tree of JSON's", [], "SELECT (SELECT group_concat(atom, ' ') FROM json_tree('{\"a\": [\"+map\", \"x\"]}') WHERE atom IS NOT NULL) AS arguments, "
     "c2 AS name, 27001 AS port, 1 AS enabled FROM users"),
    ("of a recursive CTE and a window", [], "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2) "
     "SELECT '+map x' AS arguments, c2 AS name, 27000 + row_number() OVER (ORDER BY i) AS port, 1 AS enabled FROM users, n WHERE i = 0"),
    ("with columns in another order and case, and more of them", [], "SELECT 7 AS more, 1 AS ENABLED, c2 AS Name, '+map x' AS Arguments, 27001 AS Port FROM users"),
]
for name, before, text in MADE:
    good_database()
    sql("CREATE TABLE users (%s)" % ", ".join(COLUMNS), "INSERT INTO users (c1, c2) VALUES ('x', 'alpha')", *before)()
    view(INSTANCES, text)()
    run = Generated()
    unit = run.tree.get(UNITS + "left4me-server@alpha.service", (0, 0, b""))[2]
    tap.ok((run.report, run.servers(), b" +map x" in unit) == ([], {"alpha"}, True), "a view %s is read" % name, run.report)

good_database()
view(INSTANCES, "SELECT 'x' AS name, 27001 AS port, '' AS arguments, 1 AS enabled")()
sql("PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = 'CREATE VIEW generator_instances AS SELECT @@' WHERE name = '%s'" % INSTANCES)()
run = Generated()
tap.ok(re.search(r"has no view generator_instances; .* \(SQLite [0-9.]+ cannot read all of its schema: \(generator_instances\) - ",
                 "".join(run.report)) and "malformed" not in "".join(run.report), "a view of ours in the syntax of a later SQLite", run.report)

# ---------------------------------------------------------------------------------------------------------------------
# Messages that say what is wrong


def collated():
    """A name with a collation that only the application has."""
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.create_collation("german", lambda a, b: (a > b) - (a < b))
    connection.execute("CREATE TABLE s (name TEXT COLLATE german)")
    connection.execute("INSERT INTO s VALUES ('alpha')")
    connection.close()
    view(INSTANCES, "SELECT %s FROM s" % constants_of(INSTANCES, name="name", port=27001))()


def collated_layers():
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.create_collation("german", lambda a, b: (a > b) - (a < b))
    connection.execute("CREATE TABLE l (server TEXT COLLATE german)")
    connection.execute("INSERT INTO l VALUES ('alpha')")
    connection.close()
    view(LAYERS, "SELECT %s FROM l" % constants_of(LAYERS, instance="server", position="1", overlay="1"))()


QUOTED = 'view %s: no such column: "on", which view %s has in double quotes, as a column\'s name; a text is written \'on\''
MESSAGES = [
    ("a collation of the application's", collated,
     "view generator_instances: no such collation sequence: german, which only the application has; name || '' in the view"),
    ("a collation of the layers'", collated_layers,
     "view generator_layers: no such collation sequence: german, which only the application has; instance || '' in the view"),
    ("a value of 70 MB", sql("UPDATE %s SET arguments = hex(zeroblob(35000000))" % INSTANCES),
     "view generator_instances: string or blob too big; left4me-views(5) has the limits"),
    ("a text in double quotes", view(INSTANCES, "SELECT %s WHERE name = \"on\"" % constants_of(INSTANCES)), QUOTED % (INSTANCES, INSTANCES)),
    ("a text in double quotes in a view that ours uses", lambda: (
        sql("DROP TABLE " + INSTANCES, "CREATE TABLE s (state)", "CREATE VIEW deeper AS SELECT * FROM s WHERE state = \"on\"",
            "CREATE VIEW %s AS SELECT %s FROM deeper" % (INSTANCES, constants_of(INSTANCES)))()), QUOTED % (INSTANCES, "deeper")),
    ("a column that is not there", view(INSTANCES, "SELECT " + constants_of(INSTANCES).replace("AS port", "AS prot")),
     "view generator_instances: no such column: port; /usr/local/share/left4me/schema/views.sql creates it"),
    ("an encrypted file", change(lambda data: os.urandom(8192)), "file is not a database that SQLite .* can read: it is another kind of file, encrypted, or in"),
    ("the format of a later SQLite", change(lambda data: data.__setitem__(slice(18, 20), b"\3\3")), "or in the format of a later version"),
    ("a function of the application's", view(INSTANCES, "SELECT %s" % constants_of(INSTANCES, arguments="slug('x')")),
     "view generator_instances: no such function: slug in SQLite .*: it is the application's own or a later version's"),
    ("a full-text index", lambda: (sql("CREATE VIRTUAL TABLE f USING fts5(x)")(), view(INSTANCES, "SELECT %s FROM f" % constants_of(INSTANCES))()),
     "view generator_instances: no such module: fts5: of virtual tables a view may use JSON's alone"),
    ("a function that no view may call", view(INSTANCES, "SELECT %s" % constants_of(INSTANCES, arguments="load_extension('x')")),
     "view generator_instances: load_extension(), which SQLite .* takes for unsafe in a view: the view must do without it"),
    ("an id as a name", view(INSTANCES, "SELECT " + constants_of(INSTANCES, name="7", port="27001.0", enabled="x'01'")),
     "row 1, name: 7 is an integer, not a text: CAST it in the view"),
    ("numbers of other types", view(INSTANCES, "SELECT " + constants_of(INSTANCES, name="'x'", port="27001.0", arguments="1", enabled="x'01'")),
     "port: 27001.0 is a real number, not an integer: CAST it in the view.*arguments: 1 is an integer, not a text: CAST it.*"
     "enabled: a blob of 1 bytes is not 0 or 1"),
    ("an id as a layer's server", sql("UPDATE %s SET instance = 7" % LAYERS), "row 1, instance: 7 is an integer, not a text: CAST it in the view"),
    ("numbers as texts", view(INSTANCES, "SELECT " + constants_of(INSTANCES, name="'x'", port="'27001'", enabled="'true'")),
     "port: '27001' is a text, not an integer: CAST it in the view.*enabled: 'true' is a text, not 0 or 1: CAST it in the view"),
]
for name, make, words in MESSAGES:
    good_database()
    make()
    run = Generated()
    tap.ok(re.search(re.escape(words).replace(re.escape(".*"), ".*"), " ".join(run.report)), "%s is named as what it is" % name, run.report)
    if make is collated:
        sql("DROP VIEW " + INSTANCES, "CREATE VIEW %s AS SELECT %s FROM s" % (INSTANCES, constants_of(INSTANCES, name="name || \'\'", port=27001)))()
        run = Generated()
        tap.ok((run.report, run.servers()) == ([], {"alpha"}), "... and cured by what the message says", run.report)


def utf16(length):
    box.make_clean()
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.executescript("PRAGMA encoding = 'UTF-16le';" + SCHEMA)
    insert(connection, INSTANCES, instance("alpha", 27001, "+hostname Gr\u00f6\u00dfe"))
    insert(connection, OVERLAYS, overlay(1, "maps", "x" * length))
    connection.close()
    box.give(DATABASE)
    return Generated()


run = utf16(1048576)
tap.ok((run.report, run.servers()) == ([], {"alpha"}), "a UTF-16 database: 1 MiB of UTF-8 counts as that", run.report)
run = utf16(1048577)
tap.ok("script: is 1048577 bytes long, the limit is 1048576" in " ".join(run.report), "... and a byte more is too many", run.report)

tap.done()
