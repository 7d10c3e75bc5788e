"""run_sandboxed_script(): builds an overlay by its unit. To be copied into the web application; standard library only.

Everything privileged goes through sudo, by commands that are letter for letter those of /run/left4me/sudoers.d/left4me.
A build writes to one stream: on_stdout gets all its lines in their order, on_stderr what systemd says of a failure. All three
callbacks run in the caller's thread, should_cancel about ten times a second.
"""
import contextlib
import json
import os
import select
import subprocess
import threading
import time

SUDO = os.environ.get("SUDO", "sudo")  # or sudo-rs
JOURNAL = "/usr/bin/journalctl", "--no-pager", "-o", "json", "-n"
UNIT_STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"  # sd-messages.h


class ScriptFailed(Exception):
    """The text says whether the build failed, was cancelled or not started, with Result, ExecMainStatus and the reason."""


def sudo(*command, stdout=subprocess.DEVNULL, **streams):
    return subprocess.Popen([SUDO, "-n", *command], stdin=subprocess.DEVNULL, stdout=stdout, **streams)


def read_journal(unit):
    process = sudo(*JOURNAL, "200", "-u", unit, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines, error = process.communicate()
    if process.returncode != 0:
        raise ScriptFailed(f"{unit}: no log: {error.decode(errors='replace').strip()}")
    return [json.loads(line) for line in lines.splitlines() if line.startswith(b"{")]  # not "-- Boot ... --"


def follow_journal(unit):
    """None when it follows; then up to 200 entries of the past and without a gap those that come, with a None every 0.1 s."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip().replace("-", "")
    # -f knows this boot only. When it finds nothing there, systemd 257 passes over the first lines to come, but not with "all".
    number = "200" if any(entry["_BOOT_ID"] == boot for entry in read_journal(unit)) else "all"
    tail = sudo(*JOURNAL, number, "-u", unit, "-f", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rest = b""
    try:
        if number != "all":  # from its first line on it misses none; with "all" it may come when it likes
            select.select([tail.stdout], [], [], 10)
        while True:
            yield None
            if select.select([tail.stdout], [], [], 0.1)[0]:
                data = os.read(tail.stdout.fileno(), 16384)
                if not data:
                    raise ScriptFailed(f"{unit}: journalctl -f has ended")
                *lines, rest = (rest + data).split(b"\n")
                yield from map(json.loads, lines)
    finally:
        # It is root's and takes no signal from here, but it ends when nobody reads. Else a later Popen() reaps it.
        tail.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            tail.wait(5)


def run_of(entry):
    """Its invocation. The manager's own lines have it under another name; a last line may come without."""
    return entry.get("INVOCATION_ID" if entry.get("_PID") == "1" else "_SYSTEMD_INVOCATION_ID")


def text(entry):
    """Its line. One that is no UTF-8 comes as a list of bytes, one of 4 KiB or more not at all."""
    message = entry.get("MESSAGE") or "(a line too long to be shown)"
    return message if isinstance(message, str) else bytes(message).decode("utf-8", "replace")


def stop(unit, start):
    """Again until the start has ended: a stop that overtakes it finds nothing to stop."""
    while start.poll() is None:
        sudo("/usr/bin/systemctl", "stop", unit).wait()
        with contextlib.suppress(subprocess.TimeoutExpired):
            start.wait(0.5)


def run_sandboxed_script(overlay_id, on_stdout, on_stderr, should_cancel):
    """Returns when the build has succeeded, else raises ScriptFailed. What a callback raises stops the build, too."""
    unit = f"build-overlay@{int(overlay_id)}.service"
    with contextlib.closing(follow_journal(unit)) as entries:
        next(entries)
        if should_cancel():
            raise ScriptFailed(f"{unit} cancelled before its start")
        begin = heard = time.monotonic()
        run = last = is_over = None
        start = sudo("/usr/bin/systemctl", "start", unit, stderr=subprocess.PIPE, text=True, errors="replace")
        canceller = threading.Thread(target=stop, args=(unit, start))
        try:
            for entry in entries:
                if entry:
                    if entry.get("MESSAGE_ID") == UNIT_STARTING and int(entry["__MONOTONIC_TIMESTAMP"]) >= begin * 1e6:
                        run = run_of(entry)
                    if run and run_of(entry) in (run, None):
                        is_over = is_over or "JOB_RESULT" in entry
                        if entry["_TRANSPORT"] == "stdout":
                            on_stdout(text(entry))
                        elif "MESSAGE_ID" in entry and int(entry["PRIORITY"]) <= 4:
                            on_stderr(text(entry))
                    heard, last = time.monotonic(), entry["__CURSOR"]
                elif start.poll() is None:
                    heard = time.monotonic()
                    if not canceller.ident and should_cancel():
                        canceller.start()
                # The last lines may come behind the manager's, and -f lags behind the journal: that says where the end is.
                elif (quiet := time.monotonic() - heard) > (0.1 if is_over else 2) and (
                        quiet > 10 or [entry["__CURSOR"] for entry in read_journal(unit)[-1:]] in ([], [last])):
                    break
        finally:
            stop(unit, start)
            error = start.communicate()[1].partition("\n")[0]
            if canceller.ident:
                canceller.join()
    if start.returncode != 0:  # first of all: a failed Assert leaves Result=success
        state = subprocess.check_output(["/usr/bin/systemctl", "show", "--property=Result,ExecMainStatus", unit], text=True)
        how = "cancelled" if canceller.ident else "failed" if run else "not started"
        raise ScriptFailed(f"{unit} {how}: {' '.join(state.split())}: {error}")
