#!/usr/bin/env python3
"""
left4me-fetch-script: which files it opens and with which rights; killed at each of its system calls; memory errors.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "fetch"))
from bed import *  # noqa: E402,F403

CHECKOUT = os.getcwd()
SANITIZED = os.path.basename(BUILD) == "sanitize"
STATES_TRACED = ("a clean WAL database without sidecars", "a live writer in a transaction", "-wal without -shm", "a hot journal")
LOG = str(STAGE) + "/log"
OF_CHILD = []

enter("strace", "setpriv", "prlimit")


def traced(*filters):
    """The lines of strace of one run, in order, and the run. OF_CHILD has those of the process that reads."""
    fresh_runtime()
    run = Run(before=("strace", "-f", "-y", "-o", LOG, *filters))
    with open(LOG, encoding="utf-8", errors="replace") as log:
        lines = [line.rstrip("\n").partition(" ") for line in log]
    OF_CHILD[:] = [line.strip() for process, _, line in lines if process != lines[0][0]]
    lines = [line.strip() for _, _, line in lines]
    return [line for line in lines if re.match(r"\w+\(", line)], run


def names(lines):
    """Every path given to a call."""
    return {name for line in lines if not line.startswith("execve(") for name in re.findall(r'"([^"]*)"', line)}


# --- what it opens

OWN = (r"/proc/self/(fd/\d+|maps|cmdline|environ|exe|personality)|%s/|/proc/(\d+/.*|sys/vm/.*)|/proc|/sys/devices/system/cpu.*" % re.escape(str(STAGE))
       if SANITIZED else r"/proc/self/fd/\d+")      # the first line is what a sanitizer looks at
# SQLite 3.53 asks for random bytes whenever it opens a database.
ALLOWED = re.compile(r"(%s|%s|%s(/(left4me\.db(-wal|-shm|-journal)?)?)?|(/usr)?/lib.*|/etc/ld\.so\.(cache|preload)|/dev/(null|urandom)|"
                     r"%s(/lib.*)?|/)$" %
                     (OWN, RUNTIME, re.escape(DIRECTORY), re.escape(str(STAGE))))
for state in STATES_TRACED:
    writer = set_up(state)
    lines, run = traced("-e", "trace=%file,openat2,linkat,mount,unshare,setns")
    writer.end()
    above = {path[:i] for path in (DIRECTORY, RUNTIME) for i, c in enumerate(path) if c == "/"}  # SQLite looks for links there
    foreign = [n for n in names(lines) - above if n.startswith("/") and not ALLOWED.match(n)]
    relative = [n for n in names(lines) if not n.startswith("/")
                and not re.match(r"(left4me\.db(-wal|-shm|-journal)?|script|\.|7|run/left4me|build|)$", n)]
    none(run.wrong + foreign + relative + ([] if run.script == b"new" else ["not fetched"]), "%s: nothing foreign is opened" % state)

database((7, "echo hello\n"))
lines, run = traced()
text = "\n".join(lines)


def before(first, second, name):
    """Every line with `second` comes after the last one with `first`, and both are there."""
    a, b = ([i for i, line in enumerate(lines) if re.search(p, line)] for p in (first, second))
    ok(a and b and max(a) < min(b), name, text)


before(r"^setns\(.*CLONE_NEWNS", r"chdir\(|left4me\.db|" + os.path.dirname(RUNTIME)[1:], "nothing is looked for before PID 1's namespace is entered")
before(r"^setuid\(%d\) += 0" % OWNER, r"^(openat|open)\(.*left4me\.db", "the database is opened when root is given up")
before(r"^setuid\(%d\) += 0" % OWNER, r"^chdir\(", "and before its directory is looked at")
before(r"PR_SET_SECCOMP", r"^(openat|open)\(.*left4me\.db", "by a process that has a filter")
if any("landlock_restrict_self" in line for line in lines):
    before(r"^landlock_restrict_self\(", r"^(openat|open)\(.*left4me\.db", "and is confined to the directory")
else:
    skip("no Landlock, or this strace does not know it", "and is confined to the directory")
named = [line for line in lines if "left4me.db" in line and "execve(" not in line]
none([line for line in named if line not in OF_CHILD] + ([] if named else ["it is never named"]), "no other process names the database")
before(r"left4me\.db", r"O_TMPFILE", "the script is written when the database is closed")
none([line for line in OF_CHILD if re.search(r"O_TMPFILE|linkat|mkdirat|fchown|run/left4me", line)], "not by the process that read it")
before(r"^setuid\(0\) += -1 EPERM", r"^(openat|open)\(.*left4me\.db", "which is tried")
before(r"^setgroups\(0", r"^setuid\(%d\)" % OWNER, "without supplementary groups")
before(r"^close_range\(3, 4294967295, 0\) += 0", "pidfd_open", "what the caller had open is closed")
ok("PR_SET_NO_NEW_PRIVS, 1" in text, "no new privileges")
ok(all("RESOLVE_NO_SYMLINKS" in line and "RESOLVE_BENEATH" in line for line in lines if line.startswith("openat2(")),
   "every openat2 has RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS")
ok(text.count("execve(") == 1 and len(re.findall(r"^(?:fork|vfork|clone3?)\(", text, re.M)) == 1 or SANITIZED,
   "it starts no program, and one process")
ok(not re.search(r"socket\(AF_(UNIX|LOCAL)", text), "it talks to no service")

# --- killed at each step

for state in STATES_TRACED[::2]:
    writer = set_up(state)
    lines, run = traced()
    calls, seen = set(), {}
    for process in (OF_CHILD, [line for line in lines if line not in OF_CHILD]):
        count, inside = {}, process is OF_CHILD
        for line in process:
            call = re.match(r"\w*", line).group()
            count[call] = count.get(call, 0) + 1
            inside |= call == "pidfd_open"
            if inside and call not in ("", "exit_group"):
                calls.add((call, count[call]))
        seen = {call: max(seen.get(call, 0), count.get(call, 0)) for call in {*seen, *count}}
    # of the many reads, writes and locks of a kind the first and the last ones
    calls = sorted((c, n) for c, n in calls if n <= 5 or n > seen[c] - 5)
    problems = []
    for call, number in [] if SANITIZED else calls:
        fresh_runtime()
        run = Run(before=("strace", "-f", "-o", "/dev/null", "-e", "inject=%s:signal=KILL:when=%d" % (call, number)))
        if run.status not in (-9, 137) and "process was ended by signal 9" not in run.error:
            run.wrong.append("not killed: %r %r" % (run.status, run.error))
        if run.script not in (None, b"new"):
            run.wrong.append("the script is %.40r" % run.script)
        problems += ["%s %d: %s" % (call, number, w) for w in run.wrong]
    run = Run()                                  # what the last one left is replaced
    writer.end()
    if SANITIZED:
        skip("with sanitizers there are too many calls", "%s: killed at each step" % state)
        continue
    none(problems, "%s: killed at each of %d calls there is the whole script or none, and nothing else" % (state, len(calls)))
    needed = {"setns", "openat2", "setuid", "pread64", "linkat"}
    ok(needed <= set(seen), "... %s among them" % " ".join(sorted(needed)), sorted(set(seen)))
    run.gives("new", "... and then it works")

# --- a file system that hangs

database((7, "echo hello\n"))
fresh_runtime()
run = Run(before=("strace", "-f", "-o", "/dev/null", "-e", "inject=pread64:delay_enter=10500000:when=3"))
none(run.wrong[:0] + ([] if run.status in (-14, 142) and run.script is None else ["%r %r" % (run.status, run.error)]),
     "a read that hangs is given up: the alarm ends the process")
ok(10 < run.seconds < 30, "... after %.1f s" % run.seconds)

# --- memory


def each_way(check, **options):
    """[(what, status, script)], and what a checker said that is none of the program's own messages."""
    found, said = [], []

    def note(what, *arguments, **more):
        fresh_runtime()
        run = Run(*arguments, **{**options, **more})
        found.append((what, run.status, run.script))
        said.extend(line for line in run.error.splitlines() if not line.startswith("left4me-fetch-script: "))

    for state in STATES:
        writer = set_up(state)
        note(state)
        writer.end()
    for script in (None, "", "x" * LIMIT, "x" * (LIMIT + 1), "a\0b", 7, b"blob"):
        database((7, script))
        note("script %.10r" % (script,))
    database((7, "one"), (7, "two"))
    note("two rows")
    database(schema="CREATE TABLE other (x)")
    note("no view")
    database()
    note("no row")
    note("no database", root="/nowhere")
    note("usage", "7", "8")
    note("options", "--bogus", root=None)
    note("help", "--help", root=None)
    note("remove", "--remove", "7")
    return check(found, said)


plain = each_way(lambda found, _: found)
ok(sum(script is not None for _, _, script in plain) == len(STATES) + 3, "%d ways to end" % len(plain), plain)
valgrind = shutil.which("valgrind")
if SANITIZED:
    none([s for _, s, _ in plain if s not in (0, 1, 2)], "sanitized: every way ends as it should")
    each_way(lambda found, said: none(said, "... and nothing is reported"))
elif not valgrind:
    skip("valgrind is not installed", "valgrind finds nothing")
else:
    options = {"before": (valgrind, "-q", "--leak-check=full", "--error-exitcode=99"),
               "environment": {"PATH": os.environ["PATH"]}}
    database((7, "echo hello\n"))
    run = Run(**options)
    if "unhandled" in run.error:
        skip("this valgrind does not know pidfd_open", "valgrind finds nothing")
    else:
        found, said = each_way(lambda *both: both, **options)
        # valgrind 3.27 reads debug information when it first needs it, which the confined process may not.
        none([line for line in said if re.search(r"==\d+== (?!warning: connection to image| +no debug info loaded)", line)],
             "valgrind finds nothing")
        none(["%r, not %r" % p for p in zip(found, plain) if p[0] != p[1]], "... and every way ends as it does without")

done()
