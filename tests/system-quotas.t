#!/bin/bash
# What is counted for root or the whole host cannot be used up from a sandbox, in a guest: see tests/system/quotas.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -a -p tests/system/quotas.sh tests/system/exhaust.py tests/system/bystander.sh tests/system/bystander.py
