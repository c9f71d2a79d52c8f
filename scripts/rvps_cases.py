"""The system test's cases for the reference value provider as a part of its own.

`register(t)` adds them to the system test `t` (the module system-test.py). Real processes on loopback: one provider
with a store of its own, servers that use it over Assay's protocol and over Trustee's.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

# What tests wait for the things that happen by themselves.
PATIENCE = 30


def register(t):
    """Adds the cases."""
    part(t)
    tls(t)
    evaluations(t)


class Provider:
    """A process of `assay serve rvps`, with a store and a port of its own."""

    def __init__(self, t, w, name, **door):
        self.t, self.w = t, w
        self.folder = w.folder / name
        self.folder.mkdir()
        self.data = self.folder / "data"
        self.port = t.free_port()
        scheme = "https" if door else "http"
        self.url = f"{scheme}://localhost:{self.port}"
        self.config = self.folder / "rvps.toml"
        clients = door.pop("clients", None)
        lines = [f"{key} = {json.dumps(str(value))}" for key, value in door.items()]
        text = f'[server]\ndata_dir = "{self.data}"\n[rvps]\nlisten = "127.0.0.1:{self.port}"\n' + "\n".join(lines)
        if clients:
            text += f"\n[access]\nclients = {clients}\n"
        self.config.write_text(text)
        self.process = None

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [self.w.assay, "serve", "--config", str(self.config), "rvps"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
        )
        log.close()
        self.w.started.append(self.process)
        self.t.wait_until("the provider listens", self.listens)
        return self

    def listens(self):
        self.t.check(self.process.poll() is None, f"it ended\n{(self.folder / 'log').read_text(errors='replace')[-2000:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def page(self, path):
        """Status and body of a page; plain HTTP."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def token(self, role):
        """A file with a token of the role."""
        file = self.folder / f"{role}.token"
        minted = self.w.run("admin", "token", "--config", self.config, "--role", role, expect=0).stdout
        file.write_bytes(minted)
        file.chmod(0o600)
        return file

    def message(self, values):
        file = self.folder / "message.json"
        file.write_text(json.dumps(self.t.reference_value_message(values)))
        return file

    def run(self, verb, *arguments, role=None, expect=0, more=()):
        shown = ("--token-file", self.token(role)) if role else ()
        return self.w.run("rvps", verb, *arguments, "--address", self.url, *shown, *more, expect=expect)

    def register(self, values, **more):
        return self.run("register", self.message(values), role="reference-value-writer", **more)


