#!/bin/bash
# What an operator puts into /etc; what check says of the host. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/overrides.sh
