"""What a script or a server does all day, and a sandbox must not break."""
import os
import socket
import stat
import subprocess
import urllib.parse

from probes import Skip, probe


def _run(script, *arguments):
    done = subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", script, "bash"] + list(arguments), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, timeout=24)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


# name, programs, script, what it prints; in a directory of its own below /overlay.
SCRIPTS = [
    ("bash", (), 'a=(1 2); f() { echo "${a[@]}"; }; cat <<<"$(f)" ; cat <(echo sub); wait', "1 2\nsub"),
    ("a here-document, a pipe, a background job", (), "cat <<X | tr a b\naa\nX\nsleep 0.01 & wait $!; echo $?", "bb\n0"),
    ("traps, sub-shells, exit codes", (), "trap 'echo end' EXIT; (exit 3) || echo $?; kill -0 $$", "3\nend"),
    ("mktemp and HOME", (), 'f=$(mktemp); echo x >"$f"; cat "$f"; rm "$f"; cd; pwd', "x\n/tmp"),
    ("OVERLAY, PATH", (), 'echo "$OVERLAY $PATH"', "/overlay /usr/bin:/usr/sbin"),
    ("/dev/null, zero, random", (), "head -c 3 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; : >/dev/null", "3\n4"),
    ("umask 0022: others may read", (), "echo x >f; mkdir d; stat -c %a f d", "644\n755"),
    ("awk", ("awk",), "echo a b | awk '{ print $2 }'", "b"),
    ("md5sum", ("md5sum",), "echo x | md5sum", "401b30e3b8b5d629635a5c613cdb7919  -"),
    ("sed -i, cp -a, mv, ln, chmod, touch, find", (), "echo a >f; sed -i s/a/b/ f; cp -a f g; t=$(mktemp); echo c >$t; mv $t h; "
     "ln -s f l; ln f m; chmod 600 g; touch -d @0 g; find . -type f | sort | xargs; cat h", "./f ./g ./h ./m\nc"),
    ("tar", ("tar", "gzip"), "mkdir d; echo x >d/f; tar czf t.tgz d; rm -r d; tar xzf t.tgz; cat d/f", "x"),
    ("7z", ("7z",), "mkdir d; echo x >d/f; 7z a t.7z d >log; rm -r d; 7z x t.7z >log; cat d/f", "x"),
    ("unzip", ("unzip", "python3"), "echo x >f; python3 -m zipfile -c t.zip f; rm f; unzip -q t.zip; cat f", "x"),
    ("xz", ("xz",), "echo x >f; xz -T2 f; xz -d f.xz; cat f", "x"),
    ("zstd", ("zstd",), "echo x >f; zstd -q -T2 f; rm f; zstd -q -d f.zst; cat f", "x"),
    ("python3", ("python3",), "python3 -c 'import json, subprocess, threading, tempfile; "
     "print(json.dumps(subprocess.run([\"true\"]).returncode))'", "0"),
    ("sort, date, stat, du, df, nproc, env", (), "seq 3 | sort -r | head -n 1; date +%s >/dev/null; du -s . >/dev/null; "
     "df . >/dev/null; nproc >/dev/null; env >/dev/null", "3"),
    ("a megabyte on standard output of a pipe", (), "head -c 1048576 /dev/zero | wc -c", "1048576"),
]


def _installed(programs):
    missing = [p for p in programs if not any(os.path.exists(f"{d}/{p}") for d in ("/usr/bin", "/usr/sbin"))]
    if missing:
        raise Skip(f"{' and '.join(missing)} not installed")


def _add_scripts():
    def make(programs, script, wanted):
        def works(_facts):
            _installed(programs)
            status, output, error = _run('cd "$(mktemp -d -p /overlay)"; ' + script)
            subprocess.run("rm -rf /overlay/tmp.*", shell=True, check=False)
            return None if (status, output) == (0, wanted) else f"status {status}, {output!r}, {error!r}"
        return works

    for name, programs, script, wanted in SCRIPTS:
        probe(f"works: {name}", "build")(make(programs, script, wanted))