def part(t):
    case, check = t.case, t.check

    @case("serve rvps: a provider alone registers, answers, and survives kill -9")
    def rvps_serves(w):
        provider = Provider(t, w, "rvps").start()
        w.rvps = provider
        check(provider.page("/readyz")[0] == 200, "readyz")
        check(provider.page("/kbs/v0/auth")[0] == 404, "there is something at /kbs/v0/auth")
        provider.register({"a": [1, "x"]})
        check(provider.run("query", "a", role="reference-value-reader").stdout.decode().strip() == '[1,"x"]', "query")
        check("absent" in provider.run("query", "absent", role="auditor", expect=1).text, "an absent value")
        provider.stop(signal.SIGKILL)
        provider.start()
        check('"x"' in provider.run("query", "a", role="evaluator").text, "the value is gone")
        listed = json.loads(provider.run("list", "--json", role="auditor").stdout)
        check([value["id"] for value in listed] == ["a"], f"list: {listed}")
        check("assay_rvps_requests_total" in provider.page("/metrics")[1], "metrics")

    @case("serve rvps: nobody without a role, and no role beyond what it is for", needs=["rvps_serves"])
    def rvps_roles(w):
        provider = w.rvps
        for verb, argument in (("register", provider.message({"b": 1})), ("query", "a"), ("list", None)):
            arguments = (argument,) if argument else ()
            result = provider.run(verb, *arguments, expect=1)
            check("RPC-003" in result.text or "KBS-026" in result.text, f"{verb} without a token:\n{result.text}")
        for role in ("reference-value-reader", "auditor", "evaluator", "policy-writer", "resource-writer"):
            text = provider.run("register", provider.message({"b": 1}), role=role, expect=1).text
            check("KBS-030" in text and "reference-value-writer" in text, f"{role} registers:\n{text}")
        for role in ("policy-writer", "resource-writer"):
            check("KBS-030" in provider.run("query", "a", role=role, expect=1).text, f"{role} reads")
        check("b" not in provider.run("list", role="admin").text.split('"id"')[1], "something was registered")

    @case("serve rvps: what cannot be registered is refused by code", needs=["rvps_serves"])
    def rvps_refuses(w):
        provider = w.rvps
        file = provider.folder / "bad.json"
        for text, code in (
            ("garbage", "RV-001"),
            ('{"type":"swid","payload":""}', "RV-004"),
            ('{"type":"sample","payload":"%"}', "RV-005"),
            ("x" * (7 << 20), "at most 6291456"),
        ):
            file.write_text(text)
            refused = provider.run("register", file, role="admin", expect=1).text
            check(code in refused, f"{text[:40]}: {refused[:400]}")

    @case("serve rvps: SIGTERM ends it in peace", needs=["rvps_serves"])
    def rvps_ends(w):
        check(w.rvps.stop() == 0, "the exit code is not 0")

    @case("serve rvps: plain HTTP beyond loopback, and a door without its key, are refused")
    def rvps_settings(w):
        for text, word in (
            ('listen = "0.0.0.0:1"', "loopback"),
            ('tls_key = "k"', "together"),
            ('client_ca = "c"', "TLS"),
        ):
            config = w.folder / "bad-rvps.toml"
            config.write_text(f"[rvps]\n{text}\n")
            result = w.run("serve", "--config", config, "rvps", timeout=20)
            check(result.returncode != 0 and word in result.text, f"{text}: {result.text}")


def openssl(w, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=w.folder)


