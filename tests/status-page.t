#!/bin/bash
# left4me-generator(8) documents what `status --json` prints, and shows the screen that test-status.c expects.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

page=deploy/man/left4me-generator.8
status=$(sed -n '/^\.Ss status$/,/^\.S[hs] /p' "$page")
names=$(grep -o "'[a-z_]*'," generator/status-json.c | tr -d "'," | grep -vx true | sort -u)
ok "the document has names" test "$(wc -w <<<"$names")" -ge 25
documented=$(sed -n 's/^\.\(It \)\{0,1\}Sy //p' <<<"$status" | tr -s ' ,;' '\n' | grep -x '[a-z_]*' | sort -u)
is "$(comm -23 <(echo "$names") <(echo "$documented"))" "" "each name of the JSON is in the manual"
is "$(comm -13 <(echo "$names") <(echo "$documented"))" "" "and no other"
screen=$(sed -n '/^\.Bd -literal$/,/^\.Ed$/p' <<<"$status" | grep -v -e '^\.' -e '^left behind')
is "$(wc -l <<<"$screen")" 13 "its screen has thirteen lines"
is "$(grep -vFf <(sed -n 's/^[[:space:]]*"\(.*\)\\n".*/\1/p' tests/test-status.c) <<<"$screen")" "" "each of them is tested"
is "$(awk 'length > 80' <<<"$screen")" "" "in 80 columns"
done_testing
