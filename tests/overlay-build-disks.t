#!/bin/sh
# left4me-overlay build, commit and discard where overlays are on a disk of their own: ext4, XFS and btrfs, and file systems that lack
# something: hard links, room, inodes, what an overlay needs.
# shellcheck disable=SC2034,SC2119 # common.sh reads it
needs=strace
. tests/overlay/common.sh

fresh 1
PATH=$PATH:/usr/sbin:/sbin python3 -B "$here/build_disks.py" "$overlay" "$R"
