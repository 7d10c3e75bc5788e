#!/usr/bin/env python3
"""
Hostile files at random (design.md §10): 2000 mutations, the same in every run, of a database's bytes and of the
configuration's, each through `check --root=DIR` of the whole program. Never a signal, in the reading child neither,
never 5 s, never another exit status than 0, 1, 2; with a sanitized build (which takes fewer) not a line from it.

`fuzz.t NUMBER` runs one mutation, leaves its files in place and shows the output.
"""

import concurrent.futures
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.realpath(os.environ.get("BUILD", os.path.join(HERE, "../build")))
GENERATOR = BUILD + "/left4me-generator"
PATIENCE = 5      # seconds, of a run
BUDGET = 50       # seconds, of all
DATABASE = "var/lib/left4me/left4me.db"
FILES = ["etc/left4me/left4me.conf", "etc/left4me/host.env", "etc/left4me/web.env"]

CONFIGURATION = {
    FILES[0]: b"""# every key
[host]
root = /var/lib/left4me
database = /var/lib/left4me/left4me.db
source = /opt/left4me/src
helpers = /usr/local/libexec/left4me
user = left4me
group = left4me
uid = 980
gid = 980
cpus = 8
system_cpus = 0,4

[web]
enabled = yes
venv = /var/lib/left4me/.venv
bind = 127.0.0.1:8000
workers = 1
threads = 32

[game]
ports = 20000-39999
strict_ports = no
memory_high = 1.5G
memory_max = 2G
tasks_max = 256
nice = -5

[build]
memory_max = 4G
tasks_max = 512
cpu_quota = 200%
timeout = 1h
unix_sockets = no
resolv_conf = /etc/left4me/sandbox-resolv.conf
denied_addresses = 203.0.113.10/32 2001:db8::/64

[workshop]
refresh = *-*-* 04:00:00
""",
    FILES[1]: b"LEFT4ME_ROOT=/var/lib/left4me\nDATABASE_URL=sqlite:////var/lib/left4me/left4me.db\n"
              b"LEFT4ME_PORT_RANGE_START=20000\nLEFT4ME_PORT_RANGE_END=\"39999\"\n",
    FILES[2]: b"SECRET_KEY='not a secret'\n# comment\nSESSION_COOKIE_SECURE=1\n",
}

