#!/usr/bin/env bash
# Makes what compose.yaml needs and nobody should type: ./secrets (a certificate authority, certificates, random passwords,
# the key-encryption key), ./state, and .env with the user that they belong to.
#
#     ./generate-secrets.sh            makes what is missing; changes nothing that is there
#     ./generate-secrets.sh --renew    new certificates of the same authority, valid for a year
#
# ASSAY_NAMES=kbs.example,192.0.2.7 adds names and addresses to the server's certificate. Nothing secret is
# printed, or given as an argument of a command.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
# shellcheck source=../certificates.sh
source ../certificates.sh

renew=no
case "${1:-}" in
    "") ;;
    --renew) renew=yes ;;
    *) echo "usage: $0 [--renew]" >&2; exit 2 ;;
esac
command -v openssl >/dev/null || { echo "openssl is needed" >&2; exit 1; }

user=$(id -u) group=$(id -g)
if [[ $user -eq 0 ]]; then
    # The containers never run as root.
    user=65532 group=65532
fi
mkdir -p secrets state/assay state/postgres

# once FILE COMMAND... : the command's output becomes the file, whole or not at all.
once() {
    local file=$1
    shift
    [[ -e $file ]] && return
    "$@" >"$file.new"
    mv "$file.new" "$file"
    echo "made $file"
}

# Without a newline at its end, which some would take for a part of it.
password() { printf '%s' "$(openssl rand -hex 32)"; }

# A certificate without its key: the key was taken to a safe place, and a new one would fit nothing.
if [[ ! -e secrets/ca.crt ]]; then
    once secrets/ca.key private_key
    once secrets/ca.crt authority secrets/ca.key "Assay compose authority"
fi
if [[ $renew == yes && ! -e secrets/ca.key ]]; then
    echo "secrets/ca.key is not here; bring it back to sign new certificates" >&2
    exit 1
fi
for name in assay postgres; do
    once "secrets/$name.key" private_key
    if [[ $renew == yes ]]; then
        rm -f "secrets/$name.crt"
    fi
done
once secrets/assay.crt certificate secrets assay serverAuth "assay,localhost,127.0.0.1,::1,${ASSAY_NAMES:-}"
once secrets/postgres.crt certificate secrets postgres serverAuth postgres
once secrets/postgres-password password
once secrets/database-password password
once secrets/key-encryption-key openssl rand 32
once .env printf 'ASSAY_UID=%s\nASSAY_GID=%s\n' "$user" "$group"

if [[ $(id -u) -eq 0 ]]; then
    # All but the authority's key: only root signs certificates.
    find secrets state ! -name ca.key -exec chown --no-dereference "$user:$group" {} +
fi
echo "secrets/ca.crt is what clients need (--ca-certificate); keep secrets/ca.key and a copy of secrets/key-encryption-key elsewhere"
