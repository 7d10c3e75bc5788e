DROP TABLE generator_layers;
INSERT INTO generator_instances VALUES ('alpha', 27015, '', 1);
