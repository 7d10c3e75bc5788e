-- The contract with left4me-generator: three views, made by the application's migration. Columns are found by name,
-- further ones are ignored, and the order of rows does not matter; each view should be one scan in the order given, so
-- that a thousand servers cost no sorting. Values are checked again by the generator; a bad row costs only itself.

BEGIN;

DROP VIEW IF EXISTS generator_instances;
DROP VIEW IF EXISTS generator_layers;
DROP VIEW IF EXISTS generator_overlays;

-- name [a-z0-9][a-z0-9_-]{0,63}; port within the host's range; arguments split at blanks; enabled 0 or 1. By name.
CREATE VIEW generator_instances AS
	SELECT name, port, arguments, enabled FROM servers;

-- instance = a name above; position 1 = topmost; overlay = an id below. The installation is not listed. By instance, position.
CREATE VIEW generator_layers AS
	SELECT server AS instance, position, overlay FROM server_overlays;

-- id 1 to 2^63-1; name for people; script NULL or '' where no script builds the overlay. By id.
CREATE VIEW generator_overlays AS
	SELECT id, name, script FROM overlays;

COMMIT;
