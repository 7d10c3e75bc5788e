#!/bin/bash
# A flood of lines evicts nobody else's, and LogNamespace= as the README has it, in a guest: see tests/system/flood.sh.
cd "$(dirname "$0")/.." || exit 1
readme=$(mktemp -d) || exit 1
trap 'rm -rf "$readme"' EXIT
cp README.md "$readme/readme"
tests/system/tap ns -T 300 -p tests/system/flood.sh tests/system/{flood.py,bystander.sh,bystander.py} "$readme/readme"
