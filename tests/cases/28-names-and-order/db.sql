-- Byte order, whatever the database's order; names at their limits.
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('b', 27001, '', 1), ('a', 27002, '', 1), ('a-', 27003, '', 1), ('a_b', 27004, '', 1),
  ('10', 27005, '', 1), ('9', 27006, '', 1), ('0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 27007, '', 1);
INSERT INTO generator_overlays (id, name, script) VALUES (10, 'ten', 'echo'), (9, 'nine', 'echo'), (9223372036854775807, 'last', 'echo'),
  (7, '100% "quoted" $HOME \ %i', 'echo');
