-- An example of a web application's schema. The application may have any other: left4me-generator reads only the three
-- views of views.sql. What these constraints refuse, the generator never has to refuse.

PRAGMA journal_mode = WAL;
PRAGMA foreign_keys = ON;

BEGIN;

-- The name is that of the instance: part of a unit's name, name of a directory, word in sudoers. People read the title.
CREATE TABLE servers (
	name      TEXT    NOT NULL PRIMARY KEY
	          CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9_-]*' AND length(name) <= 64),
	title     TEXT    NOT NULL,
	port      INTEGER NOT NULL UNIQUE CHECK (typeof(port) = 'integer' AND port BETWEEN 1 AND 65535),
	arguments TEXT    NOT NULL DEFAULT '' CHECK (length(CAST(arguments AS BLOB)) <= 4096),
	enabled   INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
	created   INTEGER DEFAULT (unixepoch())
) WITHOUT ROWID;

-- A name is never used again, so that a new server does not inherit the files of a deleted one. To give it free: remove
-- runtime/NAME, then its row here.
CREATE TABLE former_servers (name TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER server_deleted AFTER DELETE ON servers BEGIN
	INSERT OR IGNORE INTO former_servers VALUES (OLD.name);
END;
CREATE TRIGGER server_renamed AFTER UPDATE OF name ON servers WHEN NEW.name <> OLD.name BEGIN
	INSERT OR IGNORE INTO former_servers VALUES (OLD.name);
	SELECT RAISE(ABORT, 'a server has had this name, and a name is used once: take another') FROM former_servers WHERE name = NEW.name;
END;
CREATE TRIGGER server_inserted BEFORE INSERT ON servers BEGIN
	SELECT RAISE(ABORT, 'a server has had this name, and a name is used once: take another') FROM former_servers WHERE name = NEW.name;
END;

-- AUTOINCREMENT: an id is never used again, so that a new overlay does not inherit the directory of a deleted one.
CREATE TABLE overlays (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	name      TEXT    NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 200),
	kind      TEXT    NOT NULL CHECK (kind IN ('script', 'files', 'workshop')),
	script    TEXT    CHECK (length(CAST(script AS BLOB)) <= 1048576),
	CHECK ((kind = 'script') = (script IS NOT NULL))
);

-- Position 1 is topmost. The primary key has the order in which the generator reads.
CREATE TABLE server_overlays (
	server    TEXT    NOT NULL REFERENCES servers (name) ON UPDATE CASCADE ON DELETE CASCADE,
	position  INTEGER NOT NULL CHECK (typeof(position) = 'integer' AND position BETWEEN 1 AND 499),
	overlay   INTEGER NOT NULL REFERENCES overlays (id) ON DELETE RESTRICT,
	PRIMARY KEY (server, position),
	UNIQUE (server, overlay)
) WITHOUT ROWID;

-- For the foreign key: when an overlay is deleted, SQLite looks for servers that use it.
CREATE INDEX server_overlays_by_overlay ON server_overlays (overlay);

COMMIT;
