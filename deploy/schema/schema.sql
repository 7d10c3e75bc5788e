-- Example schema of a web application that left4me-generator serves. The application owns it and may have any other:
-- the generator reads only the three views of views.sql. What the tables refuse here never has to be refused there.

PRAGMA journal_mode = WAL;
PRAGMA foreign_keys = ON;

BEGIN;

-- The name is the instance: a unit name, a directory name and a word in sudoers. What people read is the title.
CREATE TABLE servers (
	name      TEXT    NOT NULL PRIMARY KEY
	          CHECK (name GLOB '[a-z0-9]*' AND name NOT GLOB '*[^a-z0-9_-]*' AND length(name) <= 64),
	title     TEXT    NOT NULL,
	port      INTEGER NOT NULL UNIQUE CHECK (typeof(port) = 'integer' AND port BETWEEN 1 AND 65535),
	arguments TEXT    NOT NULL DEFAULT '' CHECK (length(CAST(arguments AS BLOB)) <= 4096),
	enabled   INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1))
) WITHOUT ROWID;

-- AUTOINCREMENT: an id never comes back, so a new overlay never inherits the directory of a deleted one (S16).
CREATE TABLE overlays (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	name      TEXT    NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 200),
	kind      TEXT    NOT NULL CHECK (kind IN ('script', 'files', 'workshop')),
	script    TEXT    CHECK (length(CAST(script AS BLOB)) <= 1048576),
	CHECK ((kind = 'script') = (script IS NOT NULL))
);

-- Position 1 is topmost. The key is the order in which the generator reads.
CREATE TABLE server_overlays (
	server    TEXT    NOT NULL REFERENCES servers (name) ON UPDATE CASCADE ON DELETE CASCADE,
	position  INTEGER NOT NULL CHECK (typeof(position) = 'integer' AND position BETWEEN 1 AND 499),
	overlay   INTEGER NOT NULL REFERENCES overlays (id) ON DELETE RESTRICT,
	PRIMARY KEY (server, position),
	UNIQUE (server, overlay)
) WITHOUT ROWID;

-- For the foreign key: deleting an overlay looks for servers that use it.
CREATE INDEX server_overlays_by_overlay ON server_overlays (overlay);

COMMIT;
