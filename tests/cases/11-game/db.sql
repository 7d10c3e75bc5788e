INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('inside', 28010, '', 1), ('outside', 27015, '', 1);
