"""System calls: those of the kernel's own attack surface, namespaces, bits and pages that a sandbox takes away."""
import contextlib
import ctypes
import errno
import mmap
import os
import signal
import stat
import struct
import subprocess
import tempfile

from probes import LIBC, Skip, code, probe, syscall

FLAGS = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000,
         "net": 0x40000000, "time": 0x80}
NEWUSER = FLAGS["user"]

# name, number, arguments, and the units that refuse it. Where a filter is missing each gives another error than EPERM, or
# succeeds without changing anything; those marked * the kernel refuses to any user but root in the same way.
B, S = "build", "server"
CALLS = [
    ("mount", 165, (0, 0, 0, 0, 0), (B, S)),
    ("umount", 166, (0, 0), (B, S)),
    ("pivot_root*", 155, (0, 0), (B, S)),
    ("chroot", 161, (0,), (B, S)),
    ("fsopen*", 430, (0, 0), (B, S)),
    ("fsconfig", 431, (-1, 0, 0, 0, 0), (B, S)),
    ("fsmount*", 432, (-1, 0, 0), (B, S)),
    ("fspick*", 433, (-1, 0, 0), (B, S)),
    ("open_tree", 428, (-100, ctypes.c_char_p(b"/"), 0), (B, S)),
    ("move_mount*", 429, (-1, 0, -1, 0, 0), (B, S)),
    ("mount_setattr", 442, (-1, 0, 0, 0, 0), (B, S)),
    ("setns", 308, (-1, 0), (B, S)),
    ("bpf", 321, (0, 0, 99999), (B, S)),
    ("perf_event_open", 298, (0, 0, 0, 0, 0), (B, S)),
    ("ptrace", 101, (0, 0, 0, 0), (B, S)),
    ("pidfd_getfd", 438, (-1, 0, 0), (B, S)),
    ("kcmp", 312, (os.getpid(), os.getpid(), 0, 0, 0), (B,)),
    ("process_vm_readv", 310, (os.getpid(), 0, 0, 0, 0, 0), (B,)),
    ("process_vm_writev", 311, (os.getpid(), 0, 0, 0, 0, 0), (B,)),
    ("process_madvise", 440, (-1, 0, 0, 0, 0), (B,)),
    ("userfaultfd", 323, (1,), (B,)),
    ("memfd_secret", 447, (0,), (B,)),
    ("keyctl", 250, (-1, 0, 0, 0, 0), (B, S)),
    ("add_key", 248, (0, 0, 0, 0, 0), (B, S)),
    ("request_key", 249, (0, 0, 0, 0), (B, S)),
    ("io_uring_setup", 425, (0, 0), (B, S)),
    ("io_uring_enter", 426, (-1, 0, 0, 0, 0, 0), (B, S)),
    ("io_uring_register", 427, (-1, 0, 0, 0), (B, S)),
    ("io_setup", 206, (0, 0), (B, S)),
    ("personality", 135, (0x0040000,), (B, S)),
    ("modify_ldt", 154, (0, 0, 0), (B, S)),
    ("init_module*", 175, (0, 0, 0), (B, S)),
    ("finit_module*", 313, (-1, 0, 0), (B, S)),
    ("delete_module*", 176, (0, 0), (B, S)),
    ("kexec_load*", 246, (0, 0, 0, 0), (B, S)),
    ("kexec_file_load*", 320, (-1, -1, 0, 0, 0), (B, S)),
    ("reboot*", 169, (0, 0, 0, 0), (B, S)),
    ("swapon*", 167, (0, 0), (B, S)),
    ("swapoff*", 168, (0,), (B, S)),
    ("acct*", 163, (0,), (B, S)),
    ("quotactl", 179, (-1, 0, 0, 0), (B, S)),
    ("syslog", 103, (10, 0, 0), (B, S)),
    ("iopl", 172, (0,), (B, S)),
    ("ioperm", 173, (0, 1, 0), (B, S)),
    ("adjtimex", 159, (0,), (B, S)),
    ("clock_settime", 227, (-1, 0), (B, S)),
    ("clock_adjtime", 305, (-1, 0), (B, S)),
    ("settimeofday*", 164, (0, 0), (B, S)),
    ("sethostname*", 170, (0, -1), (B, S)),
    ("setdomainname*", 171, (0, -1), (B, S)),
    ("setuid", 105, (os.getuid(),), (B, S)),
    ("setresuid", 117, (-1, -1, -1), (B, S)),
    ("setgroups*", 116, (0, 0), (B, S)),
    ("capset", 126, (0, 0), (B, S)),
    ("chown", 92, (0, -1, -1), (B, S)),
    ("open_by_handle_at*", 304, (-1, 0, 0), (B, S)),
    ("fanotify_init*", 300, (0, 0), (B, S)),
    ("mlock", 149, (0, 0), (B,)),
    ("mlockall", 151, (0,), (B,)),
    ("setpriority", 141, (0, 0, 0), (B,)),
    ("ioprio_set", 251, (-1, 0, 0), (B,)),
    ("sched_setscheduler", 144, (0, -1, 0), (B,)),
    ("sched_setattr", 314, (0, 0, 0), (B,)),
    ("set_mempolicy", 238, (0, 0, 0), (B,)),
    ("migrate_pages", 256, (0, 0, 0, 0), (B,)),
    ("setrlimit", 160, (99, 0), (B,)),
]


