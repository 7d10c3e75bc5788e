"""
Hostile databases at random, the same in every run: make(NUMBER, FILE) writes one, read_back() gives its rows as SQLite
has them, meant() what must become of those rows, written down apart from the generator.

Two in three are plain tables full of nasty values, the others have views, schemas and files that are themselves the attack.
"""

import os
import random
import re
import sqlite3
import time

from views import INSTANCES, LAYERS, OVERLAYS, VIEWS, Rows, Text, columns_of, constants_of, fill, instance, layer, overlay, stack

# The rows that no other row may affect.
GOOD = Rows(
    [instance("alpha", 27001, '+map c1m1_hotel "x"'), instance("bravo", 27002, enabled=0), instance("zulu", 27003, "-a %n $HOME")],
    [*stack("alpha", 1, 2), layer("zulu", 5, 3)],
    [overlay(1, "base", "echo 1"), overlay(2, "maps"), overlay(3, "tickrate 100", "echo 3")],
)
MIB = 1024 * 1024


# ---------------------------------------------------------------------------------------------------------------------
# Values

DIRECTIVES = ["ExecStart=/bin/sh -c id", "User=root", "ExecStartPre=+/bin/sh", "[Service]", "[Install]\nWantedBy=multi-user.target",
              "[Unit]", "Environment=LD_PRELOAD=/x.so", "CapabilityBoundingSet=~", "BindPaths=/:/mnt", "DropInPaths=/tmp",
              "ALL=(ALL:ALL) NOPASSWD: ALL", "left4me ALL=(root) NOPASSWD: /bin/sh", "#includedir /tmp", "@include /tmp/x",
              "Defaults !authenticate", "Delegate=yes", "RootDirectory=", "NoNewPrivileges=no", "@NAME@", "@ENVIRONMENT@", "@"]
MARKS = ["\\", "\\\\", '"', "'", "%", "%%", "%i", "%n", "%%n", "%h", "$", "$$", "${L4D2_PORT}", "$L4D2_ARGS", "${", "}", ";", " ; ", "#", "=",
         ",", ":", "!", "*", "?", "[", "]", "^", "~", "|", "&", "<", ">", "`", "(", ")", "-", "+", "@", "/", "//", "..", "../", "{}", "\\x0a",
         "\\n", "\\040", "\\;", "\\x2d", " ", "  ", "a", "Z", "0", "é", "東", "\u00a0", "\u2028", "\u202e", "\u200b", "\ufeff", "\U0001f3ae", "%s%n", "--root=/"]
CONTROL = ["\n", "\r", "\r\n", "\0", "\t", "\v", "\f", "\x1b", "\x1b]0;x\a", "\x1b[2J", "\b", "\x7f", "\u0085", "\u009b31m", "\\\n", "\n#", "\n\n"]
BROKEN = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80", b"\x80", b"\xc0\x80", b"\xf0\x80\x80\x8a", b"\xc2"]
NUMBERS = [0, 1, 2, -1, 3, 7, 26999, 27000, 27001, 27002, 27050, 27999, 28000, 65535, 65536, 65536 + 27050, 2**31, 2**32 + 27050, 2**53 + 1,
           2**63 - 1, -2**63, 499, 500]
NAMES = ["alpha", "bravo", "zulu", "mallory", "a", "0", "007", "7", "a-", "a_", "a--b", "a__b", "m" * 63, "m" * 64, "m" * 65, "-a", "_a", "",
         "Mallory", "a.b", "a@b", "a:b", "a b", "a/b", "..", ".", "../x", "/", "a\\x2db", "%i", "a%i", "a.service", "installation", "a\n", "a\0", "a\r",
         "a\nExecStart=/bin/sh", "x.service, ALL", "é", "\u0430lpha", "\uff41lpha", "alpha\u200b", "alpha\u0301", "*", "a,b", "a;b", "#a", "a=b", "a'b",
         "refused", "left4me-server", "any", "null", "constructor", "a\u0085"]


def text(rng, sizes=(1, 3, 8, 20)):
    pieces = [rng.choice(MARKS) for _ in range(rng.choice(sizes))]
    fate = rng.random()
    if fate < 0.3:
        pieces.insert(rng.randrange(len(pieces) + 1), rng.choice(DIRECTIVES))
    if fate < 0.15 or 0.3 < fate < 0.4:
        pieces.insert(rng.randrange(len(pieces) + 1), rng.choice(CONTROL))
    if 0.4 < fate < 0.43:
        pieces *= rng.choice([20, 400, 2000])
    if 0.43 < fate < 0.46:      # at the limits, which are in bytes
        filling = rng.choice(["x", "é", "%", '"', "\\"])
        return (filling * 5000).encode()[:rng.choice([199, 200, 201, 4095, 4096, 4097])]
    data = "".join(pieces).encode()
    if 0.46 < fate < 0.5:
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice(BROKEN) + data[at:]
    return data


