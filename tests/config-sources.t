#!/usr/bin/env python3
"""
Where configuration comes from (left4me.conf(5); S14, S118): the order of the files in /etc/left4me, what host.env and
web.env give below them, --config, and the command line itself.

Pinned: later files win by key; of the environment files four variables count and nothing else, SECRET_KEY least of all,
which is in no output of any mode. A bad variable is reported like a bad key.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from configured import *  # noqa: E402,F403

# ---------------------------------------------------------------------------------------------------------------------
# Precedence


def nice_of(files):
    fresh()
    for name, text in files.items():
        box.config(text, name)
    status, tree, report = run_generator()
    return report, values(parse(tree[UNITS + "left4me-server@.service"][2]), "Nice")


NICE = "[game]\nnice = %d\n"
for name, files, want in [
    ("conf.d is later than left4me.conf", {"left4me.conf": NICE % 1, "left4me.conf.d/a.conf": NICE % 2}, "2"),
    ("conf.d alone", {"left4me.conf.d/a.conf": NICE % 2}, "2"),
    ("conf.d in byte order", {"left4me.conf.d/10.conf": NICE % 1, "left4me.conf.d/9.conf": NICE % 2, "left4me.conf.d/1.conf": NICE % 3}, "2"),
    ("capitals sort before small letters", {"left4me.conf.d/a.conf": NICE % 1, "left4me.conf.d/B.conf": NICE % 2}, "1"),
    ("only *.conf counts", {"left4me.conf.d/a.conf": NICE % 1, "left4me.conf.d/b.conf.bak": NICE % 2, "left4me.conf.d/c": NICE % 3}, "1"),
    ("hidden files do not count", {"left4me.conf.d/a.conf": NICE % 1, "left4me.conf.d/.b.conf": NICE % 2}, "1"),
    ("a key that a later file does not have stays", {"left4me.conf": NICE % 1, "left4me.conf.d/a.conf": "[game]\nstrict_ports = no\n"}, "1"),
]:
    tap.equal(nice_of(files), ([], [want]), name)

def refresh_of(files):
    fresh()
    for name, text in files.items():
        box.config(text, name)
    status, tree, report = run_generator()
    timer = tree.get(UNITS + "left4me-workshop-refresh.timer")
    return report, timer and values(parse(timer[2]), "OnCalendar")[0], UNITS + "left4me-web.service" in tree


OFF, DAILY = "[web]\nenabled = no\n", "[workshop]\nrefresh = daily\n"
for name, files, want in [
    ("by default", {}, ([], "*-*-* 04:00:00", True)),
    ("goes with the web service", {"left4me.conf": OFF}, ([], None, False)),
    ("stays where it is set", {"left4me.conf": OFF + DAILY}, ([], "daily", False)),
    ("set in an earlier file", {"left4me.conf": DAILY, "left4me.conf.d/a.conf": OFF}, ([], "daily", False)),
    ("set to the default", {"left4me.conf": OFF + "[workshop]\nrefresh = *-*-* 04:00:00\n"}, ([], "*-*-* 04:00:00", False)),
    ("set to never", {"left4me.conf": "[workshop]\nrefresh =\n"}, ([], None, True)),
]:
    tap.equal(refresh_of(files), want, "refresh: " + name)
BAD = refresh_of({"left4me.conf": OFF + DAILY + "refresh = §\n"})
tap.equal((len(BAD[0]), *BAD[1:]), (1, None, False), "refresh: a bad value has the default")

PORTS = [("a", 26999), ("b", 27000), ("c", 27999), ("d", 28000)]


def accepted_ports(files):
    fresh()
    box.database(Rows([instance(name, port) for name, port in PORTS]))
    for name, text in files.items():
        box.config(text, name)
    box.generate()
    links = os.listdir(box.normal + "/left4me.target.wants")
    return [port for name, port in PORTS if "left4me-server@%s.service" % name in links]


START, END = "LEFT4ME_PORT_RANGE_START=%s\n", "LEFT4ME_PORT_RANGE_END=%s\n"
for name, files, want in [
    ("no range anywhere", {}, [27000, 27999]),
    ("host.env gives the range", {"host.env": START % 26000 + END % 26999}, [26999]),
    ("web.env gives the range", {"web.env": START % 26000 + END % 26999}, [26999]),
    ("quoted values", {"host.env": START % '"26000"' + END % "'26999'"}, [26999]),
    ("the start alone", {"host.env": START % 27500}, [27999]),
    ("the end alone", {"host.env": END % 27500}, [27000]),
    ("left4me.conf stands above both", {"host.env": START % 26000 + END % 26999, "web.env": START % 26000 + END % 26999,
                                        "left4me.conf": "[game]\nports = 28000-28001\n"}, [28000]),
    ("web.env is read after host.env", {"host.env": START % 26000 + END % 26999, "web.env": START % 28000 + END % 28001}, [28000]),
]:
    tap.equal(accepted_ports(files), want, "ports: " + name)

# ---------------------------------------------------------------------------------------------------------------------
# host.env and web.env


def database_read(files, where="/srv/db/x.db"):
    """Whether the server of the database at `where` came out, and the report."""
    fresh()
    box.database(Rows([instance("elsewhere", 27015)]))
    target = box.root + where
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.rename(box.database_path, target)
    for name, text in files.items():
        box.config(text, name)
    box.generate()
    return UNITS + "left4me-server@elsewhere.service" in box.tree(), box.report()


for name, files, where in [
    ("DATABASE_URL in web.env", {"web.env": "DATABASE_URL=sqlite:////srv/db/x.db\n"}, "/srv/db/x.db"),
    ("DATABASE_URL in host.env", {"host.env": "DATABASE_URL=sqlite:////srv/db/x.db\n"}, "/srv/db/x.db"),
    ("DATABASE_URL in quotes", {"web.env": 'DATABASE_URL="sqlite:////srv/db/x.db"\n'}, "/srv/db/x.db"),
    ("DATABASE_URL with SQLAlchemy's driver", {"web.env": "DATABASE_URL=sqlite+pysqlite:////srv/db/x.db\n"}, "/srv/db/x.db"),
    ("DATABASE_URL with another driver", {"web.env": "DATABASE_URL=sqlite+aiosqlite:////srv/db/x.db\n"}, "/srv/db/x.db"),
    ("DATABASE_URL with options", {"web.env": "DATABASE_URL='sqlite:////srv/db/x.db?timeout=30&check_same_thread=false'\n"}, "/srv/db/x.db"),
    ("DATABASE_URL with both", {"web.env": "DATABASE_URL=sqlite+pysqlite:////srv/db/x.db?timeout=30\r\n"}, "/srv/db/x.db"),
    ("DATABASE_URL with blanks around it", {"web.env": "  DATABASE_URL = sqlite:////srv/db/x.db \n"}, "/srv/db/x.db"),
    ("DATABASE_URL over two lines", {"web.env": "DATABASE_URL=sqlite:\\\n////srv/db/x.db\n"}, "/srv/db/x.db"),
    ("DATABASE_URL with options behind quotes", {"web.env": "DATABASE_URL='sqlite:////srv/db/x.db'?timeout=30\n"}, "/srv/db/x.db"),
    ("DATABASE_URL twice", {"web.env": "DATABASE_URL=sqlite:////x/y.db\nDATABASE_URL=sqlite:////srv/db/x.db\n"}, "/srv/db/x.db"),
    ("what looks like DATABASE_URL in another's value", {"web.env": "DATABASE_URL=sqlite:////srv/db/x.db\nA='1\nDATABASE_URL=sqlite:////x'\n"
                                                                    "B=1\\\nDATABASE_URL=sqlite:////x\n"}, "/srv/db/x.db"),
    ("LEFT4ME_ROOT moves the database", {"host.env": "LEFT4ME_ROOT=/srv/l4d2\n"}, "/srv/l4d2/left4me.db"),
    ("root moves the database", {"left4me.conf": "[host]\nroot = /srv/l4d2\n"}, "/srv/l4d2/left4me.db"),
    ("root stands above LEFT4ME_ROOT", {"host.env": "LEFT4ME_ROOT=/x\n", "left4me.conf": "[host]\nroot = /srv/l4d2\n"}, "/srv/l4d2/left4me.db"),
    ("database stands above DATABASE_URL", {"web.env": "DATABASE_URL=sqlite:////x/y.db\n",
                                            "left4me.conf": "[host]\ndatabase = /srv/db/x.db\n"}, "/srv/db/x.db"),
    ("DATABASE_URL stands above the root's default", {"web.env": "DATABASE_URL=sqlite:////srv/db/x.db\n",
                                                      "left4me.conf": "[host]\nroot = /srv/l4d2\n"}, "/srv/db/x.db"),
]:
    tap.equal(database_read(files, where), (True, []), name)

for key, bad_values in [
    ("DATABASE_URL", ["sqlite:///relative.db", "sqlite://", "sqlite:////a/../b", "sqlite:////", "sqlite:////a b", "/abs/path", "",
                      "postgresql://user:hunter2@db/left4me", "SQLITE:////x", "sqlite+pysqlite://", "sqlite:///", "sqlite:///:memory:",
                      "sqlite:///file:/x?uri=true", "sqlite:////x?mode=ro&uri=true", "sqlite+pysqlcipher://:hunter2@//x", "sqlite:/x",
                      "sqlite:////a%20b", "sqlite:////x?timeout=1 # why", "sqlite+:////x", "sqlite+pysqlite:///x", "'sqlite:////x",
                      "sqlite:////x\\\\y", "C:\\x", "sqlite+psycopg2:////x"]),
    ("LEFT4ME_ROOT", ["relative", "/a b", "/a/../b", ""]),
    ("LEFT4ME_PORT_RANGE_START", ["x", "0", "70000", "-1", "", "28001"]),
    ("LEFT4ME_PORT_RANGE_END", ["x", "0", "70000", "-1", "", "26000"]),
]:
    for value in bad_values:
        for file in ("host.env", "web.env"):
            fresh()
            box.config("# comment\n%s=%s\n" % (key, value), file)
            found = error_problems(["/etc/left4me/%s:2: .*%s" % (file, key)])
            if "hunter2" in "\n".join(box.report()):
                found.append("a password is in the report: %r" % box.report())
            tap.none(found, "%s refuses %s=%s" % (file, key, value))

for url, words in [
    ("sqlite:///left4me.db", "relative path"), ("sqlite://", "in memory"), ("sqlite:///:memory:", "in memory"), ("sqlite:///?timeout=5", "in memory"),
    ("sqlite:///file:/srv/x.db?uri=true", "URI"), ("sqlite+pysqlcipher://:hunter2@//srv/x.db", "encrypted"),
    ("sqlite:/srv/x.db", "not of the form"), ("sqlite:////srv/a b.db", "the path of DATABASE_URL is not an absolute"), ("mysql://h/d", "not of the form"),
]:
    fresh()
    box.config("DATABASE_URL=%s\n" % url, "web.env")
    tap.none(error_problems(["/etc/left4me/web.env:1: .*%s" % words]), "says what is wrong with DATABASE_URL=%s" % url)

# systemd passes over such a line and gives the web application nothing.
for name, line in [
    ("export", "export DATABASE_URL=sqlite:////srv/db/x.db\n"), ("a byte order mark", "\ufeffDATABASE_URL=sqlite:////srv/db/x.db\n"),
    ("both", "\ufeffexport  DATABASE_URL=sqlite:////srv/db/x.db\n"), ("export of the root", "export LEFT4ME_ROOT=/srv\n"),
    ("export of a port", "export\tLEFT4ME_PORT_RANGE_END=27100\n"), ("set", "set DATABASE_URL=sqlite:////srv/db/x.db\n"),
    ("a colon", "DATABASE_URL: sqlite:////srv/db/x.db\n"), ("a blank", "DATABASE_URL sqlite:////srv/db/x.db\n"), ("the name alone", "DATABASE_URL"),
]:
    fresh()
    box.config(line, "host.env")
    tap.none(error_problems(["/etc/left4me/host.env:1: .*(export|byte order mark|what stands|lacks its '=').*systemd"]), "refused: " + name)

for name, text in [
    ("other variables", "X=1\nSTEAM_WEB_API_KEY=%n $HOME\n"), ("no variable at all", ""), ("only a comment", "# x"),
    ("variables in another's value", 'X="\nLEFT4ME_ROOT=/srv\nL4D2_PORT=1\n"\nY=\\\nLEFT4ME_ROOT=/srv\n'),
    ("quotes that never end", 'X="a\nb\n'), ("a line without an equals sign", "nothing\n"), ("a very long value", "X=%s\n" % LONG),
    ("no newline at the end", "X=1"), ("CRLF", "LEFT4ME_ROOT=/var/lib/left4me\r\nX=1\r\n"),
    ("a name that merely begins alike", "LEFT4ME_ROOT_DIR=relative\nXLEFT4ME_ROOT=relative\n"),
]:
    fresh()
    box.config(text, "host.env")
    box.config(text, "web.env")
    status, tree, report = run_generator()
    tap.ok((status, report) == (0, []) and tree == DEFAULT, "environment files: %s" % name, "%r\n%s" % (report, difference(tree, DEFAULT)))

# ---------------------------------------------------------------------------------------------------------------------
# SECRET_KEY is nowhere

SECRET = "kept-from-everybody"
for name, files in [
    ("in web.env", {"web.env": "SECRET_KEY=%s\n" % SECRET}),
    ("in host.env, exported", {"host.env": "export SECRET_KEY=%s\n" % SECRET}),
    ("in a quoted value over two lines", {"web.env": 'SECRET_KEY="\n%s\nLEFT4ME_ROOT=relative"\n' % SECRET}),
    ("in an over-long line", {"web.env": "SECRET_KEY=%s\n" % (SECRET * 10000)}),
    ("in a file that is not ours to trust", {"web.env": "SECRET_KEY=%s\n\0" % SECRET}),
    ("in left4me.conf by mistake", {"left4me.conf": "SECRET_KEY=%s\n[host]\nSECRET_KEY=%s\n" % (SECRET, SECRET)}),
    ("beside an error", {"web.env": "DATABASE_URL=mysql://u:%s@h/d\nSECRET_KEY=%s\n" % (SECRET, SECRET)}),
]:
    fresh()
    for file, text in files.items():
        box.config(text, file)
    runs = [box.generate(), box.render(), box.render("bundlewrap"), box.check()]
    said = b"".join(result.out for result in runs) + "\n".join(m for result in runs for m in result.messages).encode()
    for path, (_, _, data) in [*box.tree().items(), *snapshot(box.top + "/out").items()]:
        said += data
    if os.path.exists(box.top + "/out.json"):
        with open(box.top + "/out.json", "rb") as file:
            said += file.read()
    place = said.find(SECRET.encode())
    tap.ok(place < 0, "SECRET_KEY %s is in no output" % name, said[max(0, place - 200):place + 50])

# ---------------------------------------------------------------------------------------------------------------------
# --config


def bundle(*arguments, stdin=b""):
    output = box.top + "/out.json"
    if os.path.lexists(output):
        os.unlink(output)
    result = box.execute(["render", "--format=bundlewrap", "--output=" + output, *arguments], stdin=stdin)
    text = None
    if os.path.exists(output):
        with open(output) as file:
            text = file.read()
    return result.status, result.messages, text


fresh("[game]\nnice = 7\n")
want = bundle("--root=" + box.root, "--no-database")
write(box.top + "/one.conf", "[game]\nnice = 7\n")
write(box.top + "/directory/left4me.conf", "[game]\nnice = 1\n")
write(box.top + "/directory/left4me.conf.d/x.conf", "[game]\nnice = 7\n")
tap.ok(want[0] == 0 and want[2], "render --no-database", want[:2])
tap.equal(bundle("--no-database", "--config=" + box.top + "/one.conf"), want, "--config=FILE")
tap.equal(bundle("--no-database", "--config=" + box.top + "/directory"), want, "--config=DIR")
tap.equal(bundle("--no-database", "--config=-", stdin=b"[game]\nnice = 7\n"), want, "--config=- reads standard input")
status, messages, text = bundle("--no-database", "--config=-", stdin=b"[game]\nnice = 70\n\ncolour = red\n")
tap.ok((status, text) == (2, None) and len(messages) == 2 and re.match(r"standard input:2: .*nice.*70", messages[0])
       and re.match(r"standard input:4: .*colour", messages[1]), "--config=-: errors have their lines", messages)
status, messages, text = bundle("--no-database", "--config=-", stdin=b"[game]\nnice = 7\0\n")
tap.ok((status, text) == (2, None) and len(messages) == 1 and "NUL" in messages[0], "--config=-: NUL", messages)
status, messages, text = bundle("--no-database", "--config=" + box.top + "/missing.conf")
tap.ok((status, text) == (2, None) and "missing.conf" in "".join(messages), "--config= of a file that is not there", messages)
text = b"[host]\ncpus = 8\nsystem_cpus = 0,4\n"
status, messages, text = bundle("--no-database", "--config=-", "--root=/nonexistent", stdin=text)
tap.ok((status, messages) == (0, []) and '"1-3,5-7"' in (text or ""), "with cpus given it needs nothing from the host", messages)

# ---------------------------------------------------------------------------------------------------------------------
# The command line: a line that says what is wrong, status 2, nothing written

fresh()
for arguments in [[], ["render"], ["render", "--format=tree"], ["render", "--output=" + box.top + "/cli"],
                  ["render", "--format=xml", "--output=" + box.top + "/cli"], ["render", "--nonsense"], ["check", "--nonsense"],
                  ["check", "extra"], ["--nonsense", box.top + "/cli"], ["frobnicate", "--root=/x"],
                  ["render", "--format=tree", "--output="], [box.top + "/cli", box.top + "/cli2"],
                  ["render", "--format=tree", "--output=" + box.top + "/cli", "--database=x", "--no-database"]]:
    result = box.execute(arguments)
    tap.ok(result.status in (1, 2) and result.messages and not os.path.exists(box.top + "/cli"),
           "command line: %s" % " ".join(arguments).replace(box.top, "TOP"), "%r %r" % (result.status, result.messages))
for option in ("--help", "--version"):
    result = box.execute([option])
    tap.ok(result.status == 0 and b"left4me-generator" in result.out, "command line: %s" % option, result.out)

tap.done()
