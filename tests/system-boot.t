#!/bin/bash
# A boot with the database on the root file system; a server whose row is deleted. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/boot.sh
