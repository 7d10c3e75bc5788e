#!/bin/bash
# On Debian's kernel: a late disk, the kernel's log, cgroup controllers, mounts, filters. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap vm -T 600 -l -p tests/system/vm.sh
