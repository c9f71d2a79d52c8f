#!/usr/bin/env bash
# Makes the Secrets of an overlay, with an authority of its own, and prints them as YAML, for a pipe:
#
#     ./make-secrets.sh all-in-one kbs.example,192.0.2.7 | kubectl create -f -
#     ./make-secrets.sh split      kbs.example           | kubectl create -f -
#     ./make-secrets.sh replicas   kbs.example  PASSWORD-FILE  CA-FILE-OF-THE-DATABASE | kubectl create -f -
#
# `create` refuses what is there already: a key-encryption key is never overwritten. Nothing is left on the disk, and so the authority
# signs nothing later: for certificates that are renewed use cert-manager or your own authority (README.md lists the Secrets).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
umask 077
# shellcheck source=../certificates.sh
source "$here/../certificates.sh"

overlay=${1:-} names=${2:-} password=${3:-} database_ca=${4:-}
usage() { sed -n '4,6s/^# *//p' "$here/make-secrets.sh" >&2; exit 2; }
[[ -n $names ]] || usage
command -v openssl >/dev/null || { echo "openssl is needed" >&2; exit 1; }
[[ ! -t 1 ]] || { echo "the secrets are for a pipe, not for a terminal" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
private_key >"$work/ca.key"
authority "$work/ca.key" "Assay cluster authority" >"$work/ca.crt"

# secret NAME TYPE KEY=FILE...
secret() {
    local entry
    printf -- '---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: assay}\ntype: %s\ndata:\n' "$1" "$2"
    for entry in "${@:3}"; do
        printf '  %s: %s\n' "${entry%%=*}" "$(base64 <"${entry#*=}" | tr -d '\n')"
    done
}
# identity NAME serverAuth|clientAuth NAMES
identity() {
    private_key >"$work/$1.key"
    certificate "$work" "$@" >"$work/$1.crt"
    secret "$1" kubernetes.io/tls "tls.crt=$work/$1.crt" "tls.key=$work/$1.key" "ca.crt=$work/ca.crt"
}
# service NAME : the names of a service within the cluster.
service() { printf '%s,%s.assay,%s.assay.svc,%s.assay.svc.cluster.local' "$1" "$1" "$1" "$1"; }
key_encryption() {
    printf '%s' "$(openssl rand -base64 32)" >"$work/key"
    secret "$1" Opaque "key=$work/key"
}

secrets() {
    case $overlay in
        all-in-one)
            identity assay-tls serverAuth "$(service assay),$names"
            key_encryption assay-key-encryption
            ;;
        replicas)
            [[ -r $password && -r $database_ca ]] || usage
            identity assay-tls serverAuth "$(service assay),$names"
            key_encryption assay-key-encryption
            secret assay-database Opaque "password=$password" "ca.crt=$database_ca"
            ;;
        split)
            identity assay-kbs-tls serverAuth "$(service assay-kbs),$names"
            identity assay-kbs-client clientAuth assay-kbs
            identity assay-as-tls serverAuth "$(service assay-as)"
            identity assay-as-client clientAuth assay-as
            identity assay-rvps-tls serverAuth "$(service assay-rvps)"
            for part in kbs as rvps; do
                key_encryption "assay-$part-key-encryption"
            done
            ;;
        *) usage ;;
    esac
}

# All or nothing: what failed half-way must not reach the cluster.
secrets >"$work/all.yaml"
cat "$work/all.yaml"
