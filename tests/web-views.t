#!/bin/bash
# deploy/schema/web-views.sql over tables as a web application has them, read by the generator itself; and the Alembic
# skeleton that runs it, with Alembic.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

build=${BUILD:-build}
[ -x "$build/left4me-generator" ] || skip_all "left4me-generator is not built"
command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"
scratch web
views=deploy/schema/web-views.sql
printf '[host]\ncpus = 4\nservers = 1000\n' >"$SCRATCH/left4me.conf"

# As SQLAlchemy makes them. FIRST is the position of the topmost overlay.
make_tables() { # DATABASE FIRST
	sqlite3 -bail "$1" <<-END
		PRAGMA journal_mode = WAL;
		CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL);
		CREATE TABLE blueprints (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL, arguments TEXT NOT NULL);
		CREATE TABLE servers (id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER REFERENCES users (id), name VARCHAR(200) NOT NULL,
			port INTEGER NOT NULL UNIQUE, blueprint_id INTEGER REFERENCES blueprints (id), desired_state VARCHAR(16), updated_at DATETIME);
		CREATE TABLE overlays (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(200) NOT NULL, path VARCHAR(200),
			type VARCHAR(16) NOT NULL, script TEXT);
		CREATE TABLE blueprint_overlays (id INTEGER NOT NULL PRIMARY KEY, blueprint_id INTEGER NOT NULL REFERENCES blueprints (id),
			overlay_id INTEGER NOT NULL REFERENCES overlays (id), position INTEGER NOT NULL, UNIQUE (blueprint_id, position));
		INSERT INTO blueprints VALUES (1, 'Versus', '+map c1m1_hotel' || char(13, 10) || '+sv_tags "a b"'), (2, 'Empty', '');
		INSERT INTO overlays VALUES (3, 'Maps', '3', 'script', 'echo maps'), (4, 'Plugins', '4', 'workshop', 'was a script once'),
			(12, 'Files', '12', 'files', NULL);
		INSERT INTO blueprint_overlays (blueprint_id, overlay_id, position) VALUES (1, 3, $2 + 2), (1, 12, $2), (1, 4, $2 + 1);
		INSERT INTO servers (id, name, port, blueprint_id, desired_state) VALUES (10, 'Ten; of "them"', 27010, 1, 'running'),
			(2, 'Two', 27002, 1, 'stopped'), (7, 'Seven', 27007, 2, NULL), (8, 'Eight', 27008, NULL, 'running');
	END
}

units=$SCRATCH/tree/systemd/generator
render() { # DATABASE: what the generator makes of it; its status
	rm -rf "$SCRATCH/tree"
	"$build/left4me-generator" render --config="$SCRATCH/left4me.conf" --database="$1" --format=tree --output="$SCRATCH/tree" 2>&1
}
has() { like "$(grep -s '^ExecStart' "$units/left4me-server@$1.service")" "$2" "$3"; } # SERVER EXTENDED-REGEX NAME

for first in 0 1; do
	db=$SCRATCH/$first.db
	make_tables "$db" "$first" >/dev/null
	said=$(render "$db")
	is $? 2 "positions from $first: without the views the generator refuses"
	sqlite3 -bail "$db" <"$views"
	is $? 0 "the views load"
	said=$(render "$db")
	is "$?/$said" 0/ "every row is taken"
	is "$(cd "$units" && echo left4me-server@*.service)" \
		"left4me-server@.service left4me-server@10.service left4me-server@2.service left4me-server@7.service left4me-server@8.service" \
		"an instance is called after its row's id"
	has 10 '^ExecStartPre=.* %i 12 4 3 installation' "its layers, topmost first"
	has 2 '^ExecStartPre=.* %i 12 4 3 installation' "the same for another server of the blueprint"
	has 7 '^ExecStartPre=.* %i installation' "a blueprint without overlays"
	has 8 '^ExecStartPre=.* %i installation' "a server without a blueprint"
	has 10 '^ExecStart=.* \+hostport 27010' "its port"
	has 10 '^ExecStart=.*\+map.* .*c1m1_hotel.* .*\+sv_tags' "the blueprint's arguments, two lines as one"
	is "$(cd "$units/left4me.target.wants" && echo left4me-server@*)" "left4me-server@10.service left4me-server@8.service" \
		"wanted are those that should run; not stopped, not NULL"
	is "$(cd "$units" && echo build-overlay@*.service)" "build-overlay@.service build-overlay@3.service" \
		"built by a script is what has that type, not what still has a text"
done

# --- as it may be changed -------------------------------------------------------------------------------------------------

cp "$db" "$SCRATCH/names.db"
sqlite3 "$SCRATCH/names.db" "UPDATE servers SET name = 'server-' || id"
sed -e 's/CAST(servers.id AS TEXT)/servers.name/' -e 's/(CAST(id AS TEXT), blueprint_id)/(name, blueprint_id)/' "$views" | sqlite3 -bail "$SCRATCH/names.db"
is "$(render "$SCRATCH/names.db"; cd "$units/left4me.target.wants" && echo left4me-server@*)" \
	"left4me-server@server-10.service left4me-server@server-8.service" "names instead of ids"
