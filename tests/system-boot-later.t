#!/bin/bash
# A boot without the state directory, which comes after it. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/boot-later.sh
