#!/bin/bash
# deploy/selftest on a host: passes, sees holes, leaves nothing behind; in a guest: see tests/system/probe-selftest.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/probe-selftest deploy/selftest deploy/selftest.d tests/system/probe-internet tests/system/probe-internet.py
