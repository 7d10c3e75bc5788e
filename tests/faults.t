#!/usr/bin/env python3
"""
Faults: each system call of a run, of the program and of its reading child, fails once with each error that it can give,
and the process is killed once before each of them; then each allocation of memory. All this on a host with an earlier
good run, whose rows were other ones.

Pinned, after every single fault: each file is whole or absent, in the generator directory as in RUN/left4me; the sudoers
file is the old or the new one; exit status 0 means that the whole tree is there, and that the report says from what
it was made when that is not the database and the configuration; any other means that nothing of it is; no process
stays, no file in /tmp; the next run gives exactly what it gives without a fault before it.

The tool is tests/faults/inject.c, whose head says why.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from hosts import *  # noqa: E402,F403


if SANITIZED:
    print("1..0 # SKIP a sanitizer makes thousands of system calls of its own")
    sys.exit(0)


def compile_tool(name, *flags, suffix=""):
    output = box.bin + "/" + name + suffix
    done = subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", *flags, "-o", output,
                           PROJECT + "/tests/faults/%s.c" % name], capture_output=True, text=True)
    if done.returncode or done.stderr:
        print("Bail out! %s does not compile: %s" % (name, done.stderr[:500].replace("\n", " ")))
        sys.exit(1)
    return output


inject = compile_tool("inject")

# ---------------------------------------------------------------------------------------------------------------------
# What must be true after a fault


def torn_files(tree, old, new):
    """Files that are neither whole nor absent."""
    found = []
    for path, entry in tree.items():
        if path.startswith(UNITS) and entry[0] != "dir":
            if entry not in [t.get(path) for t in (new.want, new.fallback, *new.without.values())]:
                found.append("torn: %s %.200r" % (path, entry))
        if path == SUDOERS and entry == new.without["units"][path]:
            continue
        if path in (SUDOERS, LAST_GOOD_FILE) and entry not in (old.want[path], new.want[path]):
            found.append("neither the old nor the new: %s %.200r" % (path, entry))
        if path == REPORT and entry[2] and not entry[2].endswith(b"\n"):
            found.append("torn report %r" % entry[2])
    return found + ["%s is gone" % p for p in (SUDOERS, LAST_GOOD_FILE, REPORT) if p not in tree]


def temporary(tree):
    return ["temporary file left: " + p for p, e in tree.items() if p.endswith(".new") or os.path.basename(p).startswith(".")]


def what_the_status_tells(tree, status, messages, new):
    """Status 0 means a whole tree; any other a message and nothing of the tree, or the host's own part of it, whole."""
    report = tree.get(REPORT, ("", 0, b""))[2].decode("utf-8", "replace")
    made = units(tree)
    if status != 0:
        of_rows = r"((left4me-server|left4me-queue|build-overlay)@[^./]+\.service|/left4me-queue\.target\.wants)$"
        own = {p: e for p, e in units(new.want).items() if not re.search(of_rows, p)}
        return ([] if made == own else ["status %d, but there is %s" % (status, p) for p in made][:3]) + temporary(tree) + (
            [] if messages or status == 127 else ["status %d without a message" % status])
    made[SUDOERS] = tree[SUDOERS]
    if made == {p: new.want[p] for p in [*units(new.want), SUDOERS]}:
        return []
    if made == new.fallback:
        return [] if re.search(r"left4me.db: .*; the rows of [0-9]+ (s|min) ago", report) else ["the last good rows, but the report: %r" % report]
    for name, want in new.without.items():
        if made == want and name.partition("/")[0] in report:
            return []
    return ["status 0, but the tree: %s; report %r" % (difference(made, units(new.want)), report)]


def after_fault(old, new, status, messages):
    tree = box.tree()
    found = torn_files(tree, old, new)
    if status < 128:
        found += what_the_status_tells(tree, status, messages, new)
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Each system call


def try_fault(process, number, kind, old, new):
    """Whether that call exists and can fail that way, and what was wrong afterwards."""
    done = new.run([inject, process, str(number), str(kind)])
    reached, name, error, status, left = done.stdout.decode().split()
    if reached == "0":
        return False, []
    found = after_fault(old, new, int(status), done.stderr)
    found += ["a process left"] if left != "0" else []
    for copy in [name for name in os.listdir("/tmp") if re.fullmatch(r"left4me-\d+-\d+", name)] if MOUNTS else []:
        shutil.rmtree("/tmp/" + copy)
        if process == "c" or kind:              # killed by a signal, it cannot remove its copy
            found.append("left in /tmp: " + copy)
    found += repaired(new)
    what = os.strerror(int(error)) if kind else "killed"
    return True, ["%s %d %s: %s: %s" % (process, number, name, what, f) for f in found]


