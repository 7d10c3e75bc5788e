INSERT INTO generator_overlays VALUES (9, 'maps', 'echo');
