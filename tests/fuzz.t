#!/bin/bash
# Every seed and every regression of the fuzzers (tests/fuzz/README.md) once, with this build's compiler and sanitizers;
# and what one of them found that only the whole program shows.
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build} LC_ALL=C.UTF-8
# shellcheck source=tests/tap.sh
. tests/tap.sh
scratch fuzz
chmod 755 "$SCRATCH"

ok "the targets compile" tests/fuzz/build "$BUILD/replay" replay
ok "seeds are made from SQL" tests/fuzz/seeds.py "$SCRATCH/seeds"

for target in config rows database last-good arguments overlay fetch; do
	inputs=()
	for folder in "$SCRATCH/seeds/$target" "tests/fuzz/seeds/$target" "tests/fuzz/regressions/$target"; do
		[ ! -d "$folder" ] || inputs+=("$folder")
	done
	output=$("$BUILD/replay/$target" "${inputs[@]}" 2>&1)
	status=$?
	is "$status" 0 "$target: $(sed -n 's/^# \([0-9]* inputs\)$/\1/p' <<<"$output")"
	[ "$status" -eq 0 ] || diag "$(tail -n 12 <<<"$output")"
done

# A log whose head has a wrong checksum, beside an index: SQLite sleeps for 10 s, in system calls, before it gives up.
tests/bench/make-root "$SCRATCH/host" 3
for suffix in wal shm; do
	head -c 32768 /dev/zero | tr '\0' x >"$SCRATCH/host/var/lib/left4me/left4me.db-$suffix"
	chown --reference="$SCRATCH/host/var/lib/left4me/left4me.db" "$SCRATCH/host/var/lib/left4me/left4me.db-$suffix"
done
output=$(timeout 9 "$BUILD/left4me-generator" check --root="$SCRATCH/host" 2>&1)
is "$?" 1 "a log over which SQLite sleeps holds nobody up"
like "$output" "could not be read within 3 seconds" "and is reported"

done_testing
