-- The three views that left4me-generator reads; the application's migration creates them. left4me-views(5) has the rules.
-- Columns are found by name, further ones are ignored. Each view should be one scan in the order given, so that a
-- thousand servers need no sorting. The generator checks every value again; a bad row costs only itself.

BEGIN;

DROP VIEW IF EXISTS generator_instances;
DROP VIEW IF EXISTS generator_layers;
DROP VIEW IF EXISTS generator_overlays;

-- In the order of name. Name [a-z0-9][a-z0-9_-]{0,63}; port within the host's range; arguments split at blanks; enabled 0 or 1;
-- created in seconds since 1970, or NULL; a view may lack it.
CREATE VIEW generator_instances AS
	SELECT name, port, arguments, enabled, created FROM servers;

-- In the order of instance, position. Instance: a name above; position: 1 = topmost; overlay: an id below. The installation
-- is not listed.
CREATE VIEW generator_layers AS
	SELECT server AS instance, position, overlay FROM server_overlays;

-- In the order of id. Id 1 to 2^63-1; name for people; script NULL or '' where no script builds the overlay.
CREATE VIEW generator_overlays AS
	SELECT id, name, script FROM overlays;

COMMIT;