def anything(rng):
    """A value of any type that SQLite has."""
    return rng.choice([
        lambda: None, lambda: rng.choice(NUMBERS), lambda: -rng.choice(NUMBERS) % 2**63, lambda: float(rng.choice(NUMBERS)),
        lambda: rng.choice([0.5, 1e308, float("inf"), -0.0]), lambda: bytes(text(rng)), lambda: b"", lambda: Text(text(rng)),
        lambda: Text(str(rng.choice(NUMBERS)).encode()), lambda: Text(b""), lambda: Text(b"0x1"), lambda: Text(rng.choice(NAMES).encode()),
    ])()


def mostly(rng, value, share=0.75):
    return value if rng.random() < share else anything(rng)


def name(rng):
    if rng.random() < 0.45:
        return rng.choice(NAMES)
    return "".join(rng.choices("abz019_-", k=rng.choice([1, 2, 5, 20, 62, 63, 64, 65])))


def random_rows(rng):
    """The good rows and up to about twenty others; most have what they need, so that many are accepted."""
    instances, layers, overlays = [], [], []
    for _ in range(rng.randrange(1, 9)):
        overlays.append(overlay(mostly(rng, rng.choice([66, 67, 68, rng.randrange(1, 100), 2**63 - 1]), 0.85),
                                mostly(rng, Text(text(rng)), 0.9),
                                mostly(rng, rng.choice([Text(b"echo"), None, Text(b""), Text(b"x\0y")]), 0.9)))
    for _ in range(rng.randrange(1, 9)):
        own = Text(name(rng).encode())
        instances.append(instance(mostly(rng, own, 0.93), mostly(rng, rng.randrange(27000, 28000), 0.85),
                                  mostly(rng, Text(text(rng)), 0.93), mostly(rng, rng.randrange(2), 0.93)))
        for position in rng.sample(range(1, 50), rng.choice([0, 0, 1, 2, 5])):
            layers.append(layer(mostly(rng, own, 0.97), mostly(rng, position, 0.96),
                                mostly(rng, rng.choice([1, 2, 3, rng.choice(overlays)["id"]]), 0.96)))
    if rng.random() < 0.01:
        layers += stack(Text(b"mallory"), *range(1, rng.choice([500, 501])))
        overlays += [overlay(i, Text(b"many")) for i in range(4, 501)]
    if rng.random() < 0.03:
        instances.append(instance(Text(b"alpha"), 27001, Text(b"")))
    return GOOD.add(instances, layers, overlays)


# ---------------------------------------------------------------------------------------------------------------------
# Databases


def plain(rng, connection):
    if rng.random() < 0.05:
        connection.execute("PRAGMA encoding = '%s'" % rng.choice(["UTF-16le", "UTF-16be"]))
    fill(connection, random_rows(rng))


TABLES = ("i", "l", "o")


def over(view, tail=None, **expressions):
    """The view over its plain table; some columns by an expression, some rows only."""
    return "CREATE VIEW %s AS SELECT %s FROM %s" % (view, columns_of(view, **expressions), tail or TABLES[[*VIEWS].index(view)])


def out_of(view, tail="", **expressions):
    """The view out of something else; the columns that are not given have their defaults."""
    return "CREATE VIEW %s AS " % view + constants(view, tail, **expressions)


def constants(view, tail="", **expressions):
    return "SELECT %s%s" % (constants_of(view, **expressions), tail)


def table(view, tail, kind="", **definitions):
    """A table in the view's place; the columns that are not given have their defaults."""
    columns = ", ".join("%s %s" % (column, definitions.get(column, "%s DEFAULT %s" % (kind, default)))
                        for column, default in VIEWS[view].items())
    return "CREATE TABLE %s (%s)%s" % (view, columns, tail)


