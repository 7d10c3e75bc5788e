#!/usr/bin/env python3
"""
10 000 hostile databases at random, the same in every run (tests/lib/hostile.py), each through a run of the generator:
every directive is its template's, every value the row's, no file and no sudo rule beyond those meant, the host's files and
the good rows' the same bytes, exit status 0, no signal, messages fit for a terminal. A database that cannot be read changes
nothing.

`hostile-many.t NUMBER...` runs these alone and shows what is wrong and the report.
"""

import functools
import multiprocessing
import os
import queue
import shutil
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import hostile  # noqa: E402
import judge  # noqa: E402
import unitfile  # noqa: E402
from judge import *  # noqa: E402,F403

COUNT, COUNT_SANITIZED = int(os.environ.get("LEFT4ME_DATABASES", "10000")), 500
UNREADABLE = re.compile(re.escape("/var/lib/left4me/left4me.db: "))
SUDO, LAST_GOOD = "left4me/sudoers.d/left4me", "left4me/last-good"
ABOUT_ALL = {"left4me/report", LAST_GOOD, SUDO, UNITS + "left4me-queue.target.wants"}
parse = functools.lru_cache(maxsize=300)(unitfile.parse)


class Good:
    """The good rows alone."""

    def __init__(self, box):
        box.database(hostile.GOOD)
        result = box.generate()
        self.files = box.tree()
        self.parsed = unitfile.parse_tree(self.files)
        self.meant = hostile.Meant(hostile.read_back(box.database_path))
        own = judge.meant_files(self.meant)
        self.host = {path: entry for path, entry in self.files.items() if path not in own and path not in ABOUT_ALL}
        self.wrong = verdict(self, result, self.files, without_advice(box.report()), self.meant)

    def leave_last_good(self, box):
        """As after an earlier run."""
        for path in (LAST_GOOD, SUDO):
            unitfile.write(box.run_dir + "/" + path, self.files[path][2], self.files[path][1])


def untouched(good, files, meant):
    """The files of the host, and of each good row that no other row disputes: the same bytes, modes and targets."""
    want = dict(good.host)
    for kind, name in ((SERVER, "alpha"), (SERVER, "bravo"), (SERVER, "zulu"), (BUILD_UNIT, 1), (BUILD_UNIT, 3)):
        rows, old = (meant.servers, good.meant.servers) if kind == SERVER else (meant.builds, good.meant.builds)
        for path in (UNITS + kind % name, UNITS + "left4me.target.wants/" + kind % name):
            if rows.get(name) == old[name] and path in good.files:
                want[path] = good.files[path]
    changed = difference({path: entry for path, entry in files.items() if path in want}, want)
    return ["changed: " + changed] if changed else []


def verdict(good, result, files, report, meant):
    problems = [] if result.status == 0 and not result.printed else ["status %r, output %r" % (result.status, result.printed)]
    own = judge.meant_files(meant)
    got = {path: entry[0] for path, entry in files.items() if path not in good.host and path not in ABOUT_ALL}
    problems += judge.unequal("files", got, own)
    problems += ["mode of %s" % path for path in own
                 if path in files and files[path][:2] not in (("file", 0o644), ("link", 0o777))]
    problems += untouched(good, files, meant)
    try:
        parsed = {path: parse(files[path][2]) for path, kind in own.items() if kind == "file" and path in files}
        problems += judge.meant_problems(parsed, meant, good.parsed)
        rules = unitfile.sudoers(files[SUDO][2])
        sudo = {(user, tuple(words)) for user, words in rules}
        problems += judge.unequal("sudoers", sudo, judge.meant_sudo(meant))
        problems += ["a sudo rule twice"] if len(rules) != len(sudo) else []
    except (unitfile.Malformed, KeyError) as error:
        problems.append("malformed: %r" % error)
    problems += judge.message_problems(report)
    problems += judge.message_problems(result.messages, re.compile("left4me-generator: "))
    named = set(re.findall(r"^\S+, row \d+ \(instance '([^']*)'\)", "\n".join(report), re.M))
    if named != {name for name, row in meant.servers.items() if row is None}:
        problems.append("the report does not name exactly the refused servers: %r" % sorted(named))
    return problems


def unreadable_verdict(good, files, report, result):
    """The good rows of before serve: everything is as it was."""
    problems = [] if result.status == 0 else ["status %r" % result.status]
    want = {path: entry for path, entry in good.files.items() if path != "left4me/report"}
    want[UNITS + "timers.target.wants/left4me-activate.timer"] = ("link", 0o777, b"../left4me-activate.timer")
    changed = difference({path: entry for path, entry in files.items() if path != "left4me/report"}, want)
    problems += ["changed: " + changed] if changed else []
    problems += judge.message_problems(report, UNREADABLE)
    if len(report) != 1 or "signal" in report[0] or "whole rows" in report[0] or "did not answer" in report[0]:
        problems.append("report: %r" % report)
    return problems


