#!/bin/bash
# A hundred start/stop cycles; kills. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -T 500 -p tests/system/cycles.sh
