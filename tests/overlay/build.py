"""build.py HELPER ROOT: builds in generations. Prints TAP lines; see overlay-build.t.

A script runs twice as the owner of overlays: in a plain copy of the present generation, and in the overlay of a build that
is then committed. Both trees must be the same: names, types, modes, contents, links, attributes and, for what is older than
the test, times.
"""
import fcntl
import os
import re
import shutil
import subprocess
import time

from builds import (GROUP, HELPER, OVERLAYS, OWN, OWNER, PLAIN, PRESENT, RECORDS, ROOT, SEEN, TRACED, as_owner, build, built, difference,
                    finish, helper, leave, make_first, ok, reset, rest, snapshot)

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


def discarded():
    """Ends the build. What went wrong with that, and what it has left."""
    ended = helper("discard", "1")
    return [ended.stderr] * (ended.returncode != 0) + rest()


def compare(script, what):
    reset()
    plain = as_owner(script, PLAIN)
    done, committed = built(script)
    why = []
    if plain.returncode != 0 or done.returncode != 0:
        why.append(f"the script ended with {plain.returncode} and {done.returncode}: {plain.stderr} {done.stderr}")
    if committed is None or committed.returncode != 0:
        why.append(f"commit: {committed and committed.stderr}")
    why += difference(snapshot(PLAIN), snapshot(PRESENT)) + discarded()
    ok(not why, what, *why)


# --- what fails

def keeps(what, words, status, before=None):
    """The last run failed so, and the present generation is what it was."""
    def check(run):
        why = difference(before or GOOD, snapshot(PRESENT))
        if run.returncode != status or not re.search(words, run.stderr) or len(run.stderr.splitlines()) != 1:
            why.append(f"status {run.returncode}: {run.stderr}")
        why += discarded()
        ok(not why, what, *why)
    return check


def failures():
    global GOOD
    reset()
    GOOD = snapshot(PRESENT)
    done, committed = built("rm -r many; echo half >half; exit 3")
    why = discarded() + difference(GOOD, snapshot(PRESENT))
    ok(done.returncode == 3 and committed is None and not why, "a script that fails leaves the present generation", *why)
    keeps("commit without a build", "no build of overlay 1 is in progress", 252)(helper("commit", "1"))

    build()
    as_owner("rm -r many; echo half >half", SEEN)
    leave(succeeded=False)
    keeps("a script whose success nobody has seen", "is not known to have succeeded", 252)(helper("commit", "1"))

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
    why = discarded()
    ok(not why, "20 000 directories in each other are removed", *why)


def in_place_of_ours():
    """What the owner of overlays may put where .left4me lies."""
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


def many_names():
    """The owner, who may have the directory open, fills .left4me/ID: starts wait for no more than so many names at a time."""
    reset()
    build()
    leave(False)
    as_owner("seq -f old-%.0f 2500 | xargs touch", OWN)
    log = f"{ROOT}/strace.log"
    collected = helper("collect", tracer=("strace", "-o", log, "-e", "flock,newfstatat,unlinkat"))
    with open(log) as lines:
        looks = [step.split("unlinkat(")[0].count("newfstatat(") for step in lines.read().split("LOCK_EX")[1:]]
    os.unlink(log)
    left = [name for name in os.listdir(OWN) if name.startswith("old-")]
    ok(collected.returncode == 0 and not left, "2500 names in .left4me/1 are removed", collected.stderr, *left[:3])
    ok(max(looks) <= 1010, "... a thousand at a time", looks)
    name = f"{OWN}/old-\x1b[31m\n"
    os.mkdir(name)
    subprocess.run(["mount", "--bind", name, name], check=True)
    collected = helper("collect")
    ok(f"cannot remove '{OWN}/old-\\x1b[31m\\n'" in collected.stderr, "a name that stays is shown without its control characters", collected.stderr)
    subprocess.run(["umount", name], check=True)
    helper("discard", "1")


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
    for script in "setfattr -n user.a -v 1 .", "setfattr -n user.a -v 2 .", "setfattr -x user.a .":
        expected = script.split()[4] if "-v" in script else None
        built(f"{script}; touch -d @{os.stat(PRESENT).st_mtime_ns / 1e9:.9f} .")
        helper("discard", "1")
        found = os.getxattr(PRESENT, "user.a").decode() if "user.a" in os.listxattr(PRESENT) else None
        ok(found == expected, f"nor its attributes: {script}", found)

make_first()
os.makedirs(PLAIN, exist_ok=True)
for description, text in SCRIPTS.items():
    compare(text, description)
failures()
in_place_of_ours()
copies()
servers()
unchanged()
no_data()
by_the_application()
many_names()
race()
finish()
