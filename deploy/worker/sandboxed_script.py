"""run_sandboxed_script(): runs the unit that builds an overlay; run_update(): the one that updates the game. For copying into a
web application; standard library only.

Everything privileged goes through sudo, with the very commands of /run/left4me/sudoers.d/left4me. A build writes to one
stream: on_stdout gets its lines in their order, on_stderr what systemd says about a failure. All three callbacks run in the
caller's thread, should_cancel about ten times a second.
"""
import contextlib
import json
import os
import re
import select
import signal
import sqlite3
import subprocess
import threading
import time

SUDO = os.environ.get("SUDO", "sudo")  # or sudo-rs
JOURNAL = "/usr/bin/journalctl", "--no-pager", "-a", "-o", "json", "-n"
REPORT = "/run/left4me/report"
DATABASE = "/var/lib/left4me/left4me.db"
UPDATE = "left4me-update.service"
# What may fail beside the script, as `systemctl show` has it.
BESIDE = {"not begun": "ExecStartPre=.*", "not committed": r"ExecStart=.*/left4me-overlay (?:--root=\S+ )?commit .*",
          "not discarded": "ExecStopPost=.*"}
UNIT_STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"  # sd-messages.h


class ScriptFailed(Exception):
    """kind is "failed", "cancelled", "not started", "no log", or one of three that are not the script's (left4me-overlay(8)): "not begun",
    "not committed" (it succeeded, its overlay stays as it was), "not discarded" (all is done but for removing the rest). result is
    systemd's Result of a build that failed, status what the failing part of it ended with: of a script that was killed by
    a signal 128 and more; else both are None. The text has all of it, and the reason."""

    def __init__(self, unit, kind, reason="", result=None, status=None):
        of = "ExecMainStatus" if kind == "failed" else "status"
        how = kind if result is None else f"{kind}: Result={result} {of}={status}{name_of_signal(result, status)}"
        super().__init__(f"{unit} {how}: {reason}" if reason else f"{unit} {how}")
        self.kind, self.result, self.status = kind, result, status


def name_of_signal(result, status):
    """What a status may mean besides a number: " (SIGTERM)"."""
    number = status - 128 if status > 128 else 0 if result == "exit-code" else status
    return f" ({signal.Signals(number).name})" if number in set(signal.Signals) else ""


def sudo(*command, stdout=subprocess.DEVNULL, **streams):
    """In a session of its own: what is typed on a terminal is for the caller, who cancels, and not for `systemctl start` or the log."""
    return subprocess.Popen([SUDO, "-n", *command], stdin=subprocess.DEVNULL, stdout=stdout, start_new_session=True, **streams)


def why_denied(unit, error):
    """What sudo says of a command for which it has no rule is that it wants a password. The reason: what the last reload
    refused of the unit's row, that there was no reload since, or that there is no row. Any other error is its own reason."""
    if not error.startswith("sudo"):
        return error
    if unit == UPDATE:
        return "not allowed: [update] command and web_may_start say so"
    kind, _, name = unit.removesuffix(".service").partition("@")
    place, view, row = ((f"(instance '{name}')", "generator_instances", "name = ?") if kind == "left4me-server" else
                        (f"(overlay {name})", "generator_overlays", "id = CAST(? AS INTEGER) AND script <> ''"))
    with open(REPORT, encoding="utf-8", errors="replace") as report:
        for line in map(str.strip, report):  # what stays in force has another form; left4me-views(5)
            if re.match(rf"\w+, row \d+ {re.escape(place)}, ", line) or line.startswith(f"{view}: beyond ") and name in line.rpartition(": ")[2].split():
                return f"refused: {line}"
    if os.path.exists(f"/run/systemd/generator/{unit}"):
        return error
    with contextlib.closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True, timeout=1)) as database:
        known = database.execute(f"SELECT 1 FROM {view} WHERE {row}", (name,)).fetchone()
    return "not reloaded yet" if known else "unknown: it has no row"