def _add_calls():
    def make(number, arguments):
        def refused(_facts):
            result = syscall(number, *arguments)
            return None if result in (-errno.EPERM, -errno.ENOSYS) else code(result)
        return refused

    for name, number, arguments, units in CALLS:
        probe(f"system call {name.rstrip('*')}", *units, killed=True)(make(number, arguments))


_add_calls()


def _add_namespaces():
    def make(flag, number):
        def refused(_facts):
            if number == 272:
                result = syscall(272, flag)
            elif number == 56:
                result = syscall(56, flag | signal.SIGCHLD, 0, 0, 0, 0)
            else:
                arguments = (ctypes.c_uint64 * 11)(flag, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
                result = syscall(435, ctypes.byref(arguments), 88)
            if result == 0 and number != 272:
                os._exit(0)
            return None if result in (-errno.EPERM, -errno.ENOSYS) else code(result)
        return refused

    for name, flag in FLAGS.items():
        probe(f"unshare of a {name} namespace", B, S, killed=True)(make(flag | NEWUSER, 272))
    for name in ("user", "net"):
        probe(f"clone into a {name} namespace", B, S, killed=True)(make(FLAGS[name] | NEWUSER, 56))
        probe(f"clone3 into a {name} namespace", B, S, killed=True)(make(FLAGS[name] | NEWUSER, 435))


_add_namespaces()


@probe("no_new_privs, no capability, a filter", "build", "server")
def status_of_process(_facts):
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    wrong = [f"{key} is {fields[key]}" for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
             if int(fields[key], 16)]
    wrong += [f"{key} is {fields[key]}" for key, wanted in (("NoNewPrivs", "1"), ("Seccomp", "2")) if fields[key] != wanted]
    return ", ".join(wrong) or None


@probe("real-time scheduling", "build", "server", killed=True)
def realtime(_facts):
    result = syscall(144, 0, 1, ctypes.byref(ctypes.c_int(1)))
    return None if result == -errno.EPERM else code(result)


@probe("setuid and setgid bits", "build", "server", killed=False)
def setuid_bits(_facts):
    answers = {}
    with tempfile.TemporaryDirectory() as top:
        path = top + "/file"
        open(path, "wb").close()
        fd = os.open(path, os.O_RDONLY)
        raw = ctypes.c_char_p
        how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_WRONLY, 0o4755, 0)
        tries = {
            "by chmod": lambda: syscall(90, raw(path.encode()), 0o4755),
            "by fchmod": lambda: syscall(91, fd, 0o4755),
            "by fchmodat": lambda: syscall(268, -100, raw(path.encode()), 0o2755),
            "by fchmodat2": lambda: syscall(452, -100, raw(path.encode()), 0o4755, 0),
            "by open": lambda: syscall(2, raw(path.encode() + b"1"), os.O_CREAT | os.O_WRONLY, 0o4755),
            "by openat": lambda: syscall(257, -100, raw(path.encode() + b"2"), os.O_CREAT | os.O_WRONLY, 0o2755),
            "by openat2": lambda: syscall(437, -100, raw(path.encode() + b"3"), ctypes.byref(how), 24),
            "by creat": lambda: syscall(85, raw(path.encode() + b"4"), 0o4755),
            "by mkdir": lambda: syscall(83, raw(path.encode() + b"5"), 0o2755),
            "by mknod": lambda: syscall(133, raw(path.encode() + b"6"), stat.S_IFREG | 0o4755, 0),
            "by mknodat": lambda: syscall(259, -100, raw(path.encode() + b"7"), stat.S_IFREG | 0o2755, 0),
        }
        for name, attempt in tries.items():
            result = attempt()
            kept = any(os.lstat(top + "/" + entry).st_mode & 0o6000 for entry in os.listdir(top))
            answers[name] = f"{code(result)}, and the bit is there" if kept else None
            for entry in os.listdir(top):
                if entry != "file" and os.path.isdir(top + "/" + entry):
                    os.rmdir(top + "/" + entry)
                elif entry != "file":
                    os.unlink(top + "/" + entry)
            syscall(90, raw(path.encode()), 0o644)
        os.close(fd)
    return answers


