#!/bin/bash
# No unit has a path below the state directory that PID 1 itself looks up: whoever owns that directory could put a link to a
# file system there that never answers, and the whole host would wait.
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

looked_up='^(Assert|Condition)[A-Za-z]*=|^Path(Exists|ExistsGlob|Changed|Modified|DirectoryNotEmpty)=|^(PIDFile|LoadCredential[A-Za-z]*|OpenFile)=|^EnvironmentFile=-?/(var|srv|home)/'
is "$(grep -nE "$looked_up" templates/*)" "" "no template has one"
is "$(grep -rnE "$looked_up" tests/cases/*/expect)" "" "no unit of the cases has one"
ok "units are looked at" test "$(find tests/cases/*/expect -name '*.service' | wc -l)" -gt 100
for line in ConditionPathExists=/x 'AssertPathIsDirectory=!/x' PathChanged=/x EnvironmentFile=-/var/lib/left4me/x; do
	ok "$line would be found" grep -qE "$looked_up" <<<"$line"
done
done_testing
