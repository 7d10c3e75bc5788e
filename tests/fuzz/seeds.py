#!/usr/bin/env python3
"""
seeds.py DIRECTORY: seeds of the target database, made from SQL in every state that a writer leaves: clean,
with a log and its index, a log alone, a hot journal; with small pages and large ones, tables and views. database-input.h has
the format. Also seeds of the target last-good, whose records end in NULs.
"""

import os
import sqlite3
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from views import INSTANCES, LAYERS, OVERLAYS, SCHEMA, constants_of  # noqa: E402

TABLES = SCHEMA + """
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('a', 27015, '+map c1m1 "x y" %i $HOME', 1), ('b', 27016, '', 0);
INSERT INTO generator_layers (instance, position, overlay) VALUES ('a', 1, 1), ('a', 2, 2), ('b', 1, 2);
INSERT INTO generator_overlays (id, name, script) VALUES (1, 'maps', 'echo 1'), (2, 'files', NULL);
"""
VIEWS = f"""
CREATE TABLE servers (name TEXT NOT NULL PRIMARY KEY, port INTEGER, arguments TEXT, enabled INTEGER) WITHOUT ROWID;
CREATE TABLE overlays (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, script TEXT);
CREATE TABLE server_overlays (server TEXT, position INTEGER, overlay INTEGER, PRIMARY KEY (server, position)) WITHOUT ROWID;
CREATE VIEW generator_instances AS SELECT
    {constants_of(INSTANCES, name="name", port="port", arguments="arguments", enabled="enabled")} FROM servers;
CREATE VIEW generator_layers AS SELECT
    {constants_of(LAYERS, instance="server", position="position", overlay="overlay")} FROM server_overlays;
CREATE VIEW generator_overlays AS SELECT {constants_of(OVERLAYS, id="id", name="name", script="script")} FROM overlays;
INSERT INTO servers VALUES ('alpha', 27015, '+map c1m1_hotel', 1), ('beta', 27016, '', 0);
INSERT INTO overlays VALUES (1, 'maps', 'echo 1'), (2, 'files', NULL);
INSERT INTO server_overlays VALUES ('alpha', 1, 1), ('alpha', 2, 2);
"""
MANY = """
INSERT INTO generator_instances (name, port, arguments, enabled) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
  SELECT 'server-' || i, 27100 + i, '+map ' || i, i % 2 FROM n;
"""
LONG = """
INSERT INTO generator_instances (name, port, arguments) VALUES ('long', 27099, printf('%.4096c', 'x')),
  ('longer', 27098, printf('%.4097c', 'x'));
UPDATE generator_overlays SET script = printf('%.2000c', '#');
"""
FUNNY = f"""
DROP TABLE generator_layers;
CREATE VIEW generator_layers AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
  SELECT {constants_of(LAYERS, instance="'a'", position="i", overlay="i % 3")} FROM n;
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES (NULL, 1.5, x'00ff', '1'), ('a' || char(10), 27015, char(0), 2),
  ('a', 27015, 'twice', 1);
CREATE TABLE gone (x); DROP TABLE gone;
"""
ENDLESS = f"""
DROP TABLE generator_layers;
CREATE VIEW generator_layers AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
  SELECT {constants_of(LAYERS, instance="'a'", position="count(*)", overlay=1)} FROM n;
"""
DENIED = f"""
DROP TABLE generator_overlays;
CREATE VIEW generator_overlays AS SELECT {constants_of(OVERLAYS, id="cid + 1", name="name", script="type")}
  FROM pragma_table_info('generator_instances');
"""
CHANGE = "UPDATE {} SET port = port + 100; DELETE FROM {} WHERE name = 'b'"

WAL, SHM, JOURNAL, LIVE, SCRIPT = 1, 2, 4, 8, 16
HEAD = 13


def pack(flags, path):
    parts = []
    for bit, suffix in ((WAL, "-wal"), (SHM, "-shm"), (JOURNAL, "-journal")):
        there = flags & bit and os.path.exists(path + suffix)
        parts.append(open(path + suffix, "rb").read() if there else b"")
    parts[1] = parts[1][:4096 * 2]
    return bytes([flags]) + struct.pack("<3I", *map(len, parts)) + b"".join(parts) + open(path, "rb").read()


def make(directory, sql, page, mode):
    path = tempfile.mktemp(dir=directory)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA page_size = {page}")
    db.execute(f"PRAGMA journal_mode = {mode}")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(sql)
    return path, db


def database_seeds(directory, out):
    number = 0

    def seed(flags, path, changed=None):
        nonlocal number
        number += 1
        data = bytearray(pack(flags, path))
        if changed is not None:
            data[changed] ^= 1
        with open(f"{out}/{number:02}", "wb") as file:
            file.write(data)

    for page, sql in ((512, TABLES), (1024, VIEWS), (512, TABLES + MANY), (512, TABLES + LONG), (4096, TABLES + FUNNY),
                      (512, TABLES + ENDLESS), (512, TABLES + DENIED)):
        table = "servers" if sql is VIEWS else "generator_instances"
        change = CHANGE.format(table, table)
        path, db = make(directory, sql, page, "DELETE")
        seed(0, path)
        seed(SCRIPT, path)
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN")
        for statement in change.split(";"):
            db.execute(statement)
        db.execute(f"INSERT INTO {table} (name, port, arguments, enabled) "
                   f"SELECT name || '-' || port, port, hex(randomblob(400)), 1 FROM {table}")
        seed(JOURNAL, path)      # hot: the pages of an open transaction are in the file already
        db.execute("ROLLBACK")
        path, db = make(directory, sql, page, "WAL")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for statement in change.split(";"):
            db.execute(statement)
        for flags in (WAL, WAL | SHM, WAL | SHM | LIVE, WAL | SCRIPT):
            seed(flags, path)
        seed(WAL | SHM, path, HEAD + 24)      # a wrong checksum in the log's head: SQLite sleeps for 10 s
        seed(0, path)


def last_good_seeds(out):
    def form(version, instances, layers, overlays, columns=True):
        heads = ["generator_instances name port arguments enabled created", "generator_layers instance position overlay",
                 "generator_overlays id name script"]
        records = []
        for head, values in zip(heads, (instances, layers, overlays)):
            records.append(head if columns else head.split()[0])
            records += [f"{v[0]}{len(v) - 1} {v[1:]}" for v in values]
        return f"left4me last-good {version}\n" + "".join(record + "\0" for record in records + ["end"])

    others = (["sa", "i1", "i1"], ["i1", "smaps", "i6", "i2", "sfiles", "n"])
    host = (["sa", "i27015", "s+map x", "i1", "n", "sb", "i27016", "s", "i0", "i1795919980"], *others)
    old = (["sa", "i27015", "s+map x", "i1", "sb", "i27016", "s", "i0"], *others)
    odd = (["n", "f1.5", "b9", "l5000", "sx"], [], [])
    for name, text in (("rows", form(2, *host)), ("odd", form(2, *odd)), ("empty", form(2, [], [], [])),
                       ("version-1", form(1, *old, columns=False)), ("no-columns", form(2, *host, columns=False))):
        with open(f"{out}/{name}", "wb") as file:
            file.write(text.encode())


def main():
    for name in ("database", "last-good"):
        os.makedirs(f"{sys.argv[1]}/{name}", exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        database_seeds(directory, sys.argv[1] + "/database")
    last_good_seeds(sys.argv[1] + "/last-good")


main()
