#!/bin/bash
# A web application's day with its worker, in a guest: see tests/system/worker.sh. What a build says is in system-runs.t.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns tests/system/worker.sh tests/system/as-web.sh deploy/worker/left4me-worker \
	deploy/worker/sandboxed_script.py deploy/worker/a2s.py tests/system/a2s-server
