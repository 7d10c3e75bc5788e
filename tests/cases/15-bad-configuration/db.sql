INSERT INTO generator_instances VALUES ('alpha', 27015, '', 1);