def certificates(w, folder):
    """An authority, and certificates of it for the provider and for two clients."""
    folder.mkdir()
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(w, "req", "-x509", *ec, "-subj", "/CN=system test", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    for name, names in (
        ("rvps", "DNS:localhost"), ("reader", "URI:spiffe://test/reader"), ("stranger", "URI:spiffe://test/stranger"),
    ):
        openssl(w, "req", *ec, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
        extensions = folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n")
        openssl(
            w, "x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-days", "2", "-extfile", extensions, "-out", folder / f"{name}.pem",
        )
    return folder


def tls(t):
    case, check = t.case, t.check

    @case("serve rvps: HTTPS, and client certificates count by their names")
    def rvps_tls(w):
        keys = certificates(w, w.folder / "rvps-certificates")
        provider = Provider(
            t, w, "rvps-tls", tls_certificate=keys / "rvps.pem", tls_key=keys / "rvps.key", client_ca=keys / "ca.pem",
            clients='[{ san = "spiffe://test/reader", roles = ["reference-value-reader"] }]',
        ).start()

        def shown(name):
            return ("--client-certificate", keys / f"{name}.pem", "--client-key", keys / f"{name}.key")

        believe = ("--ca-certificate", keys / "ca.pem")
        provider.register({"a": 5}, more=believe)
        answer = provider.run("query", "a", more=(*believe, *shown("reader")))
        check(answer.stdout.decode().strip() == "5", answer.text)
        file = provider.message({"a": 6})
        check("KBS-030" in provider.run("register", file, more=(*believe, *shown("reader")), expect=1).text, "a reader registers")
        check("ACC-002" in provider.run("query", "a", more=(*believe, *shown("stranger")), expect=1).text, "a stranger reads")
        check("KBS-026" in provider.run("query", "a", more=believe, expect=1).text, "nobody reads")
        check("ca_certificate" in provider.run("query", "a", expect=1).text, "without an authority")
        other = certificates(w, w.folder / "rvps-other-certificates")
        text = provider.run("query", "a", more=("--ca-certificate", other / "ca.pem"), expect=1).text
        check("RPC-001" in text or "cannot be reached" in text, f"another authority is believed: {text}")
        provider.stop()


def evaluations(t):
    case, check = t.case, t.check

    def server(w, provider, protocol):
        """A server whose reference values come from the provider."""
        other = w.another(f"values-{protocol}")
        other.roots = w.roots
        config = other.folder / "assay.toml"
        role = "reference-value-reader" if protocol == "trustee" else "reference-value-writer"
        config.write_text(
            f'[reference_values]\naddress = "http://127.0.0.1:{provider.port}"\nprotocol = "{protocol}"\n'
            f'token_file = "{provider.token(role)}"\ndeadline_seconds = 2\nmax_age_seconds = 3\n'
        )
        other.start("--config", config)
        other.mint()
        secret = other.folder / "secret"
        secret.write_bytes(t.SECRET)
        other.run("resource", "set", t.RESOURCE, secret, *other.server_args(), expect=0)
        return other

    def good_values(w):
        """What makes the emulator's guest affirming."""
        claims = w.verify(w.evidence, "--anchors", w.roots, expect=t.ACCEPTED)["claims"]
        return {
            "snp_launch_measurement": [t.find(claims, "measurement")],
            **{
                f"snp_{name}": [t.find(claims, f"reported_tcb_{part}")]
                for name, part in (("bootloader", "bootloader"), ("microcode", "microcode"), ("snp_svn", "snp"), ("tee_svn", "tee"))
            },
        }

    def in_the_end(what, attempt, wanted):
        end = time.monotonic() + PATIENCE
        while True:
            result = attempt()
            if result.returncode == wanted:
                return result
            check(time.monotonic() < end, f"{what}: exit code {result.returncode}\n{result.text}")
            time.sleep(0.2)

    def ready_in_the_end(w, expected):
        """Readiness is asked for once a second at the most, and otherwise what it was."""
        deadline = time.monotonic() + 15
        while (status := w.http("GET", "/readyz")[0]) != expected:
            t.check(time.monotonic() < deadline, f"readiness is {status}, expected {expected}")
            time.sleep(0.1)

    for protocol in ("assay", "trustee"):

        @case(
            f"evaluations use a remote provider over the protocol of {protocol}, and fail closed without it",
            needs=["rvps_serves", "evidence", "roots"],
        )
        def remote_values(w, protocol=protocol):
            provider = Provider(t, w, f"rvps-for-{protocol}").start()
            other = server(w, provider, protocol)
            other.refused(other.attest(), "APR-SNP-001")
            provider.register(good_values(w))
            check(in_the_end("registered", other.attest, 0).stdout == t.SECRET, "another secret")
            provider.register({"snp_launch_measurement": [t.OTHER_MEASUREMENT]})
            in_the_end("changed", other.attest, t.REJECTED)
            provider.register(good_values(w))
            in_the_end("changed back", other.attest, 0)
            # Without the provider nothing is evaluated; with it again, everything is, and nobody was restarted.
            provider.stop(signal.SIGKILL)
            failed = in_the_end("the provider is gone", other.attest, t.OUR_FAULT)
            check(t.SECRET not in failed.stdout, "the secret came without reference values")
            check("RV-022" in failed.text or "RPC-001" in failed.text, f"the reason is not named:\n{failed.text}")
            ready_in_the_end(other, 503)
            provider.start()
            in_the_end("the provider is back", other.attest, 0)
            ready_in_the_end(other, 200)
            # The administrators' interface of the server reaches the provider.
            listed = other.run("reference-value", "list", *other.server_args())
            if protocol == "assay":
                check("snp_launch_measurement" in listed.text, listed.text)
                other.run("reference-value", "delete", "snp_launch_measurement", *other.server_args(), expect=0)
                other.refused(other.attest(), "APR-SNP-001")
            else:
                check("RV-021" in listed.text, listed.text)
            check(other.stop(signal.SIGTERM) == 0, "the server did not end in peace")
            check(provider.stop() == 0, "the provider did not end in peace")
