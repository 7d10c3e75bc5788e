#!/bin/bash
# A web application's day with its worker (S96-S99, S106), in a guest: see tests/system/worker.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -T 170 tests/system/worker.sh tests/system/worker.py deploy/worker/left4me-worker
