#!/usr/bin/env python3
"""
The bundlewrap bundle in a repository made of tests/bundlewrap, with the real `bw`: the units that reach the host are
those of `render --format=tree`, directive by directive; same metadata, same bytes; the renderer's message is the last
line that is printed. S114, F18, F19. What the repository's systemd bundle is like: deploy/bundlewrap/.../README.md.
"""

import json
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, TESTS + "/lib")
from unitfile import *  # noqa: E402,F403

BUNDLE = os.path.dirname(TESTS) + "/deploy/bundlewrap/bundles/left4me"
BW, GIT = shutil.which("bw"), shutil.which("git")
DIRECTORY = "/usr/local/lib/systemd/system/"
NODES = ("eight", "twelve", "four")

if not BW or not GIT:
    print("1..0 # SKIP no bw or no git: packages bundlewrap and git")
    sys.exit(0)

tap = Tap()
top = temporary_directory()
with open(BW, encoding="utf-8") as script:
    PYTHON = script.readline()[2:].split()          # the one that has the bundlewrap modules


# ---------------------------------------------------------------------------------------------------------------------
# The repository


def make_repository(name, nodes=None):
    """tests/bundlewrap and the bundle; with other nodes than its own where a text is given."""
    path = "%s/%s" % (top, name)
    shutil.copytree(TESTS + "/bundlewrap", path)
    shutil.copytree(BUNDLE, path + "/bundles/left4me")
    if nodes is not None:
        write(path + "/nodes.py", nodes)
    return path


def program(name, text):
    """A directory for PATH with a left4me-generator in it."""
    write("%s/%s/left4me-generator" % (top, name), text, 0o755)
    return "%s/%s" % (top, name)


def command(argv, repository, path, **environment):
    return subprocess.run(
        argv, cwd=repository, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
        env={"HOME": top + "/home", "PATH": path, "LANG": "C.UTF-8", "TEST_CHECKOUT": top + "/checkout",
             "PYTHONDONTWRITEBYTECODE": "1", **environment})


def bw(*arguments, where=None, path=None, **environment):
    return command([BW, *arguments], where or repository, path or "%s:%s" % (counting, tools), **environment)


def said(done):
    """What is printed, errors last, as on a terminal."""
    return "exit status %d\n%s%s" % (done.returncode, done.stdout[-3000:], done.stderr[-3000:])


def passes(name, *arguments, **options):
    done = bw(*arguments, **options)
    tap.ok(done.returncode == 0, name, said(done))
    return done.stdout


# Nothing of this machine but git: a left4me-generator that is installed here must not be found.
tools = top + "/tools"
os.makedirs(tools)
os.makedirs(top + "/home")
os.symlink(GIT, tools + "/git")
counting = program("counting", '#!/bin/sh\necho >>%s/calls\nexec %s/left4me-generator "$@"\n' % (top, BUILD))
for words in (["init", "--quiet", "--initial-branch=main", top + "/checkout"],
              ["-C", top + "/checkout", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet",
               "--allow-empty", "--message=t"]):
    subprocess.run([GIT, *words], check=True, env={"HOME": top + "/home", "PATH": os.environ["PATH"]})


def calls():
    """How often the renderer ran since the last look."""
    path = top + "/calls"
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as file:
        count = len(file.readlines())
    os.unlink(path)
    return count


repository = make_repository("repository")
print("# bw %s" % bw("--version").stdout.strip())

# ---------------------------------------------------------------------------------------------------------------------
# Judged by bundlewrap

passes("bw test", "test", "--quiet")
passes("no conflict between reactors, nothing undeclared, the same each time",
       "test", "--quiet", "-M", "-K", "-p", "-o", "-d", "2", "-m", "2")
for what in ([], ["--metadata"]):
    hashes = [passes("bw hash %s, hash seed %s" % (" ".join(what), seed), "hash", *what, PYTHONHASHSEED=seed)
              for seed in "01"]
    tap.ok(len(set(hashes)) == 1 and hashes[0].strip(), "both times the same hash", hashes)

