-- The three views of the contract, as plain tables, without a row. Every other case starts from here.
CREATE TABLE generator_instances (name TEXT, port INTEGER, arguments TEXT, enabled INTEGER);
CREATE TABLE generator_layers (instance TEXT, position INTEGER, overlay INTEGER);
CREATE TABLE generator_overlays (id INTEGER, name TEXT, script TEXT);
