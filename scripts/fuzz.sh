#!/usr/bin/env bash
# Runs each fuzz target for a while: scripts/fuzz.sh [seconds each] [target...]
# Needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz). Crashes stay in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
shift || true
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "make fuzz needs a nightly toolchain and cargo-fuzz: rustup toolchain install nightly; cargo install cargo-fuzz" >&2
    exit 1
fi

# The versions that the program is built with, and what only the fuzz targets need.
[[ -e fuzz/Cargo.lock ]] || cp Cargo.lock fuzz/Cargo.lock

if [[ $# -gt 0 ]]; then
    targets=("$@")
else
    mapfile -t targets < <(cargo +nightly fuzz list)
fi
failed=()
for target in "${targets[@]}"; do
    echo "== $target ($seconds s)"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 || failed+=("$target")
done
echo "${#targets[@]} fuzz targets, ${#failed[@]} failed ${failed[*]}"
[[ ${#failed[@]} -eq 0 ]]
