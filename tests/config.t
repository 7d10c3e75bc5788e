#!/usr/bin/env python3
"""
Bad configuration (left4me.conf(5); S14, S59, S118, F16, F17, F18): every key with values it takes and values it does not,
every way in which a file can be wrong, where the values of host.env and web.env stand, and CPU sets.

Pinned: each problem is reported as `FILE:LINE: ...` with the key and the value, all of them in one run, in the same
words by the generator (report), `check` and `render` (stderr); an error costs its own key only, and the generator goes
on with that key's default: the same bytes as without the line. `render` writes nothing and exits 2, `check` exits 1.
SECRET_KEY is nowhere. The exact words are in tests/cases.
"""

import os
import re
import stat
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from unitfile import *  # noqa: E402,F403

tap = Tap()
box = Box()
ROWS = Rows([instance("alpha", 27015, "+map x")], stack("alpha", 1), [overlay(1, "maps", "echo")])
CONF, CONF_D = "/etc/left4me/left4me.conf", "/etc/left4me/left4me.conf.d/"


def fresh(text=None):
    box.make_clean()
    box.database(ROWS)
    if text is not None:
        box.config(text)


def run_generator():
    """(status, artifacts, report) of one run; a hang is the caller's to see in the time it took."""
    result = box.generate()
    return result.status, artifacts(box.tree()), box.report()


fresh("")
status, DEFAULT, report = run_generator()
tap.equal((status, report), (0, []), "an empty left4me.conf is clean")
fresh()
status, tree, report = run_generator()
tap.ok((status, report) == (0, []) and tree == DEFAULT, "no left4me.conf at all is the same", difference(tree, DEFAULT))


def clean_problems(text, same_as_default=False):
    fresh(text)
    status, tree, report = run_generator()
    problems = [] if (status, report) == (0, []) else ["status %r, report %r" % (status, report)]
    if (tree == DEFAULT) != same_as_default:
        problems.append("the tree is %sthe default" % ("not " if same_as_default else ""))
    rendered, checked = box.render(), box.check()
    if (rendered.status, rendered.messages) != (0, []):
        problems.append("render: %r %r" % (rendered.status, rendered.messages))
    if (checked.status, checked.printed) != (0, []):
        problems.append("check: %r %r" % (checked.status, checked.printed))
    return problems


def error_problems(places, want_tree=None, before=()):
    """The installed configuration gives exactly one message per place, in all three modes, and the tree that is meant."""
    problems = []
    status, tree, report = run_generator()
    if status != 0:
        problems.append("generator: status %d" % status)
    if len(report) != len(places):
        problems.append("%d messages, %d places" % (len(report), len(places)))
    for place in places:
        if not any(re.match(place, line) for line in report):
            problems.append("no message %r" % place)
    changed = difference(tree, DEFAULT if want_tree is None else want_tree)
    if changed:
        problems.append("tree: " + changed)
    for line in report:
        if re.search("[\x00-\x1f\x7f-\x9f]", line) or len(line) > 400:
            problems.append("message not fit for a terminal: %.300r" % line)
    rendered, checked = box.render(), box.check()
    if rendered.status != 2 or rendered.messages != report or os.path.exists(box.top + "/out"):
        problems.append("render: %r %r" % (rendered.status, rendered.messages))
    bundle = box.render("bundlewrap")
    if bundle.status != 2 or bundle.messages != report or os.path.exists(box.top + "/out.json"):
        problems.append("render bundlewrap: %r %r" % (bundle.status, bundle.messages))
    if (checked.status, checked.printed) != (1, report):
        problems.append("check: %r %r" % (checked.status, checked.printed))
    return problems + (["report: %.900r" % report] if problems else [])


# ---------------------------------------------------------------------------------------------------------------------
# Every key: what it takes (and shows), what it does not

BAD_PATHS = ["", "relative", "./x", "/a b", "/a\tb", "/a/../b", "/a/./b", "/a//b", "/a/", "/", "/a%b", '/a"b', "/a'b", "/a\\b", "/a:b",
             "/a/.."]
BAD_BOOLEANS = ["", "maybe", "2", "-1", "yes no", "y"]
BAD_COUNTS = ["", "0", "-1", "x", "1.5", "0x10", "1 2", "99999999999999999999", "+1"]
BAD_SIZES = ["", "lots", "-1", "1.5X", "1,5G", "1GB", "1 G", ".5G", "1.G", "1.5.5G", "50%", "Infinity", "G", "0x10",
             "99999999999999999999G"]
