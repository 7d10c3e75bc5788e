#!/bin/bash
# Memory, counts of the shared user, modules and cores on Debian's kernel: see tests/system/limits.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap vm -T 900 -p tests/system/limits.sh deploy/selftest.d tests/system/{bystander.sh,bystander.py,exhaust.py,epoll.py}
