#!/bin/bash
# What check says of the files that units need. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/files.sh
