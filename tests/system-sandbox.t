#!/bin/bash
# Both sandboxes from inside (S4, S76, S77, S78, S79, S87, S88, S89, S91, S92, S93, S94; F by the probes' names), in a guest:
# see tests/system/probe-sandbox.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/probe-sandbox deploy/selftest.d tests/system/probe-internet tests/system/probe-internet.py