def run_one(box, good, number):
    """(kind, whether it was read, what is wrong)"""
    shutil.rmtree(box.run_dir)
    os.makedirs(box.normal)
    kind = hostile.make(number, box.database_path)
    box.give(box.database_path)
    good.leave_last_good(box)
    result = box.execute(["--root=" + box.root, box.normal])
    files, report = box.tree(), without_advice(box.report())
    if any(UNREADABLE.match(line) for line in report):
        wrong = unreadable_verdict(good, files, report, result)
        return kind, False, wrong + (["plain tables must be readable: %r" % report] if kind in ("rows", "views") else [])
    rows = hostile.read_back(box.database_path)
    if rows is None or kind in ("forbidden", "runaway"):
        return kind, True, ["it was read, which cannot be"]
    wrong = verdict(good, result, files, report, hostile.Meant(rows))
    if number % 50 == 0 and not wrong:
        rendered = box.render()
        tree = unitfile.artifacts(unitfile.snapshot(box.top + "/out"))
        changed = difference(*({path: entry for path, entry in unitfile.artifacts(some).items() if entry[0] != "dir"}
                               for some in (tree, files)))
        wrong = ["render: " + changed] if changed else []
        if (rendered.status, rendered.messages) != (1 if report else 0, report):
            wrong.append("render: status %r, %r" % (rendered.status, rendered.messages))
    return kind, True, wrong


def work(boxes, good, numbers, answers):
    box = boxes.get()
    for number in iter(numbers.get, None):
        try:
            answers.put((number, *run_one(box, good, number)))
        except Exception as error:      # pylint: disable=broad-except  # a fault of this test is a failure too
            answers.put((number, "?", True, ["%s: %s" % (type(error).__name__, error)]))
    answers.put(None)


def run_all(good, numbers, workers):
    """{number: (kind, read, wrong)}, on all processors."""
    fork = multiprocessing.get_context("fork")  # Python's default from 3.14 on begins anew, without what is set up here
    boxes, pending, answers = (fork.Queue() for _ in range(3))
    for _ in range(workers):
        boxes.put(unitfile.Box())
    for number in [*numbers, *[None] * workers]:
        pending.put(number)
    processes = [fork.Process(target=work, args=(boxes, good, pending, answers), daemon=True)
                 for _ in range(workers)]
    for process in processes:
        process.start()
    results, running = {}, workers
    while running:
        try:
            answer = answers.get(timeout=60)
        except queue.Empty:
            break                       # what is missing is told below
        if answer is None:
            running -= 1
        else:
            results[answer[0]] = answer[1:]
    return results


def is_sanitized():
    with open(unitfile.BUILD + "/left4me-generator", "rb") as program:
        return b"__asan_init" in program.read()


def main():
    tap = unitfile.Tap()
    box = unitfile.Box()
    good = Good(box)
    if sys.argv[1:]:
        for number in map(int, sys.argv[1:]):
            kind, read, wrong = run_one(box, good, number)
            print("%d: %s, %s" % (number, kind, "read" if read else "not read"), *box.report(), *wrong, sep="\n\t")
        return
    tap.none(good.wrong, "the good rows alone")
    count = COUNT_SANITIZED if is_sanitized() else COUNT
    started = time.monotonic()
    results = run_all(good, range(count), os.cpu_count() or 1)
    lost = sorted(set(range(count)) - set(results))
    tap.none(["no answer: tests/hostile-many.t %d" % number for number in lost[:5]], "all were run")
    for kind, title in (("rows", "tables of nasty values"), ("views", "views that make rows"),
                        ("forbidden", "views that must not be run"), ("schema", "schemas that are none"),
                        ("runaway", "views that never end")):
        mine = {number: result for number, result in results.items() if result[0] in (kind, "?")}
        wrong = ["tests/hostile-many.t %d: %s" % (number, result[2][0][:700])
                 for number, result in sorted(mine.items()) if result[2]]
        read = sum(result[1] for result in mine.values())
        tap.none(wrong[:20], "%s: %d databases" % (title, len(mine)))
        print("# %d wrong, %d read, %d not" % (len(wrong), read, len(mine) - read))
    print("# %d databases in %.0f s, SQLite %s" % (len(results), time.monotonic() - started, sqlite3.sqlite_version))
    tap.done()


main()