PLAIN_VIEWS = {view: over(view) for view in VIEWS}
COUNTING = "CREATE VIEW %s AS WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n%s) "
MALLORY = constants(INSTANCES, name="'mallory'", port=27500)
# Views that are allowed: whatever they give are rows like any others.
TRICKS = [
    over(INSTANCES, "(SELECT *, 1 AS more FROM i)").replace("generator_instances", '"Generator_INSTANCES"').replace(
        "name, port, arguments", 'name AS NAME, port AS Port, arguments AS "ARGUMENTS"'),
    over(INSTANCES) + " UNION ALL " + MALLORY.replace("''", "'x' || char(10) || 'ExecStart=/bin/sh'") + " UNION ALL "
    + constants(INSTANCES, name="'nelly'", port=27501, arguments="char(0, 27, 133)"),
    over(INSTANCES, port="CASE rowid % 3 WHEN 0 THEN CAST(port AS TEXT) WHEN 1 THEN port ELSE port + 0.0 END"),
    COUNTING % (INSTANCES, " WHERE k < 60") + constants(
        INSTANCES, " FROM n, i WHERE i.rowid = 1", name="printf('n%d', k)", port="27100 + k",
        arguments="printf('%s%c%%%s', arguments, k, '\\')", enabled="k % 2"),
    over(INSTANCES, arguments="group_concat(arguments) OVER ()"),
    over(INSTANCES, "i WHERE typeof(port) <> 'blob'", name="lower(hex(name))", port="abs(coalesce(port, 1))",
         arguments="replace(arguments, ' ', char(10))"),
    over(INSTANCES, name="name COLLATE NOCASE"),
    over(INSTANCES, name="substr(name, 1, 1)", arguments="quote(arguments)").replace("SELECT", "SELECT DISTINCT"),
    table(INSTANCES, " WITHOUT ROWID", name="PRIMARY KEY", port="AS (27600 + length(name))",
          arguments="AS (name || char(10) || '[Service]') STORED")
    + "; INSERT INTO generator_instances (name) VALUES ('mallory'), (char(10)), ('%n')",
    table(INSTANCES, " STRICT", "ANY", name="TEXT", port="INT", enabled="INT") + "; "
    "CREATE INDEX byname ON generator_instances (name, length(arguments)) WHERE port > 1; "
    "INSERT INTO generator_instances (name, port, arguments, enabled) "
    "VALUES ('mallory', 27600, 1.5, 1), ('nelly', 27601, x'00', 0), ('oscar', 27602, '%', 1)",
    over(OVERLAYS, name="name || char(13) || 'User=root'"),
    over(OVERLAYS, script="CAST(script AS BLOB)"),
    over(OVERLAYS, id="-id") + " UNION ALL " + constants(OVERLAYS, id=1, name="'\" \\'", script="'echo'"),
    over(LAYERS) + " UNION ALL " + constants(LAYERS, instance="'alpha'", position="'1'", overlay="'2'"),
    out_of(LAYERS, " FROM i, o", instance="i.name", position="o.id", overlay="o.id"),
    "CREATE TRIGGER evil INSTEAD OF INSERT ON generator_instances BEGIN DELETE FROM i; END",
    "CREATE VIEW v0 AS SELECT * FROM i; " + "".join("CREATE VIEW v%d AS SELECT * FROM v%d; " % (n, n - 1) for n in range(1, 20))
    + "CREATE VIEW generator_instances AS SELECT * FROM v19",
    "CREATE VIEW generator_instances AS " + " UNION ALL ".join([MALLORY] * 60),
]
# Views that ask for what the reader must not do: none of them may be read.
FORBIDDEN = [
    out_of(INSTANCES, name="load_extension('/tmp/evil')", port=1),
    over(INSTANCES, arguments="fts3_tokenizer('x')"),
    over(INSTANCES, arguments="readfile('/etc/shadow')"),
    over(INSTANCES, arguments="writefile('/tmp/evil', 'x')"),
    over(INSTANCES, arguments="edit(name, 'sh')"),
    "CREATE VIRTUAL TABLE generator_instances USING fts5(%s)" % ", ".join(VIEWS[INSTANCES]),
    "CREATE VIRTUAL TABLE f USING fts5(%s); " % ", ".join(VIEWS[INSTANCES]) + over(INSTANCES, "f"),
    "CREATE VIRTUAL TABLE r USING rtree(id, a, b); " + out_of(OVERLAYS, " FROM r", id="id", name="a", script="b"),
    over(INSTANCES, arguments="(SELECT file FROM pragma_database_list)"),
    over(INSTANCES, arguments="(SELECT x FROM temp.y)"),
    'CREATE VIEW generator_instances AS SELECT name, "port" FROM l',
    "CREATE VIEW generator_instances AS SELECT name FROM i",
    over(INSTANCES, "absent"),
    "CREATE TABLE generator_instances (name, port)",
    "CREATE INDEX generator_instances ON i (name)",
    over(INSTANCES, "i WHERE name NOT LIKE '" + "%_" * 3000 + "'"),
    over(INSTANCES, arguments="-(" * 150 + "enabled" + ")" * 150),
    over(INSTANCES, arguments="hex(zeroblob(40000000))"),
    COUNTING % (LAYERS, " WHERE k < 200001") + constants(LAYERS, " FROM n", instance="'alpha'", position="k", overlay="k"),
]
# Through PRAGMA writable_schema: whoever writes the file's bytes can do as much.
SCHEMAS = [
    "UPDATE sqlite_schema SET sql = 'CREATE VIEW generator_instances AS SELECT * FROM generator_instances' WHERE name = 'generator_instances'",
    "UPDATE sqlite_schema SET sql = 'CREATE VIEW generator_instances AS SELECT * FROM generator_layers' WHERE name = 'generator_instances'; "
    "UPDATE sqlite_schema SET sql = 'CREATE VIEW generator_layers AS SELECT * FROM generator_instances' WHERE name = 'generator_layers'",
    "UPDATE sqlite_schema SET sql = 'ATTACH ''/etc/passwd'' AS x' WHERE name = 'generator_instances'",
    "UPDATE sqlite_schema SET sql = 'PRAGMA writable_schema = 1' WHERE name = 'i'",
    "UPDATE sqlite_schema SET sql = sql || '; DROP TABLE i' WHERE name = 'generator_instances'",
    "UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'i'",
    "UPDATE sqlite_schema SET rootpage = 999999 WHERE name = 'i'",
    "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'o') WHERE name = 'i'",
    "UPDATE sqlite_schema SET rootpage = -1, type = 'index' WHERE name = 'i'",
    "UPDATE sqlite_schema SET type = 'trigger' WHERE name = 'generator_layers'",
    "UPDATE sqlite_schema SET sql = x'00ff0a' WHERE name = 'generator_overlays'",
    "UPDATE sqlite_schema SET sql = NULL WHERE name = 'o'",
    "UPDATE sqlite_schema SET sql = 'CREATE TABLE i(%s CHECK (load_extension(1)))' WHERE name = 'i'" % ", ".join(VIEWS[INSTANCES]),
    "UPDATE sqlite_schema SET sql = 'CREATE TABLE i(%s AS (load_extension(name)))' WHERE name = 'i'" % ", ".join(VIEWS[INSTANCES]),
    "INSERT INTO sqlite_schema SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema",
    "DELETE FROM sqlite_schema",
]
# Each takes the reader's two seconds: there are few of them.
RUNAWAYS = [
    COUNTING % (INSTANCES, "") + constants(INSTANCES, " FROM n WHERE k < 0", name="'x'", port="k"),
    COUNTING % (OVERLAYS, " WHERE k < 100000") + constants(OVERLAYS, " FROM n AS a, n AS b, n AS c", id="count(*)", script="''"),
]