BAD_NAMES = ["", "Steam", "9x", "-x", "a b", "a%", "a:b", "é", "a.b", "ALL, root"]
KEYS = [
    ("host", "root", ["/srv/l4d2"], BAD_PATHS),
    ("host", "database", ["/var/lib/left4me/./left4me.db".replace("./", "")], BAD_PATHS),
    ("host", "source", ["/srv/www"], BAD_PATHS),
    ("host", "helpers", ["/usr/libexec/left4me"], BAD_PATHS),
    ("host", "user", ["steam", "_x", "a-b"], BAD_NAMES),
    ("host", "group", ["games", "_x"], BAD_NAMES),
    ("host", "uid", ["980"], ["", "-1", "x", "1.5", "4294967295", "4294967296", "980x"]),
    ("host", "gid", ["980"], ["", "-1", "x", "1.5", "4294967295", "4294967296", "980x"]),
    ("host", "cpus", ["16"], BAD_COUNTS),
    ("web", "enabled", ["no", "false", "off", "0"], BAD_BOOLEANS),
    ("web", "venv", ["/opt/venv"], BAD_PATHS),
    ("web", "bind", ["[::1]:8080", "0.0.0.0:80"], ["", "127.0.0.1:70000", "127.0.0.1:0", "a b:80", "127.0.0.1:80 --x", "%h:80", "x'y:80"]),
    ("web", "workers", ["2"], BAD_COUNTS),
    ("web", "threads", ["64"], BAD_COUNTS),
    ("game", "ports", ["27000-27999"], ["", "27999-27000", "0-10", "27000-70000", "x", "27000-", "-27999", "27000-27999-28000", "a-b"]),
    ("game", "strict_ports", ["yes", "true", "on", "1"], BAD_BOOLEANS),
    ("game", "memory_high", ["infinity", "512M", "1.25G", "1073741824", "2T", "100K"], BAD_SIZES),
    ("game", "memory_max", ["infinity", "3G"], BAD_SIZES),
    ("game", "tasks_max", ["512"], BAD_COUNTS),
    ("game", "nice", ["0", "-20", "19"], ["", "-21", "20", "x", "1.5", "--5"]),
    ("build", "memory_max", ["infinity", "8G"], BAD_SIZES),
    ("build", "tasks_max", ["1024"], BAD_COUNTS),
    ("build", "cpu_quota", ["50%", "1000%"], ["", "200", "%", "-5%", "1.5%", "0%", "200%%", "99999999999999999999%"]),
    ("build", "timeout", ["90min", "30s", "2h"], ["", "1d", "1", "-1s", "1h 30min", "infinity", "1.5h", "0s", "h", "99999999999999999999h"]),
    ("build", "unix_sockets", ["yes", "1"], BAD_BOOLEANS),
    ("build", "resolv_conf", ["/etc/resolv.conf"], BAD_PATHS),
    ("build", "denied_addresses", ["203.0.113.7/32", "203.0.113.7/32 2001:db8::/32"],
     ["example.org", "203.0.113.7", "203.0.113.7/33", "2001:db8::/129", "256.1.1.1/8", "1.2.3.4/", "/8", "any", "localhost",
      "1.2.3/8", "1.2.3.4/-1", "1.2.3.4/8,5.6.7.8/8", "2001:db8:::/32", "1.2.3.4/8 nonsense", "::1%lo/128"]),
    ("workshop", "refresh", ["daily", "Mon..Fri *-*-* 03,15:30:00 Europe/Berlin", ""],
     ["daily\\", "$(reboot)", "%n", "x" * 101, "a_b", '"daily"', "daily = x", "[Service]"]),
]
SILENT = {("host", "uid"), ("host", "gid"), ("host", "cpus"), ("host", "database"), ("game", "ports")}    # the good value is the default

for section, key, good_values, bad_values in KEYS:
    if (section, key) == ("host", "root"):       # the database follows it, so it is given here
        extra = "database = /var/lib/left4me/left4me.db\n"
    else:
        extra = ""
    for value in good_values:
        tap.none(clean_problems("[%s]\n%s = %s\n%s" % (section, key, value, extra), (section, key) in SILENT),
                 "[%s] %s takes '%s'" % (section, key, value))
    for value in bad_values:
        fresh("[%s]\n%s = %s\n%s" % (section, key, value, extra))
        shown = value.replace("\t", r"(\\t|\\x09|\\011|\?)") if "\t" in value else re.escape(value)
        place = "%s:2: .*%s.*%s" % (re.escape(CONF), key, shown if len(value) < 100 else "x{20}")
        tap.none(error_problems([place]), "[%s] %s refuses '%.40s'" % (section, key, value))

