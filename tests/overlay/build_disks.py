"""build_disks.py HELPER ROOT: builds on other file systems than the rest of the tests. Prints TAP lines; see overlay-build-disks.t.

Each disk is mounted on ROOT/overlays, as on a host that has one for them.
"""
import contextlib
import os
import re
import shutil
import subprocess

from builds import (FIRST, GROUP, OVERLAYS, OWN, OWNER, PLAIN, PRESENT, ROOT, SEEN, as_owner, build, built, difference, finish, helper, leave,
                    make_first, ok, reset, rest, skip, snapshot)

IMAGE = f"{ROOT}/disk"
COPIED = r"files copied since no hard link to them may be made: (\d+)"
CHANGE = ("rm -r many; mkdir many; echo 1 >many/1; echo changed >cfg/server.cfg; mv maps/one.bsp new; setfattr -n user.a -v 1 manifest; rm fifo; "
          "truncate -s 1G hole")


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


def make_disk(kind, megabytes, *options):
    """A file system in a sparse file. Returns why there is none, or None."""
    program = shutil.which(f"mkfs.{kind}")
    if not program:
        return f"mkfs.{kind} is not installed"
    with open(IMAGE, "wb") as file:
        file.truncate(megabytes << 20)
    made = run(program, "-q", *options, IMAGE)
    if made.returncode != 0:
        return f"mkfs.{kind}: {made.stderr}"
    mounted = run("mount", "-o", "loop", IMAGE, OVERLAYS)
    return f"cannot mount {kind}: {mounted.stderr}" if mounted.returncode != 0 else None


@contextlib.contextmanager
def on(kind, megabytes, *options):
    """ROOT/overlays on such a file system; yields why not, or None."""
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m{''.join(options)}", "tmpfs", OVERLAYS], check=True)
        why = None
    else:
        why = make_disk(kind, megabytes, *options)
    if why is None:
        os.chown(OVERLAYS, OWNER, GROUP)
    try:
        yield why
    finally:
        run("umount", SEEN)
        helper("discard", "1")
        run("umount", OVERLAYS)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(IMAGE)


def room():
    subprocess.run(["sync", "-f", OVERLAYS], check=True)
    state = os.statvfs(OVERLAYS)
    return state.f_bavail * state.f_frsize


def write(path, data, owner=OWNER):
    with open(path, "wb") as file:
        file.write(data)
    os.chown(path, owner, GROUP)
    os.chmod(path, 0o644)


def same(script, what):
    """What the script makes is what it makes in a plain directory, and nothing is left. Returns how many files were copied."""
    before = snapshot(PRESENT)
    plain = as_owner(script, PLAIN)
    done, committed = built(script)
    why = [] if plain.returncode == 0 and done.returncode == 0 else [plain.stderr, done.stderr]
    why += [] if committed and committed.returncode == 0 else [committed and committed.stderr]
    why += difference(snapshot(PLAIN, links=False), snapshot(PRESENT, links=False))
    ended = helper("discard", "1")
    why += [ended.stderr] * (ended.stderr != "") + rest() + ["nothing has changed"] * (snapshot(PRESENT) == before)
    ok(not why, what, *why)
    found = re.search(COPIED, committed.stderr if committed else "")
    return int(found[1]) if found else 0


def keeps(what, words, status, failed):
    """`failed` ended so, in one line, and the present generation, GOOD, is what it was."""
    why = difference(GOOD, snapshot(PRESENT))
    if failed.returncode != status or not re.search(words, failed.stderr) or len(failed.stderr.splitlines()) != 1:
        why.append(f"status {failed.returncode}: {failed.stderr}")
    ended = helper("discard", "1")
    why += [ended.stderr] * (ended.returncode != 0) + rest()
    ok(not why, what, *why)


def note():
    global GOOD
    GOOD = snapshot(PRESENT)


# --- whole file systems

