#!/bin/sh
# left4me-overlay build, commit and discard: what a script makes in the overlay of a build is what it makes in a plain directory,
# a build that fails or is killed anywhere leaves the present generation, and what a server has mounted stays as it was.
# LEFT4ME_ROUNDS: how many random scripts.
# shellcheck disable=SC2034,SC2119 # common.sh reads it
needs="strace rsync 7zz tar"
. tests/overlay/common.sh

strace -o /dev/null -e inject=getpid:signal=KILL:when=999 true 2>/dev/null || skip_all "strace cannot inject signals here"
fresh 1
python3 "$here/build.py" "$overlay" "$R" "${LEFT4ME_ROUNDS:-150}"
