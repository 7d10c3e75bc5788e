#!/usr/bin/python3
"""runs.py STEP: in a guest, as left4me, run_sandboxed_script() on the overlays that runs.sh has made. STEPS are below."""
import os
import re
import subprocess
import sys
import threading
import time

from sandboxed_script import ScriptFailed, run_sandboxed_script

# What the helper says in every build.
EVERY = re.compile("left4me-overlay: (the build stands on|'.*' has (a|no) new generation: )")
OVERLAYS = "/var/lib/left4me/overlays"
RUNS = 25 if os.path.exists("long") else 8        # of each of four overlays
MANY = [str(i) for i in range(1, 10001)]


def equal(got, expected, name):
    print(f"{'ok' if got == expected else 'not ok'} {name}")
    if got != expected:
        print(f"# got:      {str(got)[:700]}\n# expected: {str(expected)[:700]}")
    sys.stdout.flush()


def run(number, on_stdout, on_stderr, should_cancel):
    run_sandboxed_script(number, lambda line: EVERY.match(line) or on_stdout(line), on_stderr, should_cancel)


def show(number, name):
    return subprocess.check_output(["systemctl", "show", "--property=" + name, "--value", f"build-overlay@{number}.service"],
                                   text=True).strip()


def children():
    try:
        return os.waitpid(-1, os.WNOHANG) and "children"
    except ChildProcessError:
        return "no child"


def left():
    """What must be the same before and after each run."""
    return children(), threading.active_count(), len(os.listdir("/proc/self/fd"))


def build(number, should_cancel=lambda: False, on_stdout=None):
    """The error without the unit's name, and the lines."""
    lines, errors, fault = [], [], None
    try:
        run(number, on_stdout or lines.append, errors.append, should_cancel)
    except ScriptFailed as error:
        fault = str(error).removeprefix(f"build-overlay@{number}.service ")
    return fault, lines, [error.partition(": ")[2] or error for error in errors]


def cancel_when(ready):
    """Asked again and again it says the same, as a row in a database does."""
    took = []

    def should_cancel():
        if not took and ready():
            took.append(time.monotonic())
        return bool(took)
    return should_cancel, lambda: time.monotonic() - took[0]


def first():
    equal(many(12), (None, 10000, True, []), "ten thousand lines of a unit without a past")


def many(number):
    fault, lines, errors = build(number)
    return fault, len(lines), lines == MANY, errors


def others():
    for number, name in ((12, "of a unit with one"), (13, "of another without"), (13, "of that with one")):
        equal(many(number), (None, 10000, True, []), f"ten thousand lines {name}")


def failure():
    for attempt in range(2):
        fault, lines, errors = build(5)
        equal((fault, lines), ("failed: Result=exit-code ExecMainStatus=7: Job for build-overlay@5.service failed because "
                               "the control process exited with error code.", ["hello"]), f"hello and 7, run {attempt + 1}")
        equal("Failed with result 'exit-code'." in errors, True, f"... and what systemd says: {errors}")
    try:
        run(5, print, print, lambda: False)
    except ScriptFailed as error:
        equal((error.kind, error.result, error.status), ("failed", "exit-code", 7), "... as attributes")


def kinds():
    """What failed beside a script, and a script that a signal ends."""
    for number, expected in ((30, ("failed", "exit-code", 143)), (31, ("failed", "exit-code", 252)), (32, ("not committed", "exit-code", 252)),
                             (33, ("not discarded", "exit-code", 253)), (34, ("failed", "exit-code", 4))):
        try:
            run(number, print, print, lambda: False)
            got = None
        except ScriptFailed as error:
            got, text = (error.kind, error.result, error.status), str(error)
        equal(got, expected, f"how overlay {number} ended: {text}")
        equal(" (SIGTERM)" in text, number == 30, "... by a signal or not")


def outputs():
    equal(build(6), (None, ["out", "err", "out", "caf\ufffd", "tab\there", "x" * 4000, "y" * 5000, "no end"],
                     []), "both outputs in their order, nasty bytes, long lines")
    equal(build(8), (None, [], []), "no output")

    # The unit's processes are hidden here, and of one that this one may kill it needs the number: runs.sh has a hand.
    def on_stdout(line):
        lines.append(line)
        if line == "one":
            os.mkdir(f"{OVERLAYS}/said-one")
    lines = []
    equal((build(9, on_stdout=on_stdout)[0], lines), (None, ["one", "two"]), "a line comes before the next is written")
    fault, lines, errors = build(10)
    equal((fault.partition(": Job")[0], lines), ("failed: Result=timeout ExecMainStatus=9 (SIGKILL)", ["started"]), "the time limit")
    equal("Failed with result 'timeout'." in errors, True, f"... and what systemd says: {errors}")


