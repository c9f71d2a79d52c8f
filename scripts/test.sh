#!/usr/bin/env bash
# Runs every test and ends with one line: "N passed, N failed, N skipped".
#
# Parts: unit and integration tests (cargo-nextest where it is installed, else cargo test), examples
# in the documentation, the real binary (scripts/system-test.py), and what deploys it
# (scripts/deploy-test.py). A part that cannot be built or ends without a count is one failure. All parts run even when an earlier one failed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-test-tools.sh
command -v python3 >/dev/null || { echo "make test needs python3" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
report=()
passed=0 failed=0 skipped=0

# part NAME COMMAND... : runs it with its output shown and kept, and adds its counts.
part() {
    local name=$1 status=0 counts started=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee "$work/log" || status=$?
    counts=$(python3 scripts/count-tests.py "$status" <"$work/log")
    local p f s
    read -r p f s <<<"$counts"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    report+=("$(printf '%-28s %5d passed %4d failed %4d skipped %6d s' "$name" "$p" "$f" "$s" $((SECONDS - started)))")
}

if cargo nextest --version >/dev/null 2>&1; then
    part "unit and integration tests" python3 scripts/test_postgres.py run cargo nextest run --locked --workspace --no-fail-fast --status-level fail --final-status-level slow
else
    part "unit and integration tests" python3 scripts/test_postgres.py run cargo test --locked --workspace --no-fail-fast --lib --bins --tests
fi
part "examples in documentation" cargo test --locked --workspace --no-fail-fast --doc --quiet
# The same selection as above, so that no dependency is built a second time with other features.
if cargo build --locked --quiet --workspace --bins --tests; then
    part "the real binary" python3 scripts/system-test.py --assay target/debug/assay
else
    part "the real binary" false
fi
part "deployment" python3 scripts/deploy-test.py --assay target/debug/assay

printf '\n== Summary\n'
printf '%s\n' "${report[@]}"
if [[ ! -d ../shared/vectors ]]; then
    echo "Real hardware evidence was not found at ../shared/vectors; the tests that need it said so and did nothing."
fi
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
