#!/bin/bash
# left4me-views(5) tells the truth: its examples print here what they print there, and it has the limits of the code.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

build=${BUILD:-build}
page=deploy/man/left4me-views.5
[ -x "$build/left4me-generator" ] || skip_all "left4me-generator is not built"
command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"
scratch views
PATH=$(realpath "$build"):$PATH
cp deploy/schema/{schema,views}.sql "$SCRATCH/"

# --- the examples: "$ command", "> more of it", and what it prints -----------------------------------------------------

examples() { sed -n '/^\.Bd -literal$/,/^\.Ed$/{/^\.[BE]d/d;s/\\e/\\/g;p;}' "$page"; }
is_row='^[a-z]+ {2,}.* {2,}'   # of the table: column, value, what became of it

commands=$(examples | sed -n 's/^[$>] //p')
ok "the page has a session" test "$(examples | grep -c '^\$ ')" -ge 8
is "$(cd "$SCRATCH" && bash -c "$commands" 2>&1)" "$(examples | grep -Ev "^[\$>] |$is_row")" "it prints what the page says"

is_there() { # FILE-OR-WORDS: below the units, or in that of the first server
	local units=$SCRATCH/tree/systemd/generator
	test -e "$units/$1" || sed 's/.*/ & /' "$units/left4me-server@a.service" | grep -qF -- " $1 "
}
while read -r column became; do
	ok "$column becomes $became" is_there "$became"
done < <(examples | grep -E "$is_row" | sed -E 's/^([a-z]+) .* {2,}/\1 /')
is "$(examples | grep -cE "$is_row")" 5 "a value of each column, and the layers"

# --- columns and limits ------------------------------------------------------------------------------------------------

# VIEW: the columns that the page describes, in the order of the query.
described() { sed -n "/^\.Ss $1\$/,/^\.El/s/^\.It Ic //p" "$page" | xargs; }
for view in generator_instances generator_layers generator_overlays; do
	is "$(described "$view")" "$(sqlite3 "$SCRATCH/example.db" "SELECT name FROM pragma_table_info('$view')" | xargs)" "columns of $view"
done

render() { # DATABASE: what the generator says of it
	left4me-generator render --format=tree --output="$SCRATCH/none" --config="$SCRATCH/example.conf" --database="$1" 2>&1
	rm -rf "$SCRATCH/none"
}
limit() { sed -n "s/^\.It $1 Ta //p" "$page" | tr -d ' '; } # WORDS: what the table of limits has for them

# One row too many: the message has the number.
n="WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200001)"
fill() { # NAME STATEMENTS: the three tables with some rows
	sqlite3 "$SCRATCH/$1.db" "BEGIN; $(cat tests/lib/views.sql) $2; COMMIT"
}
fill instances "INSERT INTO generator_instances (name, port, enabled) $n SELECT 's' || i, 1, 0 FROM n"
fill layers "INSERT INTO generator_layers (instance, position, overlay) $n SELECT 'x', i, i FROM n"
fill overlays "INSERT INTO generator_overlays (id) $n SELECT i FROM n"
for view in instances layers overlays; do
	rows=$(limit "rows of Sy generator_$view")
	like "$(render "$SCRATCH/$view.db")" "generator_$view: has more than $rows rows\$" "rows of generator_$view: $rows"
done

# One byte or layer too many.
fill long "
	INSERT INTO generator_instances (name, port, arguments) VALUES ('a', 27001, hex(zeroblob(3000))), ('b', 27002, '');
	INSERT INTO generator_layers (instance, position, overlay) $n SELECT 'b', i, i FROM n LIMIT 500;
	INSERT INTO generator_overlays (id, name, script) $n SELECT i, CASE i WHEN 1 THEN hex(zeroblob(101)) ELSE '' END,
		CASE i WHEN 2 THEN hex(zeroblob(524289)) END FROM n LIMIT 500"
said=$(render "$SCRATCH/long.db")
like "$said" "has 500 overlays, the limit is $(limit 'overlays of one instance')\$" "overlays of one instance"
bytes() { sed -n "/^\.Ss $1\$/,/^\.El/{/^\.It Ic $2\$/,/^\.It/s/.*at most \([0-9]*\( MiB\)*\).*/\1/p}" "$page" | sed 's/ MiB/*1048576/'; }
like "$said" "arguments: is .* bytes long, the limit is $(($(bytes generator_instances arguments)))\$" "bytes of arguments"
like "$said" "name: is .* bytes long, the limit is $(($(bytes generator_overlays name)))\$" "bytes of an overlay's name"
like "$said" "script: is .* bytes long, the limit is $(($(bytes generator_overlays script)))\$" "bytes of a script"

constant() { sed -nE "s/.*\b$1 = ([0-9]+( \* 1024)*).*/\1/p" generator/*.h generator/*.c | head -n 1; }
is "$(limit 'all rows, without scripts')" "$(($(constant ROWS_SIZE_MAX) / 1024 / 1024))MiB" "size of all rows"
is "$(limit 'one value, a script included')" "$(($(constant VALUE_LENGTH_MAX) / 1024 / 1024))MiB" "size of a value"
is "$(limit 'time to read all three views')" "$(constant DATABASE_PATIENCE)s" "time to read"
is "$(limit "time to wait for a writer's lock")" "$(constant DATABASE_LOCK_PATIENCE)s" "time to wait for a lock"

done_testing
