#!/usr/bin/python3
"""worker.py FIRST: in a guest, as left4me: builds as a job worker runs them, with the reference worker as a library. Prints TAP.

Overlays, made by worker.sh: 5 "echo hello; exit 7", 6 three thousand lines, FIRST 180 of them, 7 sleeps, 8 has no directory, 9 nasty bytes.
"""
import importlib.machinery
import importlib.util
import os
import sys
import threading
import time

loader = importlib.machinery.SourceFileLoader("worker", os.path.join(os.path.dirname(os.path.abspath(__file__)), "left4me-worker"))
worker = importlib.util.module_from_spec(importlib.util.spec_from_loader("worker", loader))
loader.exec_module(worker)

first = int(sys.argv[1])
count = 0


def equal(got, expected, name):
    global count
    count += 1
    good = got == expected
    print(f"{'ok' if good else 'not ok'} {count} - {worker.SUDO}: {name}", flush=True)
    if not good:
        print(f"# got:      {str(got)[:500]}\n# expected: {str(expected)[:500]}", flush=True)


def build(number, cancelled=lambda: False):
    lines = []
    return worker.build(number, lines.append, cancelled), lines


# S106, S98: each time, also in quick succession; and the run before is not shown again (S96).
for attempt in range(3):
    equal(build(5), ("Result=exit-code ExecMainStatus=7", ["hello"]), f"hello and 7, run {attempt + 1}")

# S96: a unit without a past, which may write as many lines at once as journalctl shows at first; then without that bound.
equal(build(first), (None, [str(i) for i in range(1, 181)]), "a first run of many lines")
numbers = [str(i) for i in range(1, 3001)]
fault, lines = build(6)
if fault is None and lines[-1].startswith("(the first"):
    numbers = numbers[3001 - len(lines):] + lines[-1:]
equal((fault, lines), (None, numbers), f"three thousand lines, {len(lines)} of them shown")
equal(build(6), (None, [str(i) for i in range(1, 3001)]), "three thousand lines again")

# S99: from a thread, when its first line has come.
lines = []
wanted = threading.Event()
took = []


def cancel_soon():
    while not lines:
        time.sleep(0.05)
    wanted.set()
    begin = time.monotonic()
    worker.cancel(7)
    took.append(time.monotonic() - begin)


thread = threading.Thread(target=cancel_soon)
thread.start()
fault = worker.build(7, lines.append, wanted.is_set)
thread.join()
equal((fault, lines), ("cancelled", ["started"]), "a build is cancelled from a thread")
equal(took[0] < 2, True, f"... within {took[0]:.1f} s")
equal(worker.show(worker.overlay(7), "ActiveState", "Result"), {"ActiveState": "failed", "Result": "signal"}, "... by a signal")
equal(worker.cancel(7), None, "to cancel what does not run is no fault")

# What never started is no success, whatever the unit's last result says (the Assert lines leave "success").
fault, lines = build(8)
equal((fault not in (None, "cancelled"), lines), (True, []), f"no directory: {fault}")
try:
    fault = build(77)[0]
except worker.Refused as refused:
    fault = str(refused)
equal(bool(fault), True, f"no such overlay: {fault}")

fault, lines = build(9)
equal(fault, None, "nasty bytes: built")
equal(lines, ["caf\ufffd", "tab\there", "x" * 4000, "no end"], "... and shown")

print(f"1..{count}")
