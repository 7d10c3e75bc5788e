#!/bin/bash
# Both sandboxes from inside (S4, S76-S79, S87-S94, F1-F11), in a guest: see tests/system/probe-sandbox.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -T 200 -p tests/system/probe-sandbox deploy/selftest.d tests/system/probe-internet tests/system/probe-internet.py
