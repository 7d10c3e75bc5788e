#!/usr/bin/env python3
"""
Golden cases: tests/cases/NN-name/ is a small host, one idea each, run through generator mode and both render formats.

    etc/left4me/   configuration            db.sql       what the database has, in the tables of lib/views.sql
    expect/        files and links below RUN             expect.json  the bundlewrap metadata
    report         the exact messages       absent       what of 00-empty this case does not have, a path a line

00-empty has the whole tree; every other case keeps only what differs from it. `golden.t --write` (make golden) writes
expect/, expect.json, report and those lines of absent anew; the difference is then reviewed like code.

Beside the cases: same input, same bytes, whatever TZ, LANG, umask, HOME and working directory are; what `render` writes
is what the generator writes; a run that cannot write leaves nothing half done; initrd and user scope write nothing.
"""

import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from unitfile import *  # noqa: E402,F403

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
BASE = "00-empty"
WRITE = sys.argv[1:] == ["--write"]
EMPTY_DIRECTORIES = {"left4me/mounted", "left4me/root"}     # what git cannot keep in expect/
MODES = {"left4me/sudoers.d/left4me": 0o440, "left4me/last-good": 0o600}

tap = Tap()
box = Box()

# ---------------------------------------------------------------------------------------------------------------------
# A case on disk


def case_path(case, *parts):
    return os.path.join(CASES, case, *parts)


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def kept(case, prefix):
    """{path below prefix: bytes or link} of 00-empty less what is absent, and of the case itself."""
    absent = set(read_lines(case_path(case, "absent")))
    found = {}
    for source in dict.fromkeys((BASE, case)):
        for path, (kind, _, data) in snapshot(case_path(source, prefix)).items():
            if kind != "dir" and (source == case or prefix + "/" + path not in absent):
                found[path] = (kind, data)
    return found


def expected_json(case):
    if "expect.json" in read_lines(case_path(case, "absent")):
        return None
    own = case_path(case, "expect.json")
    with open(own if os.path.exists(own) else case_path(BASE, "expect.json"), encoding="utf-8") as file:
        return file.read()


def install(case):
    """Makes a host of the case below box.root. Modes and owners are set here, since those of a checkout vary."""
    box.make_clean()
    for path, (_, data) in kept(case, "etc").items():
        write(box.root + "/etc/" + path, data)
    if "db.sql" in read_lines(case_path(case, "absent")):
        return
    connection = sqlite3.connect(box.database_path, isolation_level=None)
    connection.executescript("BEGIN;" + SCHEMA + "\n".join(read_lines(case_path(case, "db.sql"))) + "\nCOMMIT;")
    connection.close()
    os.chmod(box.database_path, 0o644)       # a case may have another user
    box.give(box.database_path)


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


def flat(tree):
    """A snapshot of RUN as expect/ keeps it: no directories, no modes, no report, no last good rows."""
    return {p: (kind, data) for p, (kind, _, data) in artifacts(tree).items() if kind != "dir"}


def shape_problems(tree):
    """What is wrong with modes, links and first lines, and which directory is there for no file."""
    needed = set(EMPTY_DIRECTORIES)
    for path, (kind, _, _) in tree.items():
        if kind != "dir":
            parts = path.split("/")[:-1]
            needed |= {"/".join(parts[:i]) for i in range(1, len(parts) + 1)}
    needed |= {"/".join(p.split("/")[:i]) for p in EMPTY_DIRECTORIES for i in range(1, p.count("/") + 1)}
    problems = ["directory %s" % p for p in {p for p, e in tree.items() if e[0] == "dir"} ^ needed]
    for path, (kind, mode, data) in tree.items():
        want = {"dir": 0o755, "link": 0o777, "file": MODES.get(path, 0o644)}.get(kind)
        if mode != want:
            problems.append("%s: mode %o" % (path, mode))
        if kind == "link" and not os.path.exists(os.path.join(box.run_dir, path)):
            problems.append("%s points to nothing: %r" % (path, data))
        if kind == "file" and data and path.startswith(("systemd/", "left4me/sudoers.d")) \
                and not re.match(rb"# .*left4me-generator", data):
            problems.append("%s: the first line does not name the generator: %.80r" % (path, data))
    return problems


