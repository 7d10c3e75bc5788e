"""For build.py, build_random.py and what else makes builds in generations: TAP lines, a tree to begin with, and what a build is to the
helper. HELPER and ROOT are the first two arguments of whoever imports this."""
import hashlib
import os
import stat
import subprocess
import sys
import time

HELPER, ROOT = sys.argv[1:3]
OVERLAYS = f"{ROOT}/overlays"
ID = os.environ.get("LEFT4ME_BUILD", "1")                     # or installation
PRESENT = f"{ROOT if ID == 'installation' else OVERLAYS}/{ID}"
OWN = f"{os.path.dirname(PRESENT)}/.left4me/{ID}"
ANCHOR = f"/run/left4me/overlay/{ID}/merged"
RECORDS = "/run/left4me/mounted"
OWNER, GROUP = 980, 981
PLAIN, SEEN, FIRST = f"{ROOT}/plain", f"{ROOT}/seen", f"{ROOT}/first"
TRACED = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}     # which needs ptrace for itself
count = failed = 0


def ok(good, what, *why):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {what}", flush=True)
    if not good:
        print("".join(f"# {line}\n" for reason in why for line in str(reason)[:4000].splitlines()[:25]), end="", flush=True)


def skip(what, why):
    global count
    count += 1
    print(f"ok {count} - {what} # SKIP {why}", flush=True)


def helper(*words, tracer=()):
    return subprocess.run([*tracer, HELPER, f"--root={ROOT}", *words], capture_output=True, text=True, errors="surrogateescape",
                          check=False, env=TRACED if tracer else None)


def as_owner(script, directory, **options):
    def become():
        os.setgroups([])
        os.setresgid(GROUP, GROUP, GROUP)
        os.setresuid(OWNER, OWNER, OWNER)
        os.umask(0o022)
    command = script if isinstance(script, list) else ["bash", "-ec", script]
    return subprocess.run(command, cwd=directory, preexec_fn=become, capture_output=True, check=False,
                          env={"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C", "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}, **options)


def contents(path, size):
    """A hash of the data; of a large file only where it has some."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        at = 0
        while at < size:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA) if size > 1 << 24 else at
            except OSError:
                break
            at = min(start + (1 << 20), size)
            block = os.pread(file.fileno(), at - start, start)
            if size <= 1 << 24 or block.strip(b"\0"):
                digest.update(b"%d %d" % (start, len(block)) + block)
    return digest.hexdigest()


BEGAN = time.time_ns()


def snapshot(root, links=True):
    """{path: what it is}. Of hard links within the tree the names that share a file."""
    found, inodes = {}, {}
    for top, directories, files in os.walk(os.fsencode(root)):
        for name in [b"."] * (top == os.fsencode(root)) + directories + files:
            path = os.path.join(top, name)
            state = os.lstat(path)
            entry = [stat.S_IFMT(state.st_mode), stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid]
            if stat.S_ISREG(state.st_mode):
                entry += [state.st_size, contents(path, state.st_size)]
                inodes.setdefault(state.st_ino, []).append(os.path.relpath(path, os.fsencode(root)))
            if stat.S_ISLNK(state.st_mode):
                entry.append(os.readlink(path))
            else:
                entry.append([(a, os.getxattr(path, a)) for a in sorted(os.listxattr(path)) if a.startswith("user.")])
            if state.st_mtime_ns < BEGAN:
                entry.append(state.st_mtime_ns)
            found[os.path.relpath(path, os.fsencode(root))] = entry
    if links:
        found["links"] = sorted(sorted(names) for names in inodes.values() if len(names) > 1)
    return found


def difference(a, b):
    return [f"{key!r}: {a.get(key)} and {b.get(key)}" for key in sorted(set(a) | set(b), key=str) if a.get(key) != b.get(key)]


def reset(tree=FIRST):
    helper("discard", ID)
    for path in (PRESENT, PLAIN):
        subprocess.run(["rm", "-rf", path], check=True)
    for path in (PRESENT, PLAIN):
        subprocess.run(["cp", "-a", "--sparse=always", tree, path], check=True)


def build():
    made = helper("build", ID)
    if made.returncode == 0:
        os.makedirs(SEEN, exist_ok=True)
        subprocess.run(["mount", "--bind", ANCHOR, SEEN], check=True)
    return made


def leave(succeeded=True):
    if succeeded:
        os.removexattr(SEEN, "user.left4me.unfinished")         # as `enter` does
    subprocess.run(["umount", SEEN], check=True)


def built(script):
    """Runs the script in a build. Returns (the script's end, that of commit or None)."""
    made = build()
    if made.returncode:
        return made, None
    done = as_owner(script, SEEN)
    leave(done.returncode == 0)
    committed = helper("commit", ID) if done.returncode == 0 else None
    return done, committed


def rest():
    """What is left of a build."""
    left = []
    if os.path.exists(OWN) and os.listdir(OWN):
        left.append(f"{OWN}: {os.listdir(OWN)}")
    for directory in ("/run/left4me/overlay", "/run/left4me/view"):
        if os.path.isdir(directory) and os.listdir(directory):
            left.append(f"{directory}: {os.listdir(directory)}")
    with open("/proc/self/mountinfo") as table:
        left += [line for line in table if "left4me-build:" in line]
    return left


# --- the tree that builds begin with

def make_first():
    os.makedirs(FIRST)
    os.chown(FIRST, OWNER, GROUP)
    odd = bytes(b for b in range(1, 256) if b != ord("/"))
    program = f"""
import os
odd = {odd!r}
for i in range(0, len(odd), 64):
    open(odd[i:i+64], "wb").write(b"odd")
    os.mkdir(b"d" + odd[i:i+64]); open(b"d" + odd[i:i+64] + b"/" + odd[i:i+64], "wb").close()
for directory in ["addons", "cfg/deep/deeper/deepest", "empty", "maps", "many", "sticky"]:
    os.makedirs(directory)
for i in range(200):
    open(f"many/{{i}}", "w").write(str(i) * i)
open("addons/a.vpk", "wb").write(os.urandom(100000))
open("cfg/server.cfg", "w").write("hostname a\\n")
open("cfg/deep/deeper/deepest/file", "w").write("deep\\n")
open("maps/one.bsp", "wb").write(b"x" * 50000)
with open("manifest", "w") as file:
    file.write("".join(f"many/{{i}}\\n" for i in range(200)))
os.symlink("cfg/server.cfg", "link"); os.symlink("nowhere", "dangling"); os.symlink("cfg", "cfglink")
os.mkfifo("fifo")
with open("sparse", "wb") as file:
    file.truncate(5 << 30); file.seek(3 << 30); file.write(b"middle")
os.setxattr("manifest", "user.note", b"text"); os.setxattr("maps", "user.dir", b"1")
open("secret", "w").write("s"); os.chmod("secret", 0o600)
open("program", "w").write("#!/bin/sh\\necho hi\\n"); os.chmod("program", 0o755)
os.chmod("sticky", 0o1777); os.chmod("cfg/deep", 0o700); open("readonly", "w").close(); os.chmod("readonly", 0o444)
for top, directories, files in os.walk(b"."):
    for name in directories + files:
        os.utime(os.path.join(top, name), ns=(10**18 + 1, 10**18 + 12345), follow_symlinks=False)
os.utime(".", ns=(10**18, 10**18))
"""
    made = as_owner(["python3", "-c", program], FIRST)
    assert made.returncode == 0, made.stderr


def finish():
    print(f"1..{count}")
    sys.exit(failed > 0)
