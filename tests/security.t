#!/usr/bin/env python3
"""
SECURITY.md is as the project is: each test it names is there, with that title, and is run by make check or make check-system;
claims name one; owners and modes are those of tmpfiles.d, commands those of the sudoers template, calls those of the helpers.
"""

import os
import re

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
COUNT = 0


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def none(problems, name):
    global COUNT      # pylint: disable=global-statement
    COUNT += 1
    print("%sok %d - %s" % ("not " if problems else "", COUNT, name))
    for problem in problems[:30]:
        print("# " + problem)


TEXT = read("SECURITY.md")
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", TEXT, re.M))
# `FILE` "TITLE", "TITLE" ...; lines are broken at blanks
REFERENCE = re.compile(r'`((?:tests|deploy)/[^`]+)`((?:,?\s+"[^"]+")+)')


def references(text):
    return [(file, " ".join(title.split())) for file, titles in REFERENCE.findall(text)
            for title in re.findall(r'"([^"]+)"', titles)]


def is_there(title, text):
    """Titles are broken over lines in some tests too, and escape what their language wants escaped."""
    return title in " ".join(re.sub(r'\\(["$])', r"\1", text).split())


RUNNERS = {name: read("tests/" + name) for name in os.listdir("tests") if name.endswith(".t")}
MODULES = {name[:-3]: read("tests/lib/" + name) for name in os.listdir("tests/lib") if name.endswith(".py")}


def is_imported(module):
    """By a test, or by a module that one imports."""
    line = "from %s import" % module
    return any(line in text for text in RUNNERS.values()) or \
        any(line in text and is_imported(name) for name, text in MODULES.items() if name != module)


def is_run(file):
    if re.fullmatch(r"tests/test-[a-z-]+\.c", file):      # the Makefile makes all of them
        return True
    if os.path.dirname(file) == "tests":
        return re.fullmatch(r"tests/test-[a-z-]+\.c", file) or os.path.basename(file) in RUNNERS and os.access(file, os.X_OK)
    names = [file, os.path.basename(file), file.split("/probes/")[0]]
    return any(name in text for text in RUNNERS.values() for name in names) or \
        file.startswith("tests/lib/") and is_imported(os.path.basename(file)[:-3]) or \
        re.sub(r"^(.*)/sudo-denied$", r"\1/sudo-{denied", file) in RUNNERS["system-sudo.t"]


found = references(TEXT)
none([] if len(found) > 50 else ["%d" % len(found)], "SECURITY.md names tests")
none(["%s: %s" % (file, title) for file, title in found if not os.path.exists(file) or not is_there(title, read(file))],
     "each of them is there, with that title")
none(sorted({file for file, _ in found if not is_run(file)}), "and is run")

claims = [(name, item) for name, body in SECTIONS.items() if name.startswith("What ") and "worth" not in name
          for item in re.findall(r"^- ((?:.*\n)(?:  .*\n)*)", body, re.M)]
none([] if len(claims) > 30 else ["%d" % len(claims)], "there are claims")
none(["%s: %s" % (name, item.split("\n")[0]) for name, item in claims
      if not references(item) and "see What root reads" not in " ".join(item.split())],
     "each claim names the test that shows it")
attacks = re.findall(r"^\| (?!what was done|---)(.*)\|$", SECTIONS["Attacks that were tried"], re.M)
none([] if len(attacks) >= 18 else ["%d" % len(attacks)], "there are attacks")
none([row for row in attacks if not references(row.split("|")[2])], "each names the probe that shows its end")
table = SECTIONS["Who can write what"]
rows = [line.split() for line in read("deploy/tmpfiles.d/left4me.conf").split("\n") if re.match("[a-z]+ +/", line)]
none([path for _, path, mode, user, group, *_ in rows if "| `%s` | %s:%s %s |" % (path, user, group, mode) not in table],
     "owners and modes are those of tmpfiles.d")

commands = re.findall(r"^@USER@ ALL=\(root\) NOPASSWD: (.*)$", read("templates/left4me.sudoers"), re.M)
words = {"@SERVERS@": "NAME", "@BUILDS@": "ID", "@STOPPABLE_SERVERS@": "NAME", "@STOPPABLE_BUILDS@": "ID", "@UPDATE_RULE@": "left4me-update"}
wanted = sorted(re.sub("@[A-Z]+(_[A-Z]+)?@", lambda match: words[match.group()], command) for command in commands)
section = SECTIONS["What sudo lets the web application do"]
told = []
for line in re.findall("^    (/.*)$", section, re.M):
    command, *also = re.split("  +", line.strip())
    for form in [command] + [command + " -f"] * (also == ["and the same with -f"]):
        units = ["left4me-server@NAME.service", "build-overlay@ID.service", "left4me-update.service"] if "UNIT" in form else [""]
        told += [form.replace("UNIT", unit) for unit in units]
told.sort()
none([] if told == wanted and wanted else ["%r" % told, "%r" % wanted], "commands are those of the sudoers template")

hardenings = sorted(name for name in os.listdir("templates") if name.endswith("hardening.conf"))
filters = [re.findall(r"^#.*\n#.*\nSystemCallFilter=~fsetxattr.*", read("templates/" + name), re.M) for name in hardenings]
none([name for name, lines in zip(hardenings, filters) if len(hardenings) != 5 or len(lines) != 1 or lines != filters[0]],
     "all five sandboxes refuse setxattr, for the same reason")

for helper, files in (("left4me-overlay", ("privileged", "overlay-mount")),
                      ("left4me-fetch-script", ("privileged", "fetch-unit"))):
    column = 1 if helper == "left4me-overlay" else 2
    row, = re.findall(r"^\| calls as root \|(.*)\|$", SECTIONS["What each helper may do"], re.M)
    told = set(re.findall(r"\w+", row.split("|")[column - 1]))
    calls = set()
    for name in files:
        head = read("helpers/%s.c" % name).split("*/")[0]
        for line in re.findall(r"^ \*   ([a-z0-9_]+(?:, [a-z0-9_]+)*),? ", head, re.M):
            calls |= set(line.split(", "))
    none(sorted(calls ^ told), "%s's calls are those that its source lists" % helper)
print("1..%d" % COUNT)
