#!/bin/sh
# left4me-overlay build, commit and discard: random scripts make the same as in a plain directory, and a build that is killed
# anywhere leaves the present generation or the new one. LEFT4ME_ROUNDS: how many random scripts.
# shellcheck disable=SC2034,SC2119 # common.sh reads it
needs=strace
. tests/overlay/common.sh

strace -o /dev/null -e inject=getpid:signal=KILL:when=999 true 2>/dev/null || skip_all "strace cannot inject signals here"
fresh 1
python3 -B "$here/build_random.py" "$overlay" "$R" "${LEFT4ME_ROUNDS:-150}"
