#!/usr/bin/env bash
# Installs the Debian packages that some tests and the agent's demonstration need: fuse3, for the mounted files
# of a simulated guest; curl, which plays its workload; PostgreSQL, of which scripts/test_postgres.py starts and
# stops a server; kubernetes-client, whose kubectl renders the manifests (Debian 13 or later: that of 12 is too old
# for them); openssl, for the certificates of the compose file; softhsm2, a PKCS#11 token in software.
#
# Does nothing, quietly, when they are there. Never fails: without them those tests say so and do nothing.
set -euo pipefail

missing=()
command -v fusermount3 >/dev/null || missing+=(fuse3)
command -v curl >/dev/null || missing+=(curl)
{ compgen -G "/usr/lib/postgresql/*/bin/postgres" || command -v postgres; } >/dev/null || missing+=(postgresql)
command -v kubectl >/dev/null || missing+=(kubernetes-client)
command -v openssl >/dev/null || missing+=(openssl)
command -v softhsm2-util >/dev/null || missing+=(softhsm2)
if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi
without="tests that need ${missing[*]} will say so and do nothing"
if ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]} (or what your system calls them): $without" >&2
elif [[ $(id -u) -ne 0 ]]; then
    echo "missing: ${missing[*]}: $without; to have them run: sudo apt-get install ${missing[*]}" >&2
elif ! log=$( (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}") 2>&1); then
    printf '%s\n' "$log" | tail -n 5 >&2
    echo "${missing[*]} could not be installed: $without" >&2
fi
