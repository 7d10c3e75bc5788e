DROP TABLE generator_layers;
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('alpha', 27015, '', 1);
