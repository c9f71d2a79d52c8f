#!/usr/bin/env python3
"""Tries what stands in deploy/: Kubernetes manifests, the compose file, systemd units, container files; and what
docs/deploying.md says of them.

    scripts/deploy-test.py [--assay target/debug/assay] [--only TEXT]

Each case prints one line, "ok", "not ok" with the reason, or "skipped" with the reason; the last line is
"N passed, N failed, N skipped". For each property there are cases that break it in a copy, one thing at a
time: a check that does not notice is a failed case. Nothing is started, and no cluster or container
runtime is needed. Readers of YAML and of container files, and Kubernetes' published schemas, are installed
from the package registry into target/deploy-test; without a network the cases that need them are skipped.
"""

import argparse
import copy
import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

import deploy_compose
import deploy_containers
import deploy_documents
import deploy_kubernetes
import deploy_systemd

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
PACKAGES = ROOT / "target" / "deploy-test"
REQUIREMENTS = ROOT / "scripts" / "deploy-test-requirements.txt"

CASES = []


class Skip(Exception):
    """The case cannot be tried here."""


def case(title, function):
    CASES.append((title, function))


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_none(problems):
    check(not problems, "\n".join(problems))


def properties(name, things, checks, breaks):
    """Cases of a table of checks, and of breaks of it.

    `things` maps a title to a function that gives the thing to look at; `checks` maps a name to a function from
    thing to problems, and for which titles it is (None: all); a break is (title, check, what is broken, function
    that breaks a copy). Whatever check has no break is a failure itself.
    """
    for title, thing in things.items():
        for check_name, (function, titles) in checks.items():
            if titles is None or title in titles:
                case(f"{name} {title}: {check_name}", lambda w, f=function, t=thing: expect_none(f(w, t(w))))

    def breaks_it(w, function, thing, how, expected):
        broken = copy.deepcopy(thing(w))
        how(broken)
        check(broken != thing(w), "the break changes nothing")
        before = function(w, thing(w))
        problems = [problem for problem in function(w, broken) if problem not in before]
        check(problems, "nobody noticed")
        check(not expected or any(expected in p for p in problems), f"{expected!r} is not in {problems}")

    for title, check_name, what, how, *expected in breaks:
        function = checks[check_name][0]
        case(f"{name} {title}, {what}: noticed",
             lambda w, f=function, t=things[title], h=how, e=expected: breaks_it(w, f, t, h, e[0] if e else None))
    without = set(checks) - {check_name for _, check_name, *_ in breaks}
    case(f"{name}: each check has a case that breaks it", lambda w: expect_none(sorted(without)))


class World:
    """The programs and packages at hand, and a temporary folder."""

    def __init__(self, assay, folder):
        assay = pathlib.Path(assay).resolve()
        self.assay = assay if os.access(assay, os.X_OK) else None
        self.folder = folder
        self.missing = install_packages()
        self.kept = {}

    def package(self, name):
        """A module of the packages, or a skipped case."""
        try:
            return importlib.import_module(name)
        except ImportError:
            raise Skip(f"the package of {name} is not there: {self.missing}") from None

    def run(self, *command, **more):
        return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False, **more)

    def program(self, name):
        found = shutil.which(name)
        if not found:
            raise Skip(f"{name} is not installed")
        return found

    def once(self, key, function):
        """The result of the function, made once; a skip or failure is kept as well."""
        if key not in self.kept:
            try:
                self.kept[key] = (function(), None)
            except Exception as error:
                self.kept[key] = (None, error)
        value, error = self.kept[key]
        if error:
            raise error
        return value

    def configuration_problems(self, file, environment=None):
        """What `assay config check` says against a file; nothing where there is no program."""
        if not self.assay:
            return []
        result = self.run(self.assay, "config", "check", "--config", file,
                          env={"PATH": os.environ.get("PATH", ""), **(environment or {})})
        return [] if result.returncode == 0 else [(result.stdout + result.stderr).strip()]


def install_packages():
    """Makes the packages importable; why not, where it cannot be done."""
    stamp = PACKAGES / "installed.txt"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text()}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(PACKAGES, ignore_errors=True)
        try:
            for command in (
                [sys.executable, "-m", "venv", PACKAGES],
                [PACKAGES / "bin" / "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                 "--retries", "1", "--timeout", "15", "--only-binary", ":all:", "--requirement", REQUIREMENTS],
            ):
                done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
                if done.returncode != 0:
                    return (done.stderr or done.stdout).strip().splitlines()[-1]
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        stamp.write_text(wanted)
    sys.path[:0] = map(str, PACKAGES.glob("lib/python3*/site-packages"))
    return None


for part in (deploy_kubernetes, deploy_compose, deploy_systemd, deploy_containers, deploy_documents):
    part.register(sys.modules[__name__])


def main():
    parser = argparse.ArgumentParser(description="Tries what stands in deploy/.")
    parser.add_argument("--assay", default=ROOT / "target/debug/assay")
    parser.add_argument("--only", default="", help="only cases whose title contains this")
    arguments = parser.parse_args()

    passed = failed = skipped = 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-deploy-test-"))
    try:
        world = World(arguments.assay, folder)
        if not world.assay:
            print(f"{arguments.assay} is not there: configurations are parsed, but not checked by it")
        for title, function in CASES:
            if arguments.only not in title:
                continue
            try:
                function(world)
                passed += 1
                print(f"ok      {title}", flush=True)
            except Skip as reason:
                skipped += 1
                print(f"skipped {title}: {reason}", flush=True)
            except Exception as error:
                failed += 1
                text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
                print(f"not ok  {title}", flush=True)
                print("        " + text.strip().replace("\n", "\n        "), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
