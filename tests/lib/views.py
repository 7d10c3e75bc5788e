"""
The three views in tests: rows by the names of their columns, and how they come into a database. views.sql has the columns,
each with a default for a row that does not name it.
"""

import os
import sqlite3

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "views.sql"), encoding="utf-8") as file_:
    SCHEMA = file_.read()


def _columns():
    """{view: {column: its default as SQL}}, both in their order."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    names = [name for name, in connection.execute("SELECT name FROM sqlite_master ORDER BY rowid")]
    return {view: {column: default or "NULL" for _, column, _, _, default, _ in
                   connection.execute("PRAGMA table_info(%s)" % view)} for view in names}


VIEWS = _columns()
INSTANCES, LAYERS, OVERLAYS = VIEWS


# ---------------------------------------------------------------------------------------------------------------------
# Rows


class Sql(str):
    """A value that stands in the INSERT as an expression of SQL instead of being bound."""


class Text(bytes):
    """A text of SQLite's, which need not be UTF-8; a BLOB is plain bytes."""


def instance(name, port, arguments="", enabled=1, **more):
    return {"name": name, "port": port, "arguments": arguments, "enabled": enabled, **more}


def layer(instance_, position, overlay_, **more):
    return {"instance": instance_, "position": position, "overlay": overlay_, **more}


def overlay(id_, name="", script=None, **more):
    return {"id": id_, "name": name, "script": script, **more}


def stack(instance_, *overlays):
    """The layers of an instance, topmost first."""
    return [layer(instance_, position, overlay_) for position, overlay_ in enumerate(overlays, 1)]


class Rows:
    """What the three views give. add() returns a new set of rows with more in it."""

    def __init__(self, instances=(), layers=(), overlays=()):
        self.instances, self.layers, self.overlays = list(instances), list(layers), list(overlays)

    def add(self, instances=(), layers=(), overlays=()):
        return Rows(self.instances + list(instances), self.layers + list(layers), self.overlays + list(overlays))


# ---------------------------------------------------------------------------------------------------------------------
# Tables and views


def insert(connection, table, row):
    """The one place where tests put a row into a table."""
    places = ", ".join(value if isinstance(value, Sql) else "CAST(? AS TEXT)" if isinstance(value, Text) else "?"
                       for value in row.values())
    connection.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(row), places),
                       [value for value in row.values() if not isinstance(value, Sql)])


def make_tables(connection, names=tuple(VIEWS)):
    """Without the types of their columns, so that any value of any type can stand in them."""
    for table, view in zip(names, VIEWS):
        columns = ", ".join("%s DEFAULT %s" % column for column in VIEWS[view].items())
        connection.execute("CREATE TABLE %s (%s)" % (table, columns))


def fill(connection, rows, names=tuple(VIEWS)):
    """Makes the three tables, of other names if so wished, and puts the rows into them."""
    make_tables(connection, names)
    for table, content in zip(names, (rows.instances, rows.layers, rows.overlays)):
        for row in content:
            insert(connection, table, row)


def columns_of(view, **expressions):
    """For a SELECT from a table that has the view's columns: all of them, some by an expression."""
    return ", ".join("%s AS %s" % (expressions[c], c) if c in expressions else c for c in VIEWS[view])


def constants_of(view, **expressions):
    """For a SELECT from anything else: the columns that are not given have their defaults."""
    return ", ".join("%s AS %s" % (expressions.get(c, default), c) for c, default in VIEWS[view].items())
