#!/bin/bash
# systemd's own quoting against tests/fuzz/systemd.c and against what the generator writes. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
scratch system-arguments
mkdir "$SCRATCH/units"
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -Igenerator -Itests/fuzz -o "$SCRATCH/program" \
	tests/fuzz/words.c tests/fuzz/systemd.c generator/base.c || exit 1
tests/system/arguments.py make "$SCRATCH/units"
"$SCRATCH/program" "$SCRATCH"/units/* >"$SCRATCH/words"
tests/system/tap ns tests/system/arguments.sh tests/system/arguments.py "$SCRATCH/units" "$SCRATCH/words"
