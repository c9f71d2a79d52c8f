"""The system test's cases for the parts in processes of their own: attestation service and key broker.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

ALLOW_ALL = b"package policy\nimport rego.v1\ndefault allow := true\n"


class Part:
    """One part, on a port and in a folder of its own."""

    def __init__(self, t, w, name, part, **environment):
        self.t, self.w, self.part = t, w.another(name), part
        self.w.roots = w.roots
        self.environment = {"ASSAY_LOG__LEVEL": "info", **environment}

    @property
    def url(self):
        return self.w.url

    def start(self, *more, expect_ready=True):
        log = open(self.w.folder / "server.log", "ab")
        trust = ("--danger-trust-emulator", self.w.roots) if self.part in ("as", "all") else ()
        self.w.server = subprocess.Popen(
            [self.w.assay, "serve", "--http", "--listen", f"127.0.0.1:{self.w.port}", "--data-dir", self.w.data,
             *map(str, (*trust, *more)), self.part],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.w.folder,
            env={**os.environ, **self.environment},
        )
        log.close()
        self.w.started.append(self.w.server)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.w.server.poll() is not None:
                raise AssertionError(f"{self.part} ended with {self.w.server.returncode}\n{self.w.log()}")
            with contextlib.suppress(OSError):
                if self.w.http("GET", "/readyz" if expect_ready else "/healthz")[0] == 200:
                    return self
            time.sleep(0.02)
        raise AssertionError(f"{self.part} is not ready after 30 s\n{self.w.log()}")

    def stop(self, how=signal.SIGTERM):
        return self.w.stop(how)

    def token(self, role):
        """A file with a token of that role at this part."""
        file = self.w.folder / f"token-{role}"
        file.write_text(self.w.mint(role))
        return file


def register(t):
    """Adds the cases."""
    case, check = t.case, t.check

    def key_broker(w, service, name="kbs", token=None, **more):
        environment = {
            "ASSAY_ATTESTATION__ADDRESS": service.url,
            "ASSAY_ATTESTATION__TOKEN_FILE": str(token or service.token("evaluator")),
            "ASSAY_ATTESTATION__TRUSTED_KEYS": f"{service.url}/",
            "ASSAY_ATTESTATION__DEADLINE_SECONDS": "5",
            **more,
        }
        broker = Part(t, w, name, "kbs", **environment)
        broker.start()
        broker.w.mint()
        policy = broker.w.folder / "allow.rego"
        policy.write_bytes(ALLOW_ALL)
        secret = broker.w.folder / "secret"
        secret.write_bytes(t.SECRET)
        broker.w.run("policy", "set", "resource-policy", policy, "--kind", "resource", *broker.w.server_args(), expect=0)
        broker.w.run("resource", "set", t.RESOURCE, secret, *broker.w.server_args(), expect=0)
        return broker

    @case("the attestation service alone: closed to all without a role, its keys open", needs=["roots"])
    def parts_as(w):
        service = w.parts_as = Part(t, w, "as", "as").start()
        for path in ("/healthz", "/readyz", "/metrics", "/.well-known/jwks.json", "/.well-known/openid-configuration"):
            check(service.w.http("GET", path)[0] == 200, path)
        for method, path in (("POST", "/attestation"), ("POST", "/challenge"), ("POST", "/policy"), ("GET", "/policy")):
            status, _, body = service.w.http(method, path, b"{}")
            check(status == 401, f"{method} {path}: {status} {body}")
        allowed = {"POST /attestation": "evaluator", "POST /challenge": "evaluator", "POST /policy": "policy-writer"}
        for role in ("evaluator", "policy-writer", "auditor", "resource-writer", "reference-value-writer"):
            token = service.w.mint(role)
            for name, may in allowed.items():
                status = service.w.http(*name.split(), b"{}", token=token)[0]
                check(status == (400 if role == may else 403), f"{name} by {role}: {status}")
        listed = json.loads(service.w.http("GET", "/policy", token=service.w.mint("auditor"))[2])
        check({"policy-id": "default_cpu"} in listed, f"{listed}")

    @case("a key broker with a remote attestation service releases a secret to an attested guest", needs=["parts_as"])
    def parts_remote(w):
        w.parts_kbs = key_broker(w, w.parts_as)
        got = w.parts_kbs.w.attest(expect=0)
        check(t.SECRET in got.stdout, "another secret")
        other = w.parts_kbs.w.attest(seed=t.OTHER_SEED, expect=10)
        check("AS-003" in other.text, f"evidence of an unknown root: {other.text}")

    @case("the service is killed, and found again by the key broker on the same port", needs=["parts_remote"])
    def parts_killed(w):
        broker, service = w.parts_kbs, w.parts_as
        service.stop(signal.SIGKILL)
        time.sleep(1.2)  # The answer is repeated for a second.
        status, _, body = broker.w.http("GET", "/readyz")
        check(status == 503 and b"RPC-001" in body, f"{status} {body}")
        refused = broker.w.attest(expect=(1, 10))
        check("RPC-001" in refused.text, refused.text)
        service.start()
        time.sleep(1.2)
        check(broker.w.http("GET", "/readyz")[0] == 200, "not ready again")
        broker.w.attest(expect=0)

    @case("another service with other keys at the same address is believed only after its token is given", needs=["parts_killed"])
    def parts_other_keys(w):
        broker, service = w.parts_kbs, w.parts_as
        service.stop()
        service.w.data.rename(service.w.folder / "data-of-before")
        service.start()
        refused = broker.w.attest(expect=(1, 10))
        check("RPC-003" in refused.text, refused.text)
        time.sleep(1.1)
        service.token("evaluator")
        broker.w.attest(expect=0)

    @case("a service that hangs is given up in time", needs=["parts_other_keys"])
    def parts_hang(w):
        broker, service = w.parts_kbs, w.parts_as
        service.w.server.send_signal(signal.SIGSTOP)
        try:
            refused = broker.w.attest(expect=(1, 10))
            check("RPC-00" in refused.text, refused.text)
        finally:
            service.w.server.send_signal(signal.SIGCONT)
        broker.w.attest(expect=0)

    @case("both parts end on SIGTERM", needs=["parts_hang"])
    def parts_end(w):
        for part in (w.parts_kbs, w.parts_as):
            status = part.stop()
            check(status == 0, f"{part.part}: {status}\n{part.w.log()}")
            check("panicked" not in part.w.log(1000), "a panic")

    @case("settings that cannot be meant are refused with the reason", needs=["roots"])
    def parts_settings(w):
        def refused(part, *words, **environment):
            done = subprocess.run(
                [w.assay, "serve", "--http", "--listen", "127.0.0.1:0", "--data-dir", w.folder / "settings", part],
                capture_output=True, timeout=30, check=False, env={**os.environ, **environment}, cwd=w.folder,
            )
            text = done.stderr.decode(errors="replace")
            check(done.returncode == 1 and "panicked" not in text, f"{part} {environment}: {done.returncode} {text}")
            for word in words:
                check(word in text, f"{word!r} is not in {text!r}")

        keys = {"ASSAY_ATTESTATION__TRUSTED_KEYS": "http://127.0.0.1:1/"}
        refused("kbs", "attestation")
        refused("kbs", "trusted_keys", ASSAY_ATTESTATION__ADDRESS="http://127.0.0.1:1")
        refused("kbs", "loopback", ASSAY_ATTESTATION__ADDRESS="http://192.0.2.1:1", **keys)
        refused("kbs", "ca_certificate", ASSAY_ATTESTATION__ADDRESS="https://192.0.2.1:1", **keys)
        refused("all", "assay serve kbs", ASSAY_ATTESTATION__ADDRESS="http://127.0.0.1:1", **keys)
        refused("kbs", "nothing-there", ASSAY_ATTESTATION__TRUSTED_KEYS="/nothing-there")

    @case("all in one opens the service's own door where it is told to", needs=["roots"])
    def parts_all(w):
        port = t.free_port()
        both = Part(t, w, "both", "all", ASSAY_ATTESTATION_SERVICE__LISTEN=f"127.0.0.1:{port}").start()
        own, keys = both.w.http("GET", "/.well-known/jwks.json")[2], both.w.url
        both.w.url = f"http://127.0.0.1:{port}"
        check(both.w.http("GET", "/.well-known/jwks.json")[2] == own, "other keys at the other door")
        check(both.w.http("POST", "/attestation", b"{}")[0] == 401, "open")
        both.w.url = keys
        check(both.stop() == 0, both.w.log())

    @case("the demonstration of the passport", needs=["roots"])
    def parts_demo(w):
        if not pathlib.Path("/dev/fuse").exists():
            raise t.Skip("no FUSE here")
        done = w.run("--json", "demo", "--mode", "passport", expect=0, timeout=180)
        told = json.loads(done.stdout)
        codes = [one["code"] for one in told["refused"]]
        check(told["released"]["secret"] == "the disk key of tenant A", f"{told['released']}")
        check("AS-052" in codes and len(codes) == 4 and all(codes), f"{codes}")
