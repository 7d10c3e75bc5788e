-- Not a file name, unit name and sudo word at once: no unit, but a message.
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('good', 27000, '', 1),
  ('../x', 27001, '', 1), ('-x', 27002, '', 1), ('.', 27003, '', 1), ('Upper', 27004, '', 1), ('', 27005, '', 1),
  ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 27006, '', 1), (NULL, 27007, '', 1),
  ('a' || char(10) || 'ExecStart=/bin/evil', 27008, '', 1), (x'61', 27009, '', 1), ('a b', 27010, '', 1),
  ('é', 27011, '', 1), (CAST(x'ff' AS TEXT), 27012, '', 1), ('a' || char(0) || 'b', 27013, '', 1);
