#!/bin/bash
# Builds from the first line of their log to the last file they leave (S67, S84, S100, S101,
# S105, S106), in a guest: see tests/system/probe-builds.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/probe-builds
