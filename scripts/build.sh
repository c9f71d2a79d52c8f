#!/usr/bin/env bash
# Builds target/debug/assay and target/debug/assay-agent. Quiet when there is nothing to do; says so
# beforehand when it will take long.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(-p assay -p assay-attestation-agent)
if [[ ! -x target/debug/assay || ! -x target/debug/assay-agent ]]; then
    echo "Building assay. The first build compiles every dependency and takes several minutes." >&2
    exec cargo build --locked "${packages[@]}"
fi
exec cargo build --locked --quiet "${packages[@]}"
