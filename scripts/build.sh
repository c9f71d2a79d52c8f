#!/usr/bin/env bash
# Builds target/debug/assay. Quiet when there is nothing to do; says so beforehand when it will take long.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ! -x target/debug/assay ]]; then
    echo "Building assay. The first build compiles every dependency and takes several minutes." >&2
    exec cargo build --locked -p assay
fi
exec cargo build --locked --quiet -p assay