def try_each(state, process, first, step):
    """Tries every fault at every step-th call until there is no further call. Returns what was wrong, and the counts last."""
    learn(state)
    old, new = hosts
    tried, calls, missed, found = 0, 0, 0, []
    number = first
    while missed < 3:
        kind, reached = 0, True
        while reached:
            reached, wrong = try_fault(process, number, kind, old, new)
            old, new = new, old
            tried += reached
            found += wrong
            kind += 1
        missed = missed + 1 if kind == 1 else 0
        calls += kind > 1
        number += step
    end_writers()
    return found[:20] + [[tried, calls]]


# The longest first; as many at a time as there are processors
CALLS = [("the program's", [("closed", "p", 1, 2), ("closed", "p", 2, 2)]),
         ("the reading child's, with a log to copy", [("wal", "c", 1, 1)]),
         ("the reading child's, with a journal to copy", [("journal", "c", 1, 1)]),
         ("the reading child's, beside a live writer", [("live", "c", 1, 1)]),
         ("the reading child's", [("closed", "c", 1, 1)])]
results = together(os.cpu_count() or 1, [case for _, cases in CALLS for case in cases], try_each)
total = 0
for name, cases in CALLS:
    parts = [results.pop(0) for _ in cases]
    tried, calls = (sum(part[-1][i] for part in parts) for i in (0, 1))
    tap.none([line for part in parts for line in part[:-1]], "%d faults at %d system calls, %s" % (tried, calls, name))
    total += tried

# ---------------------------------------------------------------------------------------------------------------------
# Each allocation fails: alone, and with all that follow


def run_without_memory(host, fault):
    """The run, and whether it got as far as that allocation."""
    # Above 9, which may be the next one that is free.
    low = os.pipe()
    reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in low)
    for end in low:
        os.close(end)
    os.dup2(writing, 9)
    os.close(writing)
    box.new_run()
    done = subprocess.run(host.command(), capture_output=True, cwd="/", pass_fds=[9], timeout=60,
                          env={"LD_PRELOAD": memory, "FAULT": fault})
    os.close(9)
    with open(reading, "rb") as pipe:
        return done, pipe.read() != b""


def try_without_memory(fault, old, new):
    done, reached = run_without_memory(new, fault)
    if not reached:
        return False, []
    found = after_fault(old, new, done.returncode if done.returncode >= 0 else 128 - done.returncode, done.stderr)
    if done.returncode != 0 and b"out of memory" not in done.stderr:
        found.append("status %d, %r" % (done.returncode, done.stderr))
    if units(box.tree()) == {p: e for p, e in new.fallback.items() if p != SUDOERS} and "memory" not in box.report()[0]:
        found.append("the report does not name it: %r" % box.report())
    return True, ["%s: %s" % (fault, f) for f in found + repaired(new)]


def try_each_allocation(kind):
    learn("closed")
    old, new = hosts
    number, reached, found = 0, True, []
    while reached:
        number += 1
        reached, wrong = try_without_memory(kind + str(number), old, new)
        old, new = new, old
        found += wrong
    return found[:20] + [number - 1]


memory = compile_tool("memory", "-shared", "-fPIC", suffix=".so")
ALLOCATIONS = [("c:", "of the reading child"), ("c+", "of the reading child and all that follow"), ("p:", "of the program"),
               ("p+", "of the program and all that follow")]
results = together(os.cpu_count() or 1, [(kind,) for kind, _ in ALLOCATIONS], try_each_allocation)
for (_, name), found in zip(ALLOCATIONS, results):
    count = found.pop()
    tap.none(found, "%d allocations %s fail" % (count, name))
    total += count
print("# %d faults" % total)

# ---------------------------------------------------------------------------------------------------------------------
# A /run that fills up, a page later each time


def fill_up():
    os.makedirs(box.run_dir)
    mount("-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", box.run_dir)
    os.makedirs(box.normal)
    learn("closed")
    old, new = hosts
    found, status, pages = [], 1, 0
    while status != 0 and pages < 200:
        box.new_run()
        free = os.statvfs(box.run_dir).f_bavail
        with open(box.run_dir + "/filler", "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, max(1, free - pages) * os.statvfs(box.run_dir).f_bsize)
        done = subprocess.run(new.command(), capture_output=True, cwd="/", env={})
        status = done.returncode
        found += ["%d pages: %s" % (pages, f) for f in after_fault(old, new, status, done.stderr)]
        if status != 0 and b"No space left" not in done.stderr:
            found.append("%d pages: status %d, %r" % (pages, status, done.stderr))
        os.unlink(box.run_dir + "/filler")
        found += repaired(new)
        old, new = new, old
        pages += 1
    return found[:20] + [pages]


if MOUNTS:
    (*found, pages), = together(1, [()], fill_up)
    tap.none(found + ([] if pages > 10 else ["it was never full"]), "/run with 0 to %d free pages" % (pages - 1))
else:
    tap.skip("a full /run", NO_MOUNTS)

tap.done()