def pinned(kind):
    """A server keeps what it has; its generation goes when it is stopped."""
    helper("mount", "a", "1", "installation")
    merged = "/run/left4me/server/a/merged"
    before = snapshot(merged)
    built("rm -r cfg; echo 2 >second")
    helper("discard", "1")
    why = difference(before, snapshot(merged)) + ["no old generation"] * (len(os.listdir(OWN)) != 1)
    helper("umount", "a")
    collected = helper("collect")
    ok(not why and collected.returncode == 0 and not os.path.exists(OWN), f"{kind}: a server keeps its generation until it is stopped", *why,
       collected.stderr)
    shutil.rmtree(f"{ROOT}/runtime/a")


def clones(kind):
    """Somebody else's file of 24 MiB."""
    data = os.urandom(1 << 20)
    write(f"{PRESENT}/foreign", data * 24, owner=0)
    write(f"{PLAIN}/foreign", data * 24)
    before = room()
    copied = same("echo n >n; chmod 755 empty", f"{kind}: a file that may not be linked")
    if copied == 0:
        skip("... takes no room", "fs.protected_hardlinks is off, so it may be linked")
    else:
        ok(copied == 1 and before - room() < 6 << 20, "... takes no room: it is copied by reference", copied, before, room())


def subvolumes():
    """A hard link cannot lead out of a subvolume."""
    subprocess.run(["mv", PRESENT, OVERLAYS + "/away"], check=True)
    for path in PRESENT, f"{PRESENT}/maps":
        subprocess.run(["btrfs", "-q", "subvolume", "create", path], check=True)
    subprocess.run(f"cp -a {OVERLAYS}/away/. {PRESENT}/ && rm -r {OVERLAYS}/away && mkdir -p {PRESENT}/maps/deep/er && chown -R {OWNER}:{GROUP} {PRESENT}/maps && "
                   f"rm -r {PLAIN} && cp -a {PRESENT} {PLAIN}", shell=True, check=True)
    copied = same("echo n >maps/n", "btrfs: an overlay that is a subvolume, and has one in it")
    ok(copied > 200, "... whose files are copied, and counted", copied)
    ok(same("echo m >maps/m", "... once") == 0, "... and linked from then on")
    helper("mount", "a", "1", "installation")
    os.unlink("/run/left4me/mounted/a")          # without a record everything stays
    for i in range(3):
        shutil.rmtree(PRESENT)
        subprocess.run(["btrfs", "-q", "subvolume", "create", PRESENT], check=True)
        os.chown(PRESENT, OWNER, GROUP)
        built(f"echo {i} >n")
    why = sorted(os.listdir(OWN))
    helper("umount", "a")
    helper("discard", "1")
    ok(why == ["base", "old-256", "old-256.1", "old-256.2", "upper", "work"] and not rest(), "... each generation of which has a name of its own", why, rest())


def whole(kind, megabytes):
    with on(kind, megabytes) as why:
        if why:
            skip(f"builds on {kind}", why)
            return
        reset()
        ok(same(CHANGE, f"{kind}: a script makes the same as in a plain directory") == 0, "... and nothing is copied")
        pinned(kind)
        if kind == "ext4":
            many_links()
            return
        reset()
        clones(kind)
        if kind == "btrfs":
            reset()
            subvolumes()


def many_links():
    """ext4 takes 65 000."""
    reset()
    os.mkdir(f"{OVERLAYS}/links")
    for i in range(65000):
        try:
            os.link(f"{PRESENT}/manifest", f"{OVERLAYS}/links/{i}")
        except OSError as problem:
            assert i > 60000, problem
            break
    ok(same("echo n >n", "ext4: a file with as many links as it may have") == 1, "... is copied, and counted")


# --- what a file system lacks

def without_links():
    """As a file system says it that has none. The script's own files are links, too, in the new tree."""
    with on("tmpfs", 64):
        for error in "EPERM", "EOPNOTSUPP":
            reset()
            os.unlink(f"{PRESENT}/sparse")
            os.unlink(f"{PLAIN}/sparse")
            build()
            as_owner(CHANGE, SEEN)
            as_owner(CHANGE, PLAIN)
            leave()
            files = sum(len(names) for _, _, names in os.walk(PLAIN))
            links = sum(os.path.islink(os.path.join(top, name)) for top, names, _ in os.walk(PLAIN) for name in names)
            committed = helper("commit", "1", tracer=("strace", "-o", "/dev/null", "-e", f"inject=linkat:error={error}"))
            found = re.search(COPIED, committed.stderr)
            why = difference(snapshot(PLAIN), snapshot(PRESENT)) + [committed.stderr] * (committed.returncode != 0)
            ok(not why and found and int(found[1]) == files + links, f"no hard links ({error}): all is copied, and counted", files, links,
               committed.stderr, *why)