def json_problems(document, tree):
    """
    What is wrong with the metadata: it says what the files of the host-level units say, in the types that bundlewrap
    takes: strings and non-empty lists of strings.
    """
    units = document["systemd"]["units"]
    problems = [] if list(document) == ["systemd"] and list(document["systemd"]) == ["units"] else ["keys"]
    if list(units) != sorted(units):
        problems.append("units are not sorted")
    meant, wanted_by = {}, {}
    for path, (kind, data) in tree.items():
        match = re.fullmatch(r"systemd/generator/(?:([a-z0-9.-]+)\.wants/)?(.+)", path)
        if not match or re.search(r"@[^.]+\.service", path):
            continue
        if kind == "link":
            wanted_by.setdefault(match.group(2), []).append(match.group(1))
        else:
            meant[match.group(2)] = parse(data)
    for unit, sections in units.items():
        if not re.search(r"\.(service|slice|target|timer)(\.d/[a-z0-9-]+\.conf)?$", unit):
            problems.append("%s: not a unit type that bundlewrap takes" % unit)
        if unit not in meant:
            problems.append("%s is not in the tree" % unit)
            continue
        got = []
        for section, entries in sections.items():
            problems += [] if entries else ["%s: empty section %s" % (unit, section)]
            for key, value in entries.items():
                if not (type(value) is str or type(value) is list and value and all(type(v) is str for v in value)):
                    problems.append("%s: %s=%r" % (unit, key, value))
                    continue
                got += [(section, key, v) for v in (value if type(value) is list else [value])]
        install_ = sorted(v for s, k, v in got if (s, k) == ("Install", "WantedBy"))
        if install_ != sorted(wanted_by.get(unit, [])):
            problems.append("%s: WantedBy %r, links %r" % (unit, install_, wanted_by.get(unit)))
        got = sorted(e for e in got if e[0] != "Install")
        if got != sorted(e for e in meant[unit] if e[0] != "Install"):
            problems.append("%s: differs from the tree: %r" % (unit, sorted(set(got) ^ set(meant[unit]))))
    missing = set(meant) - set(units)
    return problems + (["not in the metadata: %r" % sorted(missing)] if missing else [])


def pretty(text):
    """JSON with one value a line, so that a diff is readable; the order of keys and lists stays."""
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------------------------------------------------------------
# Running a case

VARIANTS = [
    {"env": {"TZ": "Asia/Kathmandu", "LANG": "tr_TR.UTF-8", "LC_ALL": "de_DE.UTF-8", "HOME": "/nonexistent"}},
    {"preexec": lambda: os.umask(0o077), "env": {"TZ": "", "LANG": "C", "LC_ALL": "C", "HOME": ""}},
    {"preexec": lambda: os.umask(0), "env": {"SYSTEMD_IN_INITRD": "0", "SYSTEMD_SCOPE": "system"}},
]


class Case:
    """What a case gives in each of the three modes."""

    def __init__(self, name):
        self.name = name
        install(name)
        self.generated = box.generate()
        self.tree = box.tree()
        self.report = "".join(line + "\n" for line in box.report())
        self.rendered = box.render()
        self.rendered_tree = snapshot(box.top + "/out") if os.path.isdir(box.top + "/out") else None
        self.bundle = box.render("bundlewrap")
        self.json = None
        if os.path.exists(box.top + "/out.json"):
            with open(box.top + "/out.json", encoding="utf-8") as file:
                self.json = pretty(file.read())

    def refused_as_a_whole(self):
        """Whether `render` wrote nothing, as with a bad configuration or no database, where the generator falls back."""
        return self.json is None

    def compare(self):
        name = self.name
        tap.equal(self.generated.status, 0, "%s: the generator's status" % name)
        tap.none([d for d in [difference(flat(self.tree), kept(name, "expect"))] if d], "%s: the tree" % name)
        tap.equal(self.report, "".join(line + "\n" for line in read_lines(case_path(name, "report"))),
                  "%s: the report" % name)
        tap.equal(self.json, expected_json(name), "%s: the bundlewrap metadata" % name)

    def invariants(self):
        name, said = self.name, "".join(line + "\n" for line in without_advice(self.report.splitlines()))
        problems = shape_problems(self.tree)
        try:
            parse_tree(self.tree)
        except Malformed as error:
            problems.append(str(error))
        tap.none(problems, "%s: modes, directories, links; every file parses" % name)
        if self.refused_as_a_whole():
            tap.equal((self.rendered.status, self.rendered_tree, self.bundle.status), (2, None, 2),
                      "%s: render writes nothing" % name)
        else:
            want = {p: e for p, e in artifacts(self.tree).items()}
            status = 1 if re.search("^generator_", said, re.M) else 0
            tap.none([d for d in [difference(self.rendered_tree, want)] if d],
                     "%s: render's tree is the generator's, byte for byte" % name)
            tap.equal((self.rendered.status, self.bundle.status), (status, status), "%s: render's status" % name)
            tap.none(json_problems(json.loads(self.json), flat(self.tree)), "%s: metadata and tree agree" % name)
        fallback = "; there are no servers until it can be read"     # what only a generator does about it
        tap.equal("".join(line + "\n" for line in self.rendered.messages), said.replace(fallback, ""),
                  "%s: render says what the report says, but for advice" % name)
        changed = []
        for number, variant in enumerate([{}] + VARIANTS):
            before = dict(self.tree)
            box.generate(**variant)
            changed += [d for d in [difference(box.tree(), before)] if d]
        tap.none(changed, "%s: the same bytes again, under another zone, language, umask and home" % name)

    def write_expectations(self):
        shutil.rmtree(case_path(self.name, "expect"), ignore_errors=True)
        absent = [p for p in read_lines(case_path(self.name, "absent")) if not p.startswith("expect")]
        base = {} if self.name == BASE else kept(BASE, "expect")
        got = flat(self.tree)
        absent += ["expect/" + p for p in sorted(set(base) - set(got))]
        for path, (kind, data) in got.items():
            target = case_path(self.name, "expect", path)
            if base.get(path) == (kind, data):
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if kind == "link":
                os.symlink(data, target.encode())
            else:
                write(target, data)
        own = case_path(self.name, "expect.json")
        if os.path.exists(own):
            os.unlink(own)
        if self.json is None:
            absent.append("expect.json")
        elif self.name == BASE or self.json != expected_json(BASE):
            write(own, self.json)
        write(case_path(self.name, "report"), self.report)
        if absent:
            write(case_path(self.name, "absent"), "\n".join(absent) + "\n")
        elif os.path.exists(case_path(self.name, "absent")):
            os.unlink(case_path(self.name, "absent"))


