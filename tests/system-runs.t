#!/bin/bash
# run_sandboxed_script() against real builds (S96, S97, S98, S99, S106), in a guest: see tests/system/runs.py.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -T 900 tests/system/runs.sh tests/system/as-web.sh tests/system/runs.py deploy/worker/sandboxed_script.py
