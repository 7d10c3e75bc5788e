#!/bin/bash
# A bad row, a dropped view, a database of garbage; repaired. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/rows.sh
