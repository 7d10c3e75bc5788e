"""The probes, by what they look at. Each is a function of the facts that returns None when all is well, else what is wrong,
or a dictionary of such answers by name."""
import errno
import os
import platform


def _descriptors():
    """What is open besides the three standard ones: number -> what it is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass                        # the directory that was just read
    return {number: target for number, target in found.items() if number > 2}


# Before ctypes is there: its libffi may keep its own file open.
INHERITED = _descriptors()

import ctypes  # noqa: E402  # pylint: disable=wrong-import-position

_PROBES = []
_KILLED = set()


class Skip(Exception):
    """Cannot be tried here, and why."""


class Facts:
    """What the outside says about itself: KEY=VALUE lines, a key may come more than once."""

    def __init__(self, path):
        self.values = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, _, value = line.rstrip("\n").partition("=")
                self.values.setdefault(key, []).append(value)

    def all(self, key):
        return self.values.get(key, [])

    def get(self, key, default=None):
        return self.values.get(key, [default])[-1]


def probe(name, *units, killed=False):
    """Adds a function to the probes of these units; killed: the system call filter may end it, which is a refusal."""

    def add(function):
        _PROBES.append((name, units, function))
        if killed:
            _KILLED.add(function)
        return function

    return add


def of(unit):
    """An update of the game has a build's view and a server's calls: what holds for both holds for it."""
    return [(name, function) for name, units, function in _PROBES
            if unit in units or unit == "update" and {"build", "server"} <= set(units)]


def may_be_killed(function):
    return function in _KILLED


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def syscall(number, *arguments):
    """Returns the result, or minus the error number."""
    if platform.machine() != "x86_64":
        raise Skip("system calls are numbered for x86_64")
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = LIBC.syscall(ctypes.c_long(number), *words)
    return -ctypes.get_errno() if result == -1 else result


def code(result):
    return "succeeds" if result >= 0 else errno.errorcode.get(-result, str(result))


def is_absent(path):
    """None when nobody could tell that PATH exists or what is in it."""
    try:
        details = os.stat(path)
        if os.path.isdir(path):
            return f"{path} is there with {len(os.listdir(path))} entries" if os.listdir(path) else None
        with open(path, "rb") as file:
            return f"{path} can be read ({details.st_size} bytes)" if file.read(1) else f"{path} can be opened"
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENXIO):
            return None
        return f"{path}: {error.strerror}"


from probes import kernel, network, view, work  # noqa: E402,F401
