#!/usr/bin/env python3
"""
Hostile database content (F21, S109, S110, S117): every nasty value in every column of the three
views in turn, beside good rows, and some hundred rows at random.

Pinned: the files of the good rows keep every byte; whatever is emitted parses with a parser of its own and has
exactly the directives of its template, in their order; arguments reach the server word for word; a refused row of
a valid name has a unit that says why, no link, no sudo rule to start it, and keeps the rule to stop it; the report
names view, row and column; the generator exits 0, `render` 1.
"""

import os
import random
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from unitfile import *  # noqa: E402,F403
from hostile import GOOD  # noqa: E402
from judge import *  # noqa: E402,F403

tap = Tap()
box = Box()

MIB = 1024 * 1024
NASTY_WORDS = ["trail\\", "it's", '"q"', ";", "#x", "$HOME", "${X}", "%n", "é", 'a\\"b', "\\\\", "'", '"', "%%", "$$",
               "+map", "-x", "*", "~"]

# ---------------------------------------------------------------------------------------------------------------------
# What each column takes (README.md, The database), written down a second time


def is_text(value, limit):
    """Valid UTF-8 text without control characters. Sql values of this test are never that."""
    return (type(value) is str and len(value.encode()) <= limit
            and not re.search("[\x00-\x1f\x7f-\x9f]", value))


def is_integer(value, low, high):
    return type(value) is int and low <= value <= high


TAKES = {
    "instances.name": lambda v: type(v) is str and bool(NAME.fullmatch(v)),
    "instances.port": lambda v: is_integer(v, 27000, 27999),
    "instances.arguments": lambda v: is_text(v, 4096),
    "instances.enabled": lambda v: is_integer(v, 0, 1),
    "layers.instance": lambda v: v == "mallory",
    "layers.position": lambda v: is_integer(v, 1, 2**63 - 1) and v != 2,
    "layers.overlay": lambda v: is_integer(v, 1, 2**63 - 1) and v in (1, 2, 3, 66) and v != 1,
    "overlays.id": lambda v: is_integer(v, 1, 2**63 - 1),
    "overlays.name": lambda v: is_text(v, 200),
    "overlays.script": lambda v: v is None or isinstance(v, str) and len(v.encode()) <= MIB,    # any text, UTF-8 or not
}

