#!/bin/bash
# A host of the helper scripts is brought over, and back. tests/system/README.md
cd "$(dirname "$0")/.." || exit 1
exec tests/system/tap ns -p tests/system/migrate.sh deploy/migrate-check deploy/migrate.d deploy/migrate.md deploy/schema/web-views.sql