calls()
metadata = {}
for node in NODES:
    text = passes("bw metadata %s" % node, "metadata", node)
    tap.equal(calls(), 1, "the renderer runs once for it")
    tap.equal(bw("metadata", node, PYTHONHASHSEED="3").stdout, text, "the same text a second time")
    calls()
    metadata[node] = json.loads(text)

# Objects of their own at every call: who changes what a reactor returned changes nobody else's.
FRESH = """
from copy import deepcopy
from bundlewrap.repo import Repository
node = Repository('.').get_node('eight')
units = dict(node.metadata_reactors)['metadata_reactor:left4me.units']
first, second = units(node.metadata), units(node.metadata)
kept = deepcopy(first)
assert first == second
first['systemd']['units']['left4me.target']['Install']['WantedBy'].add('x')
first['systemd']['units']['left4me-web.service']['Service']['EnvironmentFile'].append('x')
first['systemd']['services'].clear()
assert first != kept == second == units(node.metadata)
print('fresh')
"""
done = command([*PYTHON, "-c", FRESH], repository, "%s:%s" % (counting, tools))
tap.ok(done.stdout == "fresh\n", "each call of the reactor returns objects of its own", said(done))
tap.equal(calls(), 1, "and runs the renderer once")

# ---------------------------------------------------------------------------------------------------------------------
# The files against the tree


def files_of(node):
    """{path on the host: bytes} of every file item."""
    directory = "%s/files-%s" % (top, node)
    passes("bw writes the files of %s" % node, "items", "-w", directory, node)
    return {"/" + path: data for path, (kind, _, data) in snapshot(directory).items() if kind == "file"}


def tree_of(conf):
    """{unit: entries} of what the generator writes for that configuration, links as Install.WantedBy."""
    directory = top + "/tree"
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([BUILD + "/left4me-generator", "render", "--format=tree", "--no-database", "--config=-",
                    "--output=" + directory], input=conf, check=True)
    units = {}
    for path, (kind, _, data) in sorted(snapshot(directory + "/systemd/generator").items()):
        if kind == "file":
            units.setdefault(path, []).extend(parse(data))
        elif kind == "link" and data != b"/dev/null":       # bundlewrap's metadata cannot say a mask
            target, _, unit = path.rpartition("/")
            units.setdefault(unit, []).append(("Install", "WantedBy", target.removesuffix(".wants")))
    # The systemd bundle gives it to every timer; on the host the generator's unit, which has none, wins.
    units["left4me-activate.timer"].append(("Install", "WantedBy", "timers.target"))
    return units


def directives(entries):
    """{(section, key): values in their order}; an empty WantedBy= is none."""
    found = {}
    for section, key, value in entries:
        if (section, key, value) != ("Install", "WantedBy", ""):
            found.setdefault((section, key), []).append(value)
    return found


def differences(got, want):
    """One line for each directive that is not the same."""
    lines = ["%s: %s" % (unit, "missing" if unit in want else "unexpected") for unit in sorted(set(got) ^ set(want))]
    for unit in sorted(set(got) & set(want)):
        ours, theirs = directives(got[unit]), directives(want[unit])
        lines += ["%s: [%s] %s: %r instead of %r" % (unit, *key, ours.get(key), theirs.get(key))
                  for key in sorted(set(ours) | set(theirs)) if ours.get(key) != theirs.get(key)]
    return lines


def units_in(files):
    return {path[len(DIRECTORY):]: parse(data) for path, data in files.items()
            if path.startswith(DIRECTORY) and "backup." not in path}


files = {node: files_of(node) for node in NODES}
for node in NODES:
    units = units_in(files[node])
    tree = tree_of(files[node]["/etc/left4me/left4me.conf"])
    tap.none(differences(units, tree), "%s: %d files, each directive that of the tree for the delivered configuration"
             % (node, len(units)))
    tap.ok(len(units) >= 13, "%s has its units" % node, sorted(units))

