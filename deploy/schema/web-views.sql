-- The three views of left4me-views(5) over the tables of a web application whose servers take arguments and overlays
-- from a blueprint:
--
--     servers            id, name, port, blueprint_id, desired_state ('running', ...)
--     blueprints         id, arguments
--     blueprint_overlays blueprint_id, overlay_id, position (lowest = topmost)
--     overlays           id, name, type ('script', ...), script
--
-- Run it as the application's user, never as root: as a migration (alembic-views.py runs this file) or with
--     runuser -u left4me -- sqlite3 -bail /var/lib/left4me/left4me.db <web-views.sql
-- It may be run again. Adapt the names to your tables; `left4me-generator check` says what is still wrong.

BEGIN IMMEDIATE;

DROP VIEW IF EXISTS generator_instances;
DROP VIEW IF EXISTS generator_layers;
DROP VIEW IF EXISTS generator_overlays;
DROP INDEX IF EXISTS generator_servers;

-- The name of the instance is the row's id as text: "2" for left4me-server@2.service and the directory runtime/2. Thanks
-- to this index the views are read in the order of that text without sorting. Declare servers.id and overlays.id INTEGER PRIMARY
-- KEY AUTOINCREMENT (SQLAlchemy: sqlite_autoincrement=True): otherwise SQLite gives the id of a deleted last row to the next one,
-- which then has the files of the old server or overlay. Where servers.name can be the name of the
-- instance ([a-z0-9][a-z0-9_-]{0,63}, unique), replace each CAST(servers.id AS TEXT) by it, and index (name, blueprint_id).
CREATE INDEX generator_servers ON servers (CAST(id AS TEXT), blueprint_id);

-- Line breaks in arguments are refused, so a text of several lines becomes one line. If the column holds a JSON list of
-- words, replace blueprints.arguments by
--     (SELECT group_concat(value, ' ') FROM json_each(blueprints.arguments))
-- Where the table says when a row was made, as text in UTC, `check` and `status` can tell an earlier server's files from a server's
-- own. Add behind enabled
--     , unixepoch(servers.created_at) AS created
CREATE VIEW generator_instances AS
	SELECT CAST(servers.id AS TEXT) AS name,
	       servers.port AS port,
	       replace(replace(coalesce(blueprints.arguments, ''), char(13), ' '), char(10), ' ') AS arguments,
	       servers.desired_state IS 'running' AS enabled
	FROM servers LEFT JOIN blueprints ON blueprints.id = servers.blueprint_id;

-- The lowest position is the topmost layer and only the order counts: + 1 suits positions that begin at 0 and at 1 alike.
-- The installation is not listed. CROSS JOIN keeps servers the outer loop, whatever the planner thinks of the tables' sizes.
CREATE VIEW generator_layers AS
	SELECT CAST(servers.id AS TEXT) AS instance,
	       blueprint_overlays.position + 1 AS position,
	       blueprint_overlays.overlay_id AS overlay
	FROM servers CROSS JOIN blueprint_overlays ON blueprint_overlays.blueprint_id = servers.blueprint_id;

-- Overlays of other types are not built by a script, even where the column script still holds one.
CREATE VIEW generator_overlays AS
	SELECT id, name, CASE WHEN type = 'script' THEN script END AS script FROM overlays;

COMMIT;
