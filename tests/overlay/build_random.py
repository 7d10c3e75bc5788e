"""build_random.py HELPER ROOT ROUNDS: random scripts, and builds that are killed. Prints TAP lines; see overlay-build-random.t.
"""
import os
import random
import shutil
import subprocess
import sys

from builds import (ANCHOR, GROUP, HELPER, ID, OWN, OWNER, PLAIN, PRESENT, ROOT, SEEN, as_owner, build, built, difference, finish, helper, leave, make_first,
                    ok, reset, rest, skip, snapshot)
from traced import calls

ROUNDS = int(sys.argv[3])

# --- random scripts

FUZZ = r"""
import os, random, sys
r = random.Random(int(sys.argv[1]))
names = [b"a", b"b", b"c", b"many", b"cfg", b"maps", b"x y", b"\xff\x01", b"empty", b"manifest"]
def all_of(kind):
    found = [b"."] if kind is os.path.isdir else []
    for top, directories, files in os.walk(b"."):
        directories.sort(); files.sort()
        found += [os.path.join(top, n) for n in directories + files if kind(os.path.join(top, n))]
    return found
def directory(): return r.choice(all_of(lambda p: os.path.isdir(p) and not os.path.islink(p)) + [b"."])
def any_one(): return r.choice(all_of(os.path.lexists) or [b"."])
def readable(path, mode): os.path.isfile(path) and os.chmod(path, mode)
def a_file(): return r.choice(all_of(lambda p: os.path.isfile(p) and not os.path.islink(p) and os.path.getsize(p) < 1 << 20) or [b"."])
def new(): return os.path.join(directory(), r.choice(names))
def write():
    with open(a_file() if r.random() < .5 else new(), r.choice(["wb", "ab", "r+b"]),
              opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK, 0o666)) as f:
        f.write(bytes(r.randrange(256) for _ in range(r.randrange(200))))
def remove_tree(path):
    for top, directories, files in os.walk(path, topdown=False):
        for n in files: os.unlink(os.path.join(top, n))
        for n in directories:
            p = os.path.join(top, n)
            os.unlink(p) if os.path.islink(p) else os.rmdir(p)
    os.rmdir(path)
def move_tree(a, b):
    try: os.rename(a, b)
    except OSError as e:
        if e.errno != 18: raise
        import subprocess
        subprocess.run([b"mv", b"-T", b"-n", a, b], check=True)
def rename():
    a, b = any_one(), new()
    if os.path.isdir(a) and not os.path.islink(a):
        if os.path.lexists(b) or b.startswith(a): return
        move_tree(a, b)
    else: os.rename(a, b)
steps = [write] * 6 + [rename] * 4 + [
    lambda: os.mkdir(new()), lambda: os.mkdir(new()), lambda: os.unlink(any_one()), lambda: os.unlink(any_one()),
    lambda: os.rmdir(directory()), lambda: remove_tree(directory()), lambda: os.symlink(r.choice(names), new()),
    lambda: readable(a_file(), r.choice([0o600, 0o644, 0o755, 0o444])), lambda: os.chmod(directory(), r.choice([0o700, 0o755, 0o1777])),
    lambda: os.truncate(a_file(), r.randrange(5000)), lambda: os.setxattr(any_one(), "user.k", bytes([r.randrange(256)]), follow_symlinks=False),
    lambda: os.utime(any_one(), ns=(r.randrange(10**18), r.randrange(10**18)), follow_symlinks=False), lambda: os.mkfifo(new()),
    lambda: link(),
]
def link():
    p = new() + b"l"
    with open(p, "xb") as f: f.write(b"linked")
    os.link(p, p + b"2")
for _ in range(r.randrange(1, 60)):
    try: r.choice(steps)()
    except (OSError, ValueError): pass
"""


def fuzz():
    """Each round stands on the generation before; the plain tree has had the same scripts."""
    reset()
    os.unlink(f"{PRESENT}/sparse")
    os.unlink(f"{PLAIN}/sparse")
    seed = int(os.environ.get("LEFT4ME_SEED", random.randrange(10**9)))
    for i in range(ROUNDS):
        script = ["python3", "-I", "-c", FUZZ, str(seed + i)]
        plain = as_owner(script, PLAIN)
        done, committed = built(script)
        why = [] if plain.returncode == 0 and done.returncode == 0 else [plain.stderr, done.stderr]
        why += [] if committed and committed.returncode == 0 else [committed and committed.stderr]
        # Names of an earlier generation that are hard links of each other are one file no more once one of them is written.
        why += difference(snapshot(PLAIN, links=False), snapshot(PRESENT, links=False))
        if why:
            ok(False, f"random script {i}, LEFT4ME_SEED={seed}", *why)
            return
        helper("discard", ID)
        unlink_all(PLAIN)
        unlink_all(PRESENT)
    helper("discard", ID)
    ok(not rest(), f"{ROUNDS} random scripts, one after the other (LEFT4ME_SEED={seed})", rest())


