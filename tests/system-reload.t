#!/bin/bash
# What the web application's reload promises, in a guest: see tests/system/reload.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/reload.sh deploy/worker/left4me-worker deploy/worker/sandboxed_script.py \
	deploy/worker/a2s.py
