INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('low', 27099, '', 1), ('first', 27100, '', 1), ('last', 27199, '', 1), ('high', 27200, '', 1);
