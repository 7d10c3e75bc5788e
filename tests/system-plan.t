#!/bin/bash
# What `plan` says of every kind of change, and that its commands are all it takes: see tests/system/plan.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/plan.sh
