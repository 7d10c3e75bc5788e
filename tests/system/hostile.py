#!/usr/bin/python3 -B
"""
In a guest: the first databases of tests/lib/hostile.py, one after the other in place of the web application's, each with
a daemon-reload. Judges are PID 1, by what it has loaded, systemd-analyze and both visudo: no unit has a property beyond those
of another row's unit, commands are the row's word for word, nobody complains.
"""

import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.getcwd())
os.environ["BUILD"] = "/usr/local/lib/systemd/system-generators"
import hostile  # noqa: E402
import judge  # noqa: E402
import unitfile  # noqa: E402
import views  # noqa: E402
from judge import BUILD_UNIT, SERVER  # noqa: E402

COUNT = 100 if os.path.exists("long") else 30
DATABASE = "/var/lib/left4me/left4me.db"
UNITS = "/run/systemd/generator/"
SUDOERS = "/run/left4me/sudoers.d/left4me"
# What differs between two units of one kind because of the row, and is looked at word by word below; and what is of the moment.
OF_THE_ROW = re.compile(r"Description|ExecStart(Ex)?|(StateChange|Active|Inactive|Condition|Assert)\w*Timestamp\w*"
                        r"|(Condition|Assert)Result|Asserts|(Effective)?(Memory|CPUs|Tasks)\w*|ExecMain\w+|InvocationID|Perpetual|UnitFileState|UnitFilePreset")

tap = unitfile.Tap()


