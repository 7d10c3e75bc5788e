#!/bin/bash
# What tests/next makes of its steps: the program itself in a tree whose roots, builds and scenarios are stand-ins. What they
# print and whether there are roots is set here; compared are exit status and verdict.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
scratch next
tree=$SCRATCH/tree
mkdir -p "$tree"/{tests/{system,next.d},templates,root}
cp tests/next "$tree/tests/"
printf 'SystemCallFilter=@mount\n' >"$tree/templates/one"

put() { # FILE: an executable from standard input
	{ echo '#!/bin/bash'; cat; } >"$tree/$1"
	chmod 755 "$tree/$1"
}

put tests/debian-13 <<'END'
[ -e root ] || { echo "debian-13: no Debian package source in the apt configuration"; exit 1; }
[ "$1" != run ] || echo "ok 1 - compiled"
END
put tests/system/make-root <<'END'
[ -e root ] || { echo "make-root: the package source does not give all packages of the suite $LEFT4ME_SUITE"; exit 1; }
echo "$PWD/root"
END
put tests/system/run-ns <<<'echo "ok 1 - a weak host"'

scenario() { # NAME LINES
	put "tests/system-$1.t" <<<"printf '%s\n' '$2'"
}

known() { # LINE...
	printf '# a reason\n' >"$tree/tests/next.d/forky"
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$tree/tests/next.d/forky"
}

# Runs it; its exit status and what it says from the last empty line on go to $status and $verdict.
next() { # ARGUMENT...
	"$tree/tests/next" "$@" >"$SCRATCH/out" 2>/dev/null
	status=$?
	verdict=$(awk '!NF { text = ""; next } { text = text $0 "\n" } END { printf "%s", text }' "$SCRATCH/out" | sed 's/after [0-9]* s/after N s/')
}

for name in boot filter selftest rows builds security worker vm install package; do
	scenario "$name" "ok 1 - $name"
done
good='next: forky as known (0 known failures), after N s'

known
next
is "$status $verdict" "0 $good" "all of it good, none known"
like "$(cat "$SCRATCH/out")" 'build +1 ok, +0 not ok.*' "each step has its line"

scenario rows $'ok 1 - a row\nnot ok 2 - another row\nnot ok 3 - a third'
next
is "$status $verdict" "1 not ok, and not in tests/next.d/forky:
rows: a third
rows: another row
next: forky is not as known, after N s; logs in build/log/next" "what is new is named, and the status is 1"

known 'rows: another row' 'rows: a third'
next
is "$status $verdict" "0 next: forky as known (2 known failures), after N s" "what is known is not"

known 'rows: another row' 'rows: a third' 'boot: a boot'
next
is "$status $verdict" "1 in tests/next.d/forky, and not seen:
boot: a boot
next: forky is not as known, after N s; logs in build/log/next" "what was known and is gone is named, and the status is 1"

next rows
is "$status $verdict" "0 next: forky as known (2 known failures), after N s" "... but not if its step was not run"

known 'rows: another row'
next rows boot
is "$status $verdict" "1 not ok, and not in tests/next.d/forky:
rows: a third
next: forky is not as known, after N s; logs in build/log/next" "steps by name, one of two failures known"

known
scenario rows '1..0 # SKIP no such thing'
next rows
is "$status $verdict" "1 not ok, and not in tests/next.d/forky:
rows: was skipped
next: forky is not as known, after N s; logs in build/log/next" "a step that is skipped is a failure"

put tests/system-rows.t <<<'echo "ok 1 - a row"; exit 9'
next rows
is "$status $verdict" "1 not ok, and not in tests/next.d/forky:
rows: ended with 9
next: forky is not as known, after N s; logs in build/log/next" "... and one that ends otherwise than its lines say"

put tests/system-rows.t <<<'echo "not ok 1 - a row"; exec sleep 60'
known 'rows: what was'
LEFT4ME_NEXT_SECONDS=6 next rows boot
is "$status $verdict" "0 next: forky as known (0 known failures), after N s; no time for rows boot" \
	"a step that time does not suffice for is neither new nor gone, but named"

put tests/debian-13 <<<'[ "$1" != run ] || { echo "error: a newer compiler"; exit 1; }'
known
next
is "$status $verdict" "1 not ok, and not in tests/next.d/forky:
build: ended with 1
next: forky is not as known, after N s; logs in build/log/next" "where it does not compile the rest is left"

rmdir "$tree/root"
next
is "$status $verdict" "3 roots of forky and bookworm: made unless the cache has them
make-root: the package source does not give all packages of the suite trixie
next: the roots of forky and bookworm cannot be made here" "without a mirror the reason is told, and the status is 3"
next --cached
is "$status $verdict" "3 next: the cache does not have the roots of forky and bookworm; tests/next makes them" "--cached makes none"
next --nonsense
is "$status" 2 "an option that there is not"

done_testing