names = sorted(name for name in os.listdir(CASES) if re.fullmatch(r"\d\d-[a-z0-9-]+", name))
for name in names:
    case = Case(name)
    if WRITE:
        case.write_expectations()
    case.compare()
    case.invariants()
tap.ok(len(names) >= 20, "at least 20 cases")

# ---------------------------------------------------------------------------------------------------------------------
# Three directories, one directory, another directory

install("01-servers")
box.generate()
tree = artifacts(box.tree())
box.new_run()
extra = [box.run_dir + "/systemd/generator.early", box.run_dir + "/systemd/generator.late"]
for directory in extra:
    os.makedirs(directory)
result = box.execute(["--root=" + box.root, box.normal, *extra])
tap.equal((result.status, [os.listdir(directory) for directory in extra]), (0, [[], []]),
          "three directories: early and late stay empty")
for directory in extra:
    os.rmdir(directory)
tap.none([d for d in [difference(artifacts(box.tree()), tree)] if d], "three directories: the same tree as with one")

other = box.top + "/elsewhere"
os.makedirs(other)
result = box.execute(["--root=" + box.root, other])
units = {p[len("systemd/generator/"):]: e for p, e in tree.items() if p.startswith("systemd/generator/")}
tap.none([d for d in [difference(snapshot(other), units)] if d],
         "a directory that does not end in systemd/generator gets the units")
tap.equal(sorted(os.listdir(box.top)), sorted(["elsewhere", "out", "out.json", "root", "run"]),
          "and nothing is written beside it")

# ---------------------------------------------------------------------------------------------------------------------
# Where there is nothing to do

for variable, value in (("SYSTEMD_IN_INITRD", "1"), ("SYSTEMD_SCOPE", "user")):
    install("01-servers")
    before = box.tree()
    result = box.generate(env={variable: value})
    tap.equal((result.status, box.tree()), (0, before), "%s=%s: status 0, nothing written" % (variable, value))

# ---------------------------------------------------------------------------------------------------------------------
# When it cannot write: status 1. Without room for the host's own units nothing stays; where the rows' do not fit, the host's
# own stay, which the rows of somebody else must not take away, and RUN/left4me keeps its sudo rules.


def unchanged_left4me(old):
    return {p: e for p, e in box.tree().items() if p.startswith("left4me")} == old



install("00-empty")
box.generate()
HOST = {p[len("systemd/generator/"):]: e for p, e in box.tree().items() if p.startswith("systemd/generator/") and e[0] != "dir"}
install("01-servers")
box.generate()
old = {p: e for p, e in box.tree().items() if p.startswith("left4me")}
shutil.rmtree(box.normal)
write(box.normal, "in the way")
result = box.execute(["--root=" + box.root, box.normal])
tap.equal((result.status, unchanged_left4me(old)), (1, True), "a file in the directory's place: status 1, RUN/left4me kept")
os.unlink(box.normal)
os.makedirs(box.normal)
write(box.normal + "/left4me-server@alpha.service", "somebody else's\n")
result = box.execute(["--root=" + box.root, box.normal])
left = {p: e for p, e in snapshot(box.normal).items() if e[0] != "dir"}
tap.equal((result.status, left.pop("left4me-server@alpha.service")[2]), (1, b"somebody else's\n"),
          "a unit of that name is there already: status 1, its text stays")
