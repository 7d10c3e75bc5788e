INSERT INTO generator_instances VALUES ('alpha', 27015, '', 1);
INSERT INTO generator_overlays VALUES (1, 'maps', 'echo');
INSERT INTO generator_layers VALUES ('alpha', 1, 1);
