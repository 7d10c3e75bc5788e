"""
What every unit file of the generator must look like, whatever stands in the database: its template's directives in their
order, in the lines that carry what the row says exactly that, in all others what other rows' units have.
"""

import re

from unitfile import *  # noqa: F403

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
SERVER, BUILD_UNIT = "left4me-server@%s.service", "build-overlay@%s.service"
VERBS = {SERVER: ("start", "stop", "restart", "reset-failed"), BUILD_UNIT: ("start", "stop")}
FIXED_SUDO = {("left4me", ("/usr/bin/systemctl", "restart", "left4me-reload.service")),
              ("left4me", ("/usr/bin/systemctl", "start", "left4me-check.service"))}
FREE = {("Unit", "Description")}      # the line of a unit that carries nothing but what the row says


def sudo_rules(unit, verbs):
    journal = ("/usr/bin/journalctl", "--no-pager", "-a", "-o", "json", "-n")
    return {("left4me", ("/usr/bin/systemctl", verb, unit)) for verb in verbs} | {
        ("left4me", (*journal, "200", "-u", unit)), ("left4me", (*journal, "200", "-u", unit, "-f")),
        ("left4me", (*journal, "all", "-u", unit, "-f"))}


def refused_problems(parsed, kind, name, fallback):
    """A refused row: the fallback template with its own Description and its own reason, and nothing else."""
    path, unit = UNITS + kind % name, kind % name
    fallback = [entry for entry in fallback if entry[1] != "CollectMode"]      # its row is there to be repaired
    if path not in parsed:
        return ["no unit for the refused %s" % unit]
    entries, problems = parsed[path], []
    if keys(entries) != keys(fallback):
        problems.append("%s: the directives are not those of the fallback: %r" % (unit, keys(entries)))
    description = expand_specifiers(values(entries, "Description")[0], unit)
    match = re.search(r"refused: (\S.*)$", description)
    if not match:
        return problems + ["%s: no reason in the Description: %r" % (unit, description)]
    echo = [c for c in (command(v, unit) for v in values(entries, "ExecStartPre")) if c[1][0] == "/bin/echo"]
    if len(echo) != 1 or ":" not in echo[0][0] or match.group(1) not in echo[0][1][1] or len(echo[0][1]) != 2:
        problems.append("%s: echo does not say %r: %r" % (unit, match.group(1), echo))
    for (section, key, value), (_, _, expected) in zip(entries, fallback):
        if (section, key) not in FREE and not value.startswith(":/bin/echo") and value != expected:
            problems.append("%s: %s=%s, the fallback has %s" % (unit, key, value, expected))
    return problems


def without_row(value):
    """A line without what it says of the row: --started=, layers, port and arguments, which server_problems looks at."""
    value = re.sub(r" --started=port=\d+,arguments=[0-9a-f]{16},(\S+ \S+)(?: \d+)* installation(?!\S)", r" --started=\1", value)
    return re.sub(r"^(:\S+ enter .* \+hostport )[1-9].*", r"\1", value)