tap.none([d for d in [difference(left, HOST)] if d], "and of the generator's the host's own, no more")
tap.ok({p: e for p, e in box.tree().items() if p == "left4me/sudoers.d/left4me"} ==
       {p: e for p, e in old.items() if p == "left4me/sudoers.d/left4me"}, "the sudo rules are as they were")
tap.ok(any(line.endswith("left4me-server@alpha.service: exists already") for line in box.report()), "the report says why",
       "%r" % box.report())

def in_namespace(script, *arguments):
    """Runs a shell script in a mount namespace of its own, or gives None where that is not allowed."""
    if not AS_ROOT or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        return None
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *arguments],
                          capture_output=True, cwd="/")


install("01-servers")
box.generate()
size = sum(1 for _ in snapshot(box.normal))
fitted = 0
for limit in ["nr_inodes=%d" % n for n in (3, 8, 20, size - 2)] + ["size=4k", "size=8k", "size=32k", "size=64k"]:
    os.makedirs(box.top + "/tight/systemd", exist_ok=True)
    tight = box.top + "/tight/systemd"
    script = ('mount -t tmpfs -o mode=755,%s tmpfs "$1" && mkdir "$1/generator" || exit 99; directory=$1; shift; "$@"; '
              'status=$?; find "$directory/generator" -mindepth 1; exit $status' % limit)
    result = in_namespace(script, tight, box.program, "--root=" + box.root, tight + "/generator")
    if result is None:
        tap.skip("a full /run (%s)" % limit, "needs root and a mount namespace")
        continue
    # a wants directory that was made for the rows goes, too
    left = sorted(line.decode()[len(tight) + 11:] for line in result.stdout.splitlines() if not line.endswith((b".d", b".wants")))
    tap.equal((result.returncode, left in ([], sorted(HOST))), (1, True),
              "a full /run (%s): status 1, nothing or the host's own" % limit)
    fitted += left == sorted(HOST)
tap.ok(0 < fitted < 8, "a full /run: of either kind is one among them")

script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99; shift; "$@"'
box.new_run()
result = in_namespace(script, box.run_dir, box.program, "--root=" + box.root, box.normal)
if result is None:
    tap.skip("a read-only /run", "needs root and a mount namespace")
else:
    tap.equal((result.returncode, os.listdir(box.normal)), (1, []), "a read-only /run: status 1")

# render: what stands in the place of the output stays as it is
install("01-servers")
write(box.top + "/in-the-way/file", "kept\n")
write(box.top + "/a-file", "kept\n")
for target, form, name in [(box.top + "/in-the-way", "tree", "a directory that is not empty"),
                           (box.top + "/a-file", "tree", "a file"), (box.top + "/in-the-way", "bundlewrap", "a directory"),
                           (box.top + "/no/such/x.json", "bundlewrap", "a directory that is not there")]:
    before = snapshot(box.top)
    result = box.execute(["render", "--format=" + form, "--output=" + target, "--root=" + box.root])
    tap.ok(result.status == 2 and result.messages and snapshot(box.top) == before,
           "render %s into %s: status 2, a message, nothing changed" % (form, name), "%r %r" % (result.status, result.messages))
result = box.execute(["render", "--format=bundlewrap", "--output=" + box.top + "/a-file", "--root=" + box.root])
with open(box.top + "/a-file", encoding="utf-8") as file:
    tap.equal((result.status, pretty(file.read())), (0, expected_json("01-servers")), "render bundlewrap replaces a file")
if AS_ROOT:
    device = box.bin + "/full"
    os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    result = box.execute(["render", "--format=bundlewrap", "--output=" + device, "--root=" + box.root])
    tap.equal((result.status, stat.S_ISCHR(os.stat(device).st_mode)), (2, True),
              "render bundlewrap to a full device: status 2, and it is a device still")
else:
    tap.skip("render bundlewrap to a full device", "needs root")
result = box.execute(["render", "--format=bundlewrap", "--root=" + box.root])
tap.equal((result.status, pretty(result.out)), (0, expected_json("01-servers")), "render bundlewrap to standard output")
with open("/dev/full", "wb") as full:
    status = subprocess.run([box.program, "render", "--format=bundlewrap", "--root=" + box.root], stdout=full,
                            stderr=subprocess.PIPE, cwd="/").returncode
tap.equal(status, 2, "render bundlewrap to a full standard output: status 2")

tap.done()
