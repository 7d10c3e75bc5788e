-- Each has a unit that fails with the reason, no link, and only the sudo rule to stop it.
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('good', 27000, '', 1),
  ('zero', 0, '', 1), ('below', 26999, '', 1), ('above', 70000, '', 1), ('negative', -1, '', 1), ('null', NULL, '', 1),
  ('text', '27x', '', 1), ('fraction', 27001.5, '', 1), ('blob', x'00', '', 1), ('taken', 27000, '', 1);
