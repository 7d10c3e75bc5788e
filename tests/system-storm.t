#!/bin/bash
# What others wait for while the web application calls all that sudo lets it, in a guest: see tests/system/storm.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -T 1800 -p tests/system/storm.sh tests/system/as-web.sh tests/system/bystander.py tests/system/bystander.sh
