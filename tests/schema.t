#!/bin/bash
# The example schema: views of the right shape, each one ordered scan, and constraints that refuse what they should.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"

scratch db
db=$SCRATCH/test.db
sqlite3 "$db" <deploy/schema/schema.sql >/dev/null && sqlite3 "$db" <deploy/schema/views.sql
is $? 0 "schema and views load"
sqlite3 "$db" <deploy/schema/views.sql
is $? 0 "the views load a second time: a migration may run again"

sql() { sqlite3 "$db" "PRAGMA foreign_keys = ON; $1" 2>&1; }

# One row of plan, a scan, nothing sorted: what the generator asks must cost no look-up per row and no temporary b-tree.
plan_is_one_scan() {
	local plan
	plan=$(sql "EXPLAIN QUERY PLAN $2" | sed 1d)
	is "$(grep -c . <<<"$plan")" 1 "$1: one step"
	like "$plan" 'SCAN ' "$1: a scan"
	unlike "$plan" 'TEMP B-TREE|SEARCH|AUTOMATIC' "$1: nothing sorted, nothing looked up"
}

instances='SELECT name, port, arguments, enabled, created FROM generator_instances ORDER BY name'
layers='SELECT instance, position, overlay FROM generator_layers ORDER BY instance, position'
overlays='SELECT id, name, length(CAST(script AS BLOB)) FROM generator_overlays ORDER BY id'

plan_is_one_scan "instances, empty" "$instances"
plan_is_one_scan "layers, empty" "$layers"
plan_is_one_scan "overlays, empty" "$overlays"

sql "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
     INSERT INTO servers (name, title, port) SELECT 'server-' || i, i, 27000 + i FROM n;
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
     INSERT INTO overlays (name, kind, script) SELECT 'overlay ' || i, 'script', 'true' FROM n;
     INSERT INTO server_overlays (server, position, overlay) SELECT s.name, o.id, o.id FROM servers s JOIN overlays o ON o.id <= 5;
     ANALYZE" >/dev/null

# The planner decides otherwise once it has statistics.
plan_is_one_scan "instances, 1000 rows and statistics" "$instances"
plan_is_one_scan "layers, 5000 rows and statistics" "$layers"
plan_is_one_scan "overlays, 1000 rows and statistics" "$overlays"

refused() { like "$(sql "$1")" 'constraint failed' "refused: $2"; }
server() { refused "INSERT INTO servers (name, title, port) VALUES ($1, 't', $2)" "server $1, port $2"; }
long=$(printf 'a%.0s' {1..65})

server "'../x'" 1
server "'-x'" 1
server "'Upper'" 1
server "''" 1
server "'$long'" 1
server "'a' || char(10) || 'b'" 1
server "NULL" 1
server "'new'" 0
server "'new'" 65536
server "'new'" "'text'"
server "'new'" 27001
server "'server-1'" 1
refused "INSERT INTO servers (name, title, port, enabled) VALUES ('new', 't', 1, 2)" "enabled 2"
refused "INSERT INTO server_overlays (server, position, overlay) VALUES ('server-1', 9, 99999)" "a layer of an overlay that does not exist"
refused "INSERT INTO server_overlays (server, position, overlay) VALUES ('absent', 1, 1)" "a layer of a server that does not exist"
refused "INSERT INTO server_overlays (server, position, overlay) VALUES ('server-1', 5, 9)" "a position twice"
refused "INSERT INTO server_overlays (server, position, overlay) VALUES ('server-1', 9, 5)" "an overlay twice"
refused "INSERT INTO overlays (name, kind) VALUES ('new', 'script')" "a script overlay without a script"
refused "INSERT INTO overlays (name, kind, script) VALUES ('new', 'script', hex(zeroblob(524289)))" "a script over 1 MiB"
refused "DELETE FROM overlays WHERE id = 1" "deleting an overlay in use"

sql "DELETE FROM servers WHERE name = 'server-1'; UPDATE servers SET name = 'renamed' WHERE name = 'server-2'" >/dev/null
is "$(sql "SELECT count(*) FROM generator_layers WHERE instance = 'server-1'")" 0 "a server takes its layers with it"
is "$(sql "SELECT count(*) FROM generator_layers WHERE instance = 'renamed'")" 5 "layers follow a renamed server"
sql "DELETE FROM overlays WHERE id = 1000; INSERT INTO overlays (name, kind) VALUES ('after', 'files')" >/dev/null
is "$(sql "SELECT id FROM generator_overlays WHERE name = 'after'")" 1001 "an id does not come back (S16)"
other='a server has had this name, and a name is used once: take another'
like "$(sql "INSERT INTO servers (name, title, port) VALUES ('server-1', 't', 1)")" "$other" "nor does the name of a deleted server"
like "$(sql "INSERT INTO servers (name, title, port) VALUES ('server-2', 't', 1)")" "$other" "nor that of a renamed one"
like "$(sql "UPDATE servers SET name = 'server-1' WHERE name = 'server-3'")" "$other" "not by renaming either"
is "$(sql "DELETE FROM former_servers WHERE name = 'server-1'; INSERT INTO servers (name, title, port) VALUES ('server-1', 't', 1);
	SELECT created BETWEEN unixepoch() - 60 AND unixepoch() FROM generator_instances WHERE name = 'server-1'")" 1 \
	"until it is given free; a row knows when it was made"

# The example data, which the demo uses: two rows that only the generator can refuse.
sqlite3 "$SCRATCH/example.db" <deploy/schema/schema.sql >/dev/null
sqlite3 "$SCRATCH/example.db" <deploy/schema/views.sql
sqlite3 "$SCRATCH/example.db" <deploy/example/data.sql
is $? 0 "the example data load"
count() { sqlite3 "$SCRATCH/example.db" "SELECT count(*) >= $1 FROM $2"; }
is "$(count 4 "generator_instances")" 1 "at least four servers"
is "$(count 5 "generator_overlays")" 1 "at least five overlays"
is "$(count 1 "generator_instances WHERE enabled = 0")" 1 "at least one disabled server"

done_testing