VALUES = [
    ("NULL", None), ("empty string", ""), ("blank", " "), ("text", "word"), ("text with a number", "27050"),
    ("number and text", "27050x"), ("hexadecimal text", "0x69aa"),
    ("zero", 0), ("one", 1), ("two", 2), ("minus one", -1), ("26999", 26999), ("27000", 27000), ("27999", 27999),
    ("28000", 28000), ("70000", 70000), ("65536 + 27050", 65536 + 27050), ("2^32 + 27050", 2**32 + 27050),
    ("2^63 - 1", 2**63 - 1), ("-2^63", -2**63), ("REAL", 27050.0), ("REAL 1.0", 1.0), ("REAL 0.5", 0.5),
    ("REAL infinity", float("inf")), ("BLOB", b"mallory"), ("empty BLOB", b""), ("BLOB with NUL", b"\0\1\2"),
    ("NUL at the end", "mallory\0"), ("NUL inside", "a\0b"), ("NUL first", "\0a"), ("newline", "a\nExecStart=/bin/evil"),
    ("newline at the end", "mallory\n"), ("section", "a\n[Service]\nUser=root"), ("CR", "a\rUser=root"), ("tab", "a\tb"),
    ("escape", "a\x1b[31mb"), ("DEL", "a\x7fb"), ("C1 control", "a\u0085b"), ("line separator", "a\u2028b"),
    ("percent", "100%"), ("percent n", "%n%i%%"), ("dollar", "$HOME ${X} $$"), ("double quote", 'a " b'),
    ("single quote", "a ' b"), ("backslash at the end", "a\\"), ("backslash newline", "a\\\nb"), ("backslash n", "a\\nb"),
    ("semicolon", "a ; /bin/evil"), ("hash", "#a"), ("only semicolon", ";"), ("equals", "A=b"), ("bracket", "[Service]"),
    ("placeholder", "@NAME@ @ARGUMENTS@ @"), ("invalid UTF-8", Sql("CAST(x'61ff62' AS TEXT)")),
    ("overlong UTF-8", Sql("CAST(x'61c0af62' AS TEXT)")), ("surrogate in UTF-8", Sql("CAST(x'eda080' AS TEXT)")),
    ("UTF-8 cut short", Sql("CAST(x'61e282' AS TEXT)")), ("UTF-8", "Zürich 東京 🎮"),
    ("UTF-16 text", Sql("CAST(x'6100' AS TEXT)")), ("200 bytes", "n" * 200), ("201 bytes", "n" * 201),
    ("200 bytes of UTF-8", "é" * 100), ("202 bytes of UTF-8", "é" * 101), ("4096 bytes", "x" * 4096),
    ("4097 bytes", "x" * 4097), ("1 MiB", "x" * MIB), ("1 MiB and one", "x" * (MIB + 1)),
    ("1 MiB of UTF-8", "é" * (MIB // 2)), ("2 MiB of UTF-8", "é" * MIB), ("16 MiB", "x" * (16 * MIB)),
    ("parent", "../x"), ("deep parent", "../../../etc/passwd"), ("dot", "."), ("two dots", ".."), ("slash", "/"),
    ("option", "-x"), ("option with value", "--root=/tmp"), ("underscore first", "_x"), ("upper case", "Mallory"),
    ("63 characters", "m" * 63), ("64 characters", "m" * 64), ("65 characters", "m" * 65), ("at sign", "a@b"),
    ("colon", "a:b"), ("dot inside", "a.service"), ("dash at the end", "mallory-"), ("star", "*"), ("wildcards", "?[a]^!"),
    ("sudoers", "mallory.service, ALL"), ("JSON", '{"a": "b"}'), ("digits", "7"), ("leading zero", "007"),
    ("the word installation", "installation"), ("fallback's name", "left4me-server"), ("word of the tree", "report"),
    ("é", "é"), ("cyrillic a", "\u0430lpha"), ("full width", "\uff11"),
]

class Tree:
    """One run of the generator over some rows, read back."""

    def __init__(self, rows, started=()):
        box.make_clean()
        box.database(rows)
        for name in started:                     # as systemd does for every unit that runs
            os.makedirs(box.run_dir + "/systemd/units", exist_ok=True)
            os.symlink("0" * 32, box.run_dir + "/systemd/units/" + name)
        self.result = box.generate()
        self.files = box.tree()
        self.parsed = parse_tree(self.files)
        self.report = without_advice(box.report())
        self.sudo = {(user, tuple(words)) for user, words in self.parsed["left4me/sudoers.d/left4me"]}


# ---------------------------------------------------------------------------------------------------------------------
# The good rows alone

good = Tree(GOOD)
tap.equal((good.result.status, good.report), (0, []), "good rows: exit status and report")
server_model = good.parsed[UNITS + SERVER % "alpha"]
build_model = good.parsed[UNITS + BUILD_UNIT % 1]
server_fallback = good.parsed[UNITS + SERVER % ""]
build_fallback = good.parsed[UNITS + BUILD_UNIT % ""]
GOOD_SUDO = set()
for good_name in ("alpha", "bravo", "zulu"):
    GOOD_SUDO |= sudo_rules(SERVER % good_name, VERBS[SERVER])
for good_id in (1, 3):
    GOOD_SUDO |= sudo_rules(BUILD_UNIT % good_id, VERBS[BUILD_UNIT])
tap.equal(good.sudo, GOOD_SUDO | FIXED_SUDO, "good rows: sudoers")
tap.none(server_problems(good.parsed, "alpha", 27001, '+map c1m1_hotel "x"', [1, 2])
         + server_problems(good.parsed, "bravo", 27002, "", [])
         + server_problems(good.parsed, "zulu", 27003, "-a %n $HOME", [3]), "good rows: commands word for word")
tap.ok(UNITS + BUILD_UNIT % 2 not in good.files, "an overlay without a script has no build unit")


def turn_of(unit):
    return "left4me-queue.target.wants/" + unit.replace("left4me-server@", "left4me-queue@")


def other_rows_problems(tree, without):
    """The files of the other rows and of the host: the same bytes as without the bad row, and nothing new."""
    bad = {UNITS + path for unit in without for path in (unit, "left4me.target.wants/" + unit, turn_of(unit))}
    about_all = {"left4me/report", "left4me/last-good", "left4me/sudoers.d/left4me", UNITS + "left4me-queue.target.wants"}
    got = {p: e for p, e in tree.files.items() if p not in bad | about_all}
    want = {p: e for p, e in good.files.items() if p not in bad | about_all}
    changed = difference(got, want)
    return ["other files: " + changed] if changed else []


def link_problems(tree, unit, wanted):
    path = UNITS + "left4me.target.wants/" + unit
    if wanted != (path in tree.files):
        return ["%s: %s" % (path, "no link" if wanted else "a link")]
    if wanted != (UNITS + turn_of(unit) in tree.files):
        return ["%s: %s" % (turn_of(unit), "no turn" if wanted else "a turn")]
    if wanted and os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(
            os.path.join(box.run_dir, path)))) not in (UNITS + unit, box.normal + "/" + unit):
        return ["%s points to %r" % (path, tree.files[path][2])]
    return []


