-- Of one name none counts, of one port the first by name, of one overlay id none.
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('twin', 27001, 'a', 1), ('twin', 27002, 'b', 1), ('anna', 27003, '', 1),
  ('bert', 27003, '', 1), ('user', 27004, '', 1);
INSERT INTO generator_overlays (id, name, script) VALUES (5, 'five', 'echo'), (5, 'five again', NULL);
INSERT INTO generator_layers (instance, position, overlay) VALUES ('user', 1, 5);
