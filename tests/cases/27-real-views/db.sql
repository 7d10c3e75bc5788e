-- Views over a schema of the application's own; columns beyond the contract's are ignored.
DROP TABLE generator_instances; DROP TABLE generator_layers; DROP TABLE generator_overlays;
CREATE TABLE servers (id INTEGER PRIMARY KEY, port INTEGER, argv TEXT, state TEXT, note TEXT);
CREATE TABLE overlays (id INTEGER PRIMARY KEY, name TEXT, type TEXT, script TEXT);
CREATE TABLE stack (server INTEGER, place INTEGER, overlay INTEGER);
CREATE VIEW generator_instances AS SELECT note, CAST(id AS TEXT) AS name, port, coalesce(argv, '') AS arguments,
  state = 'running' AS enabled FROM servers;
CREATE VIEW generator_layers AS SELECT CAST(server AS TEXT) AS instance, overlay, place AS position FROM stack;
CREATE VIEW generator_overlays AS SELECT id, name, CASE type WHEN 'script' THEN script END AS script, type FROM overlays;
INSERT INTO servers VALUES (10, 27010, NULL, 'running', 'x'), (9, 27009, '+map c2m1', 'stopped', NULL);
INSERT INTO overlays VALUES (1, 'workshop', 'workshop', 'never run'), (2, 'sync maps', 'script', 'echo');
INSERT INTO stack VALUES (10, 2, 1), (10, 1, 2);
