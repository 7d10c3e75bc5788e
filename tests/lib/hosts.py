"""
Two hosts with one RUN, for faults.t and kill.t: what one of them wrote is the earlier state for the other. What a good run of
each gives, and what one gives that lacks something, is learned first.
"""

import os
import shutil
import sqlite3
import subprocess

from dbfile import *  # noqa: F403

SUDOERS, LAST_GOOD_FILE, REPORT = ("left4me/" + name for name in ("sudoers.d/left4me", "last-good", "report"))

ROWS = {
    "a": Rows([instance("alpha", 27001, "+map a"), instance("bravo", 27002, enabled=0)], stack("alpha", 1, 2),
              [overlay(1, "maps", "echo a"), overlay(2, "base")]),
    "b": Rows([instance("alpha", 27001, "+map b"), instance("charlie", 27003)], stack("alpha", 3),
              [overlay(1, "maps", "echo b"), overlay(3, "more", "echo")]),
}
CONFIGURATION = {
    "left4me.conf": "[host]\ncpus = 8\nsystem_cpus = 0,4\n[workshop]\nrefresh = daily\n",
    "left4me.conf.d/10-game.conf": "[game]\nmemory_high = 1G\n",
    "host.env": "LEFT4ME_PORT_RANGE_START=27000\nLEFT4ME_PORT_RANGE_END=27100\n",
    "web.env": "SECRET_KEY=x\n",
}
connections = []


class Host:
    def __init__(self, name):
        self.root = box.top + "/" + name
        self.rows = ROWS[name]
        self.database = self.root + "/var/lib/left4me/left4me.db"
        for file, text in CONFIGURATION.items():
            write(self.root + "/etc/left4me/" + file, text)

    def make_database(self, state):
        """As a writer leaves it that has closed it, is still writing, or crashed in a transaction."""
        directory = os.path.dirname(self.database)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        box.give(directory)
        connection = sqlite3.connect(self.database, isolation_level=None)
        connection.execute("PRAGMA journal_mode = " + ("DELETE" if state == "journal" else "WAL"))
        connection.execute("CREATE TABLE filler AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12) "
                           "SELECT randomblob(2000) AS x FROM n")
        fill(connection, self.rows)
        box.give(self.database)
        if state != "closed":
            connection.execute("PRAGMA cache_size = 2")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE generator_instances SET port = 1")
            connection.execute("UPDATE filler SET x = randomblob(2000)")
        if state in ("wal", "journal"):
            self.crash(connection, "-" + state)
        if state == "live":
            connections.append(connection)       # end_writers() closes it
        else:
            connection.close()

    def crash(self, connection, sidecar):
        """Leaves the files as they are now, without their writer and without -shm."""
        for suffix in ("", sidecar):
            shutil.copy(self.database + suffix, box.top + "/copy" + suffix)
        connection.execute("ROLLBACK")
        connection.close()
        for suffix in ("", sidecar):
            shutil.move(box.top + "/copy" + suffix, self.database + suffix)
            box.give(self.database + suffix)

    def command(self):
        return [box.program, "--root=" + self.root, box.normal]

    def run(self, before=(), env=None):
        box.new_run()
        return subprocess.run([*before, *self.command()], capture_output=True, cwd="/", env=env or {}, timeout=60)


hosts = []


def units(tree):
    return {p: e for p, e in tree.items() if p.startswith(UNITS)}


def learn(state):
    """Records what a run of each host gives: with everything, without its database, and without each other thing that it reads."""
    hosts[:] = Host("a"), Host("b")
    for host in hosts:
        host.make_database(state)
    for directory in ("systemd/units", "left4me/sudoers.d"):
        os.makedirs(os.path.join(box.run_dir, directory), exist_ok=True)
    for unit in ("left4me-server@gone", "build-overlay@77"):
        link = box.run_dir + "/systemd/units/invocation:%s.service" % unit
        if not os.path.lexists(link):
            os.symlink("0123456789abcdef0123456789abcdef", link)
    for host, other in (hosts, hosts[::-1]):
        host.run()
        host.want = box.tree()
        read = {name: host.root + "/etc/left4me/" + name for name in CONFIGURATION}
        host.without = {name: tree_without(host, path) for name, path in [*read.items(), ("units", box.run_dir + "/systemd/units")]}
        other.run()
        host.fallback = tree_without(host, os.path.dirname(host.database))
    hosts[0].run()


def tree_without(host, path):
    os.rename(path, path + ".away")
    host.run()
    os.rename(path + ".away", path)
    tree = box.tree()
    return {p: tree[p] for p in [*units(tree), SUDOERS]}


def repaired(host):
    """What is wrong with the next run, which must be as if nothing had happened."""
    done = host.run()
    changed = difference(box.tree(), host.want)
    return ["the next run: status %d, %s" % (done.returncode, changed)] if changed or done.returncode else []


def end_writers():
    while connections:
        connections.pop().close()
