"""build.py HELPER ROOT ROUNDS: builds in generations. Prints TAP lines; see overlay-build.t.

A script runs twice as the owner of overlays: in a plain copy of the present generation, and in the overlay of a build that
is then committed. Both trees must be the same: names, types, modes, contents, links, attributes and, for what is older than
the test, times.
"""
import fcntl
import hashlib
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import time

HELPER, ROOT, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
OVERLAYS = f"{ROOT}/overlays"
PRESENT = f"{OVERLAYS}/1"
OWN = f"{OVERLAYS}/.left4me/1"
ANCHOR = "/run/left4me/overlay/1/merged"
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
    helper("discard", "1")
    for path in (PRESENT, PLAIN):
        subprocess.run(["rm", "-rf", path], check=True)
    for path in (PRESENT, PLAIN):
        subprocess.run(["cp", "-a", "--sparse=always", tree, path], check=True)


def build():
    made = helper("build", "1")
    if made.returncode == 0:
        os.makedirs(SEEN, exist_ok=True)
        subprocess.run(["mount", "--bind", ANCHOR, SEEN], check=True)
    return made


def leave():
    subprocess.run(["umount", SEEN], check=True)


def built(script):
    """Runs the script in a build. Returns (the script's end, that of commit or None)."""
    made = build()
    if made.returncode:
        return made, None
    done = as_owner(script, SEEN)
    leave()
    committed = helper("commit", "1") if done.returncode == 0 else None
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


SCRIPTS = {
    "nothing": "true",
    "new files": "echo a >a; mkdir -p new/dir; echo b >new/dir/b; touch new/empty",
    "a file that is written anew": "echo changed >cfg/server.cfg",
    "a file that is appended to": "echo more >>maps/one.bsp; echo x >>cfg/deep/deeper/deepest/file",
    "a file that is removed": "rm cfg/server.cfg manifest link dangling fifo",
    "a tree that is removed": "rm -r many cfg",
    "a tree that is removed and made anew": "rm -r many cfg; mkdir many cfg; echo 1 >many/1; echo c >cfg/server.cfg",
    "a tree that is made anew as a file": "rm -r many; echo file >many; rm cfg/server.cfg; mkdir cfg/server.cfg; echo in >cfg/server.cfg/in",
    "a file that becomes a link, and the other way": "rm manifest link; ln -s many manifest; cp cfg/server.cfg link",
    "everything removed": "find . -mindepth 1 -delete",
    "everything removed and one file made": "find . -mindepth 1 -delete; echo one >one",
    "mv of a file": "mv cfg/server.cfg server.cfg; mv maps/one.bsp maps/two.bsp",
    "mv of directories": "mv many moved; mv cfg empty/; mv maps maps2; mv maps2 maps",
    "mv over a file": "mv program secret; echo new >x; mv x manifest",
    "mv of directories that exchange their names": "mv addons t; mv maps addons; mv t maps",
    "hard links": "echo h >h1; ln h1 h2; ln h1 new; mkdir l; ln h2 l/h3",
    "a hard link to a file that was there": "cp -p manifest m1; ln m1 m2; ln m1 cfg/m3",
    "sparse files": "truncate -s 1G s1; printf end | dd of=s2 bs=1 seek=2000000000 status=none; truncate -s 100M maps/one.bsp",
    "five gigabytes": "truncate -s 5G big; printf x | dd of=big bs=1 seek=4294967296 conv=notrunc status=none",
    "attributes": "setfattr -n user.a -v 1 manifest; setfattr -n user.b -v 2 cfg; setfattr -x user.note manifest; setfattr -x user.dir maps",
    "modes": "chmod 700 maps; chmod 4755 program; chmod 640 cfg/server.cfg; chmod 1777 empty; chmod 555 addons; chmod 000 secret; chmod u+w readonly",
    "times": "touch -d @1000000000.5 manifest cfg/server.cfg; touch -h -d @1000000001 link; touch -d @1000000002 many",
    "7z": "7zz a -bd -y t.7z many cfg >/dev/null; rm -r many; 7zz x -bd -y -ounpacked t.7z >/dev/null",
    "tar": "tar cf t.tar many cfg maps; rm -r many maps; tar xf t.tar; tar xzf <(tar czf - cfg) -C empty",
    "rsync": "rsync -a many/ copy/; echo z >many/7; rsync -a --delete --exclude=9 many/ copy/; rsync -a --inplace --no-whole-file maps/one.bsp empty/",
    "rsync --inplace over what is there": "cp many/100 t; echo changed >>t; rsync --inplace --no-whole-file t many/100; rm t",
    "a manifest that is read and rewritten": "while read -r f; do [ ${f##*/} -lt 150 ] || rm \"$f\"; done <manifest; ls many | sort -n >manifest.new; mv manifest.new manifest",
    "sed -i and perl": "sed -i s/hostname/name/ cfg/server.cfg; sed -i d manifest",
    "20 000 files": "mkdir f; cd f; seq 20000 | xargs touch; rm 1 2 3",
    "names of every byte": "for f in *; do case $f in [a-z]*) ;; *) [ -d \"$f\" ] || cp -- \"$f\" \"x$f\"; rm -rf -- \"$f\";; esac; done",
    "a file that is open while it is replaced": "exec 3<cfg/server.cfg; rm cfg/server.cfg; cat <&3 >kept; echo n >cfg/server.cfg; exec 4>>manifest; mv manifest m; echo a >&4",
    "deep directories": "d=.; for i in $(seq 200); do d=$d/d; done; mkdir -p $d; echo deep >$d/f",
    "a database": "python3 -c 'import sqlite3; d = sqlite3.connect(\"d.db\"); d.execute(\"pragma journal_mode=wal\"); d.execute(\"create table t (x)\"); d.executemany(\"insert into t values (?)\", [(i,) for i in range(1000)]); d.commit(); d.execute(\"pragma wal_checkpoint(truncate)\"); d.close()'; rm -f d.db*; echo done >state",
    "a writable map": "python3 -c 'import mmap; f = open(\"maps/one.bsp\", \"r+b\"); m = mmap.mmap(f.fileno(), 0); m[0:5] = b\"hello\"; m.flush()'",
    "a directory over a removed link": "rm cfglink; mkdir cfglink; echo c >cfglink/c; rm -r cfg; ln -s cfglink cfg",
    "a fifo and a socket": "mkfifo f2; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'",
    "rename over an empty directory": "mkdir e2; python3 -c 'import os; os.rename(\"e2\", \"empty\")'; rmdir empty; mkdir empty; chmod 700 empty",
    "cp -a of the whole": "mkdir /tmp/whole.$$; cp -a . /tmp/whole.$$/; rm -rf many; cp -a /tmp/whole.$$/many many; rm -rf /tmp/whole.$$",
    "mkdir and rmdir in turn": "for i in 1 2 3; do mkdir q; echo $i >q/f; rm -r q; done; rm -r maps; mkdir maps; rmdir maps; mkdir maps; rmdir maps",
}


