#!/bin/bash
# No session outside of the sandbox for the web application, on a host with sshd and polkit: see tests/system/sessions.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/sessions.sh
