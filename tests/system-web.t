#!/bin/bash
# The web application's unit and the workshop refresh with a real Flask and gunicorn, in a guest: see tests/system/web.sh.
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/web.sh tests/system/l4d2web SECURITY.md
