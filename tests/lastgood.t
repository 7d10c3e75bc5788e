#!/usr/bin/env python3
"""
The last good rows: what RUN/left4me/last-good holds, how long it serves, when it is ignored, and that its
rows pass the checks of any others. That it stands in for each unreadable database is dbstate.t's and time.t's.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from dbfile import *  # noqa: E402,F403

want, data = after_good_run()
HEADER = b"left4me last-good 2\n"
COLUMNS = b"generator_instances name port arguments enabled created\0"
tap.ok(data.startswith(HEADER + COLUMNS), "last-good begins with its name and version, then a view with its columns", data[:80])
tap.ok(b"echo" not in data, "last-good has no script text")
tap.equal(oct(os.stat(LAST_GOOD).st_mode & 0o7777), "0o600", "last-good is 0600")

want, data = after_good_run()
os.unlink(DATABASE)
for _ in range(3):
    run = Generated(keep_last_good=True)
tap.none(same_as_good(run, want), "they serve again and again")
checked = Run(["check", "--root=" + box.root])
tap.ok(checked.status in (1, 2) and checked.printed, "check fails meanwhile", checked.printed)
box.database(GOOD.add([instance("charlie", 27003)]))
run = Generated(keep_last_good=True)
tap.ok((run.report, run.servers()) == ([], {"alpha", "bravo", "charlie"}) and ACTIVATION not in run.tree,
       "when the database is back, its rows count", "%r %r" % (run.report, run.servers()))



def version_1(text):
    """As the version before wrote the same rows: views without their columns, instances without `created`."""
    first, rest = text.split(b"\0generator_layers ", 1)
    head, *values = first.split(b"\0")
    rows = b"".join(b"\0" + b"\0".join(values[i:i + 4]) for i in range(0, len(values), 5))
    return re.sub(rb"(generator_[a-z]+) [a-z ]*\0", rb"\1\0", head + rows + b"\0generator_layers " + rest).replace(
        HEADER, b"left4me last-good 1\n")


want, data = after_good_run()
os.unlink(DATABASE)
write(LAST_GOOD, version_1(data), 0o600)
run = Generated(keep_last_good=True)
tap.none(same_as_good(run, want), "those of version 1, as an upgrade finds them, serve too")

want, data = after_good_run()
for name, text in [
    ("another version", data.replace(HEADER, b"left4me last-good 3\n")), ("an empty file", b""),
    ("the header of version 1", data.replace(HEADER, b"left4me last-good 1\n")),
    ("half of version 1", version_1(data)[:len(data) // 2]),
    ("the form of version 1 under the header of this", version_1(data).replace(b"good 1", b"good 2")),
    ("a column less", data.replace(COLUMNS, COLUMNS.replace(b" enabled", b""))),
    ("a column more", data.replace(COLUMNS, COLUMNS.replace(b" enabled", b" enabled more"))),
    ("a column of another name", data.replace(COLUMNS, COLUMNS.replace(b" arguments", b" options"))),
    ("only its first line", HEADER), ("something else", b"hello\n"), ("zeros", b"\0" * 4096),
    ("a byte missing at the end", data[:-1]), ("the last third missing", data[:len(data) * 2 // 3]), ("half of it", data[:len(data) // 2]),
    ("something after the end", data + b"alpha\n"), ("binary garbage after its first line", HEADER + bytes(range(256)) * 8),
    ("a huge number in each place of a number", re.sub(rb"\d+", b"99999999999999999999", data.split(b"\n", 1)[1]).join([HEADER, b""])),
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

tap.done()
