"""A web application for web.sh, in Flask: what it answers shows what its unit leaves it. SUDO comes with each request."""
import contextlib
import ctypes
import mmap
import os
import pty
import socket
import sqlite3
import subprocess
import sys

from flask import Flask, Response, request

STATE = "/var/lib/left4me"
DATABASE = STATE + "/left4me.db"


def sudo(words):
    return subprocess.Popen([request.args["sudo"], "-n", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)


def sudo_on_terminal(words):
    """Only then does use_pty make a third process, between sudo and the command."""
    ours, terminal = pty.openpty()
    process = subprocess.Popen(["setsid", "--ctty", request.args["sudo"], "-n", *words], stdin=terminal, stdout=terminal,
                               stderr=terminal)
    os.close(terminal)
    return process, ours


def status(*keys):
    with open("/proc/self/status", encoding="ascii") as file:
        lines = dict(line.split(":\t", 1) for line in file)
    return ",".join(f"{key} {lines[key].strip()}" for key in keys)


def tries(action):
    """The name of what came of it."""
    try:
        action()
    except OSError as error:
        return os.strerror(error.errno)
    return "done"


def setuid_file():
    path = STATE + "/setuid"
    with open(path, "wb"):
        pass
    try:
        os.chmod(path, 0o4755)
    finally:
        os.unlink(path)


def setgid_program():
    sys.path.append("/usr/local/libexec/left4me/selftest.d")
    from probes.kernel import setgid_program as try_calls       # pylint: disable=import-error,import-outside-toplevel
    if not any(try_calls(None).values()):
        os.setxattr(DATABASE, "user.try", b"")


def write(path):
    with open(path, "ab"):
        pass


def io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 1, ctypes.create_string_buffer(120)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")


def written_program():
    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def move(path):
    os.rename(path, path + ".moved")
    os.rename(path + ".moved", path)


ACTIONS = {
    "a setuid file": setuid_file,
    "a setgid program": setgid_program,
    "a file in the state directory": lambda: write(STATE + "/written"),
    "a file in the virtual environment": lambda: write(STATE + "/.venv/bin/gunicorn"),
    "another virtual environment": lambda: move(STATE + "/.venv"),
    "io_uring": io_uring,
    "memory to write and execute": written_program,
    "a network interface's name": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close(),
    "a device": lambda: os.stat("/dev/kvm" if os.path.exists("/dev/kvm") else "/dev/loop-control"),
}


def create_app():
    app = Flask(__name__)

    @app.get("/status")
    def show_status():
        return status("NoNewPrivs", "CapBnd", "Umask") + "\n"

    @app.get("/try")
    def show_tries():
        return "".join(f"{name}: {tries(action)}\n" for name, action in ACTIONS.items())

    @app.get("/rows")
    def show_rows():
        with contextlib.closing(sqlite3.connect(DATABASE)) as db, db:
            db.execute("UPDATE servers SET title = 'written' WHERE name = 'alpha'")
            return " ".join(row[0] for row in db.execute("SELECT name FROM servers ORDER BY name")) + "\n"

    @app.get("/sudo")
    def run():
        process = sudo(request.args["command"].split())
        return f"{process.communicate()[0].decode(errors='replace')}status {process.returncode}\n"

    @app.get("/log")
    def follow():
        command = request.args["command"].split()
        if "terminal" in request.args:
            process, output = sudo_on_terminal(command)
        else:
            process = sudo(command)
            output = os.dup(process.stdout.fileno())
            process.stdout.close()

        def lines():
            try:
                while data := os.read(output, 16384):
                    yield data
            finally:
                os.close(output)
                process.poll()
        return Response(lines(), mimetype="application/x-ndjson")

    @app.cli.command("workshop-refresh")
    def refresh():
        print("refresh:", status("NoNewPrivs", "CapBnd", "Seccomp", "Umask"))
        for name, action in ACTIONS.items():
            print(f"refresh: {name}: {tries(action)}")
        with contextlib.closing(sqlite3.connect(DATABASE)) as db, db:
            db.execute("UPDATE servers SET title = 'refreshed' WHERE name = 'alpha'")
        for program in "sudo", "sudo-rs":
            done = subprocess.run([program, "-n", "/usr/bin/systemctl", "stop", "left4me-server@off.service"], check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            print(f"refresh: {program}: status {done.returncode} {done.stdout.strip()[:100]}")
        print("refresh: done", flush=True)

    return app
