#!/bin/bash
# What servers and builds write to /tmp does not fill the host's, in a guest: see tests/system/tmp.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/tmp.sh tests/system/bystander.sh tests/system/bystander.py