# The comparison sees what it is for.
units, tree = units_in(files["eight"]), tree_of(files["eight"]["/etc/left4me/left4me.conf"])
for name, unit, change in (
        ("another value", "l4d2-game.slice", lambda e: [(s, k, "1" if k == "CPUWeight" else v) for s, k, v in e]),
        ("a directive that is gone", "left4me-web.service.d/10-hardening.conf", lambda e: e[1:]),
        ("one too many", "left4me-server@.service", lambda e: e + [("Service", "Restart", "always")]),
        ("another section", "left4me.target", lambda e: [("Service", k, v) for _, k, v in e]),
        ("another order of one key", "build-overlay@.service",
         lambda e: [x for x in e if x[1] != "ExecStartPre"] + [x for x in reversed(e) if x[1] == "ExecStartPre"]),
        ("a wanted one that is not", "left4me-check.timer", lambda e: [x for x in e if x[1] != "WantedBy"]),
        ("one that is wanted and should not be", "left4me-activate.service",
         lambda e: e + [("Install", "WantedBy", "multi-user.target")])):
    changed = {**units, unit: change(units[unit])}
    found = differences(changed, tree)
    tap.ok(found and all(line.startswith(unit + ": ") for line in found), "seen: " + name, found)
units.pop("l4d2.slice")
tap.equal(differences(units, tree), ["l4d2.slice: missing"], "seen: no file")

# What is wanted by nothing cannot be enabled by accident, as `systemctl preset-all` would; the others could.
state = {}
if shutil.which("systemctl"):
    for path, data in files["eight"].items():
        write(top + "/host" + path, data)
    for unit in ("build-overlay@.service", "left4me-server@.service", "left4me-activate.service",
                 "left4me-workshop-refresh.service", "left4me.target", "left4me-web.service", "backup.service"):
        state[unit] = subprocess.run(["systemctl", "--root=%s/host" % top, "is-enabled", unit],
                                     capture_output=True, text=True).stdout.strip()
    tap.equal(state, {unit: "static" for unit in list(state)[:4]} | {unit: "disabled" for unit in list(state)[4:]},
              "systemd finds nothing to enable in units that nothing wants")
else:
    tap.skip("systemd finds nothing to enable in units that nothing wants", "no systemctl")

# ---------------------------------------------------------------------------------------------------------------------
# From metadata to configuration


def conf_of(node):
    text = files[node]["/etc/left4me/left4me.conf"].decode()
    tap.equal(metadata[node]["left4me"]["conf"], text, "%s: delivered is what was rendered" % node)
    return [line for line in text.split("\n") if line and not line.startswith("#")]


tap.equal(conf_of("eight"), ["[host]", "cpus = 8", "system_cpus = 0,4", "[web]", "threads = 24", "workers = 1",
                             "[game]", "ports = 27000-27500"], "vm/threads before vm/cores, a sorted set, older names")
tap.equal(conf_of("twelve"),
          ["[host]", "cpus = 12", "root = /srv/left4me", "system_cpus = 0,9,10", "[web]", "enabled = no", "[game]",
           "memory_max = 3G", "nice = -3", "strict_ports = yes", "[build]",
           "denied_addresses = 2001:db8::/64 203.0.113.10/32", "timeout = 30min", "[workshop]", "refresh ="],
          "vm/cores, numbers sorted as numbers, the keys of each section")
tap.equal(conf_of("four"), ["[host]", "cpus = 4"], "only what is set")
tap.equal([metadata["eight"]["systemd"]["units"][unit]["Slice"]["AllowedCPUs"] for unit in
           ("system.slice.d/10-left4me-cpuset.conf", "l4d2-build.slice", "l4d2-game.slice")], ["0,4", "0,4", "1-3,5-7"],
          "one core for the system and the builds, the rest for games (F18)")
