#!/usr/bin/env python3
"""
What a database may hold that is sound: a schema beside ours that does not matter, every form of file that SQLite knows, and views
made in every way. And what a message says where a view cannot be read. dbstate.t has the states of the file.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from dbfile import *  # noqa: E402,F403

# ---------------------------------------------------------------------------------------------------------------------
# A schema that is none of our business

COLUMNS = ["c%d" % i for i in range(211)]
UNKNOWN = "CREATE TRIGGER newer AFTER INSERT ON users BEGIN SELECT @@ of a later version; END"


def unknown_to_sqlite():
    """A trigger in a syntax that this SQLite does not know."""
    sql("CREATE TRIGGER newer AFTER INSERT ON users BEGIN SELECT 1; END", "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = '%s' WHERE name = 'newer'" % UNKNOWN)()


def script(text):
    def make():
        connection = sqlite3.connect(DATABASE, isolation_level=None)
        connection.executescript(text)
        connection.close()
    return make


def rewritten(**texts):
    """A schema in which these objects have texts that this SQLite would not take."""
    return script("CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END; CREATE VIEW v AS SELECT 1; CREATE TABLE u (a);"
                  "CREATE INDEX i ON users (c1); CREATE INDEX o ON generator_instances (name); PRAGMA writable_schema = ON;" +
                  "".join("UPDATE sqlite_master SET sql = '%s' WHERE name = '%s';" % (text, name) for name, text in texts.items()))


def with_functions():
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.create_function("slug", 1, str, deterministic=True)
    connection.create_collation("german", lambda a, b: (a > b) - (a < b))
    for statement in ("CREATE INDEX by_slug ON users (slug(c1))", "CREATE TABLE g (a TEXT COLLATE german, b AS (slug(a)), CHECK (slug(a) > ''))",
                      "CREATE INDEX by_a ON g (a)", "CREATE INDEX by_name ON generator_instances (slug(name), name COLLATE german)", "CREATE VIEW slugs AS SELECT slug(a) FROM g ORDER BY a"):
        connection.execute(statement)
    connection.close()


def without_module():
    """A virtual table of an extension that is not loaded, and a view over it."""
    sql("PRAGMA writable_schema = ON", "INSERT INTO sqlite_master VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING spatial(a)')",
        "INSERT INTO sqlite_master VALUES ('view', 'w', 'w', 0, 'CREATE VIEW w AS SELECT * FROM v')")()


FOREIGN = [
    ("a virtual table of an extension that is not there", without_module),
    ("2000 tables with an index each", sql("BEGIN", *["CREATE TABLE t%d (a, b, c, d); CREATE INDEX i%d ON t%d (a)".split(";")[k] % ((i,) * (k + 1))
                                                     for i in range(2000) for k in (0, 1)], "COMMIT")),
    ("STRICT tables, computed columns and window functions", sql(
        "CREATE TABLE strict_one (a INTEGER, b AS (a * 2) STORED, c TEXT AS (json_extract(a, '$.x')))",
        "CREATE TABLE strict_two (a INTEGER, b TEXT) STRICT", "CREATE VIEW ranks AS SELECT a, row_number() OVER (ORDER BY a) FROM strict_two")),
    ("a trigger that calls json_object() with twelve columns", sql("CREATE TRIGGER audit AFTER UPDATE ON users BEGIN INSERT INTO log "
     "VALUES (json_object(%s)); END" % ", ".join("'%s', OLD.%s" % (c, c) for c in COLUMNS[:12]))),
    ("a trigger that joins the text of 45 columns", sql("CREATE TRIGGER audit AFTER UPDATE ON users BEGIN INSERT INTO log VALUES (%s); END" %
     " || ',' || ".join("quote(OLD.%s)" % c for c in COLUMNS[:45]))),
    ("a trigger that joins the text of 211", sql("CREATE TRIGGER audit AFTER UPDATE ON users BEGIN INSERT INTO log VALUES (%s); END" %
     " || ',' || ".join("quote(OLD.%s)" % c for c in COLUMNS))),
    ("a table of 2000 columns", sql("CREATE TABLE wide (%s)" % ", ".join("c%d" % i for i in range(2000)))),
    ("a view of 60 UNIONs", sql("CREATE VIEW many AS " + " UNION ".join("SELECT c%d FROM users" % i for i in range(60)))),
    ("a view of 400 UNION ALLs", sql("CREATE VIEW many AS " + " UNION ALL ".join("SELECT %d" % i for i in range(400)))),
    ("a view of two megabytes", sql("CREATE VIEW long AS SELECT '%s' AS x" % ("x" * 2000000))),
    ("a trigger that fires a hundred others", sql(*["CREATE TRIGGER t%d AFTER UPDATE OF c%d ON users BEGIN UPDATE users SET c%d = 1; END" %
     (i, i, i + 1) for i in range(100)])),
    ("indexes, columns and checks with functions and a collation of the application's", with_functions),
    ("a trigger in the syntax of a later SQLite", unknown_to_sqlite),
    ("a full-text and a spatial index, their triggers and a view over them", script(
        "CREATE TABLE doc (id INTEGER PRIMARY KEY, t); CREATE VIRTUAL TABLE f USING fts5 (t, content=doc, content_rowid=id);"
        "CREATE TRIGGER d AFTER INSERT ON doc BEGIN INSERT INTO f (rowid, t) VALUES (new.id, new.t); END; INSERT INTO doc (t) VALUES ('x');"
        "CREATE VIRTUAL TABLE r USING rtree (id, a, b); CREATE VIEW found AS SELECT * FROM f WHERE f MATCH 'x'")),
    ("tables WITHOUT ROWID and a trigger with a CTE and an upsert", script(
        "CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; CREATE TRIGGER wt AFTER INSERT ON w BEGIN INSERT INTO w "
        "SELECT * FROM (WITH x (n) AS (SELECT 1) SELECT n, n FROM x) WHERE 1 ON CONFLICT DO UPDATE SET b = excluded.b; END")),
    ("views 500 deep, and two that need each other", sql(
        "CREATE VIEW d0 AS SELECT 1 AS a", *["CREATE VIEW d%d AS SELECT * FROM d%d" % (i, i - 1) for i in range(1, 500)],
        "CREATE VIEW x1 AS SELECT 1 AS a", "CREATE VIEW x2 AS SELECT * FROM x1", "DROP VIEW x1", "CREATE VIEW x1 AS SELECT * FROM x2")),
    ("an expression 900 deep and an IN of 30 000", sql(
        "CREATE VIEW deep AS SELECT c1 FROM users WHERE %s" % " AND ".join("c1 <> %d" % i for i in range(900)),
        "CREATE VIEW long AS SELECT c1 FROM users WHERE c1 IN (%s)" % ",".join(map(str, range(30000))))),
    ("statistics that are garbage", script("CREATE TABLE s (a, b); CREATE INDEX si ON s (a, b); INSERT INTO s VALUES (1, 2); ANALYZE;"
                                           "UPDATE sqlite_stat1 SET stat = hex(zeroblob(100000))")),
    ("what an ALTER TABLE of old has left behind", script(
        "PRAGMA legacy_alter_table = ON; CREATE TABLE l (a, b); CREATE VIEW lv AS SELECT b FROM l; "
        "CREATE TRIGGER lt AFTER INSERT ON l BEGIN SELECT b FROM gone; END; ALTER TABLE l RENAME TO l2; CREATE TABLE fk (a REFERENCES gone (b))")),
    ("a trigger and a view that name another database", rewritten(
        t="CREATE TRIGGER t AFTER INSERT ON users BEGIN INSERT INTO other.log VALUES (1); END", v="CREATE VIEW v AS SELECT * FROM other.log")),
    ("a table and an index in the syntax of a later SQLite", rewritten(
        u="CREATE TABLE u (a) PARTITIONED BY a", i="CREATE INDEX i ON users (c1) USING brin")),
    ("an index of a table of ours in the syntax of a later SQLite", rewritten(o="CREATE INDEX o ON generator_instances (name) USING brin")),
    ("names of every kind", script('CREATE TABLE "a""b [c]" ("sel""ect", [x y], `z`); CREATE INDEX "i ; --" ON "a""b [c]" ("sel""ect")')),
    ("a LIKE with a pattern of 2000 bytes in a check", sql("CREATE TABLE liked (x CHECK (x LIKE '%s'))" % ("%a" * 1000))),
]
for name, make in FOREIGN:
    good_database()
    sql("CREATE TABLE users (%s)" % ", ".join(COLUMNS), "CREATE TABLE log (x)")()
    make()
    run = Generated()
    tap.none(run.problems() + ([] if (run.report, run.servers()) == ([], {"alpha", "bravo"}) else ["%r %r" % (run.report, run.servers())]),
             "%s does not matter" % name)

# The forms of the file that SQLite knows
FORMS = ["page_size = 512", "page_size = 65536", "auto_vacuum = FULL", "auto_vacuum = INCREMENTAL", "encoding = 'UTF-16be'",
         "encoding = 'UTF-16le'", "journal_mode = PERSIST", "journal_mode = TRUNCATE", "journal_mode = MEMORY", "journal_mode = OFF",
         "journal_mode = WAL", "application_id = 7", "secure_delete = ON"]
for form in FORMS:
    box.make_clean()
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.executescript("PRAGMA %s; %s" % (form, SCHEMA))
    insert(connection, INSTANCES, instance("alpha", 27001, "+hostname Gr\u00f6\u00dfe"))
    connection.close()
    box.give(DATABASE)
    before = state_of(DIRECTORY)
    run = Generated()
    tap.ok((run.report, run.servers(), state_of(DIRECTORY) == before) == ([], {"alpha"}, True), "a database with %s is read" % form, run.report)

OWN = [
    ("a text joined of 150 pieces", "SELECT %s AS name, 27001 AS port, '' AS arguments, 1 AS enabled" % " || ".join(["'a'"] * 150),
     r"view generator_instances: Expression tree is too large \(maximum depth 100\); left4me-views\(5\) has the limits"),
]
for name, text, words in OWN:
    good_database()
    sql("CREATE TABLE wide (name, port, arguments, enabled, %s)" % ", ".join(COLUMNS))()
    view(INSTANCES, text)()
    run = Generated()
    tap.ok(re.search(words, "".join(run.report)), "a view with %s is that view's error" % name, run.report)

WIDE = "'+map ' || c1 AS arguments, c2 AS name, 27001 AS port, 1 AS enabled"
MADE = [
    ("of a table of 211 columns", [], "SELECT %s FROM users" % WIDE),
    ("of another view of all its columns", ["CREATE VIEW every AS SELECT * FROM users"], "SELECT %s FROM every" % WIDE),
    ("60 views above it", ["CREATE VIEW d0 AS SELECT * FROM users", *["CREATE VIEW d%d AS SELECT * FROM d%d" % (i, i - 1) for i in range(1, 60)]],
     "SELECT %s FROM d59" % WIDE),
    ("of 60 SELECTs, one with 40 arguments", [], "SELECT %s FROM users UNION ALL SELECT printf('%s', %s), 'b', 27002, 0 WHERE 0%s" %
     (WIDE, "%d" * 40, ", ".join("1" * 40), " UNION ALL SELECT '', 'b', 27002, 0 WHERE 0" * 58)),
    ("of 20 tables joined", ["CREATE TABLE j%d (id)" % i for i in range(20)],
     "SELECT %s FROM users %s" % (WIDE, " ".join("LEFT JOIN j%d ON j%d.id = c1" % (i, i) for i in range(20)))),
    ("of a list of JSON's", [], "SELECT (SELECT group_concat(value, ' ') FROM json_each('[\"+map\", \"x\"]')) AS arguments, "
     "c2 AS name, 27001 AS port, 1 AS enabled FROM users"),
    ("of a tree of JSON's", [], "SELECT (SELECT group_concat(atom, ' ') FROM json_tree('{\"a\": [\"+map\", \"x\"]}') WHERE atom IS NOT NULL) AS arguments, "
     "c2 AS name, 27001 AS port, 1 AS enabled FROM users"),
    ("of a recursive CTE and a window", [], "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2) "
     "SELECT '+map x' AS arguments, c2 AS name, 27000 + row_number() OVER (ORDER BY i) AS port, 1 AS enabled FROM users, n WHERE i = 0"),
    ("with columns in another order and case, and more of them", [], "SELECT 7 AS more, 1 AS ENABLED, c2 AS Name, '+map x' AS Arguments, 27001 AS Port FROM users"),
]
for name, before, text in MADE:
    good_database()
    sql("CREATE TABLE users (%s)" % ", ".join(COLUMNS), "INSERT INTO users (c1, c2) VALUES ('x', 'alpha')", *before)()
    view(INSTANCES, text)()
    run = Generated()
    unit = run.tree.get(UNITS + "left4me-server@alpha.service", (0, 0, b""))[2]
    tap.ok((run.report, run.servers(), b" +map x" in unit) == ([], {"alpha"}, True), "a view %s is read" % name, run.report)

good_database()
view(INSTANCES, "SELECT 'x' AS name, 27001 AS port, '' AS arguments, 1 AS enabled")()
sql("PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = 'CREATE VIEW generator_instances AS SELECT @@' WHERE name = '%s'" % INSTANCES)()
run = Generated()
tap.ok(re.search(r"has no view generator_instances; .* \(SQLite [0-9.]+ cannot read all of its schema: \(generator_instances\) - ",
                 "".join(run.report)) and "malformed" not in "".join(run.report), "a view of ours in the syntax of a later SQLite", run.report)

# ---------------------------------------------------------------------------------------------------------------------
# Messages that say what is wrong


def german():
    """A table with a collation that only the application has."""
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.create_collation("german", lambda a, b: (a > b) - (a < b))
    connection.execute("CREATE TABLE s (name TEXT COLLATE german)")
    connection.execute("INSERT INTO s VALUES ('alpha')")
    connection.close()


def collated():
    german()
    view(INSTANCES, "SELECT %s FROM s" % constants_of(INSTANCES, name="name", port=27001))()


def collated_layers():
    german()
    view(LAYERS, "SELECT %s FROM s" % constants_of(LAYERS, instance="name", position="1", overlay="1"))()


QUOTED = 'view %s: no such column: "on", which view %s has in double quotes, as a column\'s name; a text is written \'on\''
MESSAGES = [
    ("a collation of the application's", collated,
     "view generator_instances: no such collation sequence: german, which only the application has; name || '' in the view"),
    ("a collation of the layers'", collated_layers,
     "view generator_layers: no such collation sequence: german, which only the application has; instance || '' in the view"),
    ("a value of 70 MB", sql("UPDATE %s SET arguments = hex(zeroblob(35000000))" % INSTANCES),
     "view generator_instances: string or blob too big; left4me-views(5) has the limits"),
    ("a text in double quotes", view(INSTANCES, "SELECT %s WHERE name = \"on\"" % constants_of(INSTANCES)), QUOTED % (INSTANCES, INSTANCES)),
    ("a text in double quotes in a view that ours uses", lambda: (
        sql("DROP TABLE " + INSTANCES, "CREATE TABLE s (state)", "CREATE VIEW deeper AS SELECT * FROM s WHERE state = \"on\"",
            "CREATE VIEW %s AS SELECT %s FROM deeper" % (INSTANCES, constants_of(INSTANCES)))()), QUOTED % (INSTANCES, "deeper")),
    ("a column that is not there", view(INSTANCES, "SELECT " + constants_of(INSTANCES).replace("AS port", "AS prot")),
     "view generator_instances: no such column: port; /usr/local/share/left4me/schema/views.sql creates it"),
    ("an encrypted file", change(lambda data: os.urandom(8192)), "file is not a database that SQLite .* can read: it is another kind of file, encrypted, or in"),
    ("the format of a later SQLite", change(lambda data: data.__setitem__(slice(18, 20), b"\3\3")), "or in the format of a later version"),
    ("a function of the application's", view(INSTANCES, "SELECT %s" % constants_of(INSTANCES, arguments="slug('x')")),
     "view generator_instances: no such function: slug in SQLite .*: it is the application's own or a later version's"),
    ("a full-text index", lambda: (sql("CREATE VIRTUAL TABLE f USING fts5(x)")(), view(INSTANCES, "SELECT %s FROM f" % constants_of(INSTANCES))()),
     "view generator_instances: no such module: fts5: of virtual tables a view may use JSON's alone"),
    ("a function that no view may call", view(INSTANCES, "SELECT %s" % constants_of(INSTANCES, arguments="load_extension('x')")),
     "view generator_instances: load_extension(), which SQLite .* takes for unsafe in a view: the view must do without it"),
    ("an id as a name", view(INSTANCES, "SELECT " + constants_of(INSTANCES, name="7", port="27001.0", enabled="x'01'")),
     "row 1, name: 7 is an integer, not a text: CAST it in the view"),
    ("numbers of other types", view(INSTANCES, "SELECT " + constants_of(INSTANCES, name="'x'", port="27001.0", arguments="1", enabled="x'01'")),
     "port: 27001.0 is a real number, not an integer: CAST it in the view.*arguments: 1 is an integer, not a text: CAST it.*"
     "enabled: a blob of 1 bytes is not 0 or 1"),
    ("an id as a layer's server", sql("UPDATE %s SET instance = 7" % LAYERS), "row 1, instance: 7 is an integer, not a text: CAST it in the view"),
    ("numbers as texts", view(INSTANCES, "SELECT " + constants_of(INSTANCES, name="'x'", port="'27001'", enabled="'true'")),
     "port: '27001' is a text, not an integer: CAST it in the view.*enabled: 'true' is a text, not 0 or 1: CAST it in the view"),
]
for name, make, words in MESSAGES:
    good_database()
    make()
    run = Generated()
    tap.ok(re.search(re.escape(words).replace(re.escape(".*"), ".*"), " ".join(run.report)), "%s is named as what it is" % name, run.report)
    if make is collated:
        sql("DROP VIEW " + INSTANCES, "CREATE VIEW %s AS SELECT %s FROM s" % (INSTANCES, constants_of(INSTANCES, name="name || \'\'", port=27001)))()
        run = Generated()
        tap.ok((run.report, run.servers()) == ([], {"alpha"}), "... and cured by what the message says", run.report)


def utf16(length):
    box.make_clean()
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.executescript("PRAGMA encoding = 'UTF-16le';" + SCHEMA)
    insert(connection, INSTANCES, instance("alpha", 27001, "+hostname Gr\u00f6\u00dfe"))
    insert(connection, OVERLAYS, overlay(1, "maps", "x" * length))
    connection.close()
    box.give(DATABASE)
    return Generated()


run = utf16(1048576)
tap.ok((run.report, run.servers()) == ([], {"alpha"}), "a UTF-16 database: 1 MiB of UTF-8 counts as that", run.report)
run = utf16(1048577)
tap.ok("script: is 1048577 bytes long, the limit is 1048576" in " ".join(run.report), "... and a byte more is too many", run.report)

tap.done()