def fnv(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return "%016x" % value


def accepted_problems(parsed, kind, name, model):
    """An accepted row: every line as in another accepted row's unit, except for what the row says."""
    path, unit = UNITS + kind % name, kind % name
    if path not in parsed:
        return ["no unit for %s" % unit]
    entries, problems = parsed[path], []
    if keys(entries) != keys(model):
        problems.append("%s: the directives are not those of its template: %r" % (unit, keys(entries)))
    for (section, key, value), (_, _, expected) in zip(entries, model):
        if (section, key) not in FREE and without_row(value) != without_row(expected):
            problems.append("%s: %s=%s, others have %s" % (unit, key, value, expected))
    if ", refused: " in values(entries, "Description")[0]:
        problems.append("%s: refused: %s" % (unit, values(entries, "Description")))
    return problems


def server_problems(parsed, name, port, arguments, layers):
    """The commands of an accepted server, word for word."""
    unit, path = SERVER % name, UNITS + SERVER % name
    merged, helper = "/var/lib/left4me/runtime/%s/merged" % name, "/usr/local/libexec/left4me/left4me-overlay"
    groups = re.search(",unit=[0-9a-f]{16},hardening=[0-9a-f]{16}(?= )", values(parsed[path], "ExecStartPre")[0])
    started = "--started=port=%d,arguments=%s%s" % (port, fnv(arguments), groups and groups.group())
    meant = {
        "ExecStart": [helper, "enter", "--chdir=" + merged + "/left4dead2", unit.removesuffix(".service"), "--", merged + "/srcds_run",
                      "-game", "left4dead2", "+ip", "0.0.0.0", "+hostport", str(port), *arguments.split(" ")],
        "ExecStartPre": [helper, "mount", started, name, *map(str, layers), "installation"],
        "ExecStopPost": [helper, "umount", name],
    }
    meant["ExecStart"] = [word for word in meant["ExecStart"] if word]
    problems, variables = [], environment(parsed[path], unit)
    for key, argv in meant.items():
        got = expand(*command(values(parsed[path], key)[0], unit), variables)
        if got != argv:
            problems.append("%s: %s is %r, meant %r" % (unit, key, got, argv))
    if ":" not in command(values(parsed[path], "ExecStart")[0], unit)[0]:
        problems.append("%s: variables of ExecStart= are expanded" % unit)
    if set(variables) != {"HOME"}:
        problems.append("%s: environment %r" % (unit, sorted(variables)))
    return problems


def description_problems(parsed, kind, name, wanted):
    unit = kind % name
    got = [expand_specifiers(value, unit) for value in values(parsed[UNITS + unit], "Description")]
    return [] if got == [wanted] else ["%s: Description %r, meant %r" % (unit, got, wanted)]


def both(meant):
    return (SERVER, meant.servers), (BUILD_UNIT, meant.builds)


def unequal(what, got, want):
    """How two sets, or two dictionaries of plain values, differ."""
    got, want = (set(x.items()) if isinstance(x, dict) else set(x) for x in (got, want))
    return ["%s: more: %r, less: %r" % (what, sorted(got - want), sorted(want - got))] if got != want else []


def meant_problems(parsed, meant, good):
    """The units of every row, against hostile.Meant; good: the parsed tree of hostile.GOOD."""
    problems = []
    for kind, rows in both(meant):
        model, fallback = good[UNITS + kind % ("alpha" if kind == SERVER else "1")], good[UNITS + kind % ""]
        for name, row in rows.items():
            if row is None:
                problems += refused_problems(parsed, kind, str(name), fallback)
            else:
                problems += accepted_problems(parsed, kind, str(name), model)
    if problems:
        return problems
    for name, row in meant.servers.items():
        if row is not None:
            problems += server_problems(parsed, name, *row[:3])
            problems += description_problems(parsed, SERVER, name, "Left 4 Dead 2 server %s" % name)
    for identifier, row in meant.builds.items():
        if row is not None:
            wanted = 'Build of overlay %d, "%s"' % (identifier, row)
            problems += description_problems(parsed, BUILD_UNIT, str(identifier), wanted)
    return problems


def meant_sudo(meant):
    rules = set(FIXED_SUDO)
    for kind, rows in both(meant):
        for name, row in rows.items():
            rules |= sudo_rules(kind % name, VERBS[kind] if row is not None else ("stop",))
    return rules


def meant_links(meant):
    return {link % name for link in ("left4me.target.wants/" + SERVER, "left4me-queue.target.wants/left4me-queue@%s.service")
            for name, row in meant.servers.items() if row is not None and row[3]}


def meant_files(meant):
    """{path: kind} of the files and links that the rows add to the host's own."""
    files = {UNITS + kind % name: "file" for kind, rows in both(meant) for name in rows}
    files.update({UNITS + link: "link" for link in meant_links(meant)})
    return files


PLACE = re.compile(r"generator_(instances|layers|overlays), row \d+ ?(\(.*\))?, [a-z]+: \S")


def message_problems(lines_, place=PLACE):
    """Each line has a place and is fit for a terminal, whatever the database says."""
    problems = ["message without a place: %.300r" % line for line in lines_ if not place.match(line)]
    return problems + ["message not fit for a terminal: %.300r" % line for line in lines_
                       if len(line) > 1200 or re.search("[\x00-\x1f\x7f-\x9f\udc80-\udcff]", line)]