def read_journal(unit):
    for _ in range(5):
        process = sudo(*JOURNAL, "200", "-u", unit, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines, error = process.communicate()
        if process.returncode != 0:
            raise ScriptFailed(unit, "no log", why_denied(unit, error.decode(errors="replace").strip()))
        if not lines or lines.endswith(b"\n"):  # sudo's own I/O logging cuts one call in a hundred short
            break
    return [json.loads(line) for line in lines.splitlines() if line.startswith(b"{")]  # not "-- Boot ... --"


def follow_journal(unit):
    """Yields None once it follows the log, then up to 200 past entries and, without a gap, the new ones. While there is
    none it yields None every 0.1 s."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip().replace("-", "")
    # -f looks at this boot only. If it finds nothing there, that of systemd 257 skips the first new lines, except with "all".
    number = "200" if any(entry["_BOOT_ID"] == boot for entry in read_journal(unit)) else "all"
    tail = sudo(*JOURNAL, number, "-u", unit, "-f", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rest = b""
    try:
        if number != "all":  # once it has printed a line it misses none; with "all" it may be late
            select.select([tail.stdout], [], [], 10)
        while True:
            yield None
            if select.select([tail.stdout], [], [], 0.1)[0]:
                data = os.read(tail.stdout.fileno(), 16384)
                if not data:
                    raise ScriptFailed(unit, "no log", "journalctl -f has ended")
                *lines, rest = (rest + data).split(b"\n")
                yield from map(json.loads, lines)
    finally:
        # It runs as root and cannot be killed from here, but ends when nobody reads. If late, the next Popen() reaps it.
        tail.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            tail.wait(5)


def run_of(entry):
    """The entry's invocation id. The manager's own entries have it in another field; a last line may have none."""
    return entry.get("INVOCATION_ID" if entry.get("_PID") == "1" else "_SYSTEMD_INVOCATION_ID")


def text(entry):
    """The entry's line. One that is not UTF-8 comes as a list of bytes; without journalctl's -a one of 4 KiB would come as null."""
    message = entry.get("MESSAGE") or ""
    return message if isinstance(message, str) else bytes(message).decode("utf-8", "replace")


def stop(unit, start):
    """Repeated until `systemctl start` has ended: a stop that overtakes it finds nothing to stop."""
    while start.poll() is None:
        sudo("/usr/bin/systemctl", "stop", unit).wait()
        with contextlib.suppress(subprocess.TimeoutExpired):
            start.wait(0.5)


def run_sandboxed_script(overlay_id, on_stdout, on_stderr, should_cancel):
    """Returns when the build has succeeded, raises ScriptFailed otherwise. An exception of a callback stops the build, too."""
    run_build(f"build-overlay@{int(overlay_id)}.service", on_stdout, on_stderr, should_cancel)


def run_update(on_stdout, on_stderr, should_cancel):
    """The same for the update of the game."""
    run_build(UPDATE, on_stdout, on_stderr, should_cancel)


def how_it_ended(unit):
    """kind, result and status of a run that has failed. ExecMainStatus alone is no answer: it is 0 where one of the helpers fails before or
    after the script, and a script may end with any status."""
    shown = subprocess.check_output(["/usr/bin/systemctl", "show", "--property=Result,ExecMainStatus,ExecStartPre,ExecStart,ExecStopPost", unit],
                                    text=True)
    state = dict(line.split("=", 1) for line in shown.splitlines())
    for kind, command in BESIDE.items():
        if kind == "not discarded" and (state["Result"], state["ExecMainStatus"]) != ("exit-code", "0"):
            break
        for status in map(int, re.findall(rf"^{command} code=exited ; status=(\d+)", shown, re.M)):
            if status:
                return kind, state["Result"], status
    return "failed", state["Result"], int(state["ExecMainStatus"])


def run_build(unit, on_stdout, on_stderr, should_cancel):
    with contextlib.closing(follow_journal(unit)) as entries:
        next(entries)
        if should_cancel():
            raise ScriptFailed(unit, "cancelled", "before its start")
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
                # The last lines may follow those of the manager, and -f lags behind the journal: ask the latter for the end.
                elif (quiet := time.monotonic() - heard) > (0.1 if is_over else 2) and (
                        quiet > 10 or [entry["__CURSOR"] for entry in read_journal(unit)[-1:]] in ([], [last])):
                    break
        finally:
            stop(unit, start)
            error = start.communicate()[1].partition("\n")[0]
            if canceller.ident:
                canceller.join()
    if start.returncode == 0:  # first of all: Result may be that of an earlier run
        return
    if canceller.ident:  # by what was asked for: systemd 257 may take the build for nobody's child, and have no Result of it
        raise ScriptFailed(unit, "cancelled", error)
    if not run:
        raise ScriptFailed(unit, "not started", why_denied(unit, error))
    kind, result, status = how_it_ended(unit)
    raise ScriptFailed(unit, kind, error, result, status)