def unlink_all(root):
    """Gives each name of a hard link a file of its own."""
    for top, _, files in os.walk(os.fsencode(root)):
        state = os.stat(top)
        for name in files:
            path = os.path.join(top, name)
            if os.lstat(path).st_nlink > 1 and os.path.isfile(path) and not os.path.islink(path):
                shutil.copy2(path, path + b".t")
                os.chown(path + b".t", OWNER, GROUP)
                os.rename(path + b".t", path)
        os.utime(top, ns=(state.st_atime_ns, state.st_mtime_ns))


# --- killed at each system call

CHANGE = "rm -r many; echo new >new; echo more >>cfg/server.cfg"


def begin_killed(verb):
    subprocess.run(["umount", SEEN], stderr=subprocess.DEVNULL, check=False)
    reset(f"{ROOT}/small")
    if verb != "build":
        build()
        as_owner(CHANGE, SEEN)
        leave()
    if verb == "discard":
        helper("commit", ID)


def killed_once(verb, name, number, old, new):
    begin_killed(verb)
    run = helper(verb, ID, tracer=("strace", "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={number}"))
    if name == "read" and run.returncode == 0:
        return None             # the mount table has become shorter, as when another test ends
    if run.returncode not in (-9, 137):
        return f"not killed: {run.returncode} {run.stderr}"
    now = snapshot(PRESENT)
    if now not in (old, new):
        return "neither the old nor the new tree: " + str(difference(old, now)[:3])
    if verb != "discard":                       # what systemd does next
        ended = helper("discard", ID)
        if ended.returncode != 0 or snapshot(PRESENT) != now or rest():
            return f"discard: {ended.stderr} {rest()}"
    done, committed = built(CHANGE if now == old else "true")
    if committed is None or committed.returncode != 0 or snapshot(PRESENT) != new:
        return f"the next build: {done.stderr} {committed} {difference(new, snapshot(PRESENT))[:3]}"
    helper("discard", ID)
    return str(rest()) if rest() else None


def killed(verb, needed):
    """At each call; for the installation, of which the program does the same, at those that change something."""
    begin_killed("build")
    old = snapshot(PRESENT)
    built(CHANGE)
    new = snapshot(PRESENT)
    begin_killed(verb)
    found, wrong = calls(f"{ROOT}/strace.log", lambda tracer: helper(verb, ID, tracer=tracer)), {}
    if ID == "installation":
        found = [(name, number) for name, number in found if name in needed]
    for name, number in found:
        problem = killed_once(verb, name, number, old, new)
        if problem:
            wrong.setdefault(name, f"{name} {number}: {problem}")
    for name in dict.fromkeys(name for name, _ in found):
        ok(name not in wrong, f"{verb} killed at {name}, each of {sum(1 for n, _ in found if n == name)}", wrong.get(name))
    missing = needed - {name for name, _ in found}
    ok(not missing, f"{verb}: {len(found)} calls in all, {sorted(needed)} among them", missing)


def crashed():
    """The host goes down before the exchange, and between it and the end: /run is empty, and the boot collects."""
    for number in 1, 2:
        begin_killed("commit")
        old = snapshot(PRESENT)
        helper("commit", ID, tracer=("strace", "-o", "/dev/null", "-e", f"inject=renameat2:signal=KILL:when={number}"))
        expected = old if number == 1 else snapshot(PRESENT)
        left = sorted(os.listdir(OWN))
        subprocess.run(["umount", ANCHOR], check=True)
        subprocess.run("rm -rf /run/left4me/*", shell=True, check=True)
        collected = helper("collect")
        why = difference(expected, snapshot(PRESENT)) + rest() + [left] * (left != ["base", "new", "upper", "work"])
        ok(collected.returncode == 0 and not collected.stderr and not why and not os.path.exists(OWN) and (expected == old) == (number == 1),
           f"a crash at the {('exchange', 'end')[number - 1]} of a commit: the next boot leaves nothing of it", collected, *why)


def kill_all():
    os.makedirs(f"{ROOT}/small/many")
    os.makedirs(f"{ROOT}/small/cfg")
    for name in ("many/1", "many/2", "cfg/server.cfg", "file"):
        with open(f"{ROOT}/small/{name}", "w") as file:
            file.write(name)
    subprocess.run(["chown", "-R", f"{OWNER}:{GROUP}", f"{ROOT}/small"], check=True)
    subprocess.run(f"find {ROOT}/small -exec touch -h -d @1000000000 {{}} +", shell=True, check=True)
    killed("build", {"setns", "mkdirat", "symlinkat", "flock", "fsopen", "fsmount", "renameat", "move_mount"})
    killed("commit", {"flock", "mkdirat", "linkat", "syncfs", "renameat2", "utimensat"})
    killed("discard", {"flock", "umount2", "unlinkat"})
    crashed()


make_first()
os.makedirs(PLAIN, exist_ok=True)
fuzz()
if "/sanitize/" in HELPER:
    skip("killed at each system call", "with sanitizers it takes minutes, and finds the same")
else:
    kill_all()
finish()
