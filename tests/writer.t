#!/usr/bin/env python3
"""
A busy writer: a thousand transactions a second, each of which changes every row of the three views, while
the generator runs LEFT4ME_WRITER_RUNS times (2000), half of them in each journal mode, and less often beside rarer writers.

Pinned: every run shows one transaction in all three views and every row of it, that transaction is no older than the last
one that was committed when the run began, the report is empty, and nobody but the owner owns a file in the directory.
"""

import mmap
import os
import re
import shutil
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from dbfile import *  # noqa: E402,F403

RUNS = int(os.environ.get("LEFT4ME_WRITER_RUNS", "2000"))
RATE = 1000
SERVERS = 20
PADDING = "x" * 300                              # so that a transaction changes more than one page of each table


class Committed:
    """The number of the last transaction that was committed, shared with the writer."""

    def __init__(self):
        self.memory = mmap.mmap(-1, 8)

    def set(self, number):
        self.memory[:] = struct.pack("=Q", number)

    def get(self):
        return struct.unpack("=Q", self.memory[:])[0]


def prepare(writer_, *pragmas):
    writer_.run(*pragmas, "PRAGMA synchronous = OFF", "PRAGMA busy_timeout = 10000")
    writer_.schema()
    writer_.run("BEGIN")
    for i in range(SERVERS):
        writer_.insert(INSTANCES, instance("s%02d" % i, 27100 + i))
        writer_.insert(LAYERS, layer("s%02d" % i, 1, i + 1))
        writer_.insert(OVERLAYS, overlay(i + 1, "n0", "echo"))
    writer_.run("UPDATE generator_instances SET arguments = '+n 0 %s'" % PADDING, "COMMIT")


def transaction(writer_, number):
    """Every row carries the number. The server 'odd' exists while the number is odd, so rows come and go too."""
    writer_.run("BEGIN IMMEDIATE",
                "UPDATE generator_instances SET arguments = '+n %d %s'" % (number, PADDING),
                "UPDATE generator_layers SET overlay = overlay % 1000 + " + str(number * 1000),
                "UPDATE generator_overlays SET name = 'n%d', id = id %% 1000 + %d" % (number, number * 1000),
                "DELETE FROM generator_instances WHERE name = 'odd'")
    if number % 2:
        writer_.insert(INSTANCES, instance("odd", 27099, "+n %d" % number))
    writer_.run("COMMIT")


def writing(committed, rate, reopen, pragmas):
    """A writer that makes `rate` transactions a second on average, however long one of them takes."""
    def body(writer_):
        prepare(writer_, *pragmas)
        writer_.ready()
        number, began = 0, time.monotonic()
        while not writer_.told_to_stop():
            if number >= (time.monotonic() - began) * rate:
                time.sleep(0.0003)
                continue
            number += 1
            if reopen:
                writer_.close()
                writer_.open()
            transaction(writer_, number)
            committed.set(number)
    return forked(body)


def number_in(pattern, text):
    """-1 where there is none, as in the unit of a refused row: no transaction has that number."""
    match = re.search(pattern, text)
    return int(match.group(1)) if match else -1


def shown():
    """The transaction numbers in the tree, its servers, and how many overlays it has."""
    numbers, servers, overlays = set(), set(), 0
    for file in os.listdir(box.normal):
        match = re.fullmatch(r"(left4me-server|build-overlay)@(.+)\.service", file)
        if not match:
            continue
        with open(box.normal + "/" + file) as unit:
            text = unit.read()
        if match.group(1) == "build-overlay":
            numbers |= {int(match.group(2)) // 1000, number_in(r"Description=.*\bn(\d+)\b", text)}
            overlays += 1
        else:
            servers.add(match.group(2))
            numbers.add(number_in(r"\+hostport .*?\+n (\d+)", text))
            if match.group(2) != "odd":
                numbers.add(number_in(r"ExecStartPre=\+.* %i (\d+)", text) // 1000)
    return numbers, servers, overlays


EVEN = {"s%02d" % i for i in range(SERVERS)}


def run_once(committed, may_give_up):
    """What is wrong with one run, and the number of the transaction that it shows."""
    box.new_run()
    before = committed.get()
    run = subprocess.run([box.program, "--root=" + box.root, box.normal], cwd="/", capture_output=True, env={}, timeout=30)
    after = committed.get()
    numbers, servers, overlays = shown()
    if run.returncode == 0 and may_give_up and re.search("is being changed all the time; the rows of", "".join(box.report())):
        return [], None
    if run.returncode != 0 or box.report():
        return ["status %d, report %r" % (run.returncode, box.report())], None
    if len(numbers) != 1:
        return ["torn: transactions %r" % sorted(numbers)], None
    number, = numbers
    if not before <= number <= after + 1:
        return ["transaction %d, but %d was committed before and %d after" % (number, before, after)], None
    if servers != EVEN | ({"odd"} if number % 2 else set()) or overlays != SERVERS:
        return ["of transaction %d: servers %r, %d overlays" % (number, sorted(servers), overlays)], None
    return [], number


def beside_writer(name, runs, rate, *pragmas, reopen=False, may_give_up=False):
    box.make_clean()
    shutil.rmtree(box.run_dir + "/left4me", ignore_errors=True)
    committed = Committed()
    process = writing(committed, rate, reopen, pragmas)
    began, found, seen = time.monotonic(), [], set()
    for _ in range(runs):
        wrong, number = run_once(committed, may_give_up)
        found += wrong
        seen.add(number)
    seconds = time.monotonic() - began
    owners = {os.stat(os.path.join(DIRECTORY, file)).st_uid for file in os.listdir(DIRECTORY)}
    transactions = committed.get()
    process.end()
    if owners != {OWNER if AS_ROOT else os.geteuid()}:
        found.append("owners in the directory: %r" % owners)
    if len(seen) < min(runs, transactions) / 4:
        found.append("the writer was not busy: %d transactions seen" % len(seen))
    found = found[:5] + ["%d of %d runs" % (len(found), runs)] if found else []
    tap.none(found, name)
    print("# %d runs, %d transactions in %.1f s: %.0f a second" % (runs, transactions, seconds, transactions / seconds))


beside_writer("a writer in WAL mode", RUNS // 2, RATE, "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 100")
beside_writer("a writer with a rollback journal", RUNS // 2, RATE, "PRAGMA journal_mode = DELETE")
beside_writer("a writer that checkpoints at each transaction", 100, RATE, "PRAGMA journal_mode = WAL",
              "PRAGMA wal_autocheckpoint = 1")
beside_writer("a writer that opens and closes the database for each transaction", 100, 100, "PRAGMA journal_mode = WAL",
              reopen=True)
# No lock keeps this one out: the files are copied until nothing changed meanwhile, or the reader gives up.
beside_writer("a writer that has a log, but no index of it", 60, 100, "PRAGMA locking_mode = EXCLUSIVE",
              "PRAGMA journal_mode = WAL", may_give_up=True)

tap.done()