def report_problems(tree, place):
    """At least one line at that place; every line has a place in a view and is one printable line."""
    problems = [] if any(re.match(place, line) for line in tree.report) else ["no message at %r" % place]
    for line in tree.report:
        if not re.match(r"generator_(instances|layers|overlays), row \d+ ?(\(.*\))?, [a-z]+: \S", line):
            problems.append("message without a place: %.300r" % line)
        if len(line) > 700 or re.search("[\x00-\x1f\x7f-\x9f]", line):
            problems.append("message not fit for a terminal: %.300r" % line)
    return problems + (["report: %.600r" % tree.report] if problems else [])


def guarded(problems_of):
    """Makes text that does not parse a problem like any other."""
    def wrapped(*arguments):
        try:
            return problems_of(*arguments)
        except Malformed as error:
            return ["malformed: %s" % error]
    return wrapped


# ---------------------------------------------------------------------------------------------------------------------
# One value in one column


def rows_with(column, value):
    """The good rows and one server with one overlay of its own, the value in its place."""
    server, first, second = instance("mallory", 27099, "+map x"), *stack("mallory", 66, 1)
    build = overlay(66, "evil", "echo 66")
    view, name = column.split(".")
    {"instances": server, "layers": first, "overlays": build}[view][name] = value
    if column == "overlays.id":
        return GOOD.add(overlays=[build])
    if column == "instances.name":
        return GOOD.add([server])
    return GOOD.add([server], [first, second], [build])


def expected_outcome(column, value, taken):
    """({unit name: accepted or refused}, place of the message or None) for the rows that are not good ones."""
    mallory, evil = (SERVER, "mallory"), (BUILD_UNIT, "66")
    view, name = column.split(".")
    place = None if taken else r"generator_%s, row \d+( \(.*\))?, %s: " % (view, name)
    if column == "instances.name":
        return ({(SERVER, value): True} if taken else {}), place
    if column == "overlays.id":
        return ({(BUILD_UNIT, str(value)): True} if taken else {}), place
    if view == "instances":
        return {mallory: taken, evil: True}, place
    if column == "layers.instance":              # a layer of nobody is nobody's
        return {mallory: True, evil: True}, place
    if view == "layers":
        return {mallory: taken, evil: True}, place
    if column == "overlays.script" and (value is None or value == ""):
        return {mallory: True}, place            # not built by a script: no unit
    return {mallory: True, evil: taken}, place   # only the build is refused: the overlay's directory is there


@guarded
def case_problems(column, value):
    taken = TAKES[column](value)
    outcome, place = expected_outcome(column, value, taken)
    tree = Tree(rows_with(column, value))
    problems = [] if tree.result.status == 0 else ["exit status %d" % tree.result.status]
    problems += other_rows_problems(tree, {kind % name for kind, name in outcome})
    sudo = GOOD_SUDO | FIXED_SUDO
    for (kind, name), accepted in outcome.items():
        unit = kind % name
        model, fallback = (server_model, server_fallback) if kind == SERVER else (build_model, build_fallback)
        if accepted:
            problems += accepted_problems(tree.parsed, kind, name, model)
        else:
            problems += refused_problems(tree.parsed, kind, name, fallback)
        sudo |= sudo_rules(unit, VERBS[kind] if accepted else ("stop",))
        enabled = 0 if column == "instances.enabled" and value == 0 else 1
        problems += link_problems(tree, unit, accepted and kind == SERVER and bool(enabled))
    if tree.sudo != sudo:
        problems.append("sudoers: more: %r, less: %r" % (sorted(tree.sudo - sudo), sorted(sudo - tree.sudo)))
    if place:
        problems += report_problems(tree, place)
    elif tree.report:
        problems.append("report: %.600r" % tree.report)
    if column == "instances.arguments" and taken and not problems:
        problems += server_problems(tree.parsed, "mallory", 27099, value, [66, 1])
    if column == "overlays.name" and taken and not problems and value.strip():
        entries = tree.parsed[UNITS + BUILD_UNIT % 66]
        if value.strip() not in expand_specifiers(values(entries, "Description")[0], BUILD_UNIT % 66):
            problems.append("Description: %r" % values(entries, "Description"))
    return problems


