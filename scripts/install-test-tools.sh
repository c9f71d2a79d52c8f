#!/usr/bin/env bash
# Installs the Debian packages that some tests need: fuse3, for the mounted files of a simulated guest.
#
# Does nothing, quietly, when they are there. Never fails: without them those tests say so and do nothing.
set -euo pipefail

if command -v fusermount3 >/dev/null; then
    exit 0
fi
without="tests that mount the files of a simulated guest will say so and do nothing"
if ! command -v apt-get >/dev/null; then
    echo "fusermount3 is missing (package fuse3 or the like): $without" >&2
elif [[ $(id -u) -ne 0 ]]; then
    echo "fusermount3 is missing: $without; to have them run: sudo apt-get install fuse3" >&2
elif ! log=$( (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends fuse3) 2>&1); then
    printf '%s\n' "$log" | tail -n 5 >&2
    echo "fuse3 could not be installed: $without" >&2
fi