WORDS = [b"\0", b"\n", b"\r\n", b"[", b"]", b"[host]", b"=", b";", b" ;", b"#", b"'", b'"', b"\\", b"\t", b"%", b"-", b",",
         b"/", b"..", b"x" * 190, b"x" * 200, b"x" * 5000, b"9" * 40, b"0", b"-1", b"8191", b"8192", b"65536", b"infinity",
         b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[0m", b"include", b"0-8191", b"1e309", b"@NAME@", b"%n%s%d"]
SCHEMA = re.compile(rb"CREATE|SELECT|FROM|AS|servers|overlays|name|port|generator_[a-z]+")
SQL = [b"load_extension", b"x", b"randomblob(1e9)", b"1;", b"'", b"((((((((", b"sqlite_schema", b"\0"]
NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]


def mutate_text(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            data[at:at] = rng.choice(WORDS)
        elif kind == 1:
            data[at:at + rng.randrange(1, 60)] = b""
        elif kind == 2:
            data[at:at + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            data[at:at] = data[rng.randrange(len(data) + 1):][:rng.randrange(200)]
        elif kind == 4:      # a value is another one
            lines = bytes(data).split(b"\n")
            line = rng.randrange(len(lines))
            lines[line] = lines[line].split(b"=")[0] + b"=" + rng.choice(WORDS)
            data = bytearray(b"\n".join(lines))
        elif rng.random() < 0.1:
            data = data * rng.randrange(2, 90)
    return bytes(data[:200000])


def mutate_database(rng, data):
    data, page = bytearray(data), 4096
    for _ in range(rng.choice([1, 1, 2, 3, 8, 40])):
        kind, pages = rng.randrange(9), max(1, len(data) // page)
        start = rng.randrange(pages) * page
        if not data:
            break
        if kind == 0:        # the file's header
            data[rng.randrange(min(100, len(data)))] = rng.randrange(256)
        elif kind == 1:      # a page's header and pointers to cells
            at = start + (100 if start == 0 else 0) + rng.randrange(40)
            if at < len(data):
                data[at] = rng.choice([0, 1, 2, 5, 10, 13, 0x7f, 0x80, 0xff, rng.randrange(256)])
        elif kind == 2:      # where cells are, at the end of a page
            at = min(len(data) - 1, start + page - 1 - rng.randrange(600))
            data[at] = rng.randrange(256)
        elif kind == 3:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 4:
            at, width = rng.randrange(len(data)), rng.choice([1, 2, 4])
            data[at:at + width] = (rng.choice(NUMBERS) & (256 ** width - 1)).to_bytes(width, "big")
        elif kind == 5:      # a page is another one
            other = rng.randrange(pages) * page
            data[start:start + page] = data[other:other + page]
        elif kind == 6:      # the schema's text
            match = rng.choice(list(SCHEMA.finditer(bytes(data))) or [None])
            if match:
                word = rng.choice(SQL)
                data[match.start():match.start() + len(word)] = word
        elif kind == 7 and rng.random() < 0.3:
            del data[rng.randrange(len(data)):]
        elif kind == 8 and rng.random() < 0.3:
            data += rng.randbytes(rng.choice([1, 100, 4096]))
    return bytes(data)


def mutation(number, database):
    """{path: bytes}, what is not as in the valid host."""
    rng = random.Random(number)
    if number % 10 < 7:
        return {DATABASE: mutate_database(rng, database)}
    path = rng.choice([FILES[0], FILES[0], FILES[0], FILES[1], FILES[2]])
    return {path: mutate_text(rng, CONFIGURATION[path])}


def overwrite(path, data):
    """In place, so that owner and mode stay."""
    with open(path, "r+b") as file:
        file.truncate(0)
        file.write(data)


class Host:
    """A host of a thread's own."""

    def __init__(self, folder, number):
        self.root = f"{folder}/{number}"
        subprocess.run([f"{HERE}/bench/make-root", self.root, "12"], check=True)
        for path, data in CONFIGURATION.items():
            open(f"{self.root}/{path}", "wb").close()
            os.chmod(f"{self.root}/{path}", 0o644)
            overwrite(f"{self.root}/{path}", data)
        with open(f"{self.root}/{DATABASE}", "rb") as file:
            self.database = file.read()

    def check(self, changes):
        """Returns the exit status or None when the time is over, and all output."""
        for path, data in changes.items():
            overwrite(f"{self.root}/{path}", data)
        try:
            run = subprocess.run([GENERATOR, "check", f"--root={self.root}"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
            return run.returncode, run.stdout
        except subprocess.TimeoutExpired as expired:
            return None, expired.stdout or b""

    def restore(self, changes):
        for path in changes:
            overwrite(f"{self.root}/{path}", CONFIGURATION.get(path, self.database))


def what_is_wrong(status, output):
    if status is None:
        return f"took more than {PATIENCE} s"
    if status not in (0, 1, 2):
        return f"exit status {status}"
    if b"ended by signal" in output or b"did not give whole rows" in output:
        return "the reading child crashed"
    if b"Sanitizer" in output or b"runtime error" in output:
        return "the sanitizer found something"
    return None


COUNT = 0


def result(good, name, notes=()):
    global COUNT
    COUNT += 1
    print(f"{'ok' if good else 'not ok'} {COUNT} - {name}")
    for note in notes:
        print(f"# {note}")


def run_all(folder, numbers):
    """Runs them on all processors until the time is over; {number: (status, what is wrong)}."""
    local, lock, hosts, results = threading.local(), threading.Lock(), [], {}
    end = time.monotonic() + BUDGET

    def one(number):
        if time.monotonic() > end:
            return
        if not hasattr(local, "host"):
            with lock:
                hosts.append(number)
                local.host = Host(folder, len(hosts))
        changes = mutation(number, local.host.database)
        status, output = local.host.check(changes)
        local.host.restore(changes)
        results[number] = (status, what_is_wrong(status, output))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, numbers))
    return results


def main():
    folder = tempfile.mkdtemp(prefix="left4me-fuzz.")
    os.chmod(folder, 0o755)
    try:
        host = Host(folder, "valid")
        if sys.argv[1:]:
            changes = mutation(int(sys.argv[1]), host.database)
            status, output = host.check(changes)
            sys.stdout.buffer.write(output)
            print(f"exit status {status}; {', '.join(changes)} in {host.root}")
            folder = None
            return
        status, output = host.check({})
        result(status == 0, "the valid host is clean", [repr(output)] * (status != 0))
        sanitized = b"libasan" in subprocess.run(["readelf", "-d", GENERATOR], stdout=subprocess.PIPE, check=False).stdout
        numbers = range(400 if sanitized else 2000)
        results = run_all(folder, numbers)
        for kind, low, high in (("database", 0, 7), ("configuration", 7, 10)):
            mine = {n: r for n, r in results.items() if low <= n % 10 < high}
            wrong = {n: r[1] for n, r in mine.items() if r[1]}
            statuses = [r[0] for r in mine.values()]
            result(not wrong, f"{len(mine)} mutations of the {kind}",
                   [f"{what}: tests/fuzz.t {n}" for n, what in sorted(wrong.items())[:20]])
            result(statuses.count(1) + statuses.count(2) > len(mine) / 4,
                   f"many of which were seen: {statuses.count(0)} clean, {statuses.count(1)} problems")
        if len(results) < len(numbers):
            print(f"# {len(results)} of {len(numbers)} in {BUDGET} s")
        print(f"1..{COUNT}")
    finally:
        if folder:
            shutil.rmtree(folder)


main()
