#!/usr/bin/env python3
"""Checks every locked package: its licence, its source, and that nothing unwanted is linked.

Offline: reads `cargo metadata` and `cargo tree` of the lock file. Also checks that docs/dependencies.md
names every dependency of the workspace. Prints the offenders and exits with 1 when there are any.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

ALLOWED = {
    "0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT",
    # CDLA-Permissive-2.0: a licence for data, that of the list of the public web's certification authorities.
    "CDLA-Permissive-2.0",
    "MIT-0", "Unicode-3.0", "Unlicense", "Zlib", "Apache-2.0 WITH LLVM-exception",
}

# Licences that only the packages named here may have.
EXCEPTIONS = {
    "option-ext": ("MPL-2.0", "only in tests, through sev"),
    "webpki-root-certs": ("CDLA-Permissive-2.0", "a licence for data: Mozilla's list of root certificates"),
}

# Packages that must not be built, for any platform, in tests or otherwise.
BANNED = {
    "openssl": "one provider of cryptography: aws-lc-rs",
    "openssl-sys": "links OpenSSL",
    "openssl-src": "links OpenSSL",
    "native-tls": "TLS is rustls",
    "ring": "one provider of cryptography: aws-lc-rs",
    "sgx-dcap-quoteverify-rs": "links Intel's DCAP libraries",
    "sgx-dcap-quoteverify-sys": "links Intel's DCAP libraries",
    "intel-tee-quote-verification-rs": "links Intel's DCAP libraries",
    "intel-tee-quote-verification-sys": "links Intel's DCAP libraries",
    "tdx-attest-rs": "links Intel's DCAP libraries",
    "tdx-attest-sys": "links Intel's DCAP libraries",
    "tss-esapi": "links tpm2-tss",
    "tss-esapi-sys": "links tpm2-tss",
}

# The only packages that may bring or link a native library.
NATIVE = {"aws-lc-rs", "aws-lc-sys", "libsqlite3-sys"}
# They use the key `links` only so that no two versions are built together.
NOT_REALLY_NATIVE = {"verus_prettyplease", "prettyplease", "wasm-bindgen-shared", "rayon-core"}

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def acceptable(expression, extra=()):
    """Whether an SPDX expression can be satisfied by ALLOWED and extra ("/" is an old form of OR)."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1]

    def either():
        result = both()
        while peek() == "OR":
            take()
            result = both() or result
        return result

    def both():
        result = single()
        while peek() == "AND":
            take()
            result = single() and result
        return result

    def single():
        if peek() is None:
            raise ValueError(f"not a licence expression: {expression!r}")
        if peek() == "(":
            take()
            result = either()
            if peek() != ")":
                raise ValueError(f"not a licence expression: {expression!r}")
            take()
            return result
        name = take()
        if peek() == "WITH":
            take()
            name = f"{name} WITH {take()}"
        return name in ALLOWED or name in extra

    result = either()
    if peek() is not None:
        raise ValueError(f"not a licence expression: {expression!r}")
    return result


def cargo(*arguments):
    run = subprocess.run(
        ["cargo", *arguments, "--offline", "--locked"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        sys.exit(f"cargo {arguments[0]} failed (run `cargo fetch --locked` first?)\n{run.stderr}")
    return run.stdout


def faults_of(package, built):
    """Every reason against one package."""
    name, licence = package["name"], package["license"]
    key = (name, package["version"])
    extra = EXCEPTIONS[name][:1] if name in EXCEPTIONS else ()
    if not licence:
        yield "has no licence expression"
    else:
        try:
            if not acceptable(licence, extra):
                yield f"licence {licence}"
        except ValueError as error:
            yield str(error)
    if package["source"] not in (None, REGISTRY):
        yield f"comes from {package['source']}, not from the registry"
    if key in built:
        if name in BANNED:
            yield f"banned: {BANNED[name]}"
        if package.get("links") and name not in NATIVE | NOT_REALLY_NATIVE:
            yield f"brings native code ({package['links']}); name it in scripts/check-licenses.py if it is wanted"


def main():
    metadata = json.loads(cargo("metadata", "--format-version", "1"))
    packages = metadata["packages"]
    tree = cargo("tree", "--workspace", "--target", "all", "--prefix", "none", "--format", "{p}")
    built = set(re.findall(r"^(\S+) v(\S+)", tree, flags=re.MULTILINE))

    offenders = []
    used = set()
    for package in sorted(packages, key=lambda p: (p["name"], p["version"])):
        label = f"{package['name']} {package['version']}"
        offenders += [(label, fault) for fault in faults_of(package, built)]
        used.add(package["name"])

    offenders += [(name, "has an exception here but is not locked any more") for name in sorted(set(EXCEPTIONS) - used)]

    members = set(metadata["workspace_members"])
    direct = {
        dependency["name"]
        for package in packages
        if package["id"] in members
        for dependency in package["dependencies"]
        if dependency["source"] is not None
    }
    rows = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "docs/dependencies.md").read_text(), flags=re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    offenders += [(name, "is not in docs/dependencies.md") for name in sorted(direct - listed)]
    offenders += [(name, "stands in docs/dependencies.md but is not used") for name in sorted(listed - direct)]

    width = max((len(label) for label, _ in offenders), default=0)
    for label, fault in offenders:
        print(f"{label:{width}}  {fault}")
    idle = sorted(p["name"] for p in packages if p["name"] in BANNED and (p["name"], p["version"]) not in built)
    if idle:
        print(f"locked but never built, because an optional feature names it: {', '.join(idle)}")
    print(f"{len(packages)} packages, {len(built)} of them built somewhere, {len(offenders)} offenders")
    sys.exit(1 if offenders else 0)


if __name__ == "__main__":
    main()
