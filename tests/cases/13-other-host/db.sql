INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('alpha', 27015, '', 1);
INSERT INTO generator_overlays (id, name, script) VALUES (1, 'maps', 'echo');
INSERT INTO generator_layers (instance, position, overlay) VALUES ('alpha', 1, 1);
