#!/bin/bash
# shellcheck disable=SC2016,SC2317 # backticks of the text; functions that ok calls
# README.md: short, narrow, and true where it can be compared. Its commands are run by tests/system/install.sh.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

build=${BUILD:-build}
[ -x "$build/left4me-generator" ] || skip_all "left4me-generator is not built"
command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"

ok "under 200 lines: $(wc -l <README.md)" test "$(wc -l <README.md)" -lt 200
is "$(LC_ALL=C.UTF-8 awk 'length > 120' README.md)" "" "none longer than 120 columns"
is "$(grep -oE '(\./)?\b(deploy|tests|doc)/[A-Za-z0-9_./-]*[A-Za-z0-9_]' README.md | sort -u | xargs ls -d 2>&1 >/dev/null)" "" "the files it names are there"
pages=$(grep -oE '\bleft4me[a-z.-]*\([0-9]\)' README.md | sort -u)
ok "it names manual pages" test "$(wc -l <<<"$pages")" -ge 3
is "$(while IFS='()' read -r name section; do ls "deploy/man/$name.$section"; done <<<"$pages" 2>&1 >/dev/null)" "" "which are there"
is "$(sed -n '/^## Configuration/,/^## /s/^| `\(\[[a-z]*\]\) \([^|]*\)` |.*/\1 \2/p' README.md | tr -d '`,' |
	while read -r section names; do
		for name in $names; do
			grep -qF "KEY(${section//[][]/}, $name, " generator/keys.h || echo "$section $name"
		done
	done)" "" "the keys it names are keys"
columns() { sed -n "s/^| \`$1\` | \(.*\) | .*/\1/p" README.md | tr -d '`,'; }
for view in generator_instances generator_layers generator_overlays; do
	is "$(columns $view)" "$(sed -n "/^\.Ss $view\$/,/^\.El/s/^\.It Ic //p" deploy/man/left4me-views.5 | xargs)" "the columns of $view"
done

# --- the row and its unit ----------------------------------------------------------------------------------------------

scratch readme
chmod 755 "$SCRATCH"
deploy/example/make-root "$SCRATCH/root"
units=$SCRATCH/root/run/systemd/generator
"$build/left4me-generator" --root="$SCRATCH/root" "$units" "$units.early" "$units.late" 2>/dev/null
is_there() { test -e "$units/$1" || grep -qF -- "$1" "$units/left4me-server@competitive.service"; } # FILE-OR-WORDS
is_in_row() { # COLUMN VALUE
	local query="SELECT $1 FROM generator_instances WHERE name = 'competitive'"
	[[ $1 != *layers* ]] || query="SELECT group_concat(overlay, ' ') FROM
		(SELECT overlay FROM generator_layers WHERE instance = 'competitive' ORDER BY position)"
	# shellcheck disable=SC2053 # "..." of the text is the rest
	[[ $(sqlite3 "$SCRATCH/root/var/lib/left4me/left4me.db" "$query") == ${2/.../*} ]]
}
rows=0
while IFS='|' read -r _ column value became _; do
	read -r column <<<"${column//\`/}"
	value=${value//\`/}
	became=${became//\`/}
	value=${value# } became=${became# }
	ok "$column is ${value% }" is_in_row "$column" "${value% }"
	ok "and becomes ${became% }" is_there "${became% }"
	rows=$((rows + 1))
done < <(sed -n '/^## From a row/,/^## T/p' README.md | grep '^|' | tail -n +3)
is "$rows" 5 "each column, and the layers"

# --- the picture --------------------------------------------------------------------------------------------------------

picture=$(sed -n 's/^!\[.*\](\(.*\))$/\1/p' README.md)
ok "there is a picture" test -s "$picture"
ok "it is well-formed" python3 -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' "$picture"
like "$(cat "$picture")" 'prefers-color-scheme: dark' "light and dark"
is "$(sed -n 's/^\.\([a-z]*\) {.*/\1/p; s/^	\.\([a-z]*\) {.*/\1/p' "$picture" | sort | uniq -c | awk '$2 ~ /page|file|root|user|unit|flow|on/ && $1 != 2 { print $2 }')" \
	"" "each colour in both"
done_testing
