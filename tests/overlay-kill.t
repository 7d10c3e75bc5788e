#!/bin/sh
# left4me-overlay: killed at each of its system calls, then run again.
# shellcheck disable=SC2034,SC2119 # common.sh reads it
needs=strace
. tests/overlay/common.sh

strace -o /dev/null -e inject=getpid:signal=KILL:when=999 true 2>/dev/null || skip_all "strace cannot inject signals here"
fresh
{
	python3 -B "$here/kill.py" "$overlay" "$R" mount
	python3 -B "$here/kill.py" "$overlay" "$R" umount
} | awk '
	/^ok|^not ok/ { n++; bad += /^not/ }
	{ print; fflush() }
	END { print "1.." n; exit bad > 0 || n < 10 }'
