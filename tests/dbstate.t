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
    if LATER not in run.tree:
        found.append("the check would not try it again")
    got = without_rows(run.tree)
    for path in ACTIVATION, LATER, os.path.dirname(LATER):
        got.pop(path, None)
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
    if not any(re.search(r"; the rows of 1[67] min ago", line) for line in run.report) or not re.search(words, "\n".join(run.report)):
        found.append("the report does not say how old the rows are and why (%r): %r" % (words, run.report))
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
        while process.poll() is None and status.get("Seccomp") != ["2"]:        # the last that it gives up
            time.sleep(0.05)
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

tap.done()
