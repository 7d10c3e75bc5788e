"""race.py HELPER ROOT VICTIM TRIES: mounts and unmounts while a second process swaps directories for symlinks.

One directory below ROOT after another is exchanged with a link to VICTIM, renameat2(RENAME_EXCHANGE) in a loop.
Each try is a mount and one umount, after which nothing may be mounted. Prints one TAP line a scenario.
VICTIM is a mount of its own that holds whatever a helper that followed the link would look for. VICTIM-near does so
on the file system of ROOT, because upper and work must lie on one.
"""
import ctypes
import os
import signal
import sys
import time

HELPER, ROOT, VICTIM, TRIES = *sys.argv[1:4], int(sys.argv[4])
INSTANCE = f"{ROOT}/runtime/a"
AT_FDCWD, RENAME_EXCHANGE = -100, 2
LIBC = ctypes.CDLL(None, use_errno=True)

MERGED = "/run/left4me/server/a/merged"

# What is swapped, and what the link leads to, after VICTIM.
SCENARIOS = (
    ("overlays/1", ""),
    ("overlays", ""),
    ("installation", ""),
    ("runtime", ""),
    ("runtime/a", "-near/a"),
    ("runtime/a/upper", "-near/a/upper"),
    ("runtime/a/work", "-near/a/work"),
)


def swap_for_ever(path):
    path, other = path.encode(), path.encode() + b".swap"
    while True:
        LIBC.renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE)


def run(*arguments):
    quiet = [(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
    child = os.posix_spawn(HELPER, [HELPER, f"--root={ROOT}", *arguments], {}, file_actions=quiet)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def mounts():
    """Those below ROOT and VICTIM, and overlays of ours anywhere; what others on the machine mount is their business."""
    stage = os.path.commonpath([ROOT, VICTIM]) + "/"
    with open("/proc/self/mountinfo") as table:
        return [line.split()[4] for line in table if line.split()[4].startswith(stage) or " left4me:" in line]


def contents():
    return sorted(os.path.join(d, f) for top in (VICTIM, f"{VICTIM}-near") for d, ds, fs in os.walk(top)
                  for f in ds + fs)


def ours(base):
    return [m for m in mounts() if m not in base]


def wrong_after_mount(status, base):
    """What a mount did that it must not, or None."""
    now = ours(base)
    if status != 0:
        return f"exit {status}, but mounted: {now}" if now else None
    if now != [MERGED]:
        return f"exit 0, mounted: {now}"
    if "stolen" in os.listdir(now[0]) or "here" not in os.listdir(now[0]):
        return "the mount shows another directory"
    return None


def unmount(base):
    """Whatever it says of the directory below ROOT, nothing may stay mounted."""
    run("umount", "a")
    return f"still mounted: {ours(base)}" if ours(base) else None


def race(path, tries):
    base, before = mounts(), contents()
    swapper = os.fork()
    if swapper == 0:
        swap_for_ever(path)
    good, wrong = 0, None
    for n in range(1, tries + 1):
        status = run("mount", "a", "1", "installation")
        good += status == 0
        wrong = wrong_after_mount(status, base) or unmount(base)
        if not wrong and mounts() != base:
            wrong = f"the mount table has changed: {sorted(set(mounts()) ^ set(base))}"
        if not wrong and (n % 20 == 0 or n == tries):
            os.kill(swapper, signal.SIGSTOP)
            os.waitpid(swapper, os.WUNTRACED)
            wrong = contents() != before and "something was written behind the link"
            os.kill(swapper, signal.SIGCONT)
        if wrong:
            break
    os.kill(swapper, signal.SIGKILL)
    os.waitpid(swapper, 0)
    for left in ours(base):
        LIBC.umount2(left.encode(), 0)
    return good, wrong


def main():
    failed = 0
    tries = -(-TRIES // len(SCENARIOS))
    for number, (name, behind) in enumerate(SCENARIOS, 1):
        path = f"{ROOT}/{name}"
        run("mount", "a", "1", "installation")
        run("umount", "a")
        os.symlink(VICTIM + behind, path + ".swap")
        start = time.monotonic()
        good, wrong = race(path, tries)
        seconds = time.monotonic() - start
        if os.path.islink(path):
            os.unlink(path)
            os.rename(path + ".swap", path)
        else:
            os.unlink(path + ".swap")
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {name} swapped: {tries} tries in {seconds:.0f} s, {good} mounted",
              flush=True)
        if wrong:
            print(f"# {wrong}", flush=True)
    print(f"1..{len(SCENARIOS)}")
    sys.exit(failed > 0)


main()
