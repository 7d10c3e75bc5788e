#!/bin/sh
# left4me-overlay build, commit and discard: what a script makes in the overlay of a build is what it makes in a plain directory,
# a build that fails leaves the present generation, and what a server has mounted stays as it was.
# shellcheck disable=SC2034,SC2119 # common.sh reads it
needs="strace rsync 7zz tar"
. tests/overlay/common.sh

fresh 1
python3 -B "$here/build.py" "$overlay" "$R"
