#!/bin/bash
# The update of the game while servers run it, in a guest: see tests/system/update.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/update.sh tests/system/steamcmd