def views(rng, connection, statements):
    """The three plain views over tables i, l and o, except for those that the statements make themselves."""
    fill(connection, random_rows(rng), TABLES)
    made = {match.lower() for match in re.findall(r"CREATE (?:VIEW|TABLE|INDEX|VIRTUAL TABLE) \"?(generator_\w+)", statements, re.I)}
    for view, statement in PLAIN_VIEWS.items():
        if view not in made:
            connection.execute(statement)
    script(connection, statements)


def script(connection, statements):
    """Like executescript(), but without its commit; what this version of SQLite does not know is left out."""
    statement = ""
    for piece in re.split(r"(;\s)", statements):
        statement += piece
        if sqlite3.complete_statement(statement + ";") and statement.strip(" ;"):
            try:
                connection.execute(statement)
            except sqlite3.Error:
                pass
            statement = ""


def kind_of(number):
    if number % 1000 == 999:
        return "runaway"
    return ("rows", "rows", "rows", "rows", "views", "rows", "rows", "rows", "forbidden", "rows", "views", "schema")[number % 12]


def make(number, path):
    """Writes database `number`; returns its kind."""
    rng, kind = random.Random("left4me %d" % number), kind_of(number)
    if os.path.lexists(path):
        os.unlink(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = %d"
                             % rng.choice([512, 1024, 4096, 4096, 4096, 65536]))
    if kind == "rows":
        connection.execute("BEGIN")
        plain(rng, connection)
    else:
        choice = {"views": TRICKS, "forbidden": FORBIDDEN, "schema": SCHEMAS, "runaway": RUNAWAYS}[kind]
        connection.execute("BEGIN")
        views(rng, connection, rng.choice(choice) if kind != "schema" else "")
        if kind == "schema":
            connection.execute("COMMIT")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("BEGIN")
            script(connection, rng.choice(choice))
    connection.execute("COMMIT")
    connection.close()
    os.chmod(path, 0o640)
    return kind