# An access list of three entries is a mode: rwxr-xr-x.
ACCESS_LIST = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, 0xFFFFFFFF) for tag, bits in ((1, 7), (4, 5), (32, 5)))


@probe("a setgid program by an access list", "build", "server")
def setgid_program(_facts):
    """The file is made setgid while nobody may execute it; then no write takes the bit away."""
    name = ctypes.c_char_p(b"system.posix_acl_access")
    value = ctypes.create_string_buffer(ACCESS_LIST)
    described = (ctypes.c_uint64 * 2)(ctypes.addressof(value), len(ACCESS_LIST))
    tries = {
        "by setxattr": lambda path, _: os.setxattr(path, name.value, ACCESS_LIST),
        "by lsetxattr": lambda path, _: os.setxattr(path, name.value, ACCESS_LIST, follow_symlinks=False),
        "by fsetxattr": lambda _, fd: os.setxattr(fd, name.value, ACCESS_LIST),
        "by setxattrat": lambda path, _: syscall(463, -100, ctypes.c_char_p(path.encode()), 0, name, ctypes.byref(described), 16),
    }
    answers = {}
    for call, attempt in tries.items():
        with tempfile.TemporaryDirectory() as top:
            fd = os.open(top, os.O_TMPFILE | os.O_RDWR, 0o2644)
            os.write(fd, b"#!")
            link = syscall(265, -100, ctypes.c_char_p(b"/proc/self/fd/%d" % fd), -100, ctypes.c_char_p(top.encode() + b"/program"), 0x400)
            if link < 0:
                raise Skip(f"linkat: {code(link)}")
            with contextlib.suppress(OSError):
                attempt(top + "/program", fd)
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            os.close(fd)
        answers[call] = f"can be left, with the mode {mode:04o}" if mode & 0o2010 == 0o2010 else None
    return answers


@probe("device node", "build", "server", killed=True)
def device_nodes(_facts):
    answers = {}
    with tempfile.TemporaryDirectory() as top:
        for name, kind, major, minor in (("null", stat.S_IFCHR, 1, 3), ("mem", stat.S_IFCHR, 1, 1),
                                         ("kmsg", stat.S_IFCHR, 1, 11), ("a disk", stat.S_IFBLK, 254, 0)):
            try:
                os.mknod(f"{top}/node", kind | 0o666, os.makedev(major, minor))
                answers[name] = "can be made"
                os.unlink(f"{top}/node")
            except PermissionError:
                answers[name] = None
    return answers


