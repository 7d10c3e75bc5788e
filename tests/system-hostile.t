#!/bin/bash
# Hostile databases as systemd, sudo and sudo-rs of Debian 13 see them, in a guest: see tests/system/hostile.py.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -T 1200 tests/system/hostile.py tests/lib/{unitfile,syntax,tap,views,judge,hostile}.py tests/lib/views.sql
