#!/usr/bin/env bash
# Builds the binary and tries it as its users do; arguments go to scripts/system-test.py.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-test-tools.sh
scripts/build.sh
exec python3 scripts/system-test.py "$@"