def read_back(path):
    """
    The rows of the three views as SQLite gives them, or None where it cannot. What of the schema it cannot parse is passed
    over, as the reader does: it may be a table of the application that has nothing to do with the views.
    """
    connection = sqlite3.connect("file:%s?immutable=1" % path, uri=True)
    connection.text_factory = Text
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 64 * MIB)
    connection.execute("PRAGMA writable_schema = ON")
    rows, end = [], time.monotonic() + 10
    connection.set_progress_handler(lambda: time.monotonic() > end, 1000000)
    try:
        for view, columns in VIEWS.items():
            given = connection.execute("SELECT %s FROM main.%s" % (", ".join(columns), view)).fetchall()
            rows.append([dict(zip(columns, values)) for values in given])
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    return Rows(*rows)


# ---------------------------------------------------------------------------------------------------------------------
# What must come of the rows


def string(value, limit):
    """The text as a str if it is acceptable, else None."""
    if not isinstance(value, Text) or len(value) > limit:
        return None
    try:
        decoded = value.decode()
    except UnicodeDecodeError:
        return None
    return None if re.search("[\x00-\x1f\x7f-\x9f]", decoded) else decoded


def integer(value, low, high=2**63 - 1):
    return type(value) is int and low <= value <= high


class Meant:
    """servers: {name: (port, arguments, [layer], enabled) or None where refused}; builds: {id: overlay's name or None}."""

    def __init__(self, rows):
        self.overlays = {}                # id: (whether accepted, name, whether it has a script)
        self.servers, self.builds = {}, {}
        for row in rows.overlays:
            self.overlay(row["id"], row["name"], row["script"])
        for row in rows.instances:
            self.instance(row["name"], row["port"], row["arguments"], row["enabled"])
        self.stack(rows.layers)
        self.ports()
        for identifier, (good, overlay_name, has_script) in self.overlays.items():
            if has_script:
                self.builds[identifier] = overlay_name if good else None

    def overlay(self, identifier, overlay_name, content):
        if not integer(identifier, 1):
            return
        has_script = not (content is None or isinstance(content, Text) and content == b"")
        good = string(overlay_name, 200) is not None and (content is None or isinstance(content, Text) and len(content) <= MIB)
        if identifier in self.overlays:
            good, has_script = False, has_script or self.overlays[identifier][2]
        self.overlays[identifier] = (good, string(overlay_name, 200), has_script)

    def instance(self, instance_name, port, arguments, enabled):
        decoded = string(instance_name, 64)
        if decoded is None or not re.fullmatch("[a-z0-9][a-z0-9_-]{0,63}", decoded):
            return
        good = (decoded not in self.servers and integer(port, 27000, 27999) and string(arguments, 4096) is not None
                and integer(enabled, 0, 1))
        self.servers[decoded] = (port, string(arguments, 4096), [], enabled) if good else None

    def stack(self, layers):
        stacks = {}
        for row in layers:
            decoded, position, used = string(row["instance"], 64), row["position"], row["overlay"]
            if decoded not in self.servers:
                continue
            if not integer(position, 1) or not integer(used, 1) or used not in self.overlays:
                self.servers[decoded] = None
            else:
                stacks.setdefault(decoded, []).append((position, used))
        for server, places in stacks.items():
            positions, overlays = zip(*sorted(places))
            if len(set(positions)) < len(places) or len(set(overlays)) < len(places) or len(places) > 499:
                self.servers[server] = None
            if self.servers[server]:
                self.servers[server][2].extend(overlays)

    def ports(self):
        """Of one port the first instance by name keeps it."""
        owners = set()
        for server_name in sorted(self.servers):
            server = self.servers[server_name]
            if server and server[0] in owners:
                self.servers[server_name] = None
            elif server:
                owners.add(server[0])
