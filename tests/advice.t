#!/usr/bin/env python3
"""
What a check and the report of a reload say of rows and keys that stay in force (generator/advice.c), and that the log of a boot
does not. Nothing is refused: the links of the servers are there, and no line looks like a refusal.
"""

import os
import pty
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from unitfile import *  # noqa: E402,F403

tap, box = Tap(), Box()
ROW = "generator_instances, row %d, arguments of instance '%s': "
COMPETES = ROW + "%s competes with +ip 0.0.0.0 +hostport %d, which each server is given for its row: remove it"
QUOTED = ROW + ("a quote is part of its word and holds no words together, since arguments are separated by blanks: what has a blank "
                "belongs in a file of the server's cfg directory")
PORT = ("warning: generator_instances: instance '%s' has port %d, which games take besides their own: 27005 as client port, 27020 "
        "for SourceTV; give it another")
CREATED = ("warning: generator_instances: created of instance '%s' is no number of seconds since 1970: unixepoch() in the view makes "
           "one of a time in UTC")
PRIVATE = "%s: %s lies where units have directories of their own: move it elsewhere"
HIGH = ("[game] memory_high: %s is above memory_max, which is %s: a server is killed before it is slowed down; set memory_high to "
        "less, or memory_max to more")


def refusal(name, reason):
    return "generator_instances, row 2 (instance '%s'), port: %s" % (name, reason)


def row(arguments, port=27015, name="a"):
    return instance(name, port, arguments)


for title, rows, config, want in [
    ("nothing", [row("+map c1m1_hotel -tickrate 60 +hostname x -ports +ipx ip")], "", []),
    ("each option", [row("-port 1  +port 2 +hostport 3 -ip x +ip")], "",
     [COMPETES % (1, "a", option, 27015) for option in ("-port", "+port", "+hostport", "-ip", "+ip")]),
    ("capitals", [row("-PORT 1 +HostPort 2 -Ports")], "", [COMPETES % (1, "a", option, 27015) for option in ("-PORT", "+HostPort")]),
    ("a quote, once", [row('+hostname "My server"')], "", [QUOTED % (1, "a")]),
    ("an apostrophe", [row("+hostname Bob's")], "", []),
    ("each row", [row("+ip 1"), row('"', 27016, "b")], "", [COMPETES % (1, "a", "+ip", 27015), QUOTED % (2, "b")]),
    ("a port of the game's, once", [row("", 27005), row("", 27020, "b"), row("", 27006, "c")], "", [PORT % ("a", 27005)]),
    ("SourceTV's", [row("", 27019), row("", 27020, "b")], "", [PORT % ("b", 27020)]),
    ("a root in /tmp", [], "[host]\nroot = /tmp/x\ndatabase = /var/lib/left4me/left4me.db\n", [PRIVATE % ("[host] root", "/tmp/x")]),
    ("places of the web application", [], "[host]\nsource = /var/tmp/src\n[web]\nvenv = /dev/shm/venv\n",
     [PRIVATE % ("[host] source", "/var/tmp/src"), PRIVATE % ("[web] venv", "/dev/shm/venv")]),
    ("without a web application", [], "[host]\nsource = /var/tmp/src\n[web]\nenabled = no\nvenv = /dev/shm/venv\n", []),
    ("names that are alike", [], "[host]\nsource = /tmp.d/src\nhelpers = /tmp\n", []),
    ("memory_high above", [], "[game]\nmemory_max = 1G\n", [HIGH % ("1.5G", "1G")]),
    ("memory_high alike", [], "[game]\nmemory_high = 2048M\n", []),
    ("no memory_high", [], "[game]\nmemory_high = infinity\n", []),
    ("an update by the web application", [], "[update]\ncommand = /usr/local/sbin/update-game\nweb_may_start = yes\n", []),
    ("of nothing", [], "[update]\nweb_may_start = yes\n",
     ["warning: [update] web_may_start: allows nothing without command: set what updates the game"]),
    ("when rows were made", [instance("a", 27015, created=1795919980), instance("b", 27016, created=None)], "", []),
    ("when, as a text, once", [instance("a", 27015), instance("b", 27016, created="2026-11-29 02:39:40"),
                               instance("c", 27017, created=-1)], "", [CREATED % "b"]),
    ("no memory_max", [], "[game]\nmemory_high = 9G\nmemory_max = infinity\n", []),
]:
    box.make_clean()
    box.config(config)
    box.database(Rows(rows))
    result = box.generate()
    links = [link for link in os.listdir(box.normal + "/left4me.target.wants") if "@" in link]
    tap.equal((box.report(), len(links)), (want, len(rows)), title + ": the report says it, and the servers start")
    tap.equal([line for line in result.messages if " servers, " not in line and " server, " not in line], [],
              title + ": the log does not")
    tap.none([line for line in want if "(instance '" in line or not ADVICE.match(line)], title + ": no line looks like a refusal")
    checked = box.check()
    problems = [line for line in want if not line.startswith("warning: ")]
    tap.equal((checked.status, checked.printed), (1 if problems else 0, want), title + ": what a check says")

box.make_clean()
box.database(Rows([instance("a", 70000, "+ip 1")]))
tap.equal([line for line in box.check().printed if "competes" in line], [], "a refused row needs no advice")

box.make_clean()
box.database(Rows([instance("a", 27015, "+ip 1"), instance("b", 80)]))
box.generate()
tap.equal(box.report(), [refusal("b", "80 is not in 27000-27999 ([game] ports)"), COMPETES % (1, "a", "+ip", 27015)],
          "what is refused comes before what is advised")



def on_terminal(columns, *arguments):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(box.program, [box.program, *arguments], dict(os.environ, COLUMNS=str(columns)))
    with open(terminal, "rb", buffering=0) as said:
        text = b""
        try:
            while block := said.read(4096):
                text += block
        except OSError:     # Linux's word for the end
            pass
    os.waitpid(pid, 0)
    return text.decode().replace("\r\n", "\n").splitlines()


whole = box.check().printed
for columns in (80, 50):
    lines = on_terminal(columns, "check", "--root=" + box.root)
    tap.none([line for line in lines if len(line) > columns], "on a terminal of %d columns no line is longer" % columns)
    tap.equal("\n".join(lines).replace("\n  ", " ").splitlines()[:2], whole, "nor is anything missing in %d" % columns)
tap.ok(max(map(len, whole)) > 80, "in a pipe each is one line")

box.make_clean()
box.config("[host]\ndatabase = /var/tmp/rows/x.db\n[web]\nenabled = no\n")
box.database_path = box.root + "/var/tmp/rows/x.db"
os.makedirs(os.path.dirname(box.database_path))
box.give(os.path.dirname(box.database_path))
box.database(Rows([]))
tap.equal(box.check().printed, [PRIVATE % ("[host] database", "/var/tmp/rows/x.db")],
          "a database where left4me-check.service has a directory of its own, without a web application, too")
box.database_path = box.root + "/var/lib/left4me/left4me.db"

box.make_clean()
box.database(Rows([]))
box.config("X=1\nL4D2_PORT=1\nL4D2_ARGS=hunter2\nL4D2_LAYERS=9\n", "host.env")
WARNING = ("warning: /etc/left4me/host.env:%d: L4D2_%s has no effect on any server: port, arguments and layers are those of its row; "
           "remove it")
checked = box.check()
tap.equal((checked.status, checked.printed), (0, [WARNING % (2, "PORT"), WARNING % (3, "ARGS"), WARNING % (4, "LAYERS")]),
          "host.env has no say in rows, which a check tells without the values")
tap.done()
