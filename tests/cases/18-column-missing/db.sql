-- A double-quoted string must not stand in for the column.
DROP TABLE generator_instances;
CREATE VIEW generator_instances AS SELECT 'alpha' AS name, 27015 AS "prot", '' AS arguments, 1 AS enabled;
