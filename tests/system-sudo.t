#!/bin/bash
# What sudo and sudo-rs of Debian 13 let the web application do (S108, S109, S112), in a guest: see tests/system/sudo-rules.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns tests/system/sudo-rules.sh tests/system/sudo-{denied,same,joined}
