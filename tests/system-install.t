#!/bin/bash
# The README's installation and removal, by its own commands. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

scratch install
chmod 755 "$SCRATCH"
mkdir "$SCRATCH/src"
tar -c --exclude=./build --exclude=./.git . | tar -x -C "$SCRATCH/src"
tests/system/tap ns -r compiler -p -T 600 tests/system/install.sh "$SCRATCH/src"
