"""kill.py HELPER ROOT VERB: kills the helper at each of its system calls in turn, then runs it again.

The calls are those that a traced run shows from its entering PID 1's mount namespace on. After each kill: at most
one mount, then `mount` and `umount` succeed and leave nothing. Prints TAP lines, one a kind of system call.
"""
import os
import subprocess
import sys

from traced import calls

HELPER, ROOT, VERB = sys.argv[1:4]
COMMANDS = {"mount": ["mount", "a", "2", "1", "installation"], "umount": ["umount", "a"]}
INSTANCE = f"{ROOT}/runtime/a"
MERGED = "/run/left4me/server/a/merged"
spared = []


def run(verb, *tracer):
    return subprocess.run([*tracer, HELPER, f"--root={ROOT}", *COMMANDS[verb]], stderr=subprocess.PIPE, check=False)


def mounts():
    with open("/proc/self/mountinfo") as table:
        return [line.split()[4] for line in table if " - overlay left4me:" in line]


def begin():
    """The state that VERB starts from."""
    run("umount")
    subprocess.run(["rm", "-rf", INSTANCE], check=True)
    if VERB == "umount":
        run("mount")


def check(name, number):
    begin()
    killed = run(VERB, "strace", "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={number}")
    # The mount table is read in as many pieces as it has at the moment, with others' mounts.
    if name == "read" and killed.returncode == 0 and len(spared) < 3:
        spared.append(number)
        return None
    if killed.returncode not in (-9, 137):
        return f"not killed: {killed.returncode} {killed.stderr}"
    if mounts() not in ([], [MERGED]):
        return f"left behind: {mounts()}"
    again = run(VERB)
    if again.returncode != 0:
        return f"again: {again.stderr}"
    for verb, expected in (("mount", [MERGED]), ("umount", [])):
        done = run(verb)
        if done.returncode != 0 or mounts() != expected:
            return f"{verb} afterwards: {done.stderr}, {mounts()}"
    if os.path.exists(f"{INSTANCE}/work/work"):
        return "work/work is left"
    if os.listdir("/run/left4me/server") or os.listdir("/run/left4me/view"):
        return "an anchor or a view is left"
    return None


def main():
    begin()
    found, wrong = calls(f"{ROOT}/strace.log", lambda tracer: run(VERB, *tracer)), {}
    for name, number in found:
        problem = check(name, number)
        if problem:
            wrong.setdefault(name, f"{name} {number}: {problem}")
    names = dict.fromkeys(name for name, _ in found)
    for name in names:
        times = sum(1 for n, _ in found if n == name)
        print(f"{'not ok' if name in wrong else 'ok'} - {VERB} killed at {name}, each of {times}")
        if name in wrong:
            print(f"# {wrong[name]}")
    needed = {"mount": {"setns", "openat2", "mkdirat", "flock", "fsopen", "fsconfig", "fsmount", "renameat", "move_mount"},
              "umount": {"setns", "openat2", "flock", "umount2", "unlinkat"}}[VERB]
    missing = needed - set(names)
    print(f"{'not ok' if missing else 'ok'} - {VERB}: {len(found)} calls in all, {sorted(needed)} among them")


main()