_add_scripts()


@probe("works: files belong to the user outside", "build", "server")
def ownership(facts):
    path = facts.get("own") + "/.owned"
    open(path, "w", encoding="ascii").close()
    details = os.stat(path)
    os.unlink(path)
    return None if (details.st_uid, details.st_gid) == (os.getuid(), os.getgid()) != (0, 0) else f"{details.st_uid}:{details.st_gid}"


@probe("works: the given resolvers", "build")
def resolvers(facts):
    with open("/etc/resolv.conf", encoding="utf-8") as file:
        found = [line.split()[1] for line in file if line.startswith("nameserver ")]
    wanted = facts.all("resolver")
    return None if found and found == wanted else f"resolv.conf has {found}, not {wanted}"


@probe("works: names and HTTPS", "build")
def https(facts):
    if not facts.get("internet"):
        raise Skip("no address given")
    _installed(("curl",))
    url = facts.get("internet")
    host = urllib.parse.urlsplit(url).hostname
    answers = {}
    try:
        answers["getaddrinfo"] = None if socket.getaddrinfo(host, 443) else "nothing"
    except OSError as error:
        answers["getaddrinfo"] = str(error)
    status, output, error = _run('curl -sS --fail --max-time 20 -o "$OVERLAY/.page" "$1" && head -c 99 "$OVERLAY/.page"; rm -f "$OVERLAY/.page"', url)
    wanted = facts.get("internet_says")
    good = status == 0 and (not wanted or output == wanted)
    answers["curl"] = None if good else f"status {status}, {output!r}, {error!r}"
    if facts.get("internet_rebinds"):
        status, output, _ = _run('curl -ksS --max-time 1 "$1"', facts.get("internet_rebinds"))
        answers["a name for a loopback address leads nowhere"] = None if status else f"answers {output!r}"
    return answers


# --- the server's -----------------------------------------------------------------------------------------------------

@probe("/proc/cpuinfo", "server")  # F3
def f3(_facts):
    answers = {}
    for path in ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel/random/boot_id"):
        try:
            with open(path, encoding="ascii") as file:
                answers[path[6:]] = None if file.read(99) else "is empty"
        except OSError as error:
            answers[path[6:]] = error.strerror
    return answers


@probe("a PID namespace of its own", "server")  # F4
def f4(_facts):
    with open("/proc/1/comm", encoding="ascii") as file:
        first = file.read().strip()
    return "process 1 is systemd" if first == "systemd" else None


@probe("visible, and not to be written:", "server")  # F5, F9
def f5(facts):
    answers = {}
    for path in facts.all("visible"):
        try:
            if os.path.isdir(path):
                os.listdir(path)
            else:
                with open(path, "rb"):
                    pass
            answers[path] = "can be written" if os.access(path, os.W_OK) else None
        except OSError as error:
            answers[path] = error.strerror
    return answers


@probe("what the process has", "server")  # F7, F8
def f8(_facts):
    old = os.umask(0o77)
    os.umask(old)
    wrong = [] if old == 0o27 else [f"umask {old:o}"]
    import resource  # pylint: disable=import-outside-toplevel
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 20000:
        wrong.append(f"{resource.getrlimit(resource.RLIMIT_NOFILE)[1]} files")
    return ", ".join(wrong) or None


@probe("works: its own directory can be written, threads, AF_UNIX pairs", "server")
def own_directory(facts):
    import threading  # pylint: disable=import-outside-toplevel
    path = facts.get("own") + "/.written"
    with open(path, "w", encoding="ascii") as file:
        file.write("x")
    os.unlink(path)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    for s in socket.socketpair():
        s.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        return None if stat.S_ISSOCK(os.fstat(s.fileno()).st_mode) else "no socket"
