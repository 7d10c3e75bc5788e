#!/bin/bash
# The compiled system call filters of every profile against a list of what they must refuse, in a guest: see tests/system/filter.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/filter.sh tests/system/filter.py tests/system/denied-calls
