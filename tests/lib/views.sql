-- The three views as tables, for tests to fill. A column that a row does not name has the default here, so a column that
-- a view gains is added here and nowhere else in tests: rows are inserted by the names of their columns.
CREATE TABLE generator_instances (name TEXT, port INTEGER, arguments TEXT DEFAULT '', enabled INTEGER DEFAULT 1,
	created INTEGER);
CREATE TABLE generator_layers (instance TEXT, position INTEGER, overlay INTEGER);
CREATE TABLE generator_overlays (id INTEGER, name TEXT DEFAULT '', script TEXT);