for column in TAKES:
    for label, value in VALUES:
        if (column, value) in (("layers.position", 2), ("overlays.id", 1), ("overlays.id", 2)) and type(value) is int:
            continue                             # taken already by another row: below
        tap.none(case_problems(column, value), "%s: %s" % (column, label))

# ---------------------------------------------------------------------------------------------------------------------
# Arguments, word for word


@guarded
def arguments_problems(arguments):
    tree = Tree(GOOD.add([instance("mallory", 27099, arguments)]))
    return (other_rows_problems(tree, {SERVER % "mallory"})
            + accepted_problems(tree.parsed, SERVER, "mallory", server_model)
            + server_problems(tree.parsed, "mallory", 27099, arguments, []))


for word in NASTY_WORDS:
    tap.none(arguments_problems("+first %s +last" % word) + arguments_problems(word),
             "the word %s comes back exactly" % word)
tap.none(arguments_problems(" ".join(NASTY_WORDS)), "all of them in one line")
tap.none(arguments_problems("  a   b  "), "blanks around and between words are no words")
tap.none(arguments_problems(" ".join(["\\"] * 2000)), "4000 bytes of backslashes")
tap.none(arguments_problems(('" ' * 2048)[:4096]), "4096 bytes of quotes")
tap.none(arguments_problems(("%" * 4096)), "4096 percent signs")

# ---------------------------------------------------------------------------------------------------------------------
# Rows against each other


@guarded
def refusal_problems(rows, refused, accepted, places, stacks):
    tree = Tree(rows)
    problems = other_rows_problems(tree, {k % n for k, n in [*refused, *accepted]})
    for kind, n in refused:
        problems += refused_problems(tree.parsed, kind, n, server_fallback if kind == SERVER else build_fallback)
        problems += link_problems(tree, kind % n, False)
        rules = {words for _, words in tree.sudo if kind % n in words}
        if rules != {words for _, words in sudo_rules(kind % n, ("stop",))}:
            problems.append("sudo rules of %s: %r" % (kind % n, sorted(rules)))
    for kind, n in accepted:
        problems += accepted_problems(tree.parsed, kind, n, server_model if kind == SERVER else build_model)
    for place in places:
        problems += report_problems(tree, place)
    for n, layers in stacks.items():
        problems += server_problems(tree.parsed, n, 27099, "", layers)
    return problems


def refusal(name, rows, refused, accepted=(), places=(), stacks=None):
    """refused and accepted: (kind, name) of the rows added to the good ones; stacks: the layers of servers on 27099."""
    tap.none(refusal_problems(rows, refused, accepted, places, stacks or {}), name)


def servers(*names):
    return [(SERVER, name) for name in names]


refusal("two rows of one name: none counts",
        GOOD.add([instance("mallory", 27098), instance("mallory", 27099)]), servers("mallory"),
        places=[r"generator_instances, row \d+ \(instance 'mallory'\), name: "])
refusal("three rows of one name, one of them bad in another way",
        GOOD.add([instance("mallory", 27098), instance("mallory", "x"), instance("mallory", 27099, None)]), servers("mallory"),
        places=[r"generator_instances, row \d+ \(instance 'mallory'\), name: "])
refusal("two rows of one name do not take a port from anybody",
        GOOD.add([instance("aa", 27099), instance("aa", 27099), instance("mallory", 27099)]), servers("aa"),
        servers("mallory"))
refusal("a port twice: the first by name keeps it",
        GOOD.add([instance("mallory", 27001)]), servers("mallory"),
        places=[r"generator_instances, row \d+ \(instance 'mallory'\), port: .*27001.*alpha"])
refusal("a port three times", GOOD.add([instance("mallory", 27099), instance("nelly", 27099), instance("oscar", 27099)]),
        servers("nelly", "oscar"), servers("mallory"))
refusal("a row that is refused for something else takes no port",
        GOOD.add([instance("mallory", 27099, "a\nb"), instance("nelly", 27099)]), servers("mallory"), servers("nelly"))
