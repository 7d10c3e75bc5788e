"""Files, processes, inter-process communication: what can be seen and touched."""
import ctypes
import errno
import os
import re
import resource
import signal
import socket
import stat
import time

from probes import INHERITED, LIBC, Skip, code, is_absent, probe, syscall

# --- files ------------------------------------------------------------------------------------------------------------

BUILD_SEES = re.compile(
    r"/(bin|sbin|lib|lib64|boot|home|root|srv|mnt|media|opt|sys|etc|run|var|dev|tmp|usr|proc|overlay)"
    r"|/lib(32|x32)"
    r"|/etc/(resolv\.conf|nsswitch\.conf|hosts|machine-id|(ssl|ca-certificates|alternatives)(/.*)?)"
    r"|/run/left4me|/run/left4me/view|/run/left4me/view/build-overlay@[^/]+|/run/left4me/build|/run/left4me/build/[^/]+|/run/left4me/build/[^/]+/script"
    r"|/run/(systemd|credentials|lock|user)|/run/systemd/(incoming|propagate|unit-root|inaccessible)(/.*)?|/run/host(/(\.os-release-stage(/os-release)?|os-release))?"
    r"|/var/tmp"
    r"|/dev/(null|zero|full|random|urandom|tty|ptmx|pts|shm|mqueue|hugepages|fd|stdin|stdout|stderr|log|core|char(/.*)?|block(/.*)?|initctl)")


def _walk(top, skip):
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            entries = list(os.scandir(directory))
        except OSError:
            continue
        for entry in entries:
            yield entry.path
            if entry.path not in skip and entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)


