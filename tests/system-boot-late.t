#!/bin/bash
# A boot with /var/lib/left4me mounted late. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/boot-late.sh