refusal("a disabled server keeps its port",
        GOOD.add([instance("mallory", 27002)]), servers("mallory"))
refusal("a position twice",
        GOOD.add([instance("mallory", 27099)], [layer("mallory", 1, 1), layer("mallory", 1, 2)]), servers("mallory"),
        places=[r"generator_layers, row \d+ \(instance 'mallory'\), position: "])
refusal("a layer twice",
        GOOD.add([instance("mallory", 27099)], stack("mallory", 1, 1)), servers("mallory"),
        places=[r"generator_layers, row \d+ \(instance 'mallory'\), overlay: "])
refusal("an overlay that does not exist",
        GOOD.add([instance("mallory", 27099)], stack("mallory", 4711)), servers("mallory"),
        places=[r"generator_layers, row \d+ \(instance 'mallory'\), overlay: .*4711"])
refusal("overlays that only name each other do not exist either",
        GOOD.add([instance("mallory", 27099), instance("nelly", 27098)],
                 stack("mallory", 7001, 7002) + stack("nelly", 7002, 7001)),
        servers("mallory", "nelly"))
refusal("an overlay id twice: neither is built; whoever uses it goes on",
        GOOD.add([instance("mallory", 27099)], stack("mallory", 66), [overlay(66, "one", "echo"), overlay(66, "two", "echo")]),
        [(BUILD_UNIT, "66")], servers("mallory"), places=[r"generator_overlays, row \d+ \(overlay 66\), id: "])
many = [overlay(100 + i, "many %d" % i) for i in range(500)]
refusal("500 overlays in a stack",
        GOOD.add([instance("mallory", 27099)], stack("mallory", *range(101, 600), 100), many), servers("mallory"))
refusal("499 overlays in a stack reach the helper in order",
        GOOD.add([instance("mallory", 27099)], stack("mallory", *range(101, 600)), many),
        [], servers("mallory"), stacks={"mallory": range(101, 600)})
refusal("the lowest position is the topmost layer, whatever the gaps and the order of the rows",
        GOOD.add([instance("mallory", 27099)], [layer("mallory", 30, 1), layer("mallory", 4, 3), layer("mallory", 2**62, 2)]),
        [], servers("mallory"), stacks={"mallory": [3, 1, 2]})

# Every good row refused by rows of the same name: still no file but fallbacks, and those complete.
twins = GOOD.add([instance(name, 27100 + i) for i, name in enumerate(("alpha", "bravo", "zulu"))])
refusal("every good row has a twin", twins, servers("alpha", "bravo", "zulu"))

# ---------------------------------------------------------------------------------------------------------------------
# What runs without a row keeps what stops it and shows its log; a name that could not be ours gets no rule


@guarded
def running_problems():
    rows = GOOD.add([instance("mallory", 70000)])
    started = ["left4me-server@gone.service", "left4me-server@alpha.service", "left4me-server@mallory.service",
               "build-overlay@77.service", "build-overlay@1.service"]
    foreign = ["left4me-server@.service", "left4me-server@Upper.service", "left4me-server@a b.service", "left4me-server@x, ALL.service",
               "left4me-server@a\nroot ALL=(ALL) ALL.service", "left4me-server@%s.service" % ("m" * 65), "left4me-server@a\\x2db.service",
               "left4me-server@*.service", "left4me-server@x.service.service", "build-overlay@0.service", "build-overlay@007.service",
               "build-overlay@-1.service", "build-overlay@x.service", "build-overlay@9223372036854775808.service",
               "left4me-web.service", "sshd.service"]
    without, tree = Tree(rows), Tree(rows, ["invocation:" + name for name in started + foreign]
                                     + ["log-extra-fields:left4me-server@other.service", "left4me-server@other.service"])
    meant = without.sudo | sudo_rules(SERVER % "gone", ("stop",)) | sudo_rules(BUILD_UNIT % 77, ("stop",))
    problems = [] if tree.sudo == meant else ["more: %r, less: %r" % (sorted(tree.sudo - meant), sorted(meant - tree.sudo))]
    units = {p: e for p, e in tree.files.items() if p.startswith(UNITS)}
    changed = difference(units, {p: e for p, e in without.files.items() if p.startswith(UNITS)})
    return problems + ([changed] if changed else []) + ([] if tree.report == without.report else ["report: %r" % tree.report])


tap.none(running_problems(), "what runs without a row keeps its stop rule, and nothing else comes of it")

