#!/usr/bin/python3
"""filter.py server|update|build|web|refresh PID LIST: what the seccomp filters that systemd compiled for process PID make of the calls of LIST.

As root. The programs are read from the kernel by ptrace and run here on made-up calls, so nothing is tried that could do
harm, and 32-bit and x32 calls can be asked for as well. TAP lines without a plan; the caller counts.
"""
import ctypes
import os
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
ATTACH, DETACH, GET_FILTER = 16, 17, 0x420C
X86_64, I386, X32 = 0xC000003E, 0x40000003, 0x40000000
ALLOW = 0x7FFF0000


def filters_of(pid):
    """Every program of the process, as lists of instructions."""
    if LIBC.ptrace(ATTACH, pid, None, None) != 0:
        sys.exit(f"filter.py: ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(pid, 0x40000000)
    found = []
    try:
        while (count := LIBC.ptrace(GET_FILTER, pid, len(found), None)) > 0:
            data = ctypes.create_string_buffer(count * 8)
            LIBC.ptrace(GET_FILTER, pid, len(found), ctypes.addressof(data))
            found.append([struct.unpack_from("=HBBI", data, 8 * i) for i in range(count)])
    finally:
        LIBC.ptrace(DETACH, pid, None, None)
    return found


def run(program, data):
    """One classic BPF program over a struct seccomp_data: the 32-bit result."""
    accumulator = index = at = 0
    memory = [0] * 16
    while True:
        operation, if_true, if_false, k = program[at]
        at += 1
        kind = operation & 7
        operand = index if operation & 8 else k
        if kind == 0:                                   # ld
            mode = operation & 0xE0
            accumulator = {0x00: k, 0x20: struct.unpack_from("=I", data, k & 63)[0], 0x60: memory[k & 15], 0x80: 64}[mode]
        elif kind == 1:                                 # ldx
            index = memory[k & 15] if operation & 0xE0 == 0x60 else k
        elif kind == 2:
            memory[k] = accumulator
        elif kind == 3:
            memory[k] = index
        elif kind == 4:                                 # alu
            accumulator = {0x00: lambda a, b: a + b, 0x10: lambda a, b: a - b, 0x20: lambda a, b: a * b,
                           0x30: lambda a, b: a // b, 0x40: lambda a, b: a | b, 0x50: lambda a, b: a & b,
                           0x60: lambda a, b: a << (b & 31), 0x70: lambda a, b: a >> (b & 31), 0x80: lambda a, b: -a,
                           0xA0: lambda a, b: a ^ b}[operation & 0xF0](accumulator, operand) & 0xFFFFFFFF
        elif kind == 5:                                 # jmp
            test = operation & 0xF0
            if test == 0x00:
                at += k
                continue
            holds = {0x10: accumulator == operand, 0x20: accumulator > operand, 0x30: accumulator >= operand,
                     0x40: bool(accumulator & operand)}[test]
            at += if_true if holds else if_false
        elif kind == 6:                                 # ret
            return accumulator if operation & 0x18 == 0x10 else k
        elif operation & 0xF8 == 0x80:                  # txa
            accumulator = index
        else:                                           # tax
            index = accumulator


def verdict(programs, architecture, number, arguments):
    """As the kernel has it: the action that stands first in the order, which is the least as a signed number."""
    data = struct.pack("=iIQ6Q", number, architecture, 0x1000, *arguments)
    results = [run(program, data) & 0xFFFF0000 for program in programs]
    return min(results, key=lambda r: r - (1 << 32) if r & 0x80000000 else r)


ARGUMENTS = [[0] * 6, [0xFFFFFFFFFFFFFFFF] * 6, [1] * 6, [0x11, 0, 0, 0, 0, 0]]


def is_allowed(programs, architecture, number):
    return any(verdict(programs, architecture, number, arguments) == ALLOW for arguments in ARGUMENTS)


def resolver():
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    return lambda architecture, name: library.seccomp_syscall_resolve_name_arch(architecture, name.encode())


def denied(path, letter):
    with open(path, encoding="ascii") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return [name for units, *names in lines if letter in units for name in names]


def say(good, name, detail=""):
    print(f"{'pass' if good else 'FAIL'} {name}{'' if good else ' => ' + detail}")


def main():
    unit, pid, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    programs, resolve = filters_of(pid), resolver()
    say(len(programs) > 0 and os.uname().machine == "x86_64", "there are filters, of a processor that is known here")
    # The least of what any program needs: a simulation that refuses everything would find everything refused.
    missing = [name for name in ("read", "write", "openat", "mmap", "execve", "exit_group", "clone", "futex", "epoll_wait")
               if not is_allowed(programs, X86_64, resolve(X86_64, name))]
    say(not missing, "the calls that every program needs are there", " ".join(missing))
    for name in denied(path, unit[0].upper()):
        places = []
        for word, architecture, bit in (("x86-64", X86_64, 0), ("x32", X86_64, X32), ("32-bit", I386, 0)):
            number = resolve(architecture, name)
            if number >= 0 and is_allowed(programs, architecture, number | bit):
                places.append(word)
        say(not places, f"the compiled filter refuses {name}", "allowed as " + " and ".join(places))
    for word, architecture, bit in (("x32", X86_64, X32),) + ((("32-bit", I386, 0),) if unit not in ("server", "update") else ()):
        allowed = [n for n in range(600) if is_allowed(programs, architecture, n | bit)]
        say(not allowed, f"no {word} call passes", f"{len(allowed)}, the first {allowed[:5]}")
    unknown = [n for n in range(600, 1200) if is_allowed(programs, X86_64, n)]
    say(not unknown, "a call that is not invented yet does not pass", str(unknown[:5]))


main()