default_text = "".join("[%s]\n%s = %s\n" % entry for entry in [
    ("host", "root", "/var/lib/left4me"), ("host", "database", "/var/lib/left4me/left4me.db"), ("host", "source", "/opt/left4me/src"),
    ("host", "helpers", "/usr/local/libexec/left4me"), ("host", "user", "left4me"), ("host", "group", "left4me"),
    ("host", "uid", "980"), ("host", "gid", "980"), ("host", "system_cpus", ""), ("web", "enabled", "yes"),
    ("web", "venv", "/var/lib/left4me/.venv"), ("web", "bind", "127.0.0.1:8000"), ("web", "workers", "1"), ("web", "threads", "32"),
    ("game", "ports", "27000-27999"), ("game", "strict_ports", "no"), ("game", "memory_high", "1.5G"), ("game", "memory_max", "2G"),
    ("game", "tasks_max", "256"), ("game", "nice", "-5"), ("build", "memory_max", "4G"), ("build", "tasks_max", "512"),
    ("build", "cpu_quota", "200%"), ("build", "timeout", "1h"), ("build", "unix_sockets", "no"),
    ("build", "resolv_conf", "/etc/left4me/sandbox-resolv.conf"), ("build", "denied_addresses", ""),
    ("workshop", "refresh", "*-*-* 04:00:00")])
tap.none(clean_problems(default_text, same_as_default=True), "every key with its documented default changes nothing")

# ---------------------------------------------------------------------------------------------------------------------
# CPU sets


def allowed_cpus():
    """AllowedCPUs= by slice, from the units of the last run."""
    found = {}
    for path, entries in parse_tree({p: e for p, e in box.tree().items() if ".slice" in p}).items():
        cpus = values(entries, "AllowedCPUs")
        if cpus:
            found[path[len(UNITS):].replace(".d/10-left4me-cpuset.conf", "")] = cpus
    return found


def cpu_set(text):
    """'0-2 5' as systemd.resource-control(5) reads it."""
    result = set()
    for part in re.split("[ ,]+", text):
        low, _, high = part.partition("-")
        result |= set(range(int(low), int(high or low) + 1))
    return result


for cpus, system, system_want, game_want in [
        (8, "0,4", {0, 4}, {1, 2, 3, 5, 6, 7}), (4, "0", {0}, {1, 2, 3}), (4, "3", {3}, {0, 1, 2}), (2, "1", {1}, {0}),
        (8, "0-1", {0, 1}, {2, 3, 4, 5, 6, 7}), (8, "0-2,6", {0, 1, 2, 6}, {3, 4, 5, 7}), (8, "6,0-2,1", {0, 1, 2, 6}, {3, 4, 5, 7}),
        (64, "0-31", set(range(32)), set(range(32, 64)))]:
    fresh("[host]\ncpus = %d\nsystem_cpus = %s\n" % (cpus, system))
    status, tree, report = run_generator()
    got = {name: cpu_set(v[0]) for name, v in allowed_cpus().items() if len(v) == 1}
    tap.equal((report, got), ([], {"system.slice": system_want, "user.slice": system_want, "l4d2-build.slice": system_want,
                                   "l4d2-game.slice": game_want}), "%d CPUs, system_cpus = %s" % (cpus, system))

for cpus, system, words in [
        (4, "4", "4.*0-3|0-3.*4"), (4, "0,7", "7"), (4, "0-4", "0-4|4"), (4, "0-3", "game"), (4, "0,1,2,3", "game"), (2, "0-1", "game"),
        (4, "x", "x"), (4, "2-1", "2-1"), (4, "0-", "0-"), (4, "-1", "-1"), (4, ",", ","), (4, "0-1-2", "0-1-2"),
        (4, "0.5", "0.5"), (4, "99999999999999999999", "99999999999999999999"), (4, "0-4294967295", "")]:
    fresh("[host]\ncpus = %d\nsystem_cpus = %s\n" % (cpus, system))
    tap.none(error_problems(["%s:3: .*system_cpus.*(%s)" % (re.escape(CONF), words)]),
             "%d CPUs refuse system_cpus = %s" % (cpus, system))

fresh("[host]\nsystem_cpus = 0\ncpus = 1\n")
status, tree, report = run_generator()
rendered, checked = box.render(), box.check()
tap.ok(status == 0 and len(report) == 1 and "CPU" in report[0] and tree == DEFAULT,
       "a single CPU: pinning is skipped with a warning", "%r %r" % (report, difference(tree, DEFAULT)))
tap.equal((rendered.status, rendered.messages), (0, report), "a single CPU is a warning for render, which goes on")

# ---------------------------------------------------------------------------------------------------------------------
# Lines and files

