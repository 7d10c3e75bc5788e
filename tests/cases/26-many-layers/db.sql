-- 499 overlays and the installation are what the kernel takes.
WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
  INSERT INTO generator_overlays (id, name, script) SELECT i, 'overlay ' || i, NULL FROM n;
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES ('fits', 27000, '', 1), ('toomany', 27001, '', 1);
INSERT INTO generator_layers (instance, position, overlay) SELECT 'fits', id, id FROM generator_overlays WHERE id < 500;
INSERT INTO generator_layers (instance, position, overlay) SELECT 'toomany', id, id FROM generator_overlays;
