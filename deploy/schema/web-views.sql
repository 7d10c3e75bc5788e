-- The three views of views.sql over the tables of a web application whose servers take arguments and overlays from a
-- blueprint:
--
--     servers            id, name, port, blueprint_id, desired_state ('running', ...)
--     blueprints         id, arguments
--     blueprint_overlays blueprint_id, overlay_id, position (lowest = topmost)
--     overlays           id, name, type ('script', ...), script
--
-- To be run by the application's user, never by root: as a migration (alembic-views.py runs this file) or
--     runuser -u left4me -- sqlite3 -bail /var/lib/left4me/left4me.db <web-views.sql
-- It may run again. Change what your tables call otherwise; `left4me-generator check` says what is still wrong.

BEGIN IMMEDIATE;

DROP VIEW IF EXISTS generator_instances;
DROP VIEW IF EXISTS generator_layers;
DROP VIEW IF EXISTS generator_overlays;
DROP INDEX IF EXISTS generator_servers;

-- The instance is the row's id as text: "2" of left4me-server@2.service, and the directory runtime/2. With this index the
-- views are read in order of that text without a sort of all rows. Where servers.name is fit to be the instance
-- ([a-z0-9][a-z0-9_-]{0,63}, unique) write servers.name for each CAST(servers.id AS TEXT), and (name, blueprint_id) here.
CREATE INDEX generator_servers ON servers (CAST(id AS TEXT), blueprint_id);

-- Line breaks in arguments are refused: a text of several lines becomes one. Where the column holds a JSON list of words,
-- write for blueprints.arguments
--     (SELECT group_concat(value, ' ') FROM json_each(blueprints.arguments))
CREATE VIEW generator_instances AS
	SELECT CAST(servers.id AS TEXT) AS name,
	       servers.port AS port,
	       replace(replace(coalesce(blueprints.arguments, ''), char(13), ' '), char(10), ' ') AS arguments,
	       servers.desired_state IS 'running' AS enabled
	FROM servers LEFT JOIN blueprints ON blueprints.id = servers.blueprint_id;

-- 1 = topmost. Only the order counts, so that one more is right for positions that begin at 0 and for those that begin at 1.
-- The installation is not listed. CROSS JOIN: servers is the outer loop, whatever the planner thinks of the tables' sizes.
CREATE VIEW generator_layers AS
	SELECT CAST(servers.id AS TEXT) AS instance,
	       blueprint_overlays.position + 1 AS position,
	       blueprint_overlays.overlay_id AS overlay
	FROM servers CROSS JOIN blueprint_overlays ON blueprint_overlays.blueprint_id = servers.blueprint_id;

-- Any other type is not built by a script, whatever its column script still holds.
CREATE VIEW generator_overlays AS
	SELECT id, name, CASE WHEN type = 'script' THEN script END AS script FROM overlays;

COMMIT;
