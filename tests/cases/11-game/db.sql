INSERT INTO generator_instances VALUES ('inside', 28010, '', 1), ('outside', 27015, '', 1);