def compare(script, what):
    reset()
    plain = as_owner(script, PLAIN)
    done, committed = built(script)
    why = []
    if plain.returncode != 0 or done.returncode != 0:
        why.append(f"the script ended with {plain.returncode} and {done.returncode}: {plain.stderr} {done.stderr}")
    if committed is None or committed.returncode != 0:
        why.append(f"commit: {committed and committed.stderr}")
    why += difference(snapshot(PLAIN), snapshot(PRESENT))
    ended = helper("discard", "1")
    why += [ended.stderr] * (ended.returncode != 0) + rest()
    ok(not why, what, *why)


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
        helper("discard", "1")
        unlink_all(PLAIN)
        unlink_all(PRESENT)
    helper("discard", "1")
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


# --- what fails

def keeps(what, words, status, before=None):
    """The last run failed so, and the present generation is what it was."""
    def check(run):
        why = difference(before or GOOD, snapshot(PRESENT))
        if run.returncode != status or not re.search(words, run.stderr) or len(run.stderr.splitlines()) != 1:
            why.append(f"status {run.returncode}: {run.stderr}")
        ended = helper("discard", "1")
        why += [ended.stderr] * (ended.returncode != 0) + rest()
        ok(not why, what, *why)
    return check


def failures():
    global GOOD
    reset()
    GOOD = snapshot(PRESENT)
    done, committed = built("rm -r many; echo half >half; exit 3")
    ended = helper("discard", "1")
    why = difference(GOOD, snapshot(PRESENT)) + rest() + [ended.stderr] * (ended.returncode != 0)
    ok(done.returncode == 3 and committed is None and not why, "a script that fails leaves the present generation", *why)
    keeps("commit without a build", "no build of overlay 1 is in progress", 252)(helper("commit", "1"))

    build()
    leave()
    os.rename(PRESENT, PRESENT + ".away")
    shutil.copytree(PRESENT + ".away", PRESENT, symlinks=True, ignore=shutil.ignore_patterns("sparse", "fifo"))
    other = snapshot(PRESENT)
    keeps("a present generation that was replaced meanwhile", "was replaced during its build", 252, other)(helper("commit", "1"))
    subprocess.run(["rm", "-rf", PRESENT], check=True)
    os.rename(PRESENT + ".away", PRESENT)

    subprocess.run(["mount", "--bind", PRESENT, PRESENT], check=True)
    keeps("overlays/ID is a mount point", "'.*/overlays/1' is a mount point", 251)(helper("build", "1"))
    subprocess.run(["umount", PRESENT], check=True)
    build()
    as_owner("echo n >n", SEEN)
    leave()
    subprocess.run(["mount", "--bind", PRESENT + "/cfg", PRESENT + "/many"], check=True)
    run = helper("commit", "1")
    subprocess.run(["umount", PRESENT + "/many"], check=True)
    keeps("... and a directory in it", "many' is a mount point", 252)(run)

    build()
    as_owner("mkdir closed; echo a >closed/a; chmod 0 closed", SEEN)
    leave()
    keeps("a directory that its owner cannot read", "closed': Permission denied", 252)(helper("commit", "1"))

    build()
    as_owner(["python3", "-c", "import os\nfor i in range(600):\n os.mkdir('d'); os.chdir('d')"], SEEN)
    leave()
    keeps("directories deeper than 512", "lies deeper than 512 directories", 252)(helper("commit", "1"))

    build()
    as_owner(["python3", "-c", "import os\nfor i in range(20000):\n os.mkdir('d'); os.chdir('d')"], SEEN)
    leave()
    ended = helper("discard", "1")
    ok(ended.returncode == 0 and not rest(), "20 000 directories in each other are removed", ended.stderr, rest())

    os.mkdir(OVERLAYS + "/9")
    os.rename(OVERLAYS + "/.left4me", OVERLAYS + "/away")
    for make, name in ((lambda: os.symlink("/etc", OVERLAYS + "/.left4me"), "a link"), (lambda: os.mkdir(OVERLAYS + "/.left4me"), "a directory of the owner's")):
        make()
        if name != "a link":
            os.chown(OVERLAYS + "/.left4me", OWNER, GROUP)
        run = helper("build", "1")
        ok(run.returncode == 251 and re.search("symbolic|Too many levels|belongs to uid 980", run.stderr) and not os.path.exists("/etc/1"),
           f"{name} in place of .left4me is refused", run.stderr)
        subprocess.run(["rm", "-rf", OVERLAYS + "/.left4me"], check=True)
    os.makedirs(OVERLAYS + "/.left4me/1/of-root")
    run = helper("build", "1")
    ok(run.returncode == 251 and "belongs to another user" in run.stderr and os.stat(OVERLAYS + "/.left4me/1").st_uid == 0,
       "another directory of root's in place of .left4me is given to nobody", run.stderr)
    subprocess.run(["rm", "-rf", OVERLAYS + "/.left4me"], check=True)
    os.rename(OVERLAYS + "/away", OVERLAYS + "/.left4me")
    seen = as_owner(f"ls {OVERLAYS}/.left4me || mv {OVERLAYS}/.left4me/1 {OVERLAYS}/2", "/")
    ok(seen.returncode != 0 and b"ermission denied" in seen.stderr, "the owner cannot look into .left4me", seen)


