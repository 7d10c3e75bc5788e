#!/bin/bash
# A file system that never answers, in place of what units bind, holds up nobody else: see tests/system/pid1.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/pid1.sh tests/system/hang.py
