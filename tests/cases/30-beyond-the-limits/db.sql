-- Five servers where two count, four overlays where one does. What is beyond takes no port and refuses nobody.
INSERT INTO generator_overlays (id, name, script) VALUES (1, 'counts', 'echo'), (7, 'beyond', 'echo'), (8, 'beyond too', 'echo'),
  (9, 'beyond as well', NULL);
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('a', 27001, '', 1), ('b', 27002, '', 1),
  ('c', 27003, '', 1), ('d', 27001, '', 1), ('e', 1, '', 1), ('f', 27006, '', 1);
INSERT INTO generator_layers (instance, position, overlay) VALUES ('a', 1, 7), ('b', 1, 1), ('c', 1, 1), ('d', 1, 1), ('d', 1, 7);
