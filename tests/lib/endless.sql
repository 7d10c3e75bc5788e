-- After views.sql: the instances are a view that never gives a row and never ends.
INSERT INTO generator_instances (name, port) VALUES ('a', 27001);
ALTER TABLE generator_instances RENAME TO one;
CREATE VIEW generator_instances AS
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT one.* FROM n, one WHERE i < 0;
