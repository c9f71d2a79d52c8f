#!/usr/bin/env python3
"""Tries the command line of the built binary as its users do: real processes, real sockets, real files.

    scripts/system-test.py [--assay target/debug/assay] [--only TEXT] [--keep]

Each case prints one line, "ok", "not ok" with the reason, or "skipped"; the last line is
"N passed, N failed, N skipped". Works in a temporary folder and on a free port of 127.0.0.1, and
ends only processes that it started. Standard library only.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

import agent_bad_input_cases
import agent_cases
import audit_cases
import operation_cases
import replica_cases
import rvps_cases
import secret_backend_cases

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEED = "11" * 32
OTHER_SEED = "22" * 32
OTHER_MEASUREMENT = "ab" * 48
OTHER_DIGEST = "5a" * 32
DEBUG_ON = "policy.debug=true"
SECRET = b"a secret of the system test\x00\xff with bytes that are no text"
RESOURCE = "default/key/system-test"
CODE = re.compile(r"\b[A-Z][A-Z0-9]*(?:-[A-Z][A-Z0-9]*)*-\d{3}\b")

# Exit codes of `assay verify`: the contract.
ACCEPTED, OUR_FAULT, REJECTED, UNSUPPORTED, MALFORMED = 0, 1, 10, 20, 30

CASES = []


class Skip(Exception):
    """The case cannot be tried here."""


def case(title, needs=()):
    """Registers a case; it is skipped when one that it needs did not pass."""

    def register(function):
        CASES.append((title, function.__name__, needs, function))
        return function

    return register


def check(condition, message):
    if not condition:
        raise AssertionError(message)


class World:
    """The temporary folder, the program, the server under test."""

    def __init__(self, assay, folder):
        self.assay = str(pathlib.Path(assay).resolve())
        self.folder = folder
        self.data = folder / "data"
        self.roots = folder / "roots.json"
        self.evidence = folder / "evidence.json"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = None
        self.token = None
        self.started = []
        self.others = {}

    def another(self, name):
        """The world of a further server, with a folder and a port of its own."""
        folder = self.folder / name
        folder.mkdir()
        other = World(self.assay, folder)
        other.started = self.started
        self.others[name] = other
        return other

    def run(self, *arguments, expect=None, timeout=60, stdin=None):
        """Runs `assay` with the arguments; `expect` is one exit code or several."""
        process = subprocess.Popen(
            [self.assay, *map(str, arguments)],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "NO_COLOR": "1"},
        )
        self.started.append(process)
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"assay {' '.join(map(str, arguments))}: not done after {timeout} s") from None
        result = subprocess.CompletedProcess(arguments, process.returncode, out, err)
        result.text = (out + err).decode(errors="replace")
        codes = (expect,) if isinstance(expect, int) else expect
        if codes is not None and process.returncode not in codes:
            raise AssertionError(
                f"assay {' '.join(map(str, arguments))}: exit code {process.returncode}, expected {expect}\n{result.text}"
            )
        if "panicked at" in result.text:
            raise AssertionError(f"assay {' '.join(map(str, arguments))} panicked\n{result.text}")
        return result

    def verify(self, evidence, *more, tee="snp", expect):
        """`assay verify --json`; returns the parsed answer."""
        result = self.run("verify", "--tee", tee, "--evidence", evidence, *more, "--json", expect=expect)
        answer = json.loads(result.stdout)
        check(answer["accepted"] is (expect == ACCEPTED), f"accepted is {answer['accepted']}, exit code {expect}")
        for finding in answer["findings"]:
            for member in ("code", "outcome", "expected", "found", "detail"):
                check(member in finding, f"finding without {member}: {finding}")
        return answer

    # The server.

    def start(self, *more, trust_emulator=True, environment=None, ready=200):
        """Starts the server and waits until it is ready, or says otherwise as expected."""
        check(self.server is None, "a server is running already")
        if trust_emulator:
            more = ("--danger-trust-emulator", self.roots, *more)
        log = open(self.folder / "server.log", "ab")
        self.server = subprocess.Popen(
            [self.assay, "serve", "--data-dir", str(self.data), "--listen", f"127.0.0.1:{self.port}", "--http",
             *map(str, more)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **(environment or {})},
        )
        log.close()
        self.started.append(self.server)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.server.poll() is not None:
                raise AssertionError(f"the server ended with {self.server.returncode}\n{self.log()}")
            with contextlib.suppress(OSError):
                if self.http("GET", "/readyz")[0] == ready:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the server is not ready after 30 s\n{self.log()}")

    def stop(self, how, timeout=30):
        """Sends the signal, waits for the end and returns the exit status (negative: by a signal)."""
        server, self.server = self.server, None
        server.send_signal(how)
        try:
            return server.wait(timeout)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise AssertionError(f"the server did not end within {timeout} s\n{self.log()}") from None

    def log(self, lines=30):
        with contextlib.suppress(OSError):
            text = (self.folder / "server.log").read_text(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def http(self, method, path, body=None, headers=None, token=None, timeout=20):
        """Status, headers and body of one request."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def admin(self, method, path, body=None, **more):
        status, headers, answer = self.http(method, path, body, token=self.token, **more)
        check(200 <= status < 300, f"{method} {path}: {status} {answer.decode(errors='replace')}")
        return answer

    def attest(self, *more, seed=SEED, get=RESOURCE, expect=None, url=None, tee="snp"):
        """`assay attest` of an emulated guest, asking for a resource."""
        wanted = ("--get", get) if get else ()
        return self.run("attest", "--url", url or self.url, "--emulate", tee, "--seed", seed, *more, *wanted, expect=expect)

    def mint(self, role="admin"):
        """A token of an administrator. That of the role `admin` is what `server_args` names."""
        token = self.run("admin", "token", "--data-dir", self.data, "--role", role, expect=0).stdout.decode().strip()
        if role == "admin":
            self.token = token
            (self.folder / "admin-token").write_text(token)
            (self.folder / "admin-token").chmod(0o600)
        return token

    def emulate(self, name, *more, kind=None, seed=SEED):
        """Writes emulated CCA evidence, or endorsements where a kind is given; the path of the file."""
        what = ("endorsements", "--kind", kind) if kind else ("evidence", "--tee", "cca", "--raw")
        file = self.folder / name
        self.run("emulate", *what, "--seed", seed, *more, "--out", file, expect=0)
        return file

    def server_args(self):
        """What an administrator's command needs to find the server."""
        return ("--url", self.url, "--admin-token-file", self.folder / "admin-token")

    def refused(self, result, code):
        """A refusal: without the secret, with the code that names the reason."""
        check(result.returncode == REJECTED, f"exit code {result.returncode}, expected {REJECTED}\n{result.text}")
        check(SECRET not in result.stdout, "the secret was printed")
        check(code in result.text, f"the refusal does not name {code}:\n{result.text}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def failed_codes(answer):
    return [f["code"] for f in answer["findings"] if f["outcome"] == "failed"]


def find(tree, name):
    """The first member called `name`, anywhere in the tree."""
    if isinstance(tree, dict):
        if name in tree:
            return tree[name]
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            found = find(branch, name)
            if found is not None:
                return found
    return None


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(jwt):
    """The claims of a JWT, whoever signed it."""
    part = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def reference_value_message(values):
    payload = base64.b64encode(json.dumps(values).encode()).decode()
    return {"version": "0.1.0", "type": "sample", "payload": payload}


def good_reference_values(w):
    """What makes the good guest affirming."""
    claims = w.verify(w.evidence, "--anchors", w.roots, expect=ACCEPTED)["claims"]
    values = {
        "snp_launch_measurement": "measurement", "snp_bootloader": "reported_tcb_bootloader",
        "snp_microcode": "reported_tcb_microcode", "snp_snp_svn": "reported_tcb_snp", "snp_tee_svn": "reported_tcb_tee",
        "snp_smt_enabled": "platform_smt_enabled", "snp_tsme_enabled": "platform_tsme_enabled",
        "snp_guest_abi_major": "policy_abi_major", "snp_guest_abi_minor": "policy_abi_minor",
        "snp_single_socket": "policy_single_socket", "snp_smt_allowed": "policy_smt_allowed",
    }
    message = {name: [find(claims, claim)] for name, claim in values.items()}
    check(None not in [v[0] for v in message.values()], f"a claim is missing: {message}")
    return message


def problem(body):
    """An error body: Trustee's members and ours."""
    answer = json.loads(body)
    for member in ("type", "detail"):
        check(isinstance(answer.get(member), str), f"error body without {member}: {answer}")
    return answer


# 1. Without a server.


@case("help and version")
def help_and_version(w):
    for arguments in (["--help"], ["--version"], ["verify", "--help"], ["serve", "--help"]):
        check(w.run(*arguments, expect=0).stdout.strip(), "no output")
    w.run("no-such-command", expect=2)
    check(b"assay" in w.run("completions", "bash", expect=0).stdout, "completions")
    w.run("admin", "roles", expect=0)


@case("the configuration is shown, and an unknown key in a file is refused")
def configuration(w):
    w.run("config", "show", expect=0)
    file = w.folder / "config.toml"
    file.write_text("no_such_key = 1\n")
    check("no_such_key" in w.run("config", "check", "--config", file, expect=(OUR_FAULT, REJECTED, MALFORMED)).text, "the key is not named")


@case("emulate roots writes public anchors, the same for the same seed")
def roots(w):
    w.run("emulate", "roots", "--seed", SEED, "--out", w.roots, expect=0)
    again = w.folder / "again.json"
    w.run("emulate", "roots", "--seed", SEED, "--out", again, expect=0)
    check(w.roots.read_bytes() == again.read_bytes(), "another file from the same seed")
    anchors = json.loads(w.roots.read_text())
    check(anchors["format"] == "assay-trust-anchors-v1" and anchors["emulated"] is True, f"{anchors}"[:200])
    check("snp" in anchors["anchors"], "no anchors for snp")
    check("PRIVATE" not in w.roots.read_text(), "a private key in the public file")
    w.run("emulate", "roots", "--seed", OTHER_SEED, "--out", w.folder / "other-roots.json", expect=0)


@case("emulate evidence writes SNP evidence in the form of the wire")
def evidence(w):
    w.run("emulate", "evidence", "--tee", "snp", "--seed", SEED, "--out", w.evidence, expect=0)
    written = json.loads(w.evidence.read_text())
    report = written["attestation_report"]
    check(len(report["measurement"]) == 48 and len(report["report_data"]) == 64, "lengths of the report")
    check("cert_chain" in written, "no member cert_chain")


@case("emulate writes CCA tokens in JSON and bare, and their endorsements")
def cca(w):
    token, bare = w.folder / "cca.json", w.folder / "cca.cbor"
    common = ("--tee", "cca", "--seed", SEED, "--set", "generation=rmm-2.0-2026")
    w.run("emulate", "evidence", *common, "--out", token, expect=0)
    w.run("emulate", "evidence", *common, "--raw", "--out", bare, expect=0)
    check(bytes(json.loads(token.read_text())["token"]) == bare.read_bytes(), "the bare token is another one")
    check(bare.read_bytes()[:4] == bytes.fromhex("d9038ba2"), "not a collection with tag 907")
    corim = w.folder / "corim"
    for form, tag in [("signed-corim", "d284"), ("corim", "d901f5")]:
        w.run("emulate", "endorsements", "--kind", "platform", "--form", form, "--seed", SEED, "--out", corim, expect=0)
        check(corim.read_bytes().hex().startswith(tag), f"not the form {form}")
    store = w.folder / "store.json"
    w.run("emulate", "endorsements", "--kind", "realm", "--form", "json", "--seed", SEED, "--set", "rim=00", "--out", store, expect=0)
    check(json.loads(store.read_text())["realm"][0]["initial-measurement"] == "00", "the measurement that was set")
    key = w.folder / "signer.pem"
    w.run("emulate", "corim-signer", "--seed", SEED, "--out", key, expect=0)
    check(key.read_text().startswith("-----BEGIN PUBLIC KEY-----"), "not a public key in PEM")


@case("emulate writes TDX and SGX quotes in JSON and bare, and their collateral")
def intel(w):
    quote, bare, collateral = w.folder / "intel.json", w.folder / "intel.quote", w.folder / "intel-collateral.json"
    for tee, version in [("tdx", 4), ("sgx", 3)]:
        common = ("--tee", tee, "--seed", SEED, "--set", "tcb=out-of-date")
        w.run("emulate", "evidence", *common, "--out", quote, expect=0)
        w.run("emulate", "evidence", *common, "--raw", "--out", bare, expect=0)
        written = json.loads(quote.read_text())
        check(base64.b64decode(written["quote"]) == bare.read_bytes(), "the bare quote is another one")
        check(bare.read_bytes()[0] == version, f"not a quote of version {version}")
        check(("cc_eventlog" in written) == (tee == "tdx"), "an event log belongs to TDX")
        w.run("emulate", "collateral", *common, "--at", "2026-01-01T00:00:00Z", "--channel", "early", "--out", collateral, expect=0)
        info = json.loads(json.loads(collateral.read_text())["tcb_info"])
        check(info["id"] == tee.upper() and info["tcbEvaluationDataNumber"] == 19, f"TCB info {info['id']}")
        check((info["issueDate"], info["nextUpdate"]) == ("2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z"), "its dates")
    refused = w.run("emulate", "collateral", "--tee", "snp", "--seed", SEED, "--out", "-", expect=OUR_FAULT)
    check("tdx and sgx" in refused.text, "the refusal does not say for what there is collateral")


@case("emulate pcs answers, fails on command, counts, and stops when told")
def pcs(w):
    w.run("emulate", "pcs", "--seed", SEED, "--listen", "0.0.0.0:0", expect=OUR_FAULT)
    double = subprocess.Popen(
        [w.assay, "--json", "emulate", "pcs", "--seed", SEED, "--next-update-seconds", "60"],
        stdout=subprocess.PIPE, cwd=w.folder,
    )
    w.started.append(double)
    base = "http://" + json.loads(double.stdout.readline())["listening"]

    def ask(path, change=None):
        body = None if change is None else json.dumps(change).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(base + path, body), timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    tcb = "/tdx/certification/v4/tcb?fmspc=00A55A000000"
    status, headers, body = ask(tcb)
    check(status == 200 and headers["TCB-Info-Issuer-Chain"].startswith("-----BEGIN%20"), f"{status} {headers}")
    check(json.loads(body)["tcbInfo"]["id"] == "TDX", "not the TCB info of TDX")
    check(ask("/control", {"fail_status": 429, "retry_after": 5})[0] == 200, "the control refuses")
    status, headers, _ = ask(tcb)
    check(status == 429 and headers["Retry-After"] == "5", f"{status} {headers}")
    check(ask("/control", {"fail_status": 200})[0] == 400, "nonsense is taken")
    ask("/control", {"fail_status": None, "retry_after": None})
    check(ask(tcb)[0] == 200, "it does not recover")
    counted = json.loads(ask("/control")[2])["requests"]
    check(counted["total"] == 3, f"counted {counted}")
    double.terminate()
    check(double.wait(timeout=10) == 0, "the double does not stop in order")


REPORTS = "sys/kernel/config/tsm/report"
RTMR3 = "sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384"


def need_fuse():
    if not os.path.exists("/dev/fuse") or shutil.which("fusermount3") is None:
        raise Skip("there is no /dev/fuse or no fusermount3 (package fuse3)")


@contextlib.contextmanager
def configfs_tsm(w, place, tee, *more, env=None):
    """The files of a simulated guest at `place`. It ends with the block, in order unless it has ended before."""
    guest = subprocess.Popen(
        [w.assay, "--json", "emulate", "configfs-tsm", "--mount", str(place), "--tee", tee, "--seed", SEED,
         *map(str, more)],
        stdout=subprocess.PIPE, cwd=w.folder, env=env,
    )
    w.started.append(guest)
    ready = json.loads(guest.stdout.readline())
    check(ready["ready"] == tee and ready["at"] == str(place), f"{ready}")
    try:
        yield guest
    finally:
        if guest.poll() is None:
            guest.terminate()
            check(guest.wait(timeout=20) == 0, "the simulator does not stop in order")


def wait_until(what, condition):
    deadline = time.monotonic() + 30
    while not condition():
        check(time.monotonic() < deadline, f"{what} does not come")
        time.sleep(0.01)


def guest_report(place, tee, waits=False):
    """Evidence that is bound to 64 bytes of 07, as a program in the guest obtains it."""
    entry = place / REPORTS / "one"
    entry.mkdir()
    if waits:
        wait_until("provider", (entry / "provider").exists)
    check((entry / "provider").read_text().strip() in ("sev_guest", "tdx_guest", "arm_cca_guest"), "the provider")
    (entry / "inblob").write_bytes(b"\x07" * 64)
    if waits:
        wait_until("outblob", (entry / "outblob").exists)
    report = (entry / "outblob").read_bytes()
    check((entry / "generation").read_text() == "1\n", "the generation")
    return report + ((entry / "auxblob").read_bytes() if tee == "snp" else b"")


def check_report(w, tee, report):
    raw = w.folder / f"configfs-{tee}.bin"
    raw.write_bytes(report)
    more = []
    if tee == "tdx":
        collateral = w.folder / "configfs-collateral.json"
        w.run("emulate", "collateral", "--tee", tee, "--seed", SEED, "--out", collateral, expect=0)
        more = ["--collateral", collateral]
    bound = ("--anchors", w.roots, *more, "--report-data")
    w.verify(raw, *bound, "07" * 64, tee=tee, expect=ACCEPTED)
    w.verify(raw, *bound, "08" * 64, tee=tee, expect=REJECTED)


@case("emulate configfs-tsm presents the files of each TEE, with evidence that is accepted, and stops when told", needs=["roots"])
def configfs_each_tee(w):
    need_fuse()
    for tee in ("snp", "tdx", "cca"):
        place = w.folder / f"guest-{tee}"
        with configfs_tsm(w, place, tee):
            check_report(w, tee, guest_report(place, tee))
            refused = w.run("emulate", "configfs-tsm", "--mount", place, "--tee", tee, "--seed", SEED, expect=OUR_FAULT)
            check("not an empty directory" in refused.text, refused.text)
        check(list(place.iterdir()) == [], "files are left")
    w.run("emulate", "configfs-tsm", "--mount", w.folder / "none", "--tee", "sgx", "--seed", SEED, expect=OUR_FAULT)
    check(not (w.folder / "none").exists(), "a guest that cannot be has a directory")


@case("a simulated guest that was killed is told and cleared, and its registers go on from the state file")
def configfs_killed(w):
    need_fuse()
    place, state = w.folder / "guest-killed", w.folder / "guest-state.json"
    with configfs_tsm(w, place, "tdx", "--state", state) as guest:
        (place / RTMR3).write_bytes(b"\x01" * 48)
        extended = (place / RTMR3).read_bytes()
        check(extended != bytes(48), "the register is not extended")
        guest.kill()
        guest.wait(timeout=20)
    again = ("emulate", "configfs-tsm", "--mount", place, "--tee", "tdx", "--seed", SEED)
    refused = w.run(*again, expect=OUR_FAULT)
    check(f"fusermount3 -u {place}" in refused.text and "--remount" in refused.text, refused.text)
    with configfs_tsm(w, place, "tdx", "--state", state, "--remount"):
        check((place / RTMR3).read_bytes() == extended, "the register does not go on")
    with configfs_tsm(w, place, "tdx"):
        check((place / RTMR3).read_bytes() == bytes(48), "without a state the guest is not booted anew")
    refused = w.run(*again, "--state", state, "--set", "kernel=other", expect=OUR_FAULT)
    check("booted something else" in refused.text, refused.text)


@case("without FUSE a simulated guest is refused, or presented as plain files when that is asked for", needs=["roots"])
def configfs_without_fuse(w):
    empty = w.folder / "no-programs"
    empty.mkdir()
    place, env = w.folder / "guest-plain", {"PATH": str(empty), "HOME": str(w.folder)}
    refused = subprocess.run(
        [w.assay, "emulate", "configfs-tsm", "--mount", str(place), "--tee", "snp", "--seed", SEED],
        env=env, capture_output=True, timeout=60, cwd=w.folder,
    )
    text = (refused.stdout + refused.stderr).decode()
    check(refused.returncode == OUR_FAULT and "fuse3" in text and "--without-fuse" in text, text)
    check(not place.exists() or list(place.iterdir()) == [], "files in spite of the refusal")
    for tee in ("snp", "tdx", "cca"):
        with configfs_tsm(w, place, tee, "--without-fuse", env=env):
            check_report(w, tee, guest_report(place, tee, waits=True))
        check(list(place.iterdir()) == [], "files are left")


@case("verify accepts emulated evidence under its roots", needs=["roots", "evidence"])
def verify_good(w):
    answer = w.verify(w.evidence, "--anchors", w.roots, expect=ACCEPTED)
    check(answer["tee"] == "snp", f"tee is {answer['tee']}")
    check(not failed_codes(answer), f"failed: {failed_codes(answer)}")
    check(len(find(answer["claims"], "measurement")) == 96, "the claim measurement")
    check(find(answer["claims"], "policy_debug_allowed") is False, "the claim policy_debug_allowed")


@case("verify rejects emulated evidence under AMD's roots", needs=["evidence"])
def verify_without_anchors(w):
    check("SNP-010" in failed_codes(w.verify(w.evidence, expect=REJECTED)), "the pinned root key is not the reason")


@case("verify rejects the evidence of another seed", needs=["roots"])
def verify_other_seed(w):
    other = w.folder / "other.json"
    w.run("emulate", "evidence", "--tee", "snp", "--seed", OTHER_SEED, "--out", other, expect=0)
    check("SNP-010" in failed_codes(w.verify(other, "--anchors", w.roots, expect=REJECTED)), "the pinned root key is not the reason")


@case("verify compares the report data", needs=["roots"])
def verify_report_data(w):
    bound = w.folder / "bound.json"
    data = "5a" * 48
    w.run("emulate", "evidence", "--tee", "snp", "--seed", SEED, "--report-data", data, "--out", bound, expect=0)
    w.verify(bound, "--anchors", w.roots, "--report-data", data, expect=ACCEPTED)
    answer = w.verify(bound, "--anchors", w.roots, "--report-data", "5b" * 48, expect=REJECTED)
    check(failed_codes(answer) == ["SNP-031"], f"failed: {failed_codes(answer)}")


@case("verify rejects one changed byte of measurement, policy, signature or certificate", needs=["verify_good"])
def verify_changed_byte(w):
    good = json.loads(w.evidence.read_text())

    def bytes_of(tree, *path):
        for step in path:
            tree = tree[step]
        return tree

    places = [("attestation_report", "measurement"), ("attestation_report", "chip_id"),
              ("attestation_report", "signature", "r"), ("attestation_report", "signature", "s")]
    places += [("cert_chain", n, "data") for n in range(len(good["cert_chain"] or []))]
    for place in places:
        bad = json.loads(w.evidence.read_text())
        target = bytes_of(bad, *place)
        target[len(target) // 2 if place[-1] == "data" else 5] ^= 1
        changed = w.folder / "changed.json"
        changed.write_text(json.dumps(bad))
        result = w.run("verify", "--tee", "snp", "--evidence", changed, "--anchors", w.roots, "--json",
                       expect=(REJECTED, MALFORMED))
        check(failed_codes(json.loads(result.stdout)), f"{place}: no failed finding")


@case("verify judges the dates at the time it is given", needs=["verify_good"])
def verify_at(w):
    answer = w.verify(w.evidence, "--anchors", w.roots, "--at", "2199-01-01T00:00:00Z", expect=REJECTED)
    check("SNP-015" in failed_codes(answer), f"failed: {failed_codes(answer)}")


@case("verify calls what is not evidence malformed", needs=["evidence", "roots"])
def verify_malformed(w):
    text = w.evidence.read_bytes()
    for name, content in {
        "empty": b"", "truncated": text[: len(text) // 2], "no JSON": b"{]", "empty object": b"{}",
        "report too short": bytes(1183), "report too long": bytes(1185), "deep": b'{"a":' * 10_000,
        "wrong type": b'{"attestation_report":[],"cert_chain":null}',
    }.items():
        bad = w.folder / "bad"
        bad.write_bytes(content)
        result = w.run("verify", "--tee", "snp", "--evidence", bad, "--anchors", w.roots, "--json", expect=MALFORMED)
        check(json.loads(result.stdout)["accepted"] is False, name)


@case("verify says so when it does not support a TEE or a report version", needs=["evidence", "roots"])
def verify_unsupported(w):
    w.run("verify", "--tee", "hygondcu", "--evidence", w.evidence, "--json", expect=UNSUPPORTED)
    bad = json.loads(w.evidence.read_text())
    bad["attestation_report"]["version"] = 99
    strange = w.folder / "strange.json"
    strange.write_text(json.dumps(bad))
    w.verify(strange, "--anchors", w.roots, expect=UNSUPPORTED)


@case("verify does not blame the evidence for a file that is not there")
def verify_no_file(w):
    w.run("verify", "--tee", "snp", "--evidence", w.folder / "nothing", expect=(OUR_FAULT, 2))


@case("verify tells people the code and the reason", needs=["evidence"])
def verify_text(w):
    result = w.run("verify", "--tee", "snp", "--evidence", w.evidence, expect=REJECTED)
    check(CODE.search(result.text), f"no code in:\n{result.text}")


# 2. A server.


@case("serve refuses plain HTTP beyond loopback")
def serve_plain(w):
    result = w.run("serve", "--data-dir", w.folder / "elsewhere", "--listen", f"0.0.0.0:{w.port}", "--http", timeout=20)
    check(result.returncode not in (0,), "it was served")
    check("loopback" in result.text.lower(), f"the reason is not named:\n{result.text}")


@case("serve starts on an empty folder, and what it keeps is readable by its owner only", needs=["roots"])
def serve_starts(w):
    w.start()
    open_files = [
        f"{p.relative_to(w.data)} {p.stat().st_mode & 0o777:o}"
        for p in w.data.rglob("*") if p.is_file() and p.stat().st_mode & 0o077
    ]
    check(not open_files, f"readable by others: {open_files}")
    check(w.data.stat().st_mode & 0o777 == 0o700, f"the folder has the mode {w.data.stat().st_mode & 0o777:o}")


@case("health, metrics, key set, discovery and OpenAPI are served", needs=["serve_starts"])
def serve_public(w):
    for path in ("/healthz", "/readyz", "/metrics"):
        check(w.http("GET", path)[0] == 200, path)
    status, _, keys = w.http("GET", "/.well-known/jwks.json")
    check(status == 200 and json.loads(keys)["keys"], "the key set is empty")
    check(w.http("GET", "/.well-known/openid-configuration")[0] == 200, "discovery")
    status, _, api = w.http("GET", "/openapi.json")
    check(status == 200 and "/kbs/v0/auth" in json.loads(api)["paths"], "OpenAPI without /kbs/v0/auth")


@case("admin token prints a JWT", needs=["serve_starts"])
def admin_token(w):
    printed = w.run("admin", "token", "--data-dir", w.data, "--role", "admin", "--ttl", "15m", expect=0).stdout.decode().strip()
    check(re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", printed), f"not a JWT: {len(printed)} characters")
    w.token = printed
    (w.folder / "admin-token").write_text(printed)
    (w.folder / "admin-token").chmod(0o600)


@case("administration needs a token that is ours", needs=["admin_token"])
def admin_only(w):
    header = b64url(b'{"alg":"none","typ":"JWT"}')
    claims = b64url(json.dumps({"role": "admin", "exp": int(time.time()) + 600}).encode())
    for token in (None, "x", f"{header}.{claims}.", w.token[:-4] + "AAAA"):
        for method, path, body in (
            ("POST", f"/kbs/v0/resource/{RESOURCE}", b"x"),
            ("DELETE", f"/kbs/v0/resource/{RESOURCE}", None),
            ("POST", "/kbs/v0/resource-policy", {"policy": ""}),
            ("POST", "/kbs/v0/attestation-policy", {"type": "rego", "policy_id": "default_cpu", "policy": ""}),
            ("POST", "/kbs/v0/reference-value", reference_value_message({"x": [1]})),
        ):
            status, _, answer = w.http(method, path, body, token=token)
            check(status in (401, 403), f"{method} {path} with the token {str(token)[:12]}…: {status}")
            problem(answer)


@case("a role may do what it is for, and nothing else", needs=["admin_token"])
def roles(w):
    def mint(role):
        return w.run("admin", "token", "--data-dir", w.data, "--role", role, expect=0).stdout.decode().strip()

    auditor, writer = mint("auditor"), mint("resource-writer")
    check(w.run("admin", "token", "--data-dir", w.data, "--role", "emperor").returncode != 0, "an unknown role")
    check(w.http("GET", "/kbs/v0/resources", token=auditor)[0] == 200, "an auditor cannot list")
    for token, method, path in (
        (auditor, "POST", "/kbs/v0/resource/a/b/c"), (auditor, "DELETE", "/kbs/v0/resource/a/b/c"),
        (writer, "POST", "/kbs/v0/resource-policy"), (writer, "DELETE", "/kbs/v0/reference-value/x"),
        (writer, "GET", "/kbs/v0/attestation-policy"),
    ):
        check(w.http(method, path, b"{}" if method == "POST" else None, token=token)[0] == 403, f"{method} {path}")
    check(w.http("GET", f"/kbs/v0/resource/{RESOURCE}", token=w.token)[0] in (401, 403), "an admin token reads a resource")


@case("a secret and the reference values of the good guest are stored", needs=["admin_token", "verify_good"])
def stored(w):
    w.admin("POST", f"/kbs/v0/resource/{RESOURCE}", SECRET, headers={"Content-Type": "application/octet-stream"})
    message = good_reference_values(w)
    w.admin("POST", "/kbs/v0/reference-value", reference_value_message(message))
    answer = json.loads(w.admin("GET", "/kbs/v0/reference-value/snp_launch_measurement"))
    check(message["snp_launch_measurement"][0] in json.dumps(answer), f"read back: {answer}")


@case("the good guest attests and gets the secret, byte for byte", needs=["stored"])
def good_guest(w):
    result = w.attest(expect=0)
    check(result.stdout.rstrip(b"\n") == SECRET or result.stdout == SECRET, f"got {len(result.stdout)} other bytes")


@case("a guest with another launch measurement is refused and told why", needs=["good_guest"])
def other_measurement(w):
    w.refused(w.attest("--set", f"measurement={OTHER_MEASUREMENT}"), "APR-SNP-001")


@case("a guest in debug mode is refused and told why", needs=["good_guest"])
def debug_guest(w):
    w.refused(w.attest("--set", DEBUG_ON), "APR-SNP-007")


@case("a guest of other silicon is refused and told why", needs=["good_guest"])
def foreign_guest(w):
    w.refused(w.attest(seed=OTHER_SEED), "SNP-010")


@case("the sample TEE is refused unless the server admits it", needs=["good_guest"])
def sample_guest(w):
    result = w.run("attest", "--url", w.url, "--emulate", "sample", "--seed", SEED, "--get", RESOURCE)
    check(result.returncode != 0 and SECRET not in result.stdout, "the sample guest got the secret")


@case("resources are set, listed and deleted by command", needs=["good_guest"])
def resource_commands(w):
    path, file = "cli/key/one", w.folder / "one"
    for content in (b"first", b"second"):
        file.write_bytes(content)
        w.run("resource", "set", path, file, *w.server_args(), expect=0)
        got = w.run("resource", "get", path, "--url", w.url, "--emulate", "snp", "--seed", SEED, expect=0).stdout
        check(got.rstrip(b"\n") == content, f"got {got!r}")
    w.run("resource", "set", "cli/key/from-stdin", *w.server_args(), stdin=b"piped", expect=0)
    listed = w.run("resource", "list", "--prefix", "cli/", "--json", *w.server_args(), expect=0).stdout.decode()
    json.loads(listed)
    check(path in listed and "cli/key/from-stdin" in listed and RESOURCE not in listed, listed)
    check("second" not in listed and "piped" not in listed, "the list shows content")
    w.run("resource", "delete", path, *w.server_args(), expect=0)
    check(path not in w.run("resource", "list", *w.server_args(), expect=0).text, "still listed")
    check(w.run("resource", "set", "../key/x", file, *w.server_args()).returncode != 0, "a bad path was taken")


@case("policies are checked, set, read, listed and deleted by command", needs=["good_guest"])
def policy_commands(w):
    deny = w.folder / "deny.rego"
    deny.write_text("package policy\nimport rego.v1\ndefault allow := false\n")
    bad = w.folder / "bad.rego"
    bad.write_text("package policy\nimport rego.v1\nf(n) := f(n + 1)\nallow if f(1)\n")
    kind = ("--kind", "resource")
    w.run("policy", "check", deny, *kind, expect=0)
    check("POL-005" in w.run("policy", "check", bad, *kind, expect=(REJECTED, MALFORMED)).text, "no POL-005")
    # A policy for the resource's repository is more specific than the general one.
    w.run("policy", "set", "default", deny, *kind, *w.server_args(), expect=0)
    check(w.run("policy", "get", "default", *kind, *w.server_args(), expect=0).stdout.strip() == deny.read_bytes().strip(), "another text")
    listed = w.run("policy", "list", "--json", *kind, *w.server_args(), expect=0).stdout.decode()
    json.loads(listed)
    check("resource-policy" in listed and '"default"' in listed, listed)
    check(w.attest().returncode == REJECTED, "released against the policy of its prefix")
    w.run("policy", "delete", "default", *kind, *w.server_args(), expect=0)
    w.attest(expect=0)


@case("reference values are set, read, listed and deleted by command", needs=["good_guest"])
def reference_value_commands(w):
    name = "snp_launch_measurement"
    good = find(w.verify(w.evidence, "--anchors", w.roots, expect=ACCEPTED)["claims"], "measurement")
    w.run("reference-value", "set", name, good, OTHER_MEASUREMENT, *w.server_args(), expect=0)
    w.attest("--set", f"measurement={OTHER_MEASUREMENT}", expect=0)
    check(OTHER_MEASUREMENT in w.run("reference-value", "get", name, *w.server_args(), expect=0).text, "get")
    check(name in w.run("reference-value", "list", *w.server_args(), expect=0).text, "list")
    w.run("reference-value", "delete", name, *w.server_args(), expect=0)
    w.refused(w.attest(), "APR-SNP-001")
    w.run("reference-value", "set", name, good, *w.server_args(), expect=0)
    w.attest(expect=0)


@case("a token is shown and verified, and not with another key", needs=["good_guest"])
def token_commands(w):
    token, keys = w.folder / "token", w.folder / "jwks.json"
    token.write_text(json.loads(w.attest("--json", get=None, expect=0).stdout)["token"])
    keys.write_bytes(w.http("GET", "/.well-known/jwks.json")[2])
    shown = w.run("token", "inspect", token, "--json", expect=0).stdout.decode()
    for part in ("ear.status", "affirming", "cpu0", "submods", "jti", "nbf"):
        check(part in shown, f"token without {part}: {shown[:2000]}")
    w.run("token", "verify", token, "--jwks", keys, expect=0)
    keys.write_text(json.dumps({"keys": []}))
    check(w.run("token", "verify", token, "--jwks", keys).returncode not in (0, OUR_FAULT), "verified with no key")
    check(w.run("token", "verify", token).returncode != 0, "verified by the key in its own header")
    w.run("explain", token, *w.server_args(), expect=0)


@case("what is not there is said to be not there, not denied", needs=["good_guest"])
def missing_resource(w):
    result = w.attest(get="default/key/nothing-here")
    check(result.returncode != 0, "exit code 0")
    check("404" in result.text or "not found" in result.text.lower() or "no resource" in result.text.lower(), result.text)


@case("bad requests get a precise 4xx and hurt nobody", needs=["serve_starts"])
def bad_requests(w):
    good = {"version": "0.4.0", "tee": "snp", "extra-params": ""}
    json_type = {"Content-Type": "application/json"}
    for name, method, path, body, statuses in (
        ("not JSON", "POST", "/kbs/v0/auth", b"{", {400}),
        ("truncated", "POST", "/kbs/v0/auth", json.dumps(good).encode()[:-5], {400}),
        ("member missing", "POST", "/kbs/v0/auth", {"version": "0.4.0"}, {400, 422}),
        ("deep", "POST", "/kbs/v0/auth", b'{"extra-params":' * 5000, {400, 413}),
        ("unknown TEE", "POST", "/kbs/v0/auth", {**good, "tee": "abacus"}, {400, 422}),
        ("huge", "POST", "/kbs/v0/auth", b" " * (64 << 20), {413}),
        ("attest without cookie", "POST", "/kbs/v0/attest", {}, {400, 401}),
        ("resource without session", "GET", f"/kbs/v0/resource/{RESOURCE}", None, {401}),
        ("dots in the path", "GET", "/kbs/v0/resource/a/../c", None, {400, 401, 404}),
        ("encoded slash", "GET", "/kbs/v0/resource/a/b%2Fc/d", None, {400, 401, 404}),
        ("long name", "GET", f"/kbs/v0/resource/a/b/{'x' * 4000}", None, {400, 401, 404, 414}),
        ("nowhere", "GET", "/kbs/v0/nowhere", None, {401, 404}),
        ("wrong method", "GET", "/kbs/v0/auth", None, {404, 405}),
    ):
        try:
            status, _, answer = w.http(method, path, body, headers=json_type if body else None)
        except (ConnectionError, urllib.error.URLError):
            # The server may close the connection while a body that is too large is still being sent.
            check(name == "huge", f"{name}: no answer")
            continue
        check(status in statuses, f"{name}: {status}, expected one of {sorted(statuses)}: {answer[:200]}")
        if status != 405:
            problem(answer)
    status, _, answer = w.http("POST", "/kbs/v0/auth", {**good, "version": "0.1.1"})
    check(status in (400, 401, 422), f"old version: {status}")
    detail = problem(answer)["detail"]
    check("0.1.1" in detail and "0.4.0" in detail, f"does not name both versions: {detail}")
    check(w.http("GET", "/healthz")[0] == 200, "not healthy afterwards")


@case("hostile policies are refused on admission, and the server goes on", needs=["admin_token"])
def hostile_policies(w):
    for name, rego in {
        "syntax": "package policy\nallow if {",
        "recursion": "package policy\nimport rego.v1\nf(n) := f(n + 1)\nallow if f(1)",
        "nesting": "package policy\nimport rego.v1\nx := " + "[" * 40 + "]" * 40 + "\ndefault allow := false",
        "too long": "package policy\nimport rego.v1\ndefault allow := false\n" + "# x\n" * 200_000,
    }.items():
        started = time.monotonic()
        status, _, answer = w.http("POST", "/kbs/v0/resource-policy", {"policy": b64url(rego.encode())}, token=w.token, timeout=60)
        check(400 <= status < 500, f"{name}: {status} after {time.monotonic() - started:.1f} s")
        problem(answer)
    check(w.http("GET", "/healthz")[0] == 200, "not healthy afterwards")


@case("after kill -9 and a restart everything acknowledged is there", needs=["good_guest"])
def survives_kill(w):
    acknowledged = []

    def write():
        number = 0
        while True:
            number += 1
            path, content = f"loop/key/n{number}", f"content {number}".encode()
            try:
                status, _, _ = w.http("POST", f"/kbs/v0/resource/{path}", content, token=w.token, timeout=5)
            except Exception:
                return
            if status != 200:
                return
            acknowledged.append((path, content))

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 20
    while len(acknowledged) < 25 and writer.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    check(w.stop(signal.SIGKILL) == -signal.SIGKILL, "it ended otherwise")
    writer.join(30)
    check(len(acknowledged) >= 25, f"only {len(acknowledged)} writes were acknowledged")
    w.start()
    check(w.attest(expect=0).stdout.rstrip(b"\n") == SECRET, "another secret")
    for path, content in [acknowledged[0], *acknowledged[-3:]]:
        check(w.attest(get=path, expect=0).stdout.rstrip(b"\n") == content, f"{path} is lost or changed")


@case("SIGTERM under load ends the server with exit code 0", needs=["survives_kill"])
def sigterm_under_load(w):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ended = threading.Event()

        def load():
            while not ended.is_set():
                with contextlib.suppress(Exception):
                    w.http("POST", "/kbs/v0/auth", {"version": "0.4.0", "tee": "snp", "extra-params": ""}, timeout=5)

        for _ in range(8):
            pool.submit(load)
        time.sleep(0.5)
        try:
            status = w.stop(signal.SIGTERM)
        finally:
            ended.set()
    check(status == 0, f"exit status {status}\n{w.log()}")


@case("a sample guest gets the secret from a server that admits it by a danger option only if policy says so",
      needs=["sigterm_under_load"])
def sample_admitted(w):
    w.start("--danger-allow-sample")
    result = w.run("attest", "--url", w.url, "--emulate", "sample", "--seed", SEED, "--get", RESOURCE)
    check(result.returncode != 0 and SECRET not in result.stdout, "released without reference values")
    check(w.attest(expect=0).stdout.rstrip(b"\n") == SECRET, "the good guest is refused now")
    check(w.stop(signal.SIGINT) == 0, "SIGINT does not end it with exit code 0")


@case("secrets do not stand in clear in the data folder or in the log", needs=["stored"])
def nothing_in_clear(w):
    for path in [*w.data.rglob("*"), w.folder / "server.log"]:
        if path.is_file():
            content = path.read_bytes()
            check(SECRET not in content, f"the secret stands in {path.name}")
            check(w.token.encode() not in content, f"the admin token stands in {path.name}")


# 3. Arm CCA.

PLATFORM_VECTOR = {
    "instance-identity": 2, "configuration": 2, "executables": 2, "file-system": 0,
    "hardware": 2, "runtime-opaque": 2, "storage-opaque": 2, "sourced-data": 0,
}
REALM_VECTOR = {**dict.fromkeys(PLATFORM_VECTOR, 0), "instance-identity": 2, "executables": 2}
EVIDENCE_TYPE = 'application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0"'
SESSION_TYPE = "application/vnd.veraison.challenge-response-session+json"


def layers(answer, platform, realm):
    """Both layers of an appraisal as (vector, status), beside findings and what policies see of it."""
    appraisal = answer["appraisal"]
    check(sorted(appraisal) == ["combined", "details", "findings", "platform", "realm"], f"members: {sorted(appraisal)}")
    for name, (vector, status) in {"platform": platform, "realm": realm}.items():
        check(appraisal[name] == {"vector": vector, "status": status}, f"{name}: {appraisal[name]}")
    return failed_codes(appraisal)


@case("verify takes CCA tokens, appraises them by CoRIMs, and keeps the contract of exit codes", needs=["cca"])
def cca_verify(w):
    key, platform, realm = (w.emulate(f"cca-{kind}.corim", kind=kind) for kind in ("trust-anchor", "platform", "realm"))
    options = ("--collateral", key, "--endorsements", platform, realm)
    good = (PLATFORM_VECTOR, "affirming"), (REALM_VECTOR, "affirming")

    def verify(*sets, options=options, expect):
        token = w.emulate("cca-token", *(word for one in sets for word in ("--set", one)))
        return w.verify(token, *options, tee="cca", expect=expect)

    answer = verify(expect=ACCEPTED)
    check(layers(answer, *good) == [], "failed findings")
    check(answer["emulated"] is False, "a key out of a CoRIM counts as an emulator's")
    check("appraisal" not in verify(options=("--collateral", key), expect=ACCEPTED), "appraised with nothing")
    for generation in ("rmm-1.0", "draft-2023", "rmm-2.0-2024", "rmm-2.0-2026", "direct-2026"):
        layers(verify(f"generation={generation}", expect=ACCEPTED), *good)
    # Authentic, but not as endorsed: the exit code is about authenticity, the appraisal says the rest.
    codes = layers(verify(f"component.2.measurement={OTHER_DIGEST}", expect=ACCEPTED),
                   ({**PLATFORM_VECTOR, "executables": 33}, "warning"), good[1])
    check(codes == ["CCA-103", "CCA-105"], f"{codes}")
    codes = layers(verify(f"rem1={OTHER_DIGEST}", expect=ACCEPTED), good[0], ({**REALM_VECTOR, "executables": 33}, "warning"))
    check(codes == ["CCA-123", "CCA-125"], f"{codes}")
    # Not authentic.
    all_failed = (dict.fromkeys(PLATFORM_VECTOR, 99), "contraindicated")
    unknown = ({**dict.fromkeys(PLATFORM_VECTOR, 0), "instance-identity": 97}, "contraindicated")
    answer = verify(options=("--endorsements", platform, realm), expect=REJECTED)
    check(failed_codes(answer) == ["CCA-011"] and layers(answer, unknown, unknown) == [], f"{failed_codes(answer)}")
    for sets, code, expect in (
        (f"splice={OTHER_SEED}", "CCA-020", REJECTED), (f"cpak.seed={OTHER_SEED}", "CCA-014", REJECTED),
        ("platform.profile=tag:arm.com,2031:cca_platform#9.0.0", "CCA-005", UNSUPPORTED),
        ("realm.hash-algorithm=banana", "CCA-026", MALFORMED), ("lifecycle=0x7000", "CCA-024", MALFORMED),
    ):
        answer = verify(sets, expect=expect)
        check(failed_codes(answer) == [code], f"{sets}: {failed_codes(answer)}")
        layers(answer, all_failed, all_failed)
    answer = verify(options=(*options, "--report-data", "5b" * 48), expect=REJECTED)
    check(failed_codes(answer) == ["CCA-021"], f"{failed_codes(answer)}")
    for content in (b"", b"{}", bytes.fromhex("d9038b"), (w.folder / "cca-token").read_bytes()[:-1]):
        (w.folder / "bad").write_bytes(content)
        layers(w.verify(w.folder / "bad", *options, tee="cca", expect=MALFORMED), all_failed, all_failed)
    token = w.folder / "cca-token"
    w.run("verify", "--tee", "cca", "--evidence", token, "--endorsements", w.folder / "nothing", expect=OUR_FAULT)
    w.run("verify", "--tee", "cca", "--evidence", token, "--endorsements", token, expect=OUR_FAULT)
    w.run("verify", "--tee", "snp", "--evidence", w.evidence, "--endorsements", platform, expect=(OUR_FAULT, 2))


@case("verify takes CCA tokens of real firmware, under published keys by a danger option only")
def cca_vectors(w):
    folder = ROOT.parent / "shared/vectors/cca"
    if not folder.is_dir():
        raise Skip("there is no evidence of real firmware at ../shared/vectors/cca")
    danger = "--danger-allow-test-keys"
    for token, key in (("cca-token-01.cbor", "cpak.json"), ("tf-m/cca_example_token.cbor", "cpak.json"),
                       ("trustee/misc/cca-example-token.cbor", "trustee/conf/tastore.json")):
        answer = w.verify(folder / token, "--collateral", folder / key, tee="cca", expect=REJECTED)
        check("CCA-012" in failed_codes(answer), f"{token}: {failed_codes(answer)}")
        w.verify(folder / token, "--collateral", folder / key, danger, tee="cca", expect=ACCEPTED)
    answer = w.verify(folder / "bug-33-repro.cbor", "--collateral", folder / "cpak.json", danger, tee="cca", expect=REJECTED)
    check(failed_codes(answer) == ["CCA-020"], f"the splice: {failed_codes(answer)}")
    # Its components are signed by others than the CoRIM says; all the rest is as endorsed.
    corims = [folder / f"corim/corim-cca-{part}-valid.cbor" for part in ("platform", "realm")]
    answer = w.verify(folder / "cca-good.cbor", "--collateral", corims[0], "--endorsements", *corims, danger, tee="cca", expect=ACCEPTED)
    codes = layers(answer, ({**PLATFORM_VECTOR, "executables": 33}, "warning"), (REALM_VECTOR, "affirming"))
    check(codes == ["CCA-103"] + ["CCA-106"] * 4, f"{codes}")
    # The stores that go with Trustee's example token.
    conf = folder / "trustee/conf"
    answer = w.verify(folder / "trustee/misc/cca-example-token.cbor", "--collateral", conf / "tastore.json",
                      "--endorsements", conf / "rvstore.json", danger, tee="cca", expect=ACCEPTED)
    check(layers(answer, (PLATFORM_VECTOR, "affirming"), (REALM_VECTOR, "affirming")) == [], "failed findings")


@case("cca show names every claim and says what the signatures are worth", needs=["cca_verify"])
def cca_show(w):
    token, key = w.emulate("cca-token"), w.folder / "cca-trust-anchor.corim"
    text = w.run("cca", "show", token, expect=0).stdout.decode()
    for part in ("tag 907", "2395 / cca-platform-lifecycle /: 12291", "44238 / cca-realm-initial-measurement /",
                 "not checked: no key was given", "✓ holds: claim 10"):
        check(part in text, f"no {part!r} in\n{text}")
    check("not checked" not in w.run("cca", "show", token, "--key", key, expect=0).stdout.decode(), "a check was not made")

    def shown(*more, expect=0):
        answer = json.loads(w.run("cca", "show", *more, "--json", expect=expect).stdout)
        return answer, [answer["cca-platform-token"]["signature"]["status"],
                        answer["cca-realm-delegated-token"]["signature"]["status"], answer["binding"]["status"]]

    answer, states = shown(token)
    check(states == ["not-checked", "holds", "holds"], f"{states}")
    check(answer["wrapper"] == 907, "wrapper")
    claims = answer["cca-platform-token"]["claims"]
    check(claims["cca-platform-lifecycle"] == 12291 and len(claims["cca-platform-sw-components"]) == 4, f"{claims}")
    check(answer["cca-realm-delegated-token"]["diagnostic"].startswith("{10: h'"), "diagnostic notation")
    check(shown(token, "--key", key)[1] == ["holds"] * 3, "with its key")
    other = w.emulate("other-trust-anchor.corim", kind="trust-anchor", seed=OTHER_SEED)
    check(shown(token, "--key", other, expect=REJECTED)[1] == ["fails", "holds", "holds"], "with another key")
    spliced = w.emulate("spliced", "--set", f"splice={OTHER_SEED}")
    check(shown(spliced, "--key", key, expect=REJECTED)[1] == ["holds", "holds", "fails"], "a splice")
    w.run("cca", "show", "-", stdin=token.read_bytes(), expect=0)
    (w.folder / "bad").write_bytes(token.read_bytes()[:-1])
    check("CCA-002" in w.run("cca", "show", w.folder / "bad", expect=MALFORMED).text, "no CCA-002")
    w.run("cca", "show", token, "--key", token, expect=OUR_FAULT)


@case("endorsements are submitted, listed, shown, ended and deleted by command, signed ones only", needs=["cca_verify"])
def endorsement_commands(w):
    c = w.another("cca")
    signer = c.folder / "signer.pem"
    w.run("emulate", "corim-signer", "--seed", SEED, "--out", signer, expect=0)
    kinds = ("trust-anchor", "platform", "realm")
    signed = {kind: w.folder / f"cca-{kind}.corim" for kind in kinds}
    unsigned = {kind: c.emulate(f"{kind}.unsigned", "--form", "corim", kind=kind) for kind in kinds}
    c.start("--corim-signer", signer, trust_emulator=False)
    c.mint()

    def run(*words, expect=0):
        return w.run("endorsement", *words, *c.server_args(), expect=expect)

    def listed():
        return json.loads(run("list", "--json").stdout)

    broken = c.folder / "broken"
    broken.write_bytes(signed["platform"].read_bytes()[:-1] + bytes([signed["platform"].read_bytes()[-1] ^ 1]))
    stranger = c.emulate("stranger", kind="platform", seed=OTHER_SEED)
    for name, file in {"unsigned": unsigned["platform"], "another signer": stranger, "broken": broken}.items():
        result = run("submit", file, expect=None)
        check(result.returncode != 0 and CODE.search(result.text), f"{name}: {result.returncode} {result.text}")
    check(listed() == [], "a CoRIM that was refused left something")

    for file in signed.values():
        run("submit", file)
    ids = [one["id"] for one in listed()]
    groups = [next((one for one in ids if one.startswith(f"cca/{kind}/")), None) for kind in kinds]
    check(len(ids) == 3 and None not in groups, f"{ids}")
    text = run("list").stdout.decode()
    check(all(one in text for one in ids), text)
    shown = json.loads(run("show", groups[1], "--json").stdout)
    check(len(find(shown, "sw-components")) == 4, f"{shown}")
    run("submit", signed["realm"])
    check(len(listed()) == 3, "a document that is submitted again is there twice")

    c.admin("POST", f"/kbs/v0/resource/{RESOURCE}", SECRET, headers={"Content-Type": "application/octet-stream"})
    result = c.attest(tee="cca", expect=0)
    check(result.stdout.rstrip(b"\n") == SECRET, f"got {len(result.stdout)} other bytes")
    w.refused(c.attest("--set", f"component.2.measurement={OTHER_DIGEST}", tee="cca"), "CCA-105")
    w.refused(c.attest("--set", f"rim={OTHER_DIGEST}", tee="cca"), "CCA-123")
    w.refused(c.attest(tee="cca", seed=OTHER_SEED), "CCA-011")

    run("expire", groups[2])
    check([one["id"] for one in listed() if one["expired"]] == [groups[2]], f"{listed()}")
    w.refused(c.attest(tee="cca"), "CCA-123")
    run("submit", signed["realm"])
    c.attest(tee="cca", expect=0)
    run("delete", groups[0])
    check(len(listed()) == 2, "still listed")
    w.refused(c.attest(tee="cca"), "CCA-011")
    check(run("show", groups[0], expect=None).returncode != 0, "what was deleted is shown")

    check(c.stop(signal.SIGTERM) == 0, "it ended otherwise")
    c.start("--danger-allow-unsigned-corim", trust_emulator=False)
    for file in unsigned.values():
        run("submit", file)
    c.attest(tee="cca", expect=0)
    check(run("submit", broken, expect=None).returncode != 0, "a broken signature was taken for none")
    check(c.stop(signal.SIGTERM) == 0, "it ended otherwise")


def challenge(w, nonce, *sets, seed=SEED):
    """A session for the nonce with evidence for it: path of the session, evidence, answer."""
    status, headers, answer = w.http("POST", f"/challenge-response/v1/newSession?nonce={b64url(nonce)}", b"")
    check(status == 201 and headers["Content-Type"] == SESSION_TYPE, f"newSession: {status} {answer}")
    session = json.loads(answer)
    check(session["status"] == "waiting" and session["accept"] == [EVIDENCE_TYPE], f"{session}")
    check(session["nonce"] == base64.urlsafe_b64encode(nonce).decode(), f"nonce {session['nonce']}")
    path = "/challenge-response/v1/" + headers["Location"]
    words = [word for one in sets for word in ("--set", one)]
    evidence = w.emulate("for-nonce", "--report-data", nonce.hex(), *words, seed=seed).read_bytes()
    status, headers, answer = w.http("POST", path, evidence, headers={"Content-Type": EVIDENCE_TYPE})
    check(status == 200 and headers["Content-Type"] == SESSION_TYPE, f"session: {status} {answer}")
    session = json.loads(answer)
    check(session["status"] == "complete", f"{session}")
    check(session["evidence"] == {"type": EVIDENCE_TYPE, "value": base64.b64encode(evidence).decode()}, "the evidence")
    return path, evidence, claims_of(session["result"])


@case("a server answers Veraison's interface: discovery, provisioning, challenge and response", needs=["endorsement_commands"])
def veraison_front(w):
    c = w.others["cca"]
    c.start("--corim-signer", c.folder / "signer.pem", trust_emulator=False)
    for value in json.loads(c.admin("GET", "/kbs/v0/reference-value")):
        w.run("endorsement", "delete", value["id"], *c.server_args(), expect=0)

    for what, endpoint in (("verification", "newChallengeResponseSession"), ("provisioning", "provisioningSubmit")):
        status, headers, answer = c.http("GET", f"/.well-known/veraison/{what}")
        check(status == 200 and headers["Content-Type"] == "application/vnd.veraison.discovery+json", f"{what}: {status}")
        discovered = json.loads(answer)
        check(discovered["service-state"] == "READY" and endpoint in discovered["api-endpoints"], f"{discovered}")
    submit = discovered["api-endpoints"]["provisioningSubmit"]
    check('application/rim+cose; profile="tag:arm.com,2025:cca_realm#1.0.0"' in discovered["media-types"], f"{discovered}")

    def provision(file, form, part, token=c.token):
        media_type = f'application/rim+{form}; profile="tag:arm.com,2025:cca_{part}#1.0.0"'
        return c.http("POST", submit, file.read_bytes(), headers={"Content-Type": media_type}, token=token)

    # Nobody has endorsed the platform yet.
    _, _, ear = challenge(c, os.urandom(32))
    check(list(ear["submods"]) == ["ARM_CCA"], f"{ear}")
    check("no trust anchor for evidence" in find(ear, "ear.veraison.policy-claims")["problem"], f"{ear}")
    corims = {kind: w.folder / f"cca-{kind}.corim" for kind in ("trust-anchor", "platform", "realm")}
    for token in (None, c.mint("auditor")):
        check(provision(corims["platform"], "cose", "platform", token)[0] in (401, 403), "provisioned without the role")
    for kind, file in corims.items():
        status, headers, answer = provision(file, "cose", "realm" if kind == "realm" else "platform")
        check(headers["Content-Type"] == "application/vnd.veraison.provisioning-session+json", headers["Content-Type"])
        check(status == 200 and json.loads(answer)["status"] == "success", f"{kind}: {status} {answer}")
    failed = json.loads(provision(c.folder / "platform.unsigned", "cbor", "platform")[2])
    check(failed["status"] == "failed" and CODE.search(failed["failure-reason"]), f"unsigned: {failed}")

    nonce = os.urandom(48)
    path, evidence, ear = challenge(c, nonce)
    check(ear["eat_profile"] == "tag:github.com,2023:veraison/ear", f"{ear}")
    check(ear["eat_nonce"] == base64.urlsafe_b64encode(nonce).decode(), f"{ear['eat_nonce']}")
    result = {name: (part["ear.status"], part["ear.trustworthiness-vector"]) for name, part in ear["submods"].items()}
    good = {"CCA_SSD_PLATFORM": ("affirming", PLATFORM_VECTOR), "CCA_REALM": ("affirming", REALM_VECTOR)}
    check(result == good, f"{result}")
    # One piece of evidence for a nonce.
    status, _, answer = c.http("POST", path, evidence, headers={"Content-Type": EVIDENCE_TYPE})
    check(400 <= status < 500 and problem(answer)["status"] == status, f"evidence once more: {status}")
    check(c.http("GET", path)[0] == 200 and c.http("DELETE", path)[0] == 204 and c.http("GET", path)[0] == 404, "the session")
    # The same evidence for another nonce is a replay.
    _, headers, _ = c.http("POST", "/challenge-response/v1/newSession?nonceSize=32", b"")
    status, _, answer = c.http("POST", "/challenge-response/v1/" + headers["Location"], evidence, headers={"Content-Type": EVIDENCE_TYPE})
    replayed = claims_of(json.loads(answer)["result"])
    check(list(replayed["submods"]) == ["ARM_CCA"] and "CCA-021" in json.dumps(replayed), f"{replayed}")
    _, _, ear = challenge(c, os.urandom(64), f"component.2.measurement={OTHER_DIGEST}")
    check(ear["submods"]["CCA_SSD_PLATFORM"]["ear.trustworthiness-vector"]["executables"] == 33, f"{ear}")
    check(ear["submods"]["CCA_REALM"]["ear.status"] == "affirming", f"{ear}")
    for query in ("?nonce=AAAA", "?nonce=%21", "?nonceSize=7", "?nonceSize=65", "?nonceSize=32&nonce=AAAAAAAAAAA"):
        status, headers, answer = c.http("POST", "/challenge-response/v1/newSession" + query, b"")
        check(status == 400 and headers["Content-Type"] == "application/problem+json", f"{query}: {status}")
        problem(answer)


@case("a server that has its CCA tokens verified by Veraison's interface releases and refuses by what it says", needs=["veraison_front"])
def veraison_back(w):
    front, c = w.others["cca"], w.another("cca-by-veraison")
    config = c.folder / "config.toml"
    config.write_text(f'[tee.cca]\nverifier = "veraison"\nveraison_url = "{front.url}"\n')
    c.start("--config", config, trust_emulator=False)
    c.mint()
    c.admin("POST", f"/kbs/v0/resource/{RESOURCE}", SECRET, headers={"Content-Type": "application/octet-stream"})
    result = c.attest(tee="cca", expect=0)
    check(result.stdout.rstrip(b"\n") == SECRET, f"got {len(result.stdout)} other bytes")
    w.refused(c.attest("--set", f"component.2.measurement={OTHER_DIGEST}", tee="cca"), "VER-103")
    w.refused(c.attest("--set", f"rem0={OTHER_DIGEST}", tee="cca"), "VER-103")
    w.refused(c.attest("--set", "lifecycle=0x5000", tee="cca"), "VER-101")
    w.refused(c.attest("--set", f"splice={OTHER_SEED}", tee="cca"), "VER-010")
    w.refused(c.attest(tee="cca", seed=OTHER_SEED), "VER-010")
    # Without the service nobody is let in, and nobody's evidence is blamed.
    check(front.stop(signal.SIGTERM) == 0, "it ended otherwise")
    result = c.attest(tee="cca")
    check(result.returncode == OUR_FAULT and SECRET not in result.stdout, f"exit code {result.returncode}\n{result.text}")
    check(CODE.search(result.text) and "refused:" not in result.text, f"no code, or blame, in:\n{result.text}")
    check(c.stop(signal.SIGTERM) == 0, "it ended otherwise")


# 3b. Intel TDX and SGX.


@case("real TDX and SGX quotes verify with their collateral at its date, and not after")
def intel_vectors(w):
    folder = ROOT.parent / "shared/vectors/intel"
    if not folder.is_dir():
        raise Skip("there is no evidence of real hardware at ../shared/vectors/intel")

    def verify(tee, quote, collateral, at, expect):
        return w.verify(folder / quote, "--collateral", folder / collateral, "--at", at, tee=tee, expect=expect)

    late = {"INTEL-018", "INTEL-022", "INTEL-035", "INTEL-043"}
    for tee, quote, collateral, at, status, advisories in (
        ("tdx", "tdx_quote_4.dat", "A_50806f_2023.json", "2023-07-01T00:00:00Z", "UpToDate", 0),
        ("tdx", "cos-113-tdx-quote.dat", "C_00806f_2025.json", "2025-03-01T00:00:00Z", "UpToDate", 0),
        ("tdx", "cos-113-tdx-quote.dat", "T_tdx_tcb_info_00806F050000.json", "2025-06-25T00:00:00Z", "UpToDate", 0),
        ("sgx", "occlum_quote.dat", "P_azure.json", "2023-05-15T16:00:00Z", "OutOfDate", 7),
    ):
        claims = verify(tee, quote, collateral, at, ACCEPTED)["claims"]
        check(claims["tcb_status"] == status and len(claims["advisory_ids"]) == advisories, f"{quote}: {claims['tcb_status']}")
        codes = set(failed_codes(verify(tee, quote, collateral, "2026-11-27T00:00:00Z", REJECTED)))
        check(codes and codes <= late, f"{quote}, expired: {codes}")
    codes = failed_codes(verify("tdx", "tdx_quote_5.dat", "B_90c06f_2026.json", "2026-02-25T00:00:00Z", REJECTED))
    check(codes == ["INTEL-070"], f"a platform older than all levels: {codes}")


@contextlib.contextmanager
def pcs_double(w, *more):
    """A double of Intel's service: its URL, and what changes its behaviour. It ends with the block."""
    double = subprocess.Popen(
        [w.assay, "--json", "emulate", "pcs", "--seed", SEED, *map(str, more)], stdout=subprocess.PIPE, cwd=w.folder,
    )
    w.started.append(double)
    base = "http://" + json.loads(double.stdout.readline())["listening"]

    def control(**change):
        request = urllib.request.Request(base + "/control", json.dumps(change).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            check(answer.status == 200, f"the control answers {answer.status}")

    try:
        yield base, control
    finally:
        double.terminate()
        double.wait(timeout=10)


@case("a server goes on while Intel's service is away, until the first collateral ends, and recovers by itself", needs=["roots"])
def intel_network_cut(w):
    lifetime = 14
    with pcs_double(w, "--next-update-seconds", lifetime) as (base, control):
        network_cut(w, lifetime, base, control)


def network_cut(w, lifetime, base, control):
    i = w.another("intel")
    i.roots = w.roots
    config = i.folder / "config.toml"
    config.write_text(f'[collateral]\nintel_url = "{base}"\ndeadline_seconds = 3\n')
    i.start("--config", config)

    def attest():
        return i.attest(tee="tdx", get=None)

    begun = time.monotonic()
    check(attest().returncode == 0, attest().text)
    control(fail_status=503)
    worked = 0
    while time.monotonic() - begun < lifetime - 5:
        result = attest()
        check(result.returncode == 0, f"with the service away and valid copies:\n{result.text}")
        worked += 1
        time.sleep(0.5)
    check(worked > 5, f"only {worked} attestations")
    time.sleep(max(0, lifetime + 2 - (time.monotonic() - begun)))
    result = attest()
    check(result.returncode == OUR_FAULT and "COL-001" in result.text, f"exit code {result.returncode}\n{result.text}")
    check("expired" in result.text, f"it does not name the expiry:\n{result.text}")
    control(fail_status=None)
    deadline = time.monotonic() + 90
    while attest().returncode != 0:
        check(time.monotonic() < deadline, f"it does not recover:\n{attest().text}")
        time.sleep(0.5)
    check(i.stop(signal.SIGTERM) == 0, "it ended otherwise")


@case("collateral travels to a server without a network in a signed bundle", needs=["intel_network_cut"])
def intel_bundle(w):
    online, away = w.folder / "online", w.another("air-gapped")
    config = w.folder / "online.toml"
    roots = f'[danger]\ntrust_emulator = "{w.roots}"\n'
    key, signer, bundle = (w.folder / name for name in ("bundle-key.pem", "bundle-signer.pem", "collateral.bundle"))
    if shutil.which("openssl") is None:
        raise Skip("there is no openssl to make a key with")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", signer], check=True, capture_output=True)
    with pcs_double(w) as (base, _):
        config.write_text(f'[server]\ndata_dir = "{online}"\n[collateral]\nintel_url = "{base}"\n{roots}')
        w.run("collateral", "refresh", "--fmspc", "00A55A000000", "--config", config, expect=0)
    w.run("collateral", "export", "--out", bundle, "--key", key, "--config", config, expect=0)
    away.roots = w.roots
    offline = away.folder / "config.toml"
    offline.write_text(f'[server]\ndata_dir = "{away.data}"\n[collateral]\nintel_service = "none"\namd_kds_url = ""\n{roots}')
    changed = away.folder / "changed.bundle"
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    w.run("collateral", "import", changed, "--signer", signer, "--config", offline, expect=(REJECTED, MALFORMED))
    w.run("collateral", "import", bundle, "--signer", signer, "--config", offline, expect=0)
    away.start("--config", offline, trust_emulator=False)
    result = away.attest(tee="tdx", get=None)
    check(result.returncode == 0, result.text)
    check(away.stop(signal.SIGTERM) == 0, "it ended otherwise")


def told(story):
    return [sorted({f["code"] for f in one["findings"] if f["outcome"] == "failed"}) for one in story["refused"]]


@case("demo for TDX releases once and refuses seven times, each for its reason")
def demo_tdx(w):
    story = json.loads(w.run("demo", "--tee", "tdx", "--json", expect=0, timeout=120).stdout)
    check(story["released"]["secret"], "nothing was released")
    check(told(story) == [
        ["APR-TDX-017"], ["APR-TDX-013", "APR-TDX-015"], ["INTEL-023"], ["APR-TDX-002"], ["TDX-004"],
        ["APR-001", "APR-TDX-001"], ["INTEL-008"],
    ], f"{told(story)}")


@case("demo for SGX releases once and refuses six times, each for its reason")
def demo_sgx(w):
    story = json.loads(w.run("demo", "--tee", "sgx", "--json", expect=0, timeout=120).stdout)
    check(story["released"]["secret"], "nothing was released")
    check(told(story) == [
        ["APR-SGX-011"], ["APR-SGX-007", "APR-SGX-009"], ["INTEL-023"], ["APR-SGX-001"], ["APR-SGX-002"],
        ["APR-SGX-004"],
    ], f"{told(story)}")


@case("demo for CCA releases once and refuses nine times, each for its reason")
def demo_cca(w):
    story = json.loads(w.run("demo", "--tee", "cca", "--json", expect=0, timeout=120).stdout)
    check(story["released"]["secret"], "nothing was released")
    found = [sorted({f["code"] for f in one["findings"] if f["outcome"] == "failed"}) for one in story["refused"]]
    check(found == [
        ["CCA-011"], ["CCA-102", "CCA-122"], ["CCA-103", "CCA-105"], ["CCA-103", "CCA-106"], ["CCA-123"],
        ["CCA-123", "CCA-125"], ["CCA-123", "CCA-124"], ["CCA-020"], ["CCA-021"],
    ], f"{found}")


# 4. The rest of the house.


@case("demo ends by itself, refuses two guests and leaves nothing running")
def demo(w):
    process = subprocess.Popen(
        [w.assay, "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        cwd=w.folder, start_new_session=True,
    )
    w.started.append(process)
    try:
        out, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise AssertionError("not done after 120 s") from None
    text = out.decode(errors="replace")
    check(process.returncode == 0, f"exit code {process.returncode}\n{text}")
    check("refused" in text.lower() and "measurement" in text.lower() and "debug" in text.lower(), text)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 0)
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError("a process of the demonstration is still running")


@case("the generated documents are those of this program")
def generated_documents(w):
    documents = (
        (["openapi"], "openapi/assay.json"),
        (["checks", "--markdown"], "docs/catalogue.md"),
        (["metrics", "--markdown"], "docs/metrics.md"),
    )
    for arguments, name in documents:
        path = ROOT / name
        check(path.is_file(), f"{name} is missing: make docs")
        written = w.run(*arguments, expect=0).stdout
        check(written == path.read_bytes(), f"{name} is out of date: make docs")


audit_cases.register(sys.modules[__name__])
agent_cases.register(sys.modules[__name__])
agent_bad_input_cases.register(sys.modules[__name__])
operation_cases.register(sys.modules[__name__])
replica_cases.register(sys.modules[__name__])
rvps_cases.register(sys.modules[__name__])
secret_backend_cases.register(sys.modules[__name__])


@case("the server of the agent's cases stops", needs=["agent_server"])
def agent_server_stops(w):
    check(w.stop(signal.SIGTERM) == 0, "the exit code")


@case("no process is left")
def nothing_left(w):
    check(all(world.server is None for world in (w, *w.others.values())), "a server still runs")
    check(all(p.poll() is not None for p in w.started), "a command still runs")


def main():
    parser = argparse.ArgumentParser(description="Tries the command line of the built binary.")
    parser.add_argument("--assay", default=ROOT / "target/debug/assay")
    parser.add_argument("--only", help="only cases whose title or name contains this, and what they need")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
    arguments = parser.parse_args()

    if not os.access(arguments.assay, os.X_OK):
        sys.exit(f"{arguments.assay} is not there: make build")

    wanted = {name for _, name, _, _ in CASES}
    if arguments.only:
        wanted = {name for title, name, _, _ in CASES if arguments.only in title or arguments.only in name}
        for _, name, needs, _ in reversed(CASES):
            if name in wanted:
                wanted.update(needs)

    folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-system-test-"))
    world = World(arguments.assay, folder)
    good, failures, skipped = set(), 0, 0
    try:
        for title, name, needs, function in CASES:
            if name not in wanted:
                continue
            missing = [n for n in needs if n not in good]
            try:
                if missing:
                    raise Skip(f"needs {', '.join(missing)}")
                function(world)
                good.add(name)
                print(f"ok      {title}", flush=True)
            except Skip as reason:
                skipped += 1
                print(f"skipped {title}: {reason}", flush=True)
            except Exception as error:
                failures += 1
                text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
                print(f"not ok  {title}", flush=True)
                print("        " + text.strip().replace("\n", "\n        "), flush=True)
    finally:
        for process in world.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        for place in folder.glob("guest-*"):
            if os.path.exists("/dev/fuse") and shutil.which("fusermount3"):
                subprocess.run(["fusermount3", "-u", "-z", str(place)], stderr=subprocess.DEVNULL, check=False)
        if arguments.keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(good)} passed, {failures} failed, {skipped} skipped")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