LONG = "x" * 20000
for name, text, places in [
    ("an unknown section", "[gmae]\nnice = 1\n", [":[12]: .*gmae"]),
    ("an unknown section costs its keys only", "[gmae]\n[game]\nstrict = 1\n", [":1: .*gmae", ":3: .*strict"]),
    ("an unknown key", "[game]\ncolour = red\n", [":2: .*colour"]),
    ("a key of another section", "[web]\nnice = 1\n", [":2: .*nice"]),
    ("a key before any section", "nice = 1\n[game]\n", [":1: .*nice"]),
    ("a section's name in capitals", "[GAME]\nnice = 1\n", [":[12]: .*GAME"]),
    ("a key in capitals", "[game]\nNice = 1\n", [":2: .*Nice"]),
    ("no equals sign", "[game]\nnice\n", [":2: "]),
    ("an equals sign alone", "[game]\n=\n", [":2: "]),
    ("a section that is not closed costs what follows", "[game\nnice = 1\n", [":1: "]),
    ("an over-long line", "[game]\nnice = %s\n" % LONG, [":2: .*long"]),
    ("an over-long line costs itself only", "[game]\nx = %s\ncolour = 1\n" % LONG, [":2: .*long", ":3: .*colour"]),
    ("an over-long line without an end", "[game]\nnice = " + LONG, [":2: .*long"]),
    ("a megabyte of line", "[game]\nnice = %s\n" % (LONG * 50), ["(:2)?: .*(long|large)"]),
    ("an escape character", "[game]\nnice = \x1b[31m1\n", [":2: .*nice"]),
    ("invalid UTF-8", b"[game]\nnice = \xff\n", [":2: .*nice"]),
    ("invalid UTF-8 as a key", b"[game]\n\xff\xfe = 1\n", [":2: "]),
    ("an indented line", "[game]\nstrict_ports = no\n  maybe\n", [":3: "]),
    ("a value on the next line", "[build]\ndenied_addresses =\n  203.0.113.7\n", [":3: "]),
    ("many errors, all in one run", "[game]\n" + "".join("k%d = 1\n" % i for i in range(100)),
     [":%d: .*k%d'?\\b" % (i + 2, i) for i in range(100)]),
]:
    fresh(text)
    tap.none(error_problems([re.escape(CONF) + place for place in places]), name)

for name, text in [
    ("CRLF", "[game]\r\nnice = 7\r\n"), ("no newline at the end", "[game]\nnice = 7"), ("blanks around everything", "[game]\n \tnice\t =  7 \t\n"),
    ("comments and empty lines", "# a\n; b\n\n[game]\n# nice = 3\nnice = 7\n;\n#\n"), ("no blanks", "[game]\nnice=7\n"),
    ("a comment after a value", "[game]\nnice = 7 ; seven\n"), ("a section twice", "[game]\n[web]\n[game]\nnice = 7\n"),
    ("a key twice: the later one", "[game]\nnice = 6\nnice = 7\n"), ("a byte order mark", "\ufeff[game]\nnice = 7\n"),
]:
    fresh(text)
    status, tree, report = run_generator()
    nice = values(parse(tree[UNITS + "left4me-server@.service"][2]), "Nice")
    tap.equal((status, report, nice), (0, [], ["7"]), "%s is fine" % name)

fresh("[game]\nnice = 7\n")
_, NICE_7, _ = run_generator()


def whole_file_refused(name, install, places, want_tree=None, limit=3):
    """A file that is refused as a whole counts as if it were not there."""
    fresh()
    install()
    began = time.monotonic()
    found = error_problems(places, want_tree)
    if time.monotonic() - began > limit:
        found.append("took %.1f s" % (time.monotonic() - began))
    tap.none(found, name)


def conf(data, mode=0o644, owner=None, name="left4me.conf"):
    def install():
        box.config(data, name, mode)
        if owner is not None:
            os.chown(box.root + "/etc/left4me/" + name, owner, owner)
    return install


def in_place(make, name="left4me.conf"):
    def install():
        path = box.root + "/etc/left4me/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make(path)
    return install


