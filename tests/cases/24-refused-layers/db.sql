-- A stack that cannot be known refuses its server; a layer of nobody is only reported.
INSERT INTO generator_overlays (id, name, script) VALUES (1, 'one', NULL), (2, 'two', NULL);
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('good', 27000, '', 1), ('unknown', 27001, '', 1), ('position', 27002, '', 1),
  ('layer', 27003, '', 1), ('null', 27004, '', 1), ('nullpos', 27005, '', 1), ('negative', 27006, '', 1);
INSERT INTO generator_layers (instance, position, overlay) VALUES ('good', 1, 1), ('good', 2, 2), ('unknown', 1, 4711), ('position', 1, 1),
  ('position', 1, 2), ('layer', 1, 1), ('layer', 2, 1), ('null', 1, NULL), ('nullpos', NULL, 1), ('negative', 1, -2),
  ('nobody', 1, 1), (NULL, 1, 1);