# render: the same verdicts on stderr, status 1, the tree is written all the same
box.make_clean()
box.database(GOOD.add([instance("mallory", 70000), instance("../x", 27099)]))
box.generate()
rendered = box.render()
tap.equal((rendered.status, rendered.messages), (1, without_advice(box.report())), "render: refused rows give 1 and the report's lines")
checked = box.check()
tap.equal((checked.status, checked.printed), (1, box.report()),
          "check: refused rows give 1 and the report's lines")

# ---------------------------------------------------------------------------------------------------------------------
# At random

PIECES = NASTY_WORDS + ["a", "0", "Z", "\\", '"', "'", "%", "$", "{", "}", ";", "#", "[", "]", "=", "@", "@NAME@", ":", "|",
                        "\u2028", "東", "\\n", "\\x41", "%i", "%%n", "${L4D2_PORT}", "$L4D2_ARGS", "&", "<", "`", "(", "!"]
CONTROL = ["\n", "\r", "\0", "\t", "\x1b", "\x7f", "\u0085"]


def random_rows(random_, count):
    """Rows and what must become of each server: its arguments and layers, or None when it is refused."""
    rows, meant = Rows(), {}
    overlays = [i for i in range(1, 40)]
    for i in overlays:
        rows.overlays.append(overlay(i, "".join(random_.choices(PIECES, k=random_.randrange(1, 12))), random_.choice([None, "s"])))
    ports = random_.sample(range(27000, 28000), count)
    for i in range(count):
        name = "".join(random_.choices("abcxyz019_-", k=random_.randrange(0, 20)))
        name = "%s%03d%s" % (random_.choice("az09"), i, name)
        words = ["".join(random_.choices(PIECES, k=random_.randrange(1, 9))) for _ in range(random_.randrange(0, 12))]
        used = random_.sample(overlays, random_.randrange(0, 9))
        arguments, port, enabled = " ".join(words), ports[i], random_.randrange(2)
        bad = random_.random()
        if bad < 0.06:
            place = random_.randrange(len(arguments) + 1)
            arguments = arguments[:place] + random_.choice(CONTROL) + arguments[place:]
        elif bad < 0.10:
            port = random_.choice([None, str(port), float(port), 0, -port, port + 65536, b"x"])
        elif bad < 0.14:
            enabled = random_.choice([None, 2, -1, "1", 1.0, b"1"])
        elif bad < 0.18:
            used = used + [random_.choice([None, 0, -1, 4711, "1", 1.0])]
        rows.instances.append(instance(name, port, arguments, enabled))
        positions = random_.sample(range(1, 1000), len(used))
        rows.layers += [layer(name, position, below) for position, below in zip(positions, used)]
        ordered = [below for _, below in sorted(zip(positions, used), key=lambda pair: pair[0])]
        meant[name] = None if bad < 0.18 else (port, arguments, ordered, enabled)
    random_.shuffle(rows.instances)
    random_.shuffle(rows.layers)
    random_.shuffle(rows.overlays)
    return rows, meant


@guarded
def random_problems(seed):
    rows, meant = random_rows(random.Random(seed), 200)
    tree, problems = Tree(rows), []
    for name, server in meant.items():
        if server is None:
            problems += refused_problems(tree.parsed, SERVER, name, server_fallback)
            problems += link_problems(tree, SERVER % name, False)
            continue
        problems += accepted_problems(tree.parsed, SERVER, name, server_model)
        problems += server_problems(tree.parsed, name, *server[:3])
        problems += link_problems(tree, SERVER % name, bool(server[3]))
    units = {p for p in tree.files if p.startswith(UNITS + "left4me-server@") and p.endswith(".service")}
    if units != {UNITS + SERVER % name for name in meant} | {UNITS + SERVER % ""}:
        problems.append("units: %r" % sorted(units ^ {UNITS + SERVER % name for name in meant}))
    for row in rows.overlays:
        if row["script"]:
            problems += accepted_problems(tree.parsed, BUILD_UNIT, str(row["id"]), build_model)
    names = set(re.findall(r"instance '([^']*)'", "\n".join(tree.report)))
    if names != {name for name, server in meant.items() if server is None}:
        problems.append("the report does not name exactly the refused rows: %r" % sorted(names))
    return problems


for seed in (1, 2, 3):
    tap.none(random_problems(seed), "200 random rows, seed %d" % seed)

tap.done()
