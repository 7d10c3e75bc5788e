#!/bin/bash
# What runs against what is configured, on the screen and as JSON. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/status.sh