def without_room():
    with on("ext4", 24, "-m", "0") as lacks:
        if lacks:
            skip("builds without room", lacks)
            return
        small("ext4")
        write(f"{PRESENT}/foreign", os.urandom(9 << 20), owner=0)
        note()
        done, committed = built("head -c 30000000 /dev/zero >large")
        ok(done.returncode != 0 and committed is None and b"No space left" in done.stderr, "no room: the script is told", done)
        keeps("... and leaves the present generation", "no build of overlay 1 is in progress", 252, discarded("commit"))
        build()
        as_owner(f"head -c {max(room() - (4 << 20), 0)} /dev/zero >large", SEEN)
        leave()
        keeps("no room for what must be copied", "cannot copy '.*/foreign': No space left", 252, helper("commit", "1"))
        done, committed = built("echo n >n")
        ok(committed and committed.returncode == 0, "and once there is room the next build succeeds", done, committed)


def discarded(verb):
    helper("discard", "1")
    return helper(verb, "1")


def small(kind):
    helper("discard", "1")
    os.makedirs(f"{PRESENT}/cfg/deep")
    for name in "file", "cfg/server.cfg", "cfg/deep/file":
        write(f"{PRESENT}/{name}", name.encode())
    subprocess.run(["chown", "-R", f"{OWNER}:{GROUP}", PRESENT], check=True)


def fill_inodes(leave_free):
    """All but so many."""
    os.makedirs(f"{OVERLAYS}/full", exist_ok=True)
    for i in range(os.statvfs(OVERLAYS).f_ffree - leave_free):
        os.symlink("x", f"{OVERLAYS}/full/{i}")


def without_inodes():
    with on("tmpfs", 64, ",nr_inodes=200"):
        small("tmpfs")
        note()
        fill_inodes(1)
        keeps("no inodes: no build", "cannot make '.*/overlays/.left4me/1.*': No space left", 251, helper("build", "1"))
        shutil.rmtree(f"{OVERLAYS}/full")
        build()
        as_owner("echo n >n", SEEN)
        leave()
        fill_inodes(3)
        keeps("no inodes for the new tree", "No space left", 252, helper("commit", "1"))
        shutil.rmtree(f"{OVERLAYS}/full")
        done, committed = built("echo n >n")
        ok(committed and committed.returncode == 0, "and once there are some the next build succeeds", done, committed)


def read_only():
    with on("tmpfs", 64):
        small("tmpfs")
        note()
        subprocess.run(["mount", "-o", "remount,ro", OVERLAYS], check=True)
        failed = helper("build", "1")
        why = difference(GOOD, snapshot(PRESENT))
        ok(failed.returncode == 251 and "Read-only file system" in failed.stderr and not why, "a disk that is mounted read-only", failed, *why)
        subprocess.run(["mount", "-o", "remount,rw", OVERLAYS], check=True)


def no_upper():
    """What cannot be the upper directory of an overlay: another overlay, as in many containers."""
    for name in "low", "up", "work":
        os.makedirs(f"{ROOT}/no-upper/{name}")
    subprocess.run(["mount", "-t", "overlay", "-o", ",".join(f"{key}dir={ROOT}/no-upper/{name}" for key, name in
                                                             (("lower", "low"), ("upper", "up"), ("work", "work"))), "x", OVERLAYS], check=True)
    os.chown(OVERLAYS, OWNER, GROUP)
    small("overlay")
    note()
    keeps("a file system that cannot be written by an overlay", "cannot mount an overlay.*not supported", 251, helper("build", "1"))
    subprocess.run(["umount", OVERLAYS], check=True)


make_first()
os.makedirs(PLAIN, exist_ok=True)
for name, size in ("ext4", 64), ("xfs", 320), ("btrfs", 256):
    whole(name, size)
without_links()
without_room()
without_inodes()
read_only()
no_upper()
finish()
