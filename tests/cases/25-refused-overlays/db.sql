-- The build says why it is refused, and so does the server that uses the overlay.
INSERT INTO generator_overlays (id, name, script) VALUES (1, 'good', 'echo'), (2, 'two' || char(10) || 'lines', 'echo'), (3, NULL, 'echo'),
  (4, printf('%.201c', 'n'), 'echo'), (0, 'zero', 'echo'), (-1, 'minus', 'echo'), (NULL, 'null', 'echo'),
  (7, 'blob as script', x'61'), (8, 'script too long', printf('%.1048577c', 'x')),
  (9, 'script just fits', printf('%.1048576c', 'x')), (10, 'not built' || char(7), NULL);
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('good', 27000, '', 1), ('user', 27001, '', 1);
INSERT INTO generator_layers (instance, position, overlay) VALUES ('good', 1, 1), ('user', 1, 1), ('user', 2, 2);
