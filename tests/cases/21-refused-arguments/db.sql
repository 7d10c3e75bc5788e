-- Control characters, what is not text, and too much of it.
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('good', 27000, '', 1),
  ('newline', 27001, '+map a' || char(10) || 'ExecStartPre=+/bin/evil', 1), ('return', 27002, 'a' || char(13), 1),
  ('nul', 27003, 'a' || char(0) || 'b', 1), ('tab', 27004, 'a' || char(9) || 'b', 1), ('null', 27005, NULL, 1),
  ('utf8', 27006, CAST(x'61ff' AS TEXT), 1), ('blob', 27007, x'61', 1), ('escape', 27008, char(27) || '[0m', 1),
  ('long', 27009, printf('%.4097c', 'x'), 1), ('fits', 27010, printf('%.4096c', 'x'), 1);