def run(*command_):
    done = subprocess.run(command_, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape")


def take_database(make):
    """As the web application could: another file, the owner's."""
    made = make("/root/new.db")
    os.chown("/root/new.db", 980, 980)
    os.makedirs(os.path.dirname(DATABASE), exist_ok=True)
    subprocess.run(["mv", "/root/new.db", DATABASE], check=True)
    status, said = run("systemctl", "daemon-reload")
    return made, [] if status == 0 else ["daemon-reload: %s" % said]


def show(units):
    """{unit: {property: value}} of all properties."""
    _, said = run("systemctl", "show", "--all", "--", *units)
    found = {}
    for block in said.split("\n\n"):
        properties = {}
        for line in block.strip("\n").split("\n"):
            key, _, value = line.partition("=")
            properties[key] = properties[key] + "\n" + value if key in properties else value      # one line a command
        found[properties["Id"]] = properties
    return found


def cat(units):
    """{unit: [(path, text)]} as systemctl prints them."""
    _, said = run("systemctl", "cat", "--", *units)
    parts, found = re.split(r"^# (/\S+)\n", said, flags=re.M)[1:], {}
    for path, text in zip(parts[::2], parts[1::2]):
        if "/10-" not in path:
            unit = os.path.basename(path)
            found[unit] = []
        found[unit].append((path, text.rstrip("\n") + "\n"))
    return found


def bus_path(unit):
    return "/org/freedesktop/systemd1/unit/" + re.sub("[^A-Za-z0-9]", lambda match: "_%02x" % ord(match.group()), unit)


def commands_of(unit, key):
    """(words, flags) of each, as PID 1 has it: `systemctl show` does not tell one word with a blank from two."""
    status, said = run("busctl", "--json=short", "get-property", "org.freedesktop.systemd1", bus_path(unit),
                       "org.freedesktop.systemd1.Service", key)
    if status:
        raise unitfile.Malformed("%s: %s" % (unit, said))
    return [(command_[1], command_[2]) for command_ in json.loads(said)["data"]]


# ---------------------------------------------------------------------------------------------------------------------
# Units whose names stand for any other's, and what they have

NAME_, IDENTIFIER = "qqreferenceqq", 424242424242
REFERENCE = hostile.GOOD.add(
    [views.instance(NAME_ + "on", 27111, "-a"), views.instance(NAME_ + "off", 27112, "-a", 0), views.instance(NAME_ + "bad", 1, "-a")], [],
    [views.overlay(IDENTIFIER, "good", "echo"), views.overlay(IDENTIFIER * 10, "bad\n", "echo")])


def make_reference(path):
    import sqlite3      # pylint: disable=import-outside-toplevel
    connection = sqlite3.connect(path)
    views.fill(connection, REFERENCE)
    connection.commit()
    connection.close()


# What tries to read a database that was not there at boot would start what is in one of these.
run("systemctl", "stop", "left4me-activate.timer", "left4me-activate.service")
take_database(make_reference)
reference = {
    (SERVER, "on"): SERVER % (NAME_ + "on"), (SERVER, "off"): SERVER % (NAME_ + "off"), (SERVER, "bad"): SERVER % (NAME_ + "bad"),
    (BUILD_UNIT, "on"): BUILD_UNIT % IDENTIFIER, (BUILD_UNIT, "bad"): BUILD_UNIT % (IDENTIFIER * 10),
}
shown = show(reference.values())
parsed_good = {judge.UNITS + kind % name: unitfile.parse(open(UNITS + kind % name, "rb").read())
               for kind, name in ((SERVER, "alpha"), (SERVER, ""), (BUILD_UNIT, "1"), (BUILD_UNIT, ""))}
tap.equal([properties["LoadState"] for properties in shown.values()], ["loaded"] * 5, "the reference units are loaded")
for kind in (SERVER, BUILD_UNIT):
    path = UNITS + kind % "" + ".d/10-hardening.conf"
    tap.ok(all(shown[reference[kind, state]]["DropInPaths"] == path for state in ("on", "bad")), "with %s alone" % path)
HARDENING = {kind: open(UNITS + kind % "" + ".d/10-hardening.conf").read() for kind in (SERVER, BUILD_UNIT)}


def replaced(text, kind, state, name):
    old = reference[kind, state].partition("@")[2].partition(".")[0]
    return text.replace(old, str(name))


def reason_of(description):
    return description.partition(", refused: ")[2]


def unit_problems(kind, name, row, properties, files):
    """One unit, as PID 1 has loaded it, against the reference of its kind."""
    unit, problems = kind % name, []
    state = "bad" if row is None else "on" if kind == BUILD_UNIT or row[3] else "off"
    want = shown[reference[kind, state]]
    for key in sorted(set(want) | set(properties)):
        got, meant_ = properties.get(key, "absent"), replaced(want.get(key, "absent"), kind, state, name)
        if row is None and key.startswith("ExecStartPre"):
            meant_ = meant_.replace(reason_of(want["Description"]), reason_of(properties["Description"]))
        if key.startswith("ExecStartPre"):
            got, meant_ = judge.without_row(got), judge.without_row(meant_)
        if not key.startswith("Exec"):       # lists have no order
            got, meant_ = sorted(got.split(" ")), sorted(meant_.split(" "))
        if not OF_THE_ROW.fullmatch(key) and got != meant_:
            problems.append("%s: %s is %r, the reference has %r" % (unit, key, got, meant_))
    hardening = (UNITS + kind % "" + ".d/10-hardening.conf", HARDENING[kind])
    if files[0][0] != UNITS + unit or files[1:] != [hardening]:
        problems.append("%s: systemctl cat shows %r" % (unit, files))
    return problems + row_problems(kind, name, row, properties, want)


def row_problems(kind, name, row, properties, want):
    """Description and commands, word for word."""
    unit, description = kind % name, properties["Description"]
    if row is None:
        good = reason_of(description) and properties["ExecStart"] == replaced(want["ExecStart"], kind, "bad", name)
        return [] if good else ["%s: Description %r" % (unit, description)]
    if kind == BUILD_UNIT:
        good = description == 'Build of overlay %d, "%s"' % (name, row) and properties["Environment"] == want["Environment"]
        return [] if good else ["%s: Description %r, Environment %r" % (unit, description, properties["Environment"])]
    (start, flags), = commands_of(unit, "ExecStartEx")
    (mount, _), = commands_of(unit, "ExecStartPreEx")
    merged = "/var/lib/left4me/runtime/%s/merged" % name
    got = description, start[1:], flags, mount[3:]
    meant_ = ("Left 4 Dead 2 server %s" % name,
              ["enter", "--chdir=" + merged + "/left4dead2", unit.removesuffix(".service"), "--", merged + "/srcds_run",
               "-game", "left4dead2", "+ip", "0.0.0.0", "+hostport", str(row[0]), *(word for word in row[1].split(" ") if word)], ["no-env-expand"],
              [name, *map(str, row[2]), "installation"])
    return [] if got == meant_ else ["%s: loaded is %r, meant %r" % (unit, got, meant_)]


def sudo_problems(meant):
    problems = []
    for visudo in ("/usr/sbin/visudo", "/usr/bin/visudo-rs"):
        status, said = run(visudo, "-c")
        if status or re.search("warn|error", said, re.I) or visudo == "/usr/sbin/visudo" and SUDOERS not in said:
            problems.append("%s: %s" % (visudo, said))
    _, said = run("sudo", "-l", "-U", "left4me")
    got = {tuple(line.split("NOPASSWD: ")[1].split()) for line in said.splitlines() if "NOPASSWD: " in line}
    want = {words for _, words in judge.meant_sudo(meant)}
    return problems + judge.unequal("sudo -l", got, want) + (["sudo -l: %s" % said] if "ALL" in said else [])


def verify_problems(units):
    """systemd-analyze says nothing but that there is no game here."""
    names = [UNITS + name for name in units]
    status, said = run("systemd-analyze", "verify", "--man=no", "--", *names)
    absent = {"%s: Command /var/lib/left4me/%s is not executable: No such file or directory" % words for words in
              [(unit, "runtime/%s/merged/srcds_run" % name) for unit, (kind, name, _) in units.items() if kind == SERVER]}
    said = [line for line in said.split("\n")[:-1] if line not in absent]
    return ["systemd-analyze verify: %d %s" % (status, said)] if said or status > 1 else []


def links():
    found = set()
    for directory in os.listdir(UNITS):
        if directory.endswith((".wants", ".requires")):
            found |= {directory + "/" + name for name in os.listdir(UNITS + directory)}
    return found


HOST = {name for name in os.listdir(UNITS) if NAME_ not in name and ("@" not in name or name.startswith("user@")) or "@." in name}
HOST_LINKS = {link for link in links() if not re.search("left4me-(server|queue)@", link)}


def problems_of(meant, refused_to_read):
    units = {kind % name: (kind, name, row) for kind, rows in judge.both(meant) for name, row in rows.items()}
    problems, properties, files = [], show(units), cat(units)
    entries = {judge.UNITS + unit: unitfile.parse(files[unit][0][1].encode("utf-8", "surrogateescape")) for unit in units}
    problems += judge.meant_problems(entries, meant, parsed_good)
    for unit, (kind, name, row) in units.items():
        problems += unit_problems(kind, name, row, properties[unit], files[unit])
    names = set(os.listdir(UNITS)) - HOST - ({"multi-user.target.wants"} if refused_to_read else set())
    problems += judge.unequal("files", names, set(units))
    activate = {"timers.target.wants/left4me-activate.timer"} if refused_to_read else set()
    problems += judge.unequal("links", links() - HOST_LINKS, judge.meant_links(meant) | activate)
    return problems + sudo_problems(meant) + verify_problems(units)


# ---------------------------------------------------------------------------------------------------------------------

meant, counts, started = hostile.Meant(hostile.read_back(DATABASE)), [0, 0, 0], time.monotonic()
tap.none(problems_of(meant, False), "the reference rows")
wrong = []
for number in range(COUNT):
    kind, problems = take_database(lambda path: hostile.make(number, path))
    report = open("/run/left4me/report", encoding="utf-8", errors="surrogateescape").read()
    unreadable = DATABASE + ": " in report
    rows = None if unreadable else hostile.read_back(DATABASE)
    if kind == "forbidden" and not unreadable:
        problems.append("it was read, which cannot be")
    if rows:
        meant = hostile.Meant(rows)
    counts[0] += not unreadable
    counts[1] += len(meant.servers) + len(meant.builds)
    counts[2] += sum(row is None for row in [*meant.servers.values(), *meant.builds.values()])
    try:
        problems += problems_of(meant, unreadable)
    except unitfile.Malformed as error:
        problems.append("malformed: %s" % error)
    wrong += ["tests/hostile-many.t %d (%s): %s" % (number, kind, problem[:900]) for problem in problems[:2]]
tap.none(wrong, "%d hostile databases: nothing but the templates' directives and the rows' own words" % COUNT)
print("# %d databases read, %d units, %d of them refused, %.0f s" % (*counts, time.monotonic() - started))

run("journalctl", "--sync")
_, said = run("journalctl", "--no-pager", "-b", "-o", "cat", "_PID=1")
complaints = [line for line in said.splitlines() if UNITS in line or "left4me-generator" in line and "fail" in line]
tap.none(complaints, "PID 1 complained of no line and of no exit status")
tap.done()
