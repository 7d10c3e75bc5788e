#!/bin/bash
# What SECURITY.md claims and no other test shows: attacks by the web application's user, in a guest: see tests/system/security.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/security.sh tests/lib/views.sql tests/lib/endless.sql