@probe("nothing is visible but what a build needs", "build")
def build_sees(facts):
    helpers = facts.get("helpers", "/usr/local/libexec/left4me")
    skip = {"/proc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/overlay", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"}
    others = [p for p in _walk("/", skip)
              if not BUILD_SEES.fullmatch(p) and not (p + "/").startswith(helpers + "/") and not helpers.startswith(p + "/")]
    return f"{len(others)} more: {' '.join(sorted(others)[:8])}" if others else None


@probe("out of sight:", "build", "server")
def hidden(facts):
    return {path: is_absent(path) for path in facts.all("hidden")}


@probe("/etc/left4me", "build")
def no_configuration(_facts):
    return is_absent("/etc/left4me")


@probe("the host's root through /proc", "build", "server")
def roots(facts):
    answers = {}
    for name in ("1", "self", "thread-self"):
        for path in facts.all("hidden"):
            wrong = is_absent(f"/proc/{name}/root{path}")
            if wrong:
                answers[name] = wrong
        answers.setdefault(name, None)
    return answers


@probe("no file in /proc but those of processes", "build")
def proc_subset(_facts):
    others = [name for name in os.listdir("/proc") if not name.isdigit() and name not in ("self", "thread-self", "net", "mounts")]
    return " ".join(sorted(others)[:10]) or None


def _can_create(directory):
    path = f"{directory}/.left4me-selftest-{os.getpid()}"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.unlink(path)
        return True
    except OSError:
        return False


@probe("no directory can be written but the overlay and temporary ones", "build")
def build_writes(_facts):
    return _writes({"/overlay", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"})


@probe("no directory can be written but its own and temporary ones", "server")
def server_writes(facts):
    return _writes({facts.get("own"), "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"})


@probe("no directory can be written but the overlay, HOME and temporary ones", "update")
def update_writes(facts):
    return _writes({"/overlay", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"} | set(facts.all("writable")))


def _writes(allowed):
    skip = {"/proc", "/sys"} | allowed
    found = []
    for path in ["/"] + list(_walk("/", skip)):
        if path not in allowed and not os.path.islink(path) and os.path.isdir(path) and _can_create(path):
            found.append(path)
    return f"also {' '.join(sorted(found)[:8])}" if found else None


@probe("no file outside can be opened for writing", "build", "server")
def open_for_writing(facts):
    allowed = (facts.get("own"), "/tmp", "/var/tmp", "/proc", "/dev/", *facts.all("writable"))
    found = []
    for path in _walk("/", {"/proc", "/sys", "/tmp", "/var/tmp", "/usr/share", facts.get("own")}):
        try:
            if path.startswith(allowed) or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            found.append(path)
        except OSError:
            continue
    return f"{len(found)}: {' '.join(sorted(found)[:8])}" if found else None


@probe("the script cannot change itself", "build")
def script_is_fixed(_facts):
    directory = next((entry.path for entry in os.scandir("/run/left4me/build")), "/run/left4me/build")
    script = directory + "/script"
    tries = {
        "create beside": lambda: os.close(os.open(directory + "/other", os.O_CREAT | os.O_WRONLY, 0o600)),
        "directory mode": lambda: os.chmod(directory, 0o700),
        "directory times": lambda: os.utime(directory),
        "mkdir": lambda: os.mkdir(directory + "/sub"),
    }
    if os.path.exists(script):
        tries.update({
            "unlink": lambda: os.unlink(script),
            "rename": lambda: os.rename(script, directory + "/script2"),
            "mode": lambda: os.chmod(script, 0o600),
            "write": lambda: os.close(os.open(script, os.O_WRONLY)),
            "link": lambda: os.link(script, directory + "/script3"),
        })
    answers = {}
    for name, attempt in tries.items():
        try:
            attempt()
            answers[name] = "succeeds"
        except OSError as error:
            answers[name] = None if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EXDEV) else error.strerror
    return answers


@probe("sysctl", "build", "server")
def sysctls(_facts):
    answers = {}
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",
                 "/proc/sysrq-trigger", "/proc/sys/user/max_user_namespaces", "/proc/sys/net/ipv4/ping_group_range"):
        try:
            os.close(os.open(path, os.O_WRONLY))
            answers[path[6:]] = "can be opened for writing"
        except OSError:
            answers[path[6:]] = None
    return answers


@probe("devices", "build", "server")
def devices(_facts):
    allowed = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}
    found = []
    for path in _walk("/dev", {"/dev/pts"} if os.path.isdir("/dev/pts") else set()):
        mode = os.lstat(path).st_mode
        if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and os.path.basename(path) not in allowed:
            found.append(path)
    return " ".join(sorted(found)[:10]) or None


@probe("terminals of others", "build")
def terminals(_facts):
    try:
        found = [name for name in os.listdir("/dev/pts") if name.isdigit()]
        return f"/dev/pts is there with {len(found)} of them" if found or os.access("/dev/pts/ptmx", os.F_OK) else None
    except OSError:
        return None


@probe("no descriptor, no environment variable too many", "build")
def inherited(facts):
    wrong = [f"{number} is {target}" for number, target in INHERITED.items()]
    wrong += [v for v in ("NOTIFY_SOCKET", "LISTEN_FDS", "CREDENTIALS_DIRECTORY", "SECRET_KEY", "DBUS_SESSION_BUS_ADDRESS")
              if v in os.environ]
    if facts.get("secret") in os.environ.values():
        wrong.append("the secret")
    return ", ".join(wrong) or None


# --- processes --------------------------------------------------------------------------------------------------------

def _others(facts):
    """Processes outside by their numbers there. Inside, a number could by chance be one of our own."""
    return [int(pid) for pid in facts.all("process")]


@probe("only its own processes are visible", "build", "server")
def processes(facts):
    secret = facts.get("secret").encode()
    wrong = []
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        count += 1
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if secret in file.read():
                    wrong.append(f"the environment of process {name}")
        except OSError:
            pass
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if b"decoy" in file.read():
                    wrong.append(f"the command line of process {name}")
        except OSError:
            pass
    if count > 40:
        wrong.append(f"{count} processes")
    return ", ".join(wrong) or None


def _memory_of(pid, secret):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            if " rw-p " not in line or "[vvar" in line:
                continue
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            try:
                memory.seek(start)
                if secret in memory.read(min(end - start, 1 << 24)):
                    return True
            except OSError:
                continue
    return False


def _mine(pid, facts):
    """Whether this number means another process in here: ours, not the one outside."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return facts.get("secret").encode() not in file.read()
    except OSError:
        return False


def _reach(name, units, attempt, killed=False):
    def tried(facts):
        answers = []
        for pid in _others(facts):
            if _mine(pid, facts):
                continue
            try:
                said = attempt(pid, facts)
                if said:
                    answers.append(f"{pid}: {said}")
            except OSError:
                pass
        return ", ".join(answers) or None
    probe(f"another process of the same user: {name}", *units, killed=killed)(tried)


def _positive(result):
    return code(result) if result >= 0 else None


BOTH = ("build", "server")
_reach("see", BOTH, lambda pid, _: "visible" if os.path.exists(f"/proc/{pid}") else None)
_reach("environment", BOTH, lambda pid, f: "readable" if f.get("secret").encode() in open(f"/proc/{pid}/environ", "rb").read() else None)
_reach("memory", BOTH, lambda pid, f: "readable" if _memory_of(pid, f.get("secret").encode()) else None)
_reach("descriptors", BOTH, lambda pid, _: "listed" if os.listdir(f"/proc/{pid}/fd") else None)
_reach("root directory", BOTH, lambda pid, _: "readable" if os.listdir(f"/proc/{pid}/root/") else None)
_reach("signal", BOTH, lambda pid, _: _positive(syscall(62, pid, signal.SIGURG)))
_reach("pidfd", BOTH, lambda pid, _: _positive(syscall(434, pid, 0)))
_reach("ptrace", BOTH, lambda pid, _: _positive(syscall(101, 0x4206, pid, 0, 0)), killed=True)
_reach("process_vm_readv", BOTH, lambda pid, _: _positive(syscall(310, pid, 0, 0, 0, 0, 0)) if not os.path.exists(f"/proc/{pid}/x")
       and LIBC.kill(pid, 0) == 0 else None, killed=True)
_reach("its limits", BOTH, lambda pid, _: _positive(syscall(302, pid, 0, 0, ctypes.byref((ctypes.c_uint64 * 2)()))), killed=True)
_reach("its affinity", BOTH, lambda pid, _: _positive(syscall(204, pid, 128, ctypes.byref((ctypes.c_uint64 * 16)()))))


@probe("a signal to everybody", "build", "server")
def signal_to_all(facts):
    # SIGURG does nothing to who does not handle it. Who counts it is the decoy; its process tells outside.
    try:
        os.kill(-1, signal.SIGURG)
    except OSError:
        pass
    time.sleep(0.1)
    return "arrives outside" if os.path.exists(facts.get("own") + "/signalled") else None


# --- inter-process communication --------------------------------------------------------------------------------------

@probe("System V objects of others", "build", "server")
def sysv(facts):
    key = int(facts.get("sysv", "0"))
    if not key:
        raise Skip("none outside")
    calls = {"shared memory": (29, (key, 0, 0)), "semaphores": (64, (key, 0, 0)), "messages": (68, (key, 0))}
    return {name: _positive(syscall(number, *arguments)) for name, (number, arguments) in calls.items()}


@probe("POSIX objects of others", "build", "server")
def posix(facts):
    answers = {}
    for path in facts.all("shm"):
        answers["shared memory"] = is_absent(path)
    for name in facts.all("mqueue"):
        answers["messages"] = _positive(syscall(240, ctypes.c_char_p(name.encode()), os.O_RDONLY, 0, 0))
    return answers


@probe("temporary files are its own, on no file system of the host's:", "build", "server")
def temporary_files(facts):
    if not facts.all("tmp_device"):
        raise Skip("nobody told the host's")
    return {path: "is the host's" if str(os.stat(path).st_dev) in facts.all("tmp_device") else None for path in ("/tmp", "/var/tmp")}


@probe("a crash starts no program of the host's", "build", "server")
def no_core(_facts):
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    return None if limit == (1, 1) else f"the limit of core files is {limit}, not 1"


@probe("root's own count of", "build", "server")
def counts_of_root(facts):
    """The user namespace is root's, so what is counted for a user in here is counted for root as well."""
    answers = {"inotify instances": None, "message queues": None}
    instance = syscall(294, 0)
    if instance >= 0:
        os.close(instance)
        answers["inotify instances"] = "one can be made"
    name = ctypes.c_char_p(b"left4me-selftest")
    queue = syscall(240, name, os.O_CREAT | os.O_RDWR, 0o600, 0)
    if queue >= 0:
        os.close(queue)
        syscall(241, name)
        answers["message queues"] = "one can be made"
    # Timers are signals queued in advance.
    limit = int(facts.get("root_signals", "0")) * 3 // 4 or 3000
    taken = 0
    timer = ctypes.c_int()
    while taken < limit and syscall(222, 1, 0, ctypes.byref(timer)) == 0:
        taken += 1
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
    while taken < limit and LIBC.sigqueue(os.getpid(), signal.SIGRTMIN, None) == 0:
        taken += 1
    answers["queued signals and timers"] = f"{taken} can be taken, root has {limit * 4 // 3}" if taken >= limit else None
    return answers


def _connect(family, kind, address):
    try:
        with socket.socket(family, kind) as s:
            s.settimeout(2)
            s.connect(address)
            return "connects"
    except OSError:
        return None


@probe("sockets of the host", "build")
def sockets(facts):
    answers = {}
    for path in facts.all("socket"):
        wrong = _connect(socket.AF_UNIX, socket.SOCK_STREAM, path) or _connect(socket.AF_UNIX, socket.SOCK_DGRAM, path) or \
            _connect(socket.AF_UNIX, socket.SOCK_SEQPACKET, path) or is_absent(path)
        answers[path] = wrong
    return answers


@probe("no socket in the file system can be connected to", "build", "server")
def sockets_in_sight(_facts):
    found, reached = [], []
    for path in _walk("/", {"/proc", "/sys", "/usr"}):
        try:
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                continue
        except OSError:
            continue
        found.append(path)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            if _connect(socket.AF_UNIX, kind, path):
                reached.append(path)
    if reached:
        return f"{len(reached)}: {' '.join(sorted(reached)[:12])}"
    return None


@probe("abstract sockets", "build")
def abstract(facts):
    if facts.get("unix_sockets"):
        raise Skip("unix_sockets = yes opens them")
    answers = {}
    for name in facts.all("abstract"):
        answers["by a stream"] = _connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + name)
    for name in facts.all("abstract_datagram"):
        answers["by a datagram"] = _connect(socket.AF_UNIX, socket.SOCK_DGRAM, "\0" + name)
        try:
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            a.sendto(b"socketpair", "\0" + name)
            answers["by a socket of a pair"] = "a datagram can be sent"
            b.close()
        except OSError:
            answers["by a socket of a pair"] = None
    return answers
