#!/bin/sh
# left4me-overlay build, commit and discard of the installation, as left4me-update.service calls them: random scripts, and killed at each
# call that changes something.
# shellcheck disable=SC2034,SC2119 # common.sh reads it
needs=strace
. tests/overlay/common.sh

strace -o /dev/null -e inject=getpid:signal=KILL:when=999 true 2>/dev/null || skip_all "strace cannot inject signals here"
fresh 1
mkdir "$R/steam"
chown 980:981 "$R" "$R/steam"
LEFT4ME_BUILD=installation python3 -B "$here/build_random.py" "$overlay" "$R" 10