cp "$db" "$SCRATCH/json.db"
sqlite3 "$SCRATCH/json.db" "UPDATE blueprints SET arguments = '[\"+map\", \"c1m1_hotel\"]'"
json=$(sed -n 's/^--  *\((SELECT group_concat.*)\)$/\1/p' "$views")
awk -v json="$json" '/AS arguments,$/ { sub("blueprints.arguments", json) } 1' "$views" | sqlite3 -bail "$SCRATCH/json.db"
is "$(render "$SCRATCH/json.db")/$?" /0 "arguments that are a JSON list"
has 10 '^ExecStart=.*\+map.* .*c1m1_hotel' "become words"
has 8 '^ExecStart=.* \+hostport 27008' "and none where there is no blueprint"
cp "$db" "$SCRATCH/created.db"
sqlite3 "$SCRATCH/created.db" "ALTER TABLE servers ADD created_at DATETIME; UPDATE servers SET created_at = '2026-11-29 02:39:40.123456'"
created=$(sed -n 's/^--  *\(, unixepoch(.*\)$/\1/p' "$views")
awk -v created="$created" '/AS enabled$/ { $0 = $0 created } 1' "$views" | sqlite3 -bail "$SCRATCH/created.db"
is "$(render "$SCRATCH/created.db")/$?" /0 "a time at which rows were made"
is "$(sqlite3 "$SCRATCH/created.db" "SELECT DISTINCT created FROM generator_instances")" 1795919980 "in seconds"

# --- the cost -------------------------------------------------------------------------------------------------------------

# Nothing sorted as a whole, each table behind the first by a key: a thousand servers cost a thousand look-ups.
plan_is_ordered() { # NAME QUERY STEPS
	local plan
	plan=$(sqlite3 "$db" "EXPLAIN QUERY PLAN $2" | sed 1d)
	is "$(grep -c SCAN <<<"$plan")/$(grep -c SEARCH <<<"$plan")" "$3" "$1: scans and look-ups by key"
	unlike "$plan" 'TEMP B-TREE FOR ORDER BY|AUTOMATIC|SUBQUERY|MATERIALIZE' "$1: no sort of all rows"
}
plans() { # LABEL
	plan_is_ordered "instances, $1" 'SELECT name, port, arguments, enabled FROM generator_instances ORDER BY name' 1/1
	plan_is_ordered "layers, $1" 'SELECT instance, position, overlay FROM generator_layers ORDER BY instance, position' 1/1
	plan_is_ordered "overlays, $1" 'SELECT id, name, length(CAST(script AS BLOB)) FROM generator_overlays ORDER BY id' 1/0
}
plans "few rows"
sqlite3 "$db" "DELETE FROM servers; DELETE FROM blueprint_overlays;
	WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO blueprints SELECT i, i, '' FROM n;
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO servers (id, name, port, blueprint_id, desired_state) SELECT i, i, 26999 + i, 1 + i % 50, 'running' FROM n;
	INSERT INTO blueprint_overlays (blueprint_id, overlay_id, position) SELECT b.id, o.id, o.id FROM blueprints b JOIN overlays o; ANALYZE"
plans "1000 servers and statistics"
said=$(render "$db")
is "$?/$said" 0/ "1000 servers are taken"
sqlite3 -bail "$db" <"$views"
is $? 0 "the file may run again"

# --- Alembic --------------------------------------------------------------------------------------------------------------

if ! command -v alembic >/dev/null; then
	skip "alembic is not installed" "the Alembic skeleton"
	done_testing
fi
web=$SCRATCH/web
mkdir -p "$web/migrations/versions"
printf '[alembic]\nscript_location = migrations\n' >"$web/alembic.ini"
cp deploy/schema/alembic-views.py "$views" "$web/migrations/versions/"
cat >"$web/migrations/versions/rebuild.py" <<'END'
"""A later migration that rebuilds a table, as SQLite needs for most changes of a column."""
import importlib.util
from pathlib import Path
from alembic import op
import sqlalchemy
revision, down_revision = "rebuild", "left4me_views"
spec = importlib.util.spec_from_file_location("views", Path(__file__).with_name("alembic-views.py"))
views = importlib.util.module_from_spec(spec)
spec.loader.exec_module(views)
def upgrade():
    views.drop_views()
    with op.batch_alter_table("servers") as batch:
        batch.alter_column("name", type_=sqlalchemy.String(100))
    views.create_views()
def downgrade():
    pass
END
cat >"$web/migrations/env.py" <<END
from alembic import context
from sqlalchemy import create_engine
with create_engine("sqlite:///$SCRATCH/alembic.db").connect() as connection:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
END
alembic() { (cd "$web" && PYTHONDONTWRITEBYTECODE=1 command alembic "$@") 2>&1; }
schema() { sqlite3 "$SCRATCH/alembic.db" "SELECT sql FROM sqlite_schema WHERE name LIKE 'generator%' ORDER BY name"; }
without_comments() { sed '/^ *--/d'; }

make_tables "$SCRATCH/alembic.db" 1 >/dev/null
ok "alembic upgrade" alembic upgrade left4me_views
is "$(render "$SCRATCH/alembic.db")/$?" /0 "the generator takes what it has made"
sqlite3 -bail "$SCRATCH/0.db" <"$views"
is "$(schema | without_comments)" \
	"$(sqlite3 "$SCRATCH/0.db" "SELECT sql FROM sqlite_schema WHERE name LIKE 'generator%' ORDER BY name" | without_comments)" "it is what the file makes"
ok "alembic downgrade" alembic downgrade base
is "$(schema)" "" "leaves nothing"
ok "downgraded twice: stamped, again" alembic stamp left4me_views
ok "views that are gone already are no failure" alembic downgrade base
sqlite3 -bail "$SCRATCH/alembic.db" <"$views"
ok "nor are those that are there already" alembic upgrade left4me_views
ok "a migration that rebuilds a table takes the views away first" alembic upgrade rebuild
is "$(render "$SCRATCH/alembic.db")/$?" /0 "and makes them again"
sqlite3 "$SCRATCH/alembic.db" "UPDATE alembic_version SET version_num = 'left4me_views'"
sed -i '/^    views\./d' "$web/migrations/versions/rebuild.py"
like "$(alembic upgrade rebuild)" 'error in view generator_' "one that does not is refused by SQLite"

done_testing