def cancel():
    lines = []
    should_cancel, took = cancel_when(lambda: lines)
    fault = build(7, should_cancel, lines.append)[0]
    seconds = took()
    equal((fault, lines), ("cancelled: Job for build-overlay@7.service canceled.", ["started"]),
          "cancelled at its first line")
    equal(seconds < 20, True, f"... within {seconds:.1f} s")


def other_cancels():
    before = show(7, "InvocationID")
    equal(build(7, lambda: True), ("cancelled: before its start", [], []), "cancelled before its start")
    equal(show(7, "InvocationID"), before, "... and not started")
    for number in range(4):
        calls = []
        fault, lines, _ = build(7, lambda: calls.append(1) or len(calls) > number + 1)
        equal((fault.split()[0], show(7, "ActiveState") in ("failed", "inactive"), "on" in lines), ("cancelled:", True, False),
              f"cancelled at question {number + 2}")

    def on_stdout(_line):
        raise LookupError("no such job")
    try:
        build(11, on_stdout=on_stdout)
        caught = None
    except LookupError as error:
        caught = str(error)
    equal((caught, show(11, "ActiveState")), ("no such job", "failed"), "an exception of a callback comes out, and the build ends")


def refusals():
    for number, name in ((5, "after a failure"), (8, "after a success")):
        os.rename(f"{OVERLAYS}/{number}", f"{OVERLAYS}/{number}.away")
        fault, lines, _ = build(number)
        equal((fault, lines),
              (f"not begun: Result=exit-code status=251: Job for build-overlay@{number}.service failed because the control process "
               "exited with error code.",
               [f"left4me-overlay: overlay {number} has no directory: '{OVERLAYS}/{number}' is the application's to make"]),
              f"no directory, {name}")
        os.rename(f"{OVERLAYS}/{number}.away", f"{OVERLAYS}/{number}")
    for number, name, reason in ((17, "a refused row", r"not started: refused: generator_overlays, row \d+ \(overlay 17\), name: "),
                                 (76, "a row that came after the last reload", "no log: not reloaded yet"),
                                 (77, "no such row", "no log: unknown: it has no row")):
        fault, lines, errors = build(number)
        equal((bool(re.match(reason, fault)), lines, errors), (True, [], []), f"{name}: {fault}")


def late_start():
    """A stop that overtakes the start finds nothing to stop."""
    fault, _, _ = build(7, cancel_when(lambda: len(calls) > 1 or calls.append(1))[0])
    equal((fault.split()[0], show(7, "ActiveState")), ("cancelled:", "failed"), "cancelled before systemd knows of the start")


def early():
    """The follower waits for its first line, when many come at once."""
    for number, name in ((14, "without a past"), (15, "with a past in another boot")):
        equal(many(number), (None, 10000, True, []), f"a follower that comes early to a unit {name}")


def late_follow():
    """More lines than it gives of the past are written meanwhile."""
    for number, name in ((12, "with a past"), (16, "without")):
        equal(many(number), (None, 10000, True, []), f"a follower that comes late to a unit {name}")


def runs_of(number, faults):
    """Runs, each of which has a number of its own."""
    seen = set()
    middle = MANY[:500] if number == 24 else []
    for attempt in range(RUNS):
        fault, lines, errors = build(number)
        run = lines[0].removeprefix("first ") if lines else None
        if (fault, lines, errors) != (None, [f"first {run}", *middle, f"last {run}"], []) or run in seen:
            faults.append(f"overlay {number}, run {attempt + 1}: {fault} {len(lines)} lines {lines[:3]} ... {lines[-3:]} {errors}")
        seen.add(run)


def queue():
    """Four at a time, as a host with a queue of jobs has them."""
    faults, begin = [], time.monotonic()
    threads = [threading.Thread(target=runs_of, args=(number, faults)) for number in (21, 22, 23, 24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(faults, [], f"{4 * RUNS} runs, each with all its lines and no other's, in {time.monotonic() - begin:.0f} s")


calls = []
STEPS = {"few": (first, failure, kinds, cancel), "all": (others, failure, outputs, cancel, other_cancels, refusals),
         "late-start": (late_start,), "late-follow": (late_follow,), "early": (early,), "queue": (queue,)}
before = left()
for step in STEPS[sys.argv[1]]:
    step()
    equal(left(), before, f"{step.__name__}: no child, thread or file is left")
print(f"end of {sys.argv[1]}")
