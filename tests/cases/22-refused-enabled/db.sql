-- 0 and 1, and nothing that merely looks like them.
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('good', 27000, '', 1), ('off', 27001, '', 0), ('two', 27002, '', 2),
  ('null', 27003, '', NULL), ('text', 27004, '', 'yes'), ('minus', 27005, '', -1);
