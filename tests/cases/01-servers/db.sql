-- Two servers with layers, one that is disabled and has none, overlays with and without a script.
INSERT INTO generator_overlays (id, name, script) VALUES (1, 'tickrate 100', 'echo hello'), (2, 'maps', NULL), (3, 'admins', '');
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('alpha', 27015, '+map c1m1_hotel +exec server.cfg', 1),
  ('2', 27016, '', 1), ('spare', 27017, '-tickrate 100', 0);
INSERT INTO generator_layers (instance, position, overlay) VALUES ('alpha', 1, 2), ('alpha', 2, 1), ('2', 1, 3);