def copies():
    """No hard link can be made: of somebody else's file, and where a file has as many as it may."""
    reset()
    with open("/proc/sys/fs/protected_hardlinks") as file:
        protected = file.read().strip() == "1"
    with open(f"{PRESENT}/foreign", "w") as file:
        file.write("root's\n")
    os.chmod(f"{PRESENT}/foreign", 0o644)
    done, committed = built("echo n >n")
    why = [] if committed.returncode == 0 else [committed.stderr]
    with open(f"{PRESENT}/foreign") as file:
        why += [] if file.read() == "root's\n" else ["it is not the same"]
    if protected:
        why += [] if "files copied since no hard link to them may be made: 1" in committed.stderr else [committed.stderr]
    ok(not why, "a file of another user's is copied, and counted", *why)
    helper("discard", "1")


# --- servers

def servers():
    reset()
    mounted = helper("mount", "a", "1", "installation")
    ok(mounted.returncode == 0, "a server has the overlay mounted", mounted.stderr)
    merged = "/run/left4me/server/a/merged"
    before = snapshot(merged)
    held = open(f"{merged}/cfg/server.cfg")
    built("echo new >cfg/server.cfg; rm -r many; echo n >n")
    ended = helper("discard", "1")
    why = [ended.stderr] * (ended.returncode != 0) + difference(before, snapshot(merged))
    ok(not why and held.read() == "hostname a\n", "while a build changes everything the server sees no change", *why)
    held.close()
    old = [name for name in os.listdir(OWN) if name.startswith("old-")]
    ok(len(old) == 1, "the old generation stays while it is mounted", os.listdir(OWN))
    shared = subprocess.run(["du", "-s", "--block-size=1", PRESENT, f"{OWN}/{old[0]}"], capture_output=True, text=True, check=True).stdout.split()
    ok(int(shared[2]) < int(shared[0]) * 2 // 3 + 900000, "... and takes only what differs", shared)
    subprocess.run(["cp", "-p", f"{RECORDS}/a", f"{ROOT}/record"], check=True)
    os.unlink(f"{RECORDS}/a")
    built("echo 3 >third")
    helper("discard", "1")
    left = os.listdir(OWN)
    ok(len(left) == 2, "while a mount has no record nothing is collected", left)
    subprocess.run(["cp", "-p", f"{ROOT}/record", f"{RECORDS}/a"], check=True)
    collected = helper("collect")
    ok(collected.returncode == 0 and os.listdir(OWN) == old, "with the record only what it names stays", os.listdir(OWN), collected.stderr)
    stopped = helper("umount", "a")
    ok(stopped.returncode == 0 and os.path.isdir(f"{OWN}/{old[0]}"), "a stop removes no generation", stopped.stderr)
    collected = helper("collect")
    ok(collected.returncode == 0 and not os.path.exists(OWN), "collect removes it, and the empty directory", collected.stderr)
    subprocess.run(["rm", "-rf", f"{ROOT}/runtime/a"], check=True)


def no_data():
    """Nothing is written at commit but new directories and what it says."""
    reset()
    build()
    as_owner("echo more >>cfg/server.cfg; head -c 9000000 /dev/zero >large", SEEN)
    leave()
    log = f"{ROOT}/strace.log"
    run = helper("commit", "1", tracer=("strace", "-f", "-o", log, "-e", "write,writev,pwrite64,copy_file_range,sendfile,ioctl,ftruncate"))
    with open(log) as lines:
        wrote = [line for line in lines if re.search(r"\w\(", line) and "write(2, " not in line]
    os.unlink(log)
    ok(run.returncode == 0 and not wrote, "commit writes no data of a file", run.stderr, *wrote)
    helper("discard", "1")


def by_the_application():
    """deploy/worker/replace_overlay.py, as the owner."""
    reset()
    helper("mount", "a", "1", "installation")
    merged = "/run/left4me/server/a/merged"
    before = snapshot(merged)
    replace = ("import os, sys; sys.path.insert(0, '%s/deploy/worker'); from replace_overlay import replace_overlay\n"
               "os.mkdir('.1.new'); open('.1.new/%%s', 'w').close(); replace_overlay('%s', 1)" % (os.getcwd(), OVERLAYS))
    why = []
    for name in ("second", "third", "fourth"):
        done = as_owner(["python3", "-c", replace % name], OVERLAYS)
        why += [done.stderr] * (done.returncode != 0) + [os.listdir(PRESENT)] * (os.listdir(PRESENT) != [name])
    why += difference(before, snapshot(merged))
    left = [name for name in os.listdir(OVERLAYS) if name.startswith(".1.")]
    ok(not why and len(left) == 2, "what the application exchanges itself is not seen by a running server", *why, left)
    helper("umount", "a")
    for name in ("fifth", "sixth"):
        as_owner(["python3", "-c", replace % name], OVERLAYS)
    left = [name for name in os.listdir(OVERLAYS) if name.startswith(".1.")]
    ok(len(left) == 1, "and goes when no server has it mounted", left)
    subprocess.run(f"rm -rf {OVERLAYS}/.1.* {ROOT}/runtime/a", shell=True, check=True)


def race():
    """The helper stops between opening the layers and mounting while a build commits: the mount is recorded, or the commit waits."""
    reset()
    build_again()
    stopped = subprocess.Popen(["strace", "-o", "/dev/null", "-e", "inject=fsopen:delay_enter=2000000", HELPER, f"--root={ROOT}", "mount", "a", "1",
                                "installation"], stderr=subprocess.PIPE, env=TRACED)
    while not is_locked():
        time.sleep(0.01)
    committed = helper("commit", "1")
    with open("/proc/self/mountinfo") as table:
        mounted = " - overlay left4me:a " in table.read()
    stopped.wait()
    ok(stopped.returncode == 0 and committed.returncode == 0, "a mount and an exchange at once", stopped.stderr.read(), committed)
    ok(mounted, "... one after the other")
    helper("discard", "1")
    helper("umount", "a")
    helper("collect")
    subprocess.run(["rm", "-rf", f"{ROOT}/runtime/a"], check=True)


def is_locked():
    """Whether a mount is under way."""
    directory = os.open("/run/left4me/overlay", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(directory)
    return False


def build_again():
    made = build()
    if made.returncode == 0:
        as_owner("echo n >n", SEEN)
        leave()
    return made.returncode == 0


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
        helper("commit", "1")


def calls(verb):
    begin_killed(verb)
    log = f"{ROOT}/strace.log"
    helper(verb, "1", tracer=("strace", "-o", log))
    seen, found, inside = {}, [], False
    with open(log) as lines:
        for name in re.findall(r"^(\w+)\(", lines.read(), re.M):
            seen[name] = seen.get(name, 0) + 1
            inside |= name == "pidfd_open"
            if inside and name != "exit_group":
                found.append((name, seen[name]))
    os.unlink(log)
    return found


def killed_once(verb, name, number, old, new):
    begin_killed(verb)
    run = helper(verb, "1", tracer=("strace", "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={number}"))
    if name == "read" and run.returncode == 0:
        return None             # the mount table has become shorter, as when another test ends
    if run.returncode not in (-9, 137):
        return f"not killed: {run.returncode} {run.stderr}"
    now = snapshot(PRESENT)
    if now not in (old, new):
        return "neither the old nor the new tree: " + str(difference(old, now)[:3])
    if verb != "discard":                       # what systemd does next
        ended = helper("discard", "1")
        if ended.returncode != 0 or snapshot(PRESENT) != now or rest():
            return f"discard: {ended.stderr} {rest()}"
    done, committed = built(CHANGE if now == old else "true")
    if committed is None or committed.returncode != 0 or snapshot(PRESENT) != new:
        return f"the next build: {done.stderr} {committed} {difference(new, snapshot(PRESENT))[:3]}"
    helper("discard", "1")
    return str(rest()) if rest() else None


def killed(verb, needed):
    begin_killed("build")
    old = snapshot(PRESENT)
    built(CHANGE)
    new = snapshot(PRESENT)
    found, wrong = calls(verb), {}
    for name, number in found:
        problem = killed_once(verb, name, number, old, new)
        if problem:
            wrong.setdefault(name, f"{name} {number}: {problem}")
    for name in dict.fromkeys(name for name, _ in found):
        ok(name not in wrong, f"{verb} killed at {name}, each of {sum(1 for n, _ in found if n == name)}", wrong.get(name))
    missing = needed - {name for name, _ in found}
    ok(not missing, f"{verb}: {len(found)} calls in all, {sorted(needed)} among them", missing)


def kill_all():
    os.makedirs(f"{ROOT}/small/many")
    os.makedirs(f"{ROOT}/small/cfg")
    for name in ("many/1", "many/2", "cfg/server.cfg", "file"):
        with open(f"{ROOT}/small/{name}", "w") as file:
            file.write(name)
    subprocess.run(["chown", "-R", f"{OWNER}:{GROUP}", f"{ROOT}/small"], check=True)
    subprocess.run(f"find {ROOT}/small -exec touch -h -d @1000000000 {{}} +", shell=True, check=True)
    killed("build", {"setns", "mkdirat", "symlinkat", "flock", "fsopen", "fsmount", "renameat", "move_mount"})
    killed("commit", {"flock", "mkdirat", "linkat", "renameat2", "renameat", "utimensat"})
    killed("discard", {"flock", "umount2", "unlinkat"})


def unchanged():
    """Servers need no restart then, and a build of nothing costs next to nothing."""
    reset()
    inode = os.stat(PRESENT).st_ino
    done, committed = built("cat manifest >/dev/null; ls -R >/dev/null")
    helper("discard", "1")
    ok(committed.returncode == 0 and "has no new generation" in committed.stderr and os.stat(PRESENT).st_ino == inode and not rest(),
       "a script that changes nothing leaves the present generation in its place", done.stderr, committed.stderr)
    built("chmod 750 .")
    helper("discard", "1")
    ok(os.stat(PRESENT).st_mode & 0o7777 == 0o750, "but not one that changes the mode of the top directory")


make_first()
os.makedirs(PLAIN, exist_ok=True)
for description, text in SCRIPTS.items():
    compare(text, description)
fuzz()
failures()
copies()
servers()
unchanged()
no_data()
by_the_application()
race()
if "/sanitize/" in HELPER:
    count += 1
    print(f"ok {count} # SKIP killed at each system call: with sanitizers it takes minutes, and finds the same")
else:
    kill_all()
print(f"1..{count}")
sys.exit(failed > 0)
