# For scripts that make certificates with openssl: an authority and what it signs. Sourced, not run.
# Each function writes to standard output; nothing secret is printed otherwise, or given as an argument.
# shellcheck shell=bash

private_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null; }

# authority KEY-FILE COMMON-NAME
authority() {
    openssl req -x509 -new -key "$1" -sha256 -days 3650 -subj "/CN=$2" \
        -addext "basicConstraints=critical,CA:true,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
}

# certificate FOLDER NAME serverAuth|clientAuth LIST : for the key FOLDER/NAME.key, by FOLDER/ca.crt and ca.key, valid for a year, for
# the names and addresses of the list ("a.example,192.0.2.7").
certificate() {
    local folder=$1 name=$2 usage=$3 one alternatives=""
    for one in ${4//,/ }; do
        if [[ $one =~ ^[0-9.]+$ || $one == *:* ]]; then alternatives+=",IP:$one"; else alternatives+=",DNS:$one"; fi
    done
    openssl req -new -key "$folder/$name.key" -subj "/CN=$name" |
        openssl x509 -req -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -set_serial "0x$(openssl rand -hex 16)" -sha256 -days 365 \
            -extfile <(printf '%s\n' "basicConstraints=critical,CA:false" "keyUsage=critical,digitalSignature" \
                "extendedKeyUsage=$usage" "subjectAltName=${alternatives#,}") 2>/dev/null
}
