#!/bin/bash
# A flood of lines evicts nobody else's, and LogNamespace= as left4me(7) has it, in a guest: see tests/system/flood.sh.
cd "$(dirname "$0")/.." || exit 1
tests/system/tap ns -p tests/system/flood.sh tests/system/{flood.py,bystander.sh,bystander.py} deploy/man/left4me.7
