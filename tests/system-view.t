#!/bin/bash
# Links in place of the directories that units bind, renames and locks below the state directory: see tests/system/view.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/view.sh
