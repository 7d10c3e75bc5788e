#!/usr/bin/env python3
"""
Bad configuration (left4me.conf(5); S59, F16, F17, F18): every key with values it takes and values it does not, every way in
which a file can be wrong, and CPU sets. Where a value comes from is config-sources.t's.

Pinned: each problem is reported as `FILE:LINE: ...` with the key and the value, all of them in one run, in the same
words by the generator (report), `check` and `render` (stderr); an error costs its own key only, and the generator goes
on with that key's default: the same bytes as without the line. `render` writes nothing and exits 2, `check` exits 1.
The exact words are in tests/cases.
"""

import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from configured import *  # noqa: E402,F403

CONF, CONF_D = "/etc/left4me/left4me.conf", "/etc/left4me/left4me.conf.d/"

tap.equal((DEFAULT_STATUS, DEFAULT_REPORT), (0, []), "an empty left4me.conf is clean")
fresh()
status, tree, report = run_generator()
tap.ok((status, report) == (0, []) and tree == DEFAULT, "no left4me.conf at all is the same", difference(tree, DEFAULT))

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
    ("web", "application", ["x.y:app --log-level debug", "a$HOME%n:b(';'[:0])".replace("'", ""), "%% $$ ; ~"], ["", '"x"', "it's", "x\\", "é"]),
    ("web", "bind", ["[::1]:8080", "0.0.0.0:80"], ["", "127.0.0.1:70000", "127.0.0.1:0", "a b:80", "127.0.0.1:80 --x", "%h:80", "x'y:80"]),
    ("web", "workers", ["2"], BAD_COUNTS),
    ("web", "threads", ["64"], BAD_COUNTS),
    ("web", "memory_max", ["infinity", "512M", "64M"], [*BAD_SIZES, "63M", "2"]),
    ("game", "ports", ["27000-27999"], ["", "27999-27000", "0-10", "27000-70000", "x", "27000-", "-27999", "27000-27999-28000", "a-b"]),
    ("game", "strict_ports", ["yes", "true", "on", "1"], BAD_BOOLEANS),
    ("game", "memory_high", ["infinity", "512M", "1.25G", "1073741824", "2G", "100K"], BAD_SIZES),
    ("game", "memory_max", ["infinity", "3G"], [*BAD_SIZES, "63M", "2"]),
    ("game", "tasks_max", ["512"], BAD_COUNTS),
    ("game", "nice", ["0", "-20", "19"], ["", "-21", "20", "x", "1.5", "--5"]),
    ("build", "memory_max", ["infinity", "8G", "64M"], [*BAD_SIZES, "63M", "2"]),
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
    ("workshop", "command", ["manage.py refresh", "x", "flask $HOME %n ;"], ["", "/bin/sh", "../x y", "bin/x", ".x", "a% b", "x 'y'", "x\\"]),
    ("update", "command", ["/usr/games/steamcmd +force_install_dir /overlay +login anonymous +app_update 222860 +quit", "/x $HOME 100% @a"],
     ["steamcmd", "./x", "/x/../y", "/a%b", "/a:b c", "/x 'y'", "/x\\", "-/bin/true", "/"]),
    ("update", "timeout", ["90min", "12h"], ["", "1d", "infinity", "0s"]),
    ("update", "web_may_start", ["yes\n[update]\ncommand = /bin/true"], BAD_BOOLEANS),
]
# the good value is the default, or nothing without another key
SILENT = {("host", "uid"), ("host", "gid"), ("host", "cpus"), ("host", "database"), ("game", "ports"), ("update", "timeout")}

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
    ("web", "venv", "/var/lib/left4me/.venv"), ("web", "application", "l4d2web.app:create_app()"), ("web", "bind", "127.0.0.1:8000"), ("web", "workers", "1"), ("web", "threads", "32"),
    ("web", "memory_max", "1G"),
    ("game", "ports", "27000-27999"), ("game", "strict_ports", "no"), ("game", "memory_high", "1.5G"), ("game", "memory_max", "2G"),
    ("game", "tasks_max", "256"), ("game", "nice", "-5"), ("build", "memory_max", "4G"), ("build", "tasks_max", "512"),
    ("build", "cpu_quota", "200%"), ("build", "timeout", "1h"), ("build", "unix_sockets", "no"),
    ("build", "resolv_conf", "/etc/left4me/sandbox-resolv.conf"), ("build", "denied_addresses", ""),
    ("workshop", "refresh", "*-*-* 04:00:00"),
    ("workshop", "command", "flask --app l4d2web.app:create_app workshop-refresh"),
    ("update", "command", ""), ("update", "timeout", "6h"), ("update", "web_may_start", "no")])
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
tap.equal((checked.status, checked.messages), (0, ["0 problems; 1 server, 1 overlay"]),
          "a warning is no problem in the last line of check")
fresh("[game]\nmemory_max = much\n")
checked = box.check()
tap.equal((checked.status, checked.messages), (1, ["1 problem; 1 server, 1 overlay"]),
          "the last line of check counts problems, of configuration too")

# Which CPUs there are is a set: with SMT off they are 0,2,4,6.

ONLINE = "/sys/devices/system/cpu/online"


def of_online(online, text):
    """The report and the CPUs of system and games, where sysfs has these online."""
    fresh("[host]\n" + text)
    write(box.root + ONLINE, online + "\n")
    status, tree, report = run_generator()
    got = {name: v[0] for name, v in allowed_cpus().items()}
    return report, got.get("system.slice"), got.get("l4d2-game.slice")


for online, text, want in [
        ("0,2,4,6", "system_cpus = 0\n", ("0", "2,4,6")), ("0,2,4,6", "system_cpus = 6\n", ("6", "0,2,4")),
        ("0,2,4,6", "system_cpus = 0,6\n", ("0,6", "2,4")), ("0-3,8-11", "system_cpus = 0,8\n", ("0,8", "1-3,9-11")),
        ("0,2,4,6", "cpus = 8\nsystem_cpus = 0,6\n", ("0,6", "1-5,7")),
        ("0-7", "cpus = 0,2,4,6\nsystem_cpus = 0\n", ("0", "2,4,6")), ("0-1", "cpus = 4-7\nsystem_cpus = 4\n", ("4", "5-7"))]:
    tap.equal(of_online(online, text), ([], *want), "online %s, %r" % (online, text))
for online, text, words in [
        ("0,2,4,6", "system_cpus = 1\n", "CPU 1 is not in 0,2,4,6, which are online$"),
        ("0,2,4,6", "system_cpus = 0-6\n", "CPU 5 is not in 0,2,4,6, which are online$"),
        ("0,2,4,6", "cpus = 0,2\nsystem_cpus = 4\n", "CPU 4 is not in 0,2$"),
        ("0,2", "system_cpus = 0,2\n", "leaves no CPU"), ("2", "system_cpus = 2\n", "single CPU")]:
    report, *pinned = of_online(online, text)
    tap.ok(len(report) == 1 and re.search(words, report[0]) and pinned == [None, None], "online %s refuses %r" % (online, text), report)

fresh("[host]\nsystem_cpus = 0\n")
rendered = box.render()
tap.ok(rendered.status == 2 and len(rendered.messages) == 1 and re.search("cpus, which is not given", rendered.messages[0]),
       "render asks for the CPUs of another host", rendered.messages)

# ---------------------------------------------------------------------------------------------------------------------
# Lines and files

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


def whole_file_refused(name, install, places, want_tree=None, limit=20):
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

tap.done()