@probe("setuid programs gain nothing", "build", "server")
def setuid_programs(_facts):
    answers = {}
    for program, arguments in (("sudo", ["-n", "id", "-u"]), ("su", ["-c", "id -u"]), ("newgrp", []), ("mount", ["-a", "-n"])):
        for directory in ("/usr/bin", "/usr/sbin"):
            if os.path.exists(f"{directory}/{program}"):
                done = subprocess.run([f"{directory}/{program}"] + arguments, stdin=subprocess.DEVNULL, capture_output=True,
                                      check=False, timeout=10)
                gained = done.returncode == 0 and done.stdout.strip() in (b"0", b"") and program in ("sudo", "su")
                answers[program] = "runs as root" if gained else None
    if not answers:
        raise Skip("no such program here")
    return answers


def _protect(address, length, protection):
    return LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(length), protection)


LIBC.mmap.restype = ctypes.c_void_p
MAP_FAILED = ctypes.c_void_p(-1).value
READ, WRITE, EXEC = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC


def _map(protection):
    return LIBC.mmap(None, ctypes.c_size_t(4096), protection, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, ctypes.c_long(0))


def _writable_and_executable():
    """What of it the kernel grants."""
    granted = []
    if _map(READ | WRITE | EXEC) != MAP_FAILED:
        granted.append("mmap")
    pages = _map(READ | WRITE)
    if _protect(pages, 4096, READ | EXEC) == 0:
        granted.append("mprotect")
    return granted


@probe("writable and executable memory", "build")
def no_executable_writes(_facts):
    granted = _writable_and_executable()
    if syscall(329, ctypes.c_void_p(_map(READ | WRITE)), 4096, READ | EXEC, -1) == 0:
        granted.append("pkey_mprotect")
    return " and ".join(granted) or None


# A program of 32-bit code: makes its own text writable as a text relocation does, writes there, ends with 42.
CODE = (b"\xb8\x7d\x00\x00\x00"            # mov eax, mprotect
        b"\xbb\x00\x80\x04\x08"            # mov ebx, 0x08048000
        b"\xb9\x00\x10\x00\x00"            # mov ecx, 4096
        b"\xba\x07\x00\x00\x00"            # mov edx, read | write | exec
        b"\xcd\x80\x85\xc0\x75\x0e"        # int 0x80; test eax, eax; jnz failed
        b"\xc6\x05\x00\x80\x04\x08\x7f"    # mov byte [0x08048000], 0x7f
        b"\xbb\x2a\x00\x00\x00\xeb\x05"    # mov ebx, 42; jmp end
        b"\xbb\x07\x00\x00\x00"            # failed: mov ebx, 7
        b"\xb8\x01\x00\x00\x00\xcd\x80")   # end: mov eax, exit; int 0x80


def _program_of_32_bits(text):
    header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 3, 1, 0x08048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, 0x08048000, 0x08048000, 84 + len(text), 84 + len(text), 5, 4096)
    return header + segment + text


def run_32_bits(facts, text=CODE):
    """The exit status of a program of this 32-bit code; an error number and 1000 where it cannot be started."""
    fd, path = tempfile.mkstemp(dir=facts.get("own"))
    os.write(fd, _program_of_32_bits(text))
    os.fchmod(fd, 0o755)
    os.close(fd)
    try:
        return subprocess.run([path], check=False, timeout=10).returncode
    except OSError as error:
        return error.errno + 1000
    finally:
        os.unlink(path)


@probe("32-bit programs are not let in", "build")
def no_32_bits(facts):
    status = run_32_bits(facts)
    return "one runs" if 0 <= status < 1000 else None


@probe("a 32-bit program with text relocations", "server")  # F1, F2
def f1_f2(facts):
    status = run_32_bits(facts)
    if status != 42 and facts.get("no_32_bits"):
        raise Skip("this kernel runs no 32-bit programs")
    return None if status == 42 else f"ends with {status}"


@probe("memory that is writable and executable", "server")  # F2
def f2(_facts):
    granted = _writable_and_executable()
    return None if granted == ["mmap", "mprotect"] else f"only {' and '.join(granted) or 'nothing'}"
