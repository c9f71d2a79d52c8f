#!/usr/bin/env python3
"""Fails when fuzz/fuzz_targets/*.rs and the [[bin]] tables of fuzz/Cargo.toml do not name the same targets.

With --write it writes the tables anew, one for each file, after everything else in the manifest.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def declared(manifest):
    """Name and path of every [[bin]] in the manifest."""
    bins = {}
    for block in re.split(r"^\[\[bin\]\]\s*$", manifest, flags=re.MULTILINE)[1:]:
        block = re.split(r"^\[", block, flags=re.MULTILINE)[0]
        values = dict(re.findall(r'^(\w+)\s*=\s*"([^"]*)"', block, flags=re.MULTILINE))
        bins[values.get("name", "?")] = values.get("path", "?")
    return bins


def write(manifest, names):
    """The manifest with one [[bin]] for each name, in order."""
    head = re.split(r"^\[\[bin\]\]\s*$", manifest, maxsplit=1, flags=re.MULTILINE)[0].rstrip()
    tables = [
        f'[[bin]]\nname = "{name}"\npath = "fuzz_targets/{name}.rs"\ntest = false\ndoc = false\nbench = false\n'
        for name in sorted(names)
    ]
    return "\n".join([head + "\n", *tables])


def main():
    if sys.argv[1:] == ["--write"]:
        manifest = ROOT / "fuzz/Cargo.toml"
        manifest.write_text(write(manifest.read_text(), {p.stem for p in (ROOT / "fuzz/fuzz_targets").glob("*.rs")}))
    bins = declared((ROOT / "fuzz/Cargo.toml").read_text())
    files = {path.stem for path in (ROOT / "fuzz/fuzz_targets").glob("*.rs")}
    faults = [f"fuzz/fuzz_targets/{name}.rs has no [[bin]] in fuzz/Cargo.toml" for name in sorted(files - set(bins))]
    faults += [f"[[bin]] {name} has no file fuzz/fuzz_targets/{name}.rs" for name in sorted(set(bins) - files)]
    faults += [
        f"[[bin]] {name} has the path {path!r}, expected 'fuzz_targets/{name}.rs'"
        for name, path in sorted(bins.items())
        if path != f"fuzz_targets/{name}.rs"
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(files)} fuzz targets, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
