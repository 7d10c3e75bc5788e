#!/bin/bash
# A boot without a database. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/boot-empty.sh