tap.ok("left4me-web.service" not in metadata["twelve"]["systemd"]["units"], "no web service where it is off")
tap.none([path for path, data in files["eight"].items() if b"never in a unit" in data], "other metadata stays out")
tap.equal([files[node]["/etc/left4me/sandbox-resolv.conf"] for node in NODES[:2]],
          [b"nameserver 1.1.1.1\nnameserver 8.8.8.8\n", b"nameserver 9.9.9.9\n"], "resolvers for builds (S90)")

# ---------------------------------------------------------------------------------------------------------------------
# The timer

TIMER = "left4me-workshop-refresh"
tap.equal({node: TIMER + ".timer" in metadata[node]["systemd"]["services"] for node in NODES},
          {"eight": True, "twelve": False, "four": True}, "systemd/services has the timer where there is one")
tap.equal(metadata["eight"]["systemd-timers"], {"backup": {"command": "/usr/bin/true", "when": "daily"}},
          "set by the node: gone from systemd-timers, the other timer stays")
tap.equal(metadata["four"]["systemd-timers"], {}, "set by a group: gone")
tap.equal(metadata["twelve"]["systemd-timers"], {}, "set by a bundle's defaults and reactor: gone")
tap.ok(TIMER + ".service" not in metadata["twelve"]["systemd"]["units"], "and there is no unit of that name left")
tap.ok(TIMER in json.loads(bw("metadata", "without").stdout)["systemd-timers"], "but another node of the group keeps it")
tap.equal(metadata["eight"]["systemd"]["units"][TIMER + ".timer"]["Timer"],
          {"OnCalendar": "*-*-* 04:00:00", "Persistent": "true"}, "the timer is the generator's alone")

# ---------------------------------------------------------------------------------------------------------------------
# Items


RELOAD = "action:left4me_daemon_reload"
TARGET, REFRESH = "svc_systemd:left4me.target", "svc_systemd:%s.timer" % TIMER
ITEMS = """
import json
from bundlewrap.repo import Repository
repo = Repository('.')
items = {'eight': %r, 'twelve': %r}
print(json.dumps({node: {name: {**item.attributes, 'triggers': sorted(item.triggers), 'triggered': item.triggered,
                                'needs': sorted(item.needs)}
                         for name in names for item in [repo.get_node(node).get_item(name)]}
                  for node, names in items.items()}, default=sorted))
""" % (["file:/etc/left4me/left4me.conf", RELOAD, "pkg_apt:left4me", TARGET, REFRESH],
       [RELOAD, "action:left4me_install"])
done = command([*PYTHON, "-c", ITEMS], repository, "%s:%s" % (counting, tools))
tap.ok(done.returncode == 0, "items as bundlewrap has them", said(done))
items = json.loads(done.stdout or "{}")
found = items["eight"]["file:/etc/left4me/left4me.conf"]
tap.equal([found["owner"], found["group"], found["mode"], found["triggers"]], ["root", "root", "0644", [RELOAD]],
          "left4me.conf: root's, readable by the check, a change reloads")
found = items["eight"][RELOAD]
tap.equal([found["command"], found["triggered"], found["needs"]],
          ["systemctl daemon-reload", True, ["pkg_apt:left4me"]],
          "a reload only when something triggers it, after the package")
tap.equal(items["eight"]["pkg_apt:left4me"]["triggers"], [RELOAD], "the package does")
tap.equal(items["twelve"][RELOAD]["needs"], ["action:left4me_install"], "with a checkout, after make install")
found = items["twelve"]["action:left4me_install"]
tap.equal([found["triggers"], found["needs"]], [[RELOAD], ["git_deploy:/opt/left4me/generator"]],
          "make install runs for a new checkout and reloads")
for unit in (REFRESH, TARGET):
    found = items["eight"][unit]
    tap.equal([found["enabled"], found["running"], RELOAD in found["needs"]], [None, True, True],
              "%s: started after the reload, never enabled" % unit)

done = subprocess.run(["make", "-n", "install", "DESTDIR=/dest", "PREFIX=/usr/local"], cwd=os.path.dirname(TESTS),
                      capture_output=True, text=True,
                      env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))})
