#!/bin/bash
# `bw apply` to a booted host, with the real bundlewrap, systemd and generator. tests/system/README.md
# The system under test has no Python packages: bundlewrap comes from the Debian 13 root that the tests build in.
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
command -v mmdebstrap >/dev/null || tests/debian-13 path >/dev/null 2>&1 || skip_all "mmdebstrap is not installed"
root=$(tests/debian-13 make) || exit 1
scratch bundlewrap
mkdir -p "$SCRATCH/tree/usr/bin" "$SCRATCH/tree/usr/lib/python3"
cp -a "$root/usr/bin/bw" "$SCRATCH/tree/usr/bin/"
cp -a "$root/usr/lib/python3/dist-packages" "$SCRATCH/tree/usr/lib/python3/"
cp -a tests/bundlewrap "$SCRATCH/repository"
cp -a deploy/bundlewrap/bundles/left4me "$SCRATCH/repository/bundles/"
tests/system/tap ns -p -t "$SCRATCH/tree" tests/system/bundlewrap.sh "$SCRATCH/repository"
