#!/usr/bin/env python3
"""
left4me-fetch-script refuses while the build could reach the host it runs on. The address and interface filters of a unit
are BPF programs on its control group, which refuse with EPERM.

In a network namespace whose only interface is lo, with the addresses that a test gives it; and in a control group of
its own with filters like systemd's: one that refuses everything, one that refuses one family only.
"""

import fcntl
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "fetch"))
from bed import *  # noqa: E402,F403

enter()

SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCDIFADDR = 0x8916, 0x8913, 0x8914, 0x8936
V4, V6 = "203.0.113.5", "2a00:1::5"      # of documentation, and public: no rule of the unit's IPAddressDeny= has them


def set_lo(up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", 1 if up else 0))


def set_v4(label, address):
    """On an alias of its own, beside what lo has; 0.0.0.0 takes the address away."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFADDR, struct.pack("16sHH4s8x", label, socket.AF_INET, 0, socket.inet_aton(address)))


def change_v6(call, address, interface="lo"):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, call, struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), 128,
                                   socket.if_nametoindex(interface)))


def wait_for_v6():
    """The kernel takes up an address in a work queue; until then sendto(2) says EADDRNOTAVAIL or ENETUNREACH."""
    tentative, deadline = 0x40, time.monotonic() + 5
    while time.monotonic() < deadline:
        with open("/proc/self/net/if_inet6", encoding="ascii") as file:
            flags = [int(line.split()[4], 16) for line in file]
        with open("/proc/self/net/ipv6_route", encoding="ascii") as file:
            routes = {line.split()[0] for line in file}
        if not any(f & tentative for f in flags) and socket.inet_pton(socket.AF_INET6, V6).hex() in routes:
            return
        time.sleep(0.01)


def give(*addresses):
    """lo with exactly these."""
    set_lo(False)
    set_lo(True)
    for address in {"127.0.0.1", "::1", V4, V6} - set(addresses):
        try:
            if ":" in address:
                change_v6(SIOCDIFADDR, address)
            else:
                set_v4(b"lo" if address == "127.0.0.1" else b"lo:1", "0.0.0.0")
        except OSError:
            pass
    for address in set(addresses) - {"127.0.0.1", "::1"}:
        if ":" in address:
            change_v6(SIOCSIFADDR, address)
        else:
            set_v4(b"lo:1", address)
    if V6 in addresses:
        wait_for_v6()


def refused_at(address, name, **options):
    fresh_runtime()
    Run(**options).fails("could reach the host itself at %s of lo.*filter is not enforced" % address, name)


def let_through(name, **options):
    fresh_runtime()
    Run(**options).gives("echo hello\n", name)


database((7, "echo hello\n"))
let_through("no address at all: there is nothing to reach")
give("127.0.0.1", "::1")
refused_at("127.0.0.1", "loopback can be reached")
fresh_runtime()
run = Run()
ok(run.script is None and run.seconds < 2, "... which is found out in %.2f s" % run.seconds)
for addresses, name in ((("127.0.0.1",), "IPv4 loopback only"), ((V4,), "an IPv4 address only"),
                        (("::1",), "IPv6 loopback only"), ((V6,), "an IPv6 address only")):
    try:
        give(*addresses)
    except OSError as error:
        skip("this address cannot be given here: %s" % error, name)
        continue
    refused_at(addresses[0], name)
give("127.0.0.1")
for error in ("EACCES", "ENETUNREACH", "EHOSTUNREACH", "EINVAL", "EAGAIN", "ENOBUFS", "EADDRNOTAVAIL"):
    name = "%s is no proof of a filter" % error
    if shutil.which("strace"):
        # the first two go to netlink, which tells the addresses
        refused_at("127.0.0.1", name, before=("strace", "-o", "/dev/null", "-e", "inject=sendto:error=%s:when=3+" % error))
    else:
        skip("strace is not installed", name)
os.rename(DATABASE, DATABASE + ".away")
refused_at("127.0.0.1", "it is refused before the database is looked at")
os.rename(DATABASE + ".away", DATABASE)

# --- filters of a control group, as PID 1 attaches them

BPF_PROG_LOAD, BPF_PROG_ATTACH, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI = 5, 8, 8, 1, 2
SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}.get(os.uname().machine)


def bpf(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(SYS_BPF, command, ctypes.create_string_buffer(attributes, 128), 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def instruction(code, destination=0, source=0, offset=0, value=0):
    return struct.pack("=BBhi", code, destination | source << 4, offset, value)


# r0 = whether to let pass. The packet's family comes from its first four bits: __sk_buff.protocol is at 16.
RETURN = instruction(0x95)
REFUSE_ALL = instruction(0xb7, 0) + RETURN
REFUSE_V4 = (instruction(0xb7, 0, value=1) + instruction(0x61, 2, 1, 16) +
             instruction(0x55, 2, offset=1, value=socket.htons(0x0800)) + instruction(0xb7, 0) + RETURN)
REFUSE_V6 = (instruction(0xb7, 0, value=1) + instruction(0x61, 2, 1, 16) +
             instruction(0x55, 2, offset=1, value=socket.htons(0x86dd)) + instruction(0xb7, 0) + RETURN)


class Group:
    """A control group with such a program; `join` is a preexec_fn."""

    def __init__(self, top, name, program):
        self.path = "%s/%s" % (top, name)
        os.mkdir(self.path)
        text, license_ = ctypes.create_string_buffer(program), ctypes.create_string_buffer(b"GPL")
        attributes = struct.pack("IIQQIIQII", BPF_PROG_TYPE_CGROUP_SKB, len(program) // 8, ctypes.addressof(text),
                                 ctypes.addressof(license_), 0, 0, 0, 0, 0)
        try:
            loaded = bpf(BPF_PROG_LOAD, attributes)
            directory = os.open(self.path, os.O_RDONLY)
            bpf(BPF_PROG_ATTACH, struct.pack("IIII", directory, loaded, BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI))
        except OSError:
            os.rmdir(self.path)
            raise

    def join(self):
        with open(self.path + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")


groups = []
try:
    top = STAGE + "/cgroup"
    os.mkdir(top)
    mount("-t", "cgroup2", "cgroup2", top)
    for name, program in (("all", REFUSE_ALL), ("v4", REFUSE_V4), ("v6", REFUSE_V6)):
        groups.append(Group(top, "left4me-test-%d-%s" % (os.stat(STAGE).st_ino * 100000 + int(time.time() * 1000) % 100000, name),
                            program))
except (OSError, subprocess.CalledProcessError) as error:
    skip("no filter can be attached to a control group here: %s" % error, "what a filter refuses")
else:
    every, only_v4, only_v6 = groups
    give("127.0.0.1", "::1", V4, V6)
    let_through("everything is refused by a filter", preexec_fn=every.join)
    refused_at("203.0.113.5|127.0.0.1", "not in the filter's group", preexec_fn=lambda: None)
    refused_at("(::1|%s)" % V6, "IPv6 gets past the filter", preexec_fn=only_v4.join)
    refused_at("(127.0.0.1|%s)" % V4, "IPv4 gets past the filter", preexec_fn=only_v6.join)
    give("127.0.0.1", V4)
    let_through("no IPv6 address: IPv4 is all there is to refuse", preexec_fn=only_v4.join)
    name = "an IPv6 address that is still tentative: nobody answers to it"
    try:
        tap = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"l4mtap", 0x1002))     # TUNSETIFF, IFF_TAP | IFF_NO_PI
        change_v6(SIOCSIFADDR, V6, "l4mtap")
    except OSError as error:
        skip("no tap interface here: %s" % error, name)
    else:
        let_through(name, preexec_fn=only_v4.join)
finally:
    for group in groups:
        os.rmdir(group.path)

done()
