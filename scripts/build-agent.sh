#!/usr/bin/env bash
# Builds the agent for release: one static file, no symbols, small. Prints its path and size.
#
# It is linked with glibc, all of it inside. Names of hosts are then looked up by glibc's own DNS only
# where the guest has the same glibc; in a guest without one, give the key broker's address as a number or
# in /etc/hosts. (See docs/agent.md.)
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
# A folder of its own: other flags would make the everyday build start from the beginning each time.
RUSTFLAGS="-C target-feature=+crt-static ${RUSTFLAGS:-}" \
    cargo build --locked --quiet --profile agent --target "$target" --target-dir target/agent -p assay-attestation-agent
program=target/agent/$target/agent/assay-agent
if ldd "$program" 2>/dev/null | grep -q '=>'; then
    echo "$program is not static" >&2
    exit 1
fi
echo "$program: $(stat -c %s "$program") bytes, static"
