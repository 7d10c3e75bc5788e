INSERT INTO generator_overlays (id, name, script) VALUES (9, 'maps', 'echo');