tap.ok("/dest/usr/local/libexec/left4me" in done.stdout, "make install says what it would do", said(done))
tap.none([line for line in done.stdout.splitlines() if re.search(r"systemd/system(/|\s|$)", line)],
         "and puts nothing into %s, which the systemd bundle purges" % DIRECTORY)

# ---------------------------------------------------------------------------------------------------------------------
# Errors

METADATA = (["metadata", "bad"],)
COMMANDS = (*METADATA, ["hash"], ["test"], ["items", "bad"])


def fails(name, message, left4me, path=None, commands=METADATA):
    """Each command ends with that message, and nothing below it; the node is named above."""
    where = make_repository("bad-%d" % tap.count, "nodes = {'bad': {'hostname': 'localhost', 'groups': {'debian', "
                            "'old-timer'}, 'metadata': {'vm': {'threads': 4}, 'left4me': %s}}}\n" % left4me)
    wrong = []
    for arguments in commands:
        done = bw(*arguments, where=where, path=path)
        printed = done.stderr.split("\n")
        if done.returncode == 0 or not re.fullmatch(message, printed[-2]) or printed[-1] or "Traceback" in done.stderr \
                or "!!! left4me: no units for node bad:" not in printed:
            wrong += ["bw " + " ".join(arguments), *said(done).splitlines()[-6:]]
    tap.none(wrong, "the last line: " + name)


fails("system_cpus outside of the host", r"standard input:5: \[host\] system_cpus '0,4': CPU 4 is not in 0-3",
      "{'system_cpus': {4, 0}}", commands=COMMANDS)
fails("system_cpus that leaves none for games", r"standard input:5: \[host\] system_cpus .*",
      "{'system_cpus': {0, 1, 2, 3}}")
fails("system_cpus that is none", r"standard input:5: \[host\] system_cpus 'first'.*", "{'system_cpus': {'first'}}")
fails("two problems on one line", r"standard input:\d+: .*nice.*; standard input:\d+: .*bind.*|"
      r"standard input:\d+: .*bind.*; standard input:\d+: .*nice.*", "{'game': {'nice': 40}, 'web': {'bind': 'here'}}")
fails("a key that there is not", r"standard input:\d+: .*colour.*", "{'web': {'colour': 'red'}}")
fails("a line break, which could add a key", r"left4me/web/bind: a line break in .*",
      r"{'web': {'bind': 'x\nvenv = /tmp'}}")
fails("no program", r"left4me-generator not found: .*make.*PATH", "{}", path=tools, commands=COMMANDS[:2])
fails("a program for another machine", r".*/alien/left4me-generator: Exec format error", "{}",
      path="%s:%s" % (program("alien", "\x7fELF\x01"), tools))
fails("a program that fails without a word", r".*/silent/left4me-generator: exit status 7", "{}",
      path="%s:%s" % (program("silent", "#!/bin/sh\nexit 7\n"), tools))

where = make_repository("no-vm", "nodes = {'bad': {'hostname': 'localhost', 'groups': {'debian'}}}\n")
done = bw("metadata", "bad", where=where)
# 4.13 on the last line, 5.1 in the middle and in other words.
tap.ok(done.returncode != 0 and re.search(r"KeyError: 'vm/cores'$|accessing \('bad', \('vm', 'cores'\)\)", done.stderr, re.M),
       "neither vm/threads nor vm/cores: bundlewrap names the key", said(done))

# A warning of the renderer is passed on and stops nothing.
where = make_repository("single", "nodes = {'one': {'hostname': 'localhost', 'groups': {'debian'}, 'metadata': "
                        "{'vm': {'cores': 1}, 'left4me': {'system_cpus': {0}}}}}\n")
done = bw("hash", where=where)
tap.ok(done.returncode == 0 and "warning: standard input:5: [host] system_cpus is ignored" in done.stderr,
       "a warning is shown", said(done))
tap.done()