HERE = re.escape(CONF)
whole_file_refused("NUL in a file", conf(b"[game]\nnice = 1\n\0"), [HERE + "(:3)?: .*NUL"])
whole_file_refused("NUL in a value", conf(b"[game]\nnice = 1\0\n"), [HERE + "(:2)?: .*NUL"])
whole_file_refused("a directory in the file's place", in_place(os.mkdir), [HERE + ": "])
whole_file_refused("a FIFO in the file's place", in_place(os.mkfifo), [HERE + ": "])
whole_file_refused("a device in the file's place", in_place(lambda p: os.symlink("/dev/zero", p)), [HERE + ": "])
whole_file_refused("a symlink to itself", in_place(lambda p: os.symlink(p, p)), [HERE + ": "])
whole_file_refused("a file in the place of left4me.conf.d", conf("", name="left4me.conf.d"), ["/etc/left4me/left4me.conf.d: "])
whole_file_refused("a directory in left4me.conf.d", in_place(os.mkdir, "left4me.conf.d/10-x.conf"), [CONF_D + "10-x.conf: "])
whole_file_refused("a FIFO in left4me.conf.d", in_place(os.mkfifo, "left4me.conf.d/10-x.conf"), [CONF_D + "10-x.conf: "])
whole_file_refused("a directory in host.env's place", in_place(os.mkdir, "host.env"), ["/etc/left4me/host.env: "])
whole_file_refused("a FIFO in web.env's place", in_place(os.mkfifo, "web.env"), ["/etc/left4me/web.env: "])
ROOT_CASES = [
    ("a world-writable file", conf("[game]\nnice = 1\n", 0o646), [HERE + ": .*writable"]),
    ("a group-writable file", conf("[game]\nnice = 1\n", 0o664), [HERE + ": .*writable"]),
    ("a file of another owner", conf("[game]\nnice = 1\n", 0o644, OWNER), [HERE + ": .*own"]),
    ("a world-writable drop-in", conf("[game]\nnice = 1\n", 0o666, None, "left4me.conf.d/1.conf"), [CONF_D + "1.conf: .*writable"]),
    ("a world-writable host.env", conf("LEFT4ME_PORT_RANGE_END=27500\n", 0o666, None, "host.env"), ["/etc/left4me/host.env: .*writable"]),
    ("a web.env of another owner", conf("DATABASE_URL=sqlite:////x\n", 0o640, OWNER, "web.env"), ["/etc/left4me/web.env: .*own"]),
]
for name, install, places in ROOT_CASES:
    if AS_ROOT:
        whole_file_refused(name, install, places)
    else:
        tap.skip(name, "needs root")


def refused_beside_good():
    conf("[game]\nnice = 7\n")()
    in_place(os.mkdir, "left4me.conf.d/10-x.conf")()


whole_file_refused("a refused drop-in costs itself only", refused_beside_good, [CONF_D + "10-x.conf: "], NICE_7)

if AS_ROOT:
    fresh()
    conf("[game]\nnice = 1\n", 0o600)()
    os.chmod(box.root + "/etc/left4me", 0o755)
    drop = ("setpriv", "--reuid=%d" % OWNER, "--regid=%d" % OWNER, "--clear-groups")
    checked = box.check(before=drop)
    tap.ok(checked.status in (1, 2) and any(re.match(HERE + ": .*[Pp]ermission", m) for m in checked.printed),
           "an unreadable file", "%r %r" % (checked.status, checked.printed))
    os.chown(box.top, OWNER, OWNER)
    rendered = box.render(before=drop)
    tap.ok(rendered.status == 2 and any(re.match(HERE + ": .*[Pp]ermission", m) for m in rendered.messages),
           "an unreadable file: render writes nothing", "%r %r" % (rendered.status, rendered.messages))
    os.chown(box.top, 0, 0)
    fresh("[game]\nnice = 7\n")
    conf("SECRET_KEY=x\n", 0o640, None, "host.env")()
    os.chown(box.root + "/etc/left4me/host.env", 0, OWNER)
    status, tree, report = run_generator()
    tap.ok((status, report) == (0, []) and tree == NICE_7, "host.env 0640 root:left4me is as it should be", report)
else:
    for name in ("an unreadable file", "an unreadable file: render writes nothing", "host.env 0640 root:left4me is as it should be"):
        tap.skip(name, "needs root")

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
                      "postgresql://user:hunter2@db/left4me", "sqlite+pysqlite:////x", "SQLITE:////x", "sqlite:////a?mode=ro"]),
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

for name, text in [
    ("other variables", "X=1\nSTEAM_WEB_API_KEY=%n $HOME\n"), ("no variable at all", ""), ("only a comment", "# x"),
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
write(box.top + "/folder/left4me.conf", "[game]\nnice = 1\n")
write(box.top + "/folder/left4me.conf.d/x.conf", "[game]\nnice = 7\n")
tap.ok(want[0] == 0 and want[2], "render --no-database", want[:2])
tap.equal(bundle("--no-database", "--config=" + box.top + "/one.conf"), want, "--config=FILE")
tap.equal(bundle("--no-database", "--config=" + box.top + "/folder"), want, "--config=DIR")
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
