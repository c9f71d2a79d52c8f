"""The system test's cases for `assay-agent` under hostile and failing conditions.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import base64
import collections
import concurrent.futures
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from agent_cases import Guest

MOST_MEMORY = 60 << 20
# What the tests give the agent for one call of the key broker, and what its client waits for it.
DEADLINE, PATIENCE = 3, 40
SERVICE = "attestation_agent.AttestationAgentService"
PAGE = 4096


def register(t):
    """Adds the cases."""
    handshakes(t)
    secrets(t)
    addresses(t)
    frames(t)
    evidence(t)
    devices(t)
    life(t)
    rest(t)


# The key broker that misbehaves.


class Broker(http.server.ThreadingHTTPServer):
    """A key broker that passes everything on to the real one, except where it has a fault.

    `faults` has one function for each stage (`auth`, `attest`, `resource`), which gets the request's
    handler and does what it wants. `counts` has the requests of each stage.
    """

    daemon_threads = True

    def __init__(self, upstream=None):
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.upstream = upstream.removeprefix("http://") if upstream else None
        self.faults, self.counts, self.closing = {}, collections.Counter(), threading.Event()
        self.lock = threading.Lock()

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, *_):
        """A peer that goes away is what the tests are about."""

    @contextlib.contextmanager
    def fault(self, stage, fault):
        """Within the block, `stage` behaves so; the counts begin anew."""
        self.counts.clear()
        self.faults[stage] = fault
        try:
            yield
        finally:
            del self.faults[stage]


class Request(http.server.BaseHTTPRequestHandler):
    """One request to the double."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing on the terminal."""

    def do_GET(self):
        self.taken = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = self.path.split("?")[0].split("/")[3:4] if self.path.startswith("/kbs/v0/") else ["elsewhere"]
        with self.server.lock:
            self.server.counts[what[0]] += 1
        fault = self.server.faults.get(what[0])
        fault(self) if fault else self.pass_on()

    do_POST = do_GET

    def say(self, status, body=b"", headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self, change=None):
        """The real key broker's answer; `change` makes other bytes of a good one."""
        if self.server.upstream is None:
            return self.say(500, b"this double stands alone")
        kept = ("cookie", "authorization", "content-type", "accept")
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
        real = http.client.HTTPConnection(self.server.upstream, timeout=30)
        with contextlib.closing(real):
            real.request(self.command, self.path, self.taken or None, headers)
            answer = real.getresponse()
            body = answer.read()
            if change and answer.status == 200:
                body = change(body)
            kept = ("set-cookie", "content-type", "retry-after")
            return self.say(answer.status, body, [h for h in answer.getheaders() if h[0].lower() in kept])

    def drop(self):
        """Ends the connection, with nothing more sent."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


def answer(status, body=b"", *headers):
    return lambda request: request.say(status, body, headers)


def changed(change):
    """The real answer, changed."""
    return lambda request: request.pass_on(change)


def times(count, fault):
    """The fault so many times, then the real answer."""
    left = [count]

    def both(request):
        with request.server.lock:
            left[0] -= 1
            faulty = left[0] >= 0
        fault(request) if faulty else request.pass_on()
    return both


def raw(data):
    """Bytes that need not be HTTP, and the end."""
    def send(request):
        with contextlib.suppress(OSError):
            request.wfile.write(data)
        request.drop()
    return send


def silent(request):
    """No answer while the test runs."""
    request.server.closing.wait(60)
    request.drop()


def drip(request):
    """A byte now and then, so that no single read takes long."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    with contextlib.suppress(OSError):
        while not request.server.closing.wait(0.2):
            request.wfile.write(b" ")


def endless(request):
    """A body that does not end."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    chunk = b"%x\r\n%s\r\n" % (1 << 16, b" " * (1 << 16))
    with contextlib.suppress(OSError):
        for _ in range(1 << 14):
            request.wfile.write(chunk)
    request.drop()


FINDING = {"code": "APR-SNP-001", "outcome": "failed", "expected": "the launch of spring", "found": "another", "detail": "d"}
DENIAL = {"type": "https://example.com/errors/PolicyDeny", "detail": "this guest is not wanted here", "code": "KBS-014",
          "findings": [FINDING]}

# What each misbehaviour is told as. The first word must stand in the agent's message, the others too.
MISBEHAVIOURS = {
    "silent": (silent, "CLI-004"),
    "a drip": (drip, "CLI-004"),
    "closed early": (Request.drop, "CLI-004"),
    "closed in the body": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"nonce\":"), "CLI-004"),
    "not HTTP": (raw(b"\x00\xff" * 5000), "CLI-004"),
    "a megabyte of headers": (raw(b"HTTP/1.1 200 OK\r\n" + b"X-Long: %s\r\n" % (b"a" * 1000) * 1000 + b"\r\n"), "CLI-004"),
    "503 for good": (answer(503, b"<p>away</p>"), "CLI-004 503"),
    "a redirect": (answer(302, b"", ("Location", "/stolen")), "CLI-005 302 redirect"),
    "HTML": (answer(200, b"<!DOCTYPE html><title>Log in</title>", ("Content-Type", "text/html")), "CLI-005 HTML"),
    "garbage JSON": (answer(200, b'{"nonce": [[[,'), "CLI-005 JSON"),
    "deep JSON": (answer(200, b"[" * 60_000), "CLI-005 JSON"),
    "an empty answer": (answer(200), "CLI-005 empty"),
    "10 MiB": (answer(200, b" " * (10 << 20)), "CLI-005 longer"),
    "an endless body": (endless, "CLI-005 longer"),
    "a denial of 10 MiB": (answer(403, b"no " * (10 << 20 >> 2)), "CLI-001 403"),
    "a denial that paints the terminal": (answer(403, {"type": "t", "detail": "\x1b[2J\x1b]0;owned\x07", "code": "\x1b[2J"}), "CLI-001"),
}


def broken(t, g, text, expected):
    """Whether the text has what is expected, and nothing for a terminal to obey."""
    for word in expected.split():
        t.check(word in text, f"{word} is missing in:\n{text}\n{g.log()}")
    t.check("\x1b" not in text and "\x07" not in text, f"control characters reach the terminal: {text!r}")


def resident(g):
    """The agent's resident memory, in bytes."""
    status = pathlib.Path(f"/proc/{g.agent.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def healthy(t, g, after):
    """The agent answers, has not panicked, and has not grown."""
    t.check(g.agent.poll() is None, f"after {after}: the agent ended with {g.agent.poll()}\n{g.log()}")
    t.check(g.call("get-tee", timeout=PATIENCE).stdout.strip() == g.tee.encode(), f"after {after}: another TEE")
    t.check("panicked" not in (g.folder / "agent.log").read_text(errors="replace"), f"after {after}: a panic\n{g.log()}")
    t.check(resident(g) < MOST_MEMORY, f"after {after}: {resident(g) >> 20} MiB resident")


def kbs(url, *others, deadline=DEADLINE):
    return f'[token_configs.kbs]\nurl = "{url}"\nother_urls = {json.dumps(others)}\ndeadline_seconds = {deadline}'


def handshakes(t):
    case, check = t.case, t.check

    def ask(g, expect=1):
        return g.call("get-resource", f"kbs:///{t.RESOURCE}", expect=expect, timeout=PATIENCE)

    for stage in ("auth", "attest"):
        def misbehaves(w, stage=stage):
            with Broker(w.url) as broker, Guest(t, w, f"bad-{stage}", "snp", t.SEED, kbs(broker.url)).start() as g:
                for name, (fault, expected) in MISBEHAVIOURS.items():
                    with broker.fault(stage, fault):
                        broken(t, g, ask(g).text, expected)
                        check(broker.counts[stage] >= 1, f"{name}: it was not asked")
                        check(not broker.counts["elsewhere"], f"{name}: a redirect was followed")
                    healthy(t, g, f"{name} at {stage}")
                    # An attestation that ran out of time ends a moment after its callers; who asks then shares it.
                    time.sleep(0.5 if fault in (silent, drip) else 0)
                check(ask(g, 0).stdout == t.SECRET, "no secret from the key broker that has come to its senses")
        misbehaves.__name__ = f"agent_bad_{stage}"
        case(f"a key broker that misbehaves at /{stage} is told by its code, and the agent goes on", needs=["agent_server"])(misbehaves)

    def jwt(**claims):
        return {"token": ".".join(t.b64url(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)) + "."}

    @case("a challenge without nonce or cookie, and a token that is none or has ended, violate the protocol", needs=["agent_server"])
    def agent_bad_token(w):
        now = int(time.time())
        cookie = ("Set-Cookie", "kbs-session-id=abc")
        wrong = [
            ("auth", answer(200, {"nonce": "", "extra-params": ""}, cookie), "CLI-005 nonce"),
            ("auth", answer(200, {"nonce": "bm9uY2U=", "extra-params": ""}), "CLI-005 kbs-session-id"),
            ("auth", answer(200, {"nonce": 7, "extra-params": ""}, cookie), "CLI-005"),
            ("auth", answer(200, {"nonce": "bm9uY2U=", "extra-params": {"selected-hash-algorithm": "md5"}}, cookie), "CLI-005 md5"),
            ("attest", answer(200, {"token": "no JWT"}), "CLI-005 JWT"),
            ("attest", answer(200, {"token": "a" * 300_000 + ".b.c"}), "CLI-005"),
            ("attest", answer(200, {}), "CLI-005"),
            ("attest", answer(200, jwt(iat=now)), "CLI-005 exp"),
            ("attest", answer(200, jwt(iat=now, exp=now - 10)), "CLI-005"),
            ("attest", answer(200, jwt(iat=-(1 << 63), exp=(1 << 63) - 1)), "CLI-00"),
            ("attest", answer(200, jwt(iat=now, exp=10 ** 400)), "CLI-005"),
        ]
        with Broker(w.url) as broker, Guest(t, w, "bad-token", "snp", t.SEED, kbs(broker.url)).start() as g:
            for number, (stage, fault, expected) in enumerate(wrong):
                # Whatever is taken for a token gets nothing.
                broker.faults["resource"] = answer(401, {"type": "t", "detail": "not this token"})
                with broker.fault(stage, fault):
                    broken(t, g, ask(g).text, expected)
                healthy(t, g, f"answer {number} at {stage}")
            del broker.faults["resource"]
            g.stop()
            check(ask(g.start(), 0).stdout == t.SECRET, "no secret in the end")

    @case("a token that the double makes is handed out as it is, and asked for once", needs=["roots"])
    def agent_double_token(w):
        now = int(time.time())
        with Broker() as broker, Guest(t, w, "double-token", "snp", t.SEED, kbs(broker.url)).start() as g:
            token = jwt(iat=now, exp=now + 600)
            broker.faults["auth"] = answer(200, {"nonce": "bm9uY2U=", "extra-params": ""}, ("Set-Cookie", "kbs-session-id=abc; Path=/kbs"))
            broker.faults["attest"] = answer(200, token)
            for _ in range(2):
                check(json.loads(g.call("get-token", "-t", "kbs", timeout=PATIENCE).stdout) == token, "another token")
            check(broker.counts == {"auth": 1, "attest": 1}, f"{broker.counts}")

    for stage in ("auth", "attest", "resource"):
        def denied(w, stage=stage):
            rest = 'allow = ["resource"]\nresources = ["default/key"]'
            with Broker(w.url) as broker, Guest(t, w, f"denied-{stage}", "snp", t.SEED, kbs(broker.url), rest).start() as g:
                with broker.fault(stage, answer(403, DENIAL)):
                    broken(t, g, ask(g).text, "CLI-001 KBS-014 403 wanted")
                    once = {"auth": {"auth": 1}, "attest": {"auth": 1, "attest": 1}, "resource": {"auth": 1, "attest": 1, "resource": 1}}
                    check(broker.counts == once[stage], f"more than one round trip: {broker.counts}")
                    told = json.loads(g.curl(f"/cdh/resource/{t.RESOURCE}", expect=403))
                    check(told["code"] == "CLI-001" and told["findings"] == [FINDING], f"{told}")
                    check("not wanted here" in told["detail"], f"{told}")
                    check(broker.counts["auth"] <= 2 and broker.counts[stage] == 2, f"more than one round trip each: {broker.counts}")
                check(ask(g, 0).stdout == t.SECRET, "the guest that is welcome again gets no secret")
                healthy(t, g, "a denial")
        denied.__name__ = f"agent_denied_{stage}"
        case(f"a denial at /{stage} reaches the caller with its findings within one round trip", needs=["agent_server"])(denied)

    for stage in ("auth", "attest", "resource"):
        def passing(w, stage=stage):
            with Broker(w.url) as broker, Guest(t, w, f"passing-{stage}", "snp", t.SEED, kbs(broker.url, deadline=30)).start() as g:
                for fault in (answer(503, b"away"), answer(429, b"", ("Retry-After", "1")), Request.drop):
                    g.stop()
                    g.start()
                    with broker.fault(stage, times(1, fault)):
                        check(ask(g, 0).stdout == t.SECRET, "another secret")
                        check(broker.counts[stage] == 2, f"{broker.counts}")
        passing.__name__ = f"agent_passing_{stage}"
        case(f"503, 429 and a closed connection at /{stage} are tried again, and the secret comes", needs=["agent_server"])(passing)

    @case("Retry-After is kept to, and a wait beyond the deadline is told at once", needs=["agent_server"])
    def agent_retry_after(w):
        with Broker(w.url) as broker, Guest(t, w, "retry-after", "snp", t.SEED, kbs(broker.url, deadline=20)).start() as g:
            with broker.fault("auth", times(1, answer(429, b"", ("Retry-After", "3")))):
                before = time.monotonic()
                ask(g, 0)
                check(time.monotonic() - before >= 3, "asked again before Retry-After was over")
            g.stop()
            g.start()
            for after in ("3600", "99999999999999999999", "-1", "soon", "Fri, 31 Dec 9999 23:59:59 GMT"):
                with broker.fault("auth", answer(429, b"too many", ("Retry-After", after))):
                    broken(t, g, ask(g).text, "CLI-004 429")
                    if after == "3600":
                        check(broker.counts["auth"] == 1, f"asked {broker.counts['auth']} times within the hour")
                    check(broker.counts["auth"] <= 5, f"{after}: asked {broker.counts['auth']} times")
                healthy(t, g, f"Retry-After: {after}")

    @case("a token that is refused once is replaced; one that is refused always ends in an error, not in a loop", needs=["agent_server"])
    def agent_refused_token(w):
        refusal = answer(401, {"type": "https://example.com/errors/TokenNotFound", "detail": "no such session"})
        with Broker(w.url) as broker, Guest(t, w, "refused-token", "snp", t.SEED, kbs(broker.url)).start() as g:
            with broker.fault("resource", times(1, refusal)):
                check(ask(g, 0).stdout == t.SECRET, "another secret")
                check(broker.counts == {"auth": 2, "attest": 2, "resource": 2}, f"{broker.counts}")
            with broker.fault("resource", refusal):
                broken(t, g, ask(g).text, "CLI-003 401")
                check(broker.counts == {"auth": 1, "attest": 1, "resource": 2}, f"{broker.counts}")
            for stage in ("auth", "attest"):
                g.stop()
                g.start()
                with broker.fault(stage, refusal):
                    # Before there is a token it is the guest that is refused.
                    broken(t, g, ask(g).text, "CLI-001 401")
                    check(broker.counts[stage] == 1, f"{broker.counts}")
            healthy(t, g, "refused tokens")


def secrets(t):
    case, check = t.case, t.check

    def ask(g, expect=1):
        return g.call("get-resource", f"kbs:///{t.RESOURCE}", expect=expect, timeout=PATIENCE)

    @case("a key broker that misbehaves when a secret is asked for is told by its code, and the agent goes on", needs=["agent_server"])
    def agent_bad_resource(w):
        with Broker(w.url) as broker, Guest(t, w, "bad-resource", "snp", t.SEED, kbs(broker.url)).start() as g:
            for name, (fault, expected) in MISBEHAVIOURS.items():
                with broker.fault("resource", fault):
                    broken(t, g, ask(g).text, expected)
                    check(broker.counts["resource"] >= 1 and not broker.counts["elsewhere"], f"{name}: {broker.counts}")
                healthy(t, g, f"{name} at a resource")
            check(ask(g, 0).stdout == t.SECRET, "no secret in the end")

    def member(**members):
        """A JWE with other members, those with None left out."""
        def change(body):
            jwe = {**json.loads(body), **members}
            return json.dumps({name: value for name, value in jwe.items() if value is not None}).encode()
        return change

    def header(change):
        """A JWE whose protected header is changed; nothing authenticates it any more."""
        def other(body):
            jwe = json.loads(body)
            protected = jwe["protected"]
            changed = change(json.loads(base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4))))
            changed = changed if isinstance(changed, bytes) else json.dumps(changed, separators=(",", ":")).encode()
            check(t.b64url(changed) != protected, "the test changes nothing")
            return json.dumps({**jwe, "protected": t.b64url(changed)}).encode()
        return other

    def point(**coordinates):
        return header(lambda h: {**h, "epk": {**h["epk"], **coordinates}})

    def flipped(name):
        """One bit of a member is another one."""
        def change(body):
            jwe = json.loads(body)
            data = bytearray(base64.urlsafe_b64decode(jwe[name] + "=" * (-len(jwe[name]) % 4)))
            data[0] ^= 1
            return json.dumps({**jwe, name: t.b64url(bytes(data))}).encode()
        return change

    hostile = {
        "encrypted_key of no bytes": (member(encrypted_key=""), "encrypted_key 40"),
        "encrypted_key of 3 bytes": (member(encrypted_key="AAAA"), "encrypted_key 40 3"),
        "encrypted_key of 7 bytes": (member(encrypted_key=t.b64url(b"k" * 7)), "encrypted_key 40 7"),
        "encrypted_key of 3 MB": (member(encrypted_key="A" * 3_000_000), "encrypted_key 40"),
        "encrypted_key changed": (flipped("encrypted_key"), "wrapped"),
        "iv of 16 bytes": (member(iv=t.b64url(b"i" * 16)), "iv 12 16"),
        "iv changed": (flipped("iv"), "authenticate"),
        "tag of 4 bytes": (member(tag=t.b64url(b"t" * 4)), "tag 16 4"),
        "tag changed": (flipped("tag"), "authenticate"),
        "ciphertext changed": (flipped("ciphertext"), "authenticate"),
        "ciphertext that is no base64url": (member(ciphertext="+/=="), "ciphertext base64url"),
        "no ciphertext": (member(ciphertext=None), "CLI-005"),
        "ciphertext of 8 MiB": (member(ciphertext="A" * (8 << 20)), "CLI-005 longer"),
        "enc A128CBC-HS256": (header(lambda h: {**h, "enc": "A128CBC-HS256"}), "A128CBC-HS256 A256GCM"),
        "enc missing": (header(lambda h: {"alg": h["alg"], "epk": h["epk"]}), "header enc"),
        "alg RSA1_5": (header(lambda h: {**h, "alg": "RSA1_5"}), "RSA1_5"),
        "alg dir": (header(lambda h: {**h, "alg": "dir"}), "dir ECDH-ES+A256KW"),
        "epk missing": (header(lambda h: {"alg": h["alg"], "enc": h["enc"]}), "epk missing"),
        "epk of another curve": (point(crv="P-384"), "epk curve"),
        "epk off the curve": (point(y=t.b64url(b"\1" * 32)), "epk curve"),
        "epk of zeros": (point(x=t.b64url(bytes(32)), y=t.b64url(bytes(32))), "epk curve"),
        "epk of 31 bytes": (point(x=t.b64url(b"\1" * 31)), "epk field"),
        "epk of another point": (point(**{  # the generator of P-256 (SEC 2)
            "x": t.b64url(bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")),
            "y": t.b64url(bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"))}), "wrapped"),
        "crit": (header(lambda h: {**h, "crit": ["exp"], "exp": 1}), "crit"),
        "zip": (header(lambda h: {**h, "zip": "DEF"}), "zip"),
        "a header twice as long as any": (header(lambda h: {**h, "x": "x" * 8000}), "header 4096"),
        "a header that is no JSON": (header(lambda _: b"\xff\x00"), "header"),
        "a header of deep JSON": (header(lambda _: b"[" * 2900), "header"),
        # The header is authenticated as it came: who writes it anew before would take this one.
        "other order in the header": (header(lambda h: dict(reversed(h.items()))), "authenticate"),
        "aad": (member(aad="AAAA"), "CLI-005 aad"),
        "an unprotected header": (member(unprotected={"enc": "A256GCM"}), "CLI-005 unprotected"),
    }

    @case("every hostile JWE is refused for its own reason, and the agent goes on", needs=["agent_server"])
    def agent_bad_jwe(w):
        with Broker(w.url) as broker, Guest(t, w, "bad-jwe", "snp", t.SEED, kbs(broker.url)).start() as g:
            for name, (change, expected) in hostile.items():
                with broker.fault("resource", changed(change)):
                    result = ask(g)
                    broken(t, g, result.text, expected if "CLI-" in expected else f"CLI-006 {expected}")
                    check(t.SECRET not in result.stdout, f"{name}: the secret came")
                    check(broker.counts["resource"] == 1, f"{name}: asked {broker.counts['resource']} times")
                healthy(t, g, name)
            check(ask(g, 0).stdout == t.SECRET, "no secret in the end")

    @case("a secret that was encrypted for another guest's key is not opened", needs=["agent_server"])
    def agent_swapped_jwe(w):
        with Broker(w.url) as broker, Guest(t, w, "swap-a", "snp", t.SEED, kbs(broker.url)).start() as a:
            kept = []
            with broker.fault("resource", changed(lambda body: kept.append(body) or body)):
                check(ask(a, 0).stdout == t.SECRET, "another secret")
            a.stop()
            with broker.fault("resource", changed(lambda _: kept[0])):
                broken(t, a, ask(a.start()).text, "CLI-006 wrapped")


def addresses(t):
    case, check = t.case, t.check
    ask = ("get-resource", f"kbs:///{t.RESOURCE}")

    @case("where the first key broker is dead, answers 503 or closes early, the second one gives the secret", needs=["agent_server"])
    def agent_failover(w):
        with Broker() as first, Broker(w.url) as second:
            for number, fault in enumerate((None, answer(503, b"away"), Request.drop)):
                url = f"http://127.0.0.1:{t.free_port()}" if fault is None else first.url
                first.counts.clear()
                second.counts.clear()
                first.faults["auth"] = fault
                with Guest(t, w, f"failover-{number}", "snp", t.SEED, kbs(url, second.url, deadline=30)).start() as g:
                    check(g.call(*ask, timeout=PATIENCE).stdout == t.SECRET, "another secret")
                    check(second.counts == {"auth": 1, "attest": 1, "resource": 1}, f"{second.counts}")
                    check(fault is None or first.counts["auth"] == 1, f"{first.counts}")
                    check(g.call(*ask, timeout=PATIENCE).stdout == t.SECRET and first.counts["auth"] <= 1, "the dead one is asked again")

    @case("a denial at the first key broker is not taken to the second", needs=["agent_server"])
    def agent_denied_once(w):
        with Broker(w.url) as first, Broker(w.url) as second:
            for stage in ("auth", "attest", "resource"):
                with Guest(t, w, f"denied-once-{stage}", "snp", t.SEED, kbs(first.url, second.url)).start() as g, \
                        first.fault(stage, answer(403, DENIAL)):
                    broken(t, g, g.call(*ask, expect=1, timeout=PATIENCE).text, "CLI-001 wanted")
                    check(first.counts[stage] == 1, f"{first.counts}")
                    check(not second.counts, f"the second one was asked after a denial at {stage}: {second.counts}")

    @case("where no key broker answers, each address is named in the error", needs=["roots"])
    def agent_none_answers(w):
        dead = [f"http://127.0.0.1:{t.free_port()}" for _ in range(2)]
        with Guest(t, w, "none-answers", "snp", t.SEED, kbs(*dead)).start() as g:
            broken(t, g, g.call(*ask, expect=1, timeout=PATIENCE).text, f"CLI-004 {dead[0]} {dead[1]}")
            healthy(t, g, "two dead key brokers")


# ttRPC by hand.


def varint(number):
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def field(number, value):
    """A field of a protobuf message: bytes or text."""
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    """The fields of a protobuf message with numbers and bytes."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = number()
        value = number()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        found[key >> 3] = value
    return found


def frame(payload, stream=1, kind=1):
    return struct.pack(">IIBB", len(payload), stream, kind, 0) + payload


def call_of(method, message=b"", service=SERVICE, stream=1):
    return frame(field(1, service) + field(2, method) + (field(3, message) if message else b""), stream)


class Ttrpc:
    """A connection to the agent's socket, with frames written by hand."""

    def __init__(self, g, timeout=PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(g.sock))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def exactly(self, count):
        data = bytearray()
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError(f"the agent ended the connection after {len(data)} of {count} bytes")
            data += more
        return bytes(data)

    def answer(self):
        """Stream, status code, message and payload of the next answer."""
        length, stream, _, _ = struct.unpack(">IIBB", self.exactly(10))
        response = fields(self.exactly(length))
        status = fields(response.get(1, b""))
        return stream, status.get(1, 0), status.get(2, b"").decode(), response.get(2, b"")

    def refused_or_ended(self):
        """An error as the answer, or the end of the connection; anything else is a fault."""
        try:
            _, code, message, _ = self.answer()
        except (ConnectionError, BrokenPipeError):
            return "ended"
        if code == 0:
            raise AssertionError("nonsense was answered with success")
        return message

    def tee(self, stream=1):
        found, code, message, payload = self.send(call_of("GetTeeType", stream=stream)).answer()
        if (found, code) != (stream, 0):
            raise AssertionError(f"GetTeeType on stream {stream}: {found}, {code} {message}")
        return fields(payload)[1].decode()


def frames(t):
    case, check = t.case, t.check

    @case("broken ttRPC frames cost nobody but their sender anything", needs=["roots"])
    def agent_bad_frames(w):
        good = call_of("GetTeeType")
        sent = {
            "garbage": os.urandom(1000),
            "a request of HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "length 0xffffffff": b"\xff\xff\xff\xff\0\0\0\1\1\0",
            "length 0xffffffff and data": b"\xff\xff\xff\xff\0\0\0\1\1\0" + b"x" * 100_000,
            "a payload that is no message": frame(b"\xff" * 50),
            "a message whose field is longer than itself": frame(b"\x0a\xff\xff\xff\xff\x0f"),
            "an unknown service": call_of("GetTeeType", service="no.such.Service"),
            "an unknown method": call_of("NoSuchMethod"),
            "an inner message that is none": call_of("GetEvidence", b"\x0a\xff\xff\xff\xff\x0f"),
            "an even stream": call_of("GetTeeType", stream=2),
            "a frame of data": frame(b"", 1, 3),
            "3 MB": frame(field(1, "s") + field(3, bytes(3_000_000))),
        }
        with Guest(t, w, "frames", "snp", t.SEED).start() as g:
            with Ttrpc(g) as steady:
                for stream, (name, data) in enumerate(sent.items()):
                    with Ttrpc(g) as hostile:
                        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                            hostile.send(data)
                            if name.startswith(("garbage", "a request of HTTP", "length")):
                                hostile.socket.shutdown(socket.SHUT_WR)
                        told = hostile.refused_or_ended()
                        check(told == "ended" or "AGT-" in told or "an unknown" in name, f"{name}: {told}")
                        check(steady.tee(2 * stream + 1) == "snp", f"{name}: others are not served")
                    healthy(t, g, name)
                # One that is refused can go on, on the same connection.
                with Ttrpc(g) as other:
                    for name in ("a payload that is no message", "an unknown service", "3 MB"):
                        check(other.send(sent[name]).refused_or_ended() != "ended", f"{name} ends the connection")
                        check(other.tee(5) == "snp", "the next call on the same connection")

    @case("what a ttRPC socket does not serve is refused by a code, as docs/agent.md says of every error", needs=["roots"])
    def agent_unknown_method(w):
        with Guest(t, w, "unknown-method", "snp", t.SEED).start() as g, Ttrpc(g) as one:
            for data in (call_of("GetTeeType", service="no.such.Service"), call_of("NoSuchMethod")):
                message = one.send(data).refused_or_ended()
                check(t.CODE.match(message), f"no code in: {message}")

    @case("who sends half a frame, or leaves in the middle of one, is waited for by nobody", needs=["roots"])
    def agent_half_frames(w):
        good = call_of("GetTeeType")
        with Guest(t, w, "half-frames", "snp", t.SEED).start() as g, contextlib.ExitStack() as open_ones:
            for length in (1, 5, 9, 10, 11, len(good) - 1):
                open_ones.enter_context(Ttrpc(g)).send(good[:length])
                with Ttrpc(g) as leaves:
                    leaves.send(good[:length])
                with Ttrpc(g) as half_closed:
                    half_closed.send(good[:length]).socket.shutdown(socket.SHUT_WR)
                    check(half_closed.refused_or_ended() == "ended", "half a frame is answered")
                healthy(t, g, f"{length} of {len(good)} bytes")
            with Ttrpc(g) as slow_one:
                for byte in good:
                    slow_one.send(bytes([byte]))
                check(slow_one.answer()[1] == 0, "a frame that comes byte by byte")

    @case("200 ttRPC connections of another user that send nothing do not keep root from being served", needs=["roots"])
    def agent_idle_connections(w):
        if os.geteuid() != 0:
            raise t.Skip("only root can play two users")
        shared = pathlib.Path(tempfile.mkdtemp(prefix="assay-idle-"))
        shared.chmod(0o755)
        sock = shared / "agent.sock"
        config = f'[[listener]]\naddress = "unix://{sock}"\nprotocol = "ttrpc"\nmode = "0666"\n' \
                 'allow_uids = ["any"]\nallow = ["evidence"]'

        def hold(told):
            """Another user that connects 200 times and says nothing."""
            os.setgid(65534)
            os.setuid(65534)
            held = [socket.socket(socket.AF_UNIX) for _ in range(200)]
            for one in held:
                one.setblocking(False)
                one.connect_ex(str(sock))
            os.write(told, b"held")
            time.sleep(120)

        try:
            with Guest(t, w, "idle-ttrpc", "snp", t.SEED, config).start() as g:
                told, tell = os.pipe()
                stranger = os.fork()
                if stranger == 0:
                    try:
                        hold(tell)
                    finally:
                        os._exit(0)
                os.close(tell)
                check(os.read(told, 4) == b"held", "the stranger did not connect")
                os.close(told)
                done = subprocess.run([g.program, "get-tee", "--socket", f"unix://{sock}", "--timeout", "30"],
                                      capture_output=True, timeout=60, check=False)
                os.kill(stranger, signal.SIGKILL)
                os.waitpid(stranger, 0)
                check(done.stdout.strip() == b"snp", f"{done}")
                healthy(t, g, "200 idle connections")
                check(resident(g) < MOST_MEMORY, f"{resident(g) >> 20} MiB")
        finally:
            shutil.rmtree(shared, ignore_errors=True)

    @case("200 REST connections that send nothing are given up, and then others are served", needs=["roots"])
    def agent_idle_rest(w):
        with Guest(t, w, "idle-rest", "snp", t.SEED, rest='allow = ["evidence"]').start() as g, contextlib.ExitStack() as all_of_them:
            for _ in range(200):
                one = all_of_them.enter_context(socket.socket(socket.AF_INET))
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", g.port))  # which may wait in the system's queue
            g.curl("/healthz")
            all_of_them.close()
            healthy(t, g, "200 idle connections")
            check(resident(g) < MOST_MEMORY, f"{resident(g) >> 20} MiB")

    @case("ten thousand quick calls by one connection, one by one and all at once, do not grow the agent", needs=["roots"])
    def agent_many_calls(w):
        with Guest(t, w, "many-calls", "snp", t.SEED).start() as g, Ttrpc(g) as one:
            for number in range(5000):
                check(one.tee(2 * number + 1) == "snp", f"call {number}")
            first = resident(g)
            for number in range(5000, 10_000):
                check(one.tee(2 * number + 1) == "snp", f"call {number}")
            check(resident(g) - first < 4 << 20, f"grown from {first >> 10} to {resident(g) >> 10} KiB within 5000 calls")
            ids = [2 * number + 1 for number in range(10_000)]
            writer = threading.Thread(target=lambda: [one.send(call_of("GetTeeType", stream=i)) for i in ids])
            writer.start()
            answers = sorted(one.answer()[:2] for _ in ids)
            writer.join(timeout=PATIENCE)
            check(answers == [(i, 0) for i in ids], "not every call was answered once")
            healthy(t, g, "20 000 calls")

    @case("who sends calls and takes no answers is given up, and others are served", needs=["roots"])
    def agent_no_reader(w):
        with Guest(t, w, "no-reader", "snp", t.SEED).start() as g, Ttrpc(g, timeout=1) as deaf:
            with contextlib.suppress(OSError):
                for number in range(200_000):
                    deaf.send(call_of("GetTeeType", stream=2 * number + 1))
            # Its calls hold their places until it is given up; others are told to come again meanwhile.
            deadline = time.monotonic() + 60
            while g.call("get-tee", expect=None).returncode != 0:
                check(time.monotonic() < deadline, "it is not given up")
            healthy(t, g, "a peer that takes no answers")


def evidence(t):
    case, check = t.case, t.check

    def refused(g, size, code, status=3):
        with Ttrpc(g) as one:
            _, found, message, _ = one.send(call_of("GetEvidence", field(1, b"n" * size))).answer()
            check(found == status and code in message and len(message) < 5000, f"{size} bytes: {found} {message[:300]}")
            check(one.tee(3) == g.tee, "the next call")

    def get(g, path):
        """Status and body of a GET whose head may be longer than is read."""
        with socket.create_connection(("127.0.0.1", g.port), timeout=PATIENCE) as one:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            data = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while more := one.recv(1 << 16):
                    data += more
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        check(head.startswith(b"HTTP/1.1 "), f"no answer to a GET of {len(path)} bytes: {head[:100]!r}")
        return int(head.split()[1]), body

    @case("evidence for 0 and 64 bytes comes, for 65, a million and two million it is refused, on ttRPC and REST", needs=["roots"])
    def agent_bad_sizes(w):
        rest = 'allow = ["evidence"]\nevidence = "as-given"'
        with Guest(t, w, "sizes", "snp", t.SEED, rest=rest).start() as g:
            path = lambda size: f"/aa/evidence?encoding=base64&runtime_data={t.b64url(b'n' * size)}"
            for size in (0, 64):
                file = g.folder / f"rest-{size}.json"
                status, body = get(g, path(size))
                check(status == 200, f"{size} bytes: {status} {body[:300]}")
                with Ttrpc(g) as one:
                    _, code, message, payload = one.send(call_of("GetEvidence", field(1, b"n" * size))).answer()
                check(code == 0, message)
                for one in (body, fields(payload)[1]):
                    file.write_bytes(one)
                    w.verify(file, "--anchors", w.roots, "--report-data", (b"n" * size).hex(), "--init-data", g.init_data, expect=t.ACCEPTED)
            refused(g, 65, "ATT-001")
            status, body = get(g, path(65))
            check(status in (400, 413) and json.loads(body)["code"] == "ATT-001", f"{status} {body[:300]}")
            for size in (1_000_000, 2_000_000):
                refused(g, size, "A" if size < 1 << 20 else "AGT-005")
                status, body = get(g, path(size))
                check(status in (400, 413, 414, 431), f"{size} bytes: {status} {body[:300]}")
                healthy(t, g, f"{size} bytes")

    @case("behind a label evidence takes more bytes, up to its bound", needs=["roots"])
    def agent_label_sizes(w):
        with Guest(t, w, "label-sizes", "snp", t.SEED, rest='allow = ["evidence"]').start() as g:
            for size, expected in ((0, 200), (64, 200), (65, 200), (4000, 200), (100_000, 0), (1_000_000, 0)):
                status, body = get(g, f"/aa/evidence?encoding=base64&runtime_data={t.b64url(b'n' * size)}")
                check(status == expected or not expected and 400 <= status < 500, f"{size} bytes: {status} {body[:300]}")
            for query in ("", "?runtime_data", "?runtime_data=%ff", "?runtime_data=%4", "?runtime_data=a&runtime_data=b",
                          "?encoding=base64&runtime_data=%2B%2F", "?encoding=base64&runtime_data=AA%3D%3D", "?encoding=hex&runtime_data=aa"):
                status, body = get(g, f"/aa/evidence{query}")
                check(status == (200 if query == "?runtime_data" else 400), f"{query}: {status} {body[:300]}")
            healthy(t, g, "sizes and queries")


def devices(t):
    case, check = t.case, t.check
    EVENT = ("extend-runtime-measurement", "-d", "example.com", "-o", "Test", "-c")

    def verified(w, g, data):
        """The contents of the events in evidence that holds."""
        file = g.folder / "collateral.json"
        w.run("emulate", "collateral", "--tee", "tdx", "--seed", g.seed, "--out", file, expect=0)
        answer = w.verify(
            g.evidence(data), "--anchors", w.roots, "--report-data", data.hex(), "--collateral", file, "--init-data", g.init_data,
            tee="tdx", expect=t.ACCEPTED,
        )
        logged = answer["claims"]["uefi_event_logs"]
        return [e["details"]["data"]["content"] for e in logged if e["details"].get("unicode_name") == "AAEL"]

    @contextlib.contextmanager
    def small_disk(w, name):
        place = w.folder / name
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "assay-test", str(place)], capture_output=True, check=False)
        if done.returncode:
            raise t.Skip(f"a tmpfs cannot be mounted here: {done.stderr.decode(errors='replace').strip()}")
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=False)

    def fill(place, free):
        """Takes all pages of the disk but so many."""
        with contextlib.suppress(OSError), open(place / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(b"f" * PAGE)
        os.truncate(place / "filler", max(0, ((place / "filler").stat().st_size // PAGE - free)) * PAGE)

    def impatient(g):
        """Gives the device a second."""
        g.config.write_text(g.config.read_text().replace("[device]\n", "[device]\ntimeout_seconds = 1\n", 1))

    @case("with a full disk an event fails by its code and is measured not at all or once; with space again events go on", needs=["roots"])
    def agent_full_disk(w):
        with small_disk(w, "small-disk") as place:
            config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{place}/log"'
            with Guest(t, w, "full-disk", "tdx", t.SEED, config).start() as g:
                g.call(*EVENT, "the first one")
                acknowledged, dropped, kept = ["the first one"], [], []
                for number, free in enumerate((0, 1, 0, 2, 1, 1, 1)):
                    fill(place, free)
                    name = f"event {number} with {free} pages" + " " + "x" * 3000
                    done = g.call(*EVENT, name, expect=None)
                    if done.returncode == 0:
                        acknowledged.append(name)
                    elif "AEL-008" in done.text or "AEL-010" in done.text:
                        kept.append(name)
                    else:
                        check(done.returncode == 1 and ("AEL-007" in done.text or "AEL-015" in done.text), f"{free} pages free: {done.text}")
                        check("nothing was measured" in done.text, done.text)
                        dropped.append(name)
                    check(free or done.returncode, "an event on a full disk is acknowledged")
                    healthy(t, g, f"a disk with {free} pages")
                    os.remove(place / "filler")
                    name = f"after {number}"
                    g.call(*EVENT, name)
                    acknowledged.append(name)
                check(dropped and kept, f"the disk was not full before ({len(dropped)}) and after ({len(kept)}) the register was extended")
                logged = verified(w, g, b"after the full disk")
                for name in acknowledged + kept:
                    check(logged.count(name) == 1, f"{name[:30]} is {logged.count(name)} times in the log")
                check(len(logged) == len(acknowledged + kept), f"{dropped} measured, though it was said that nothing was")
                g.stop(signal.SIGKILL)
                g.start()
                check(verified(w, g, b"after a restart") == logged, "a restart changes the events")

    @case("an agent whose event log's disk is full at start says so or starts, and measures nothing by halves", needs=["roots"])
    def agent_full_at_start(w):
        with small_disk(w, "full-at-start") as place:
            config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{place}/log"'
            with Guest(t, w, "full-at-start", "tdx", t.SEED, config) as g:
                fill(place, 0)
                g.start(ready=False)
                try:
                    g.wait()
                except AssertionError:
                    check(g.agent.poll() == 1 and ("AEL-" in g.log() or "disk is full" in g.log()), f"{g.agent.poll()} {g.log()}")
                else:
                    done = g.call(*EVENT, "too early", expect=1)
                    check("AEL-" in done.text, done.text)
                    g.stop()
                check("panicked" not in g.log(), g.log())
                os.remove(place / "filler")
                g.start().call(*EVENT, "in time")
                check(verified(w, g, b"in time") == ["in time"], "other events")

    @case("platforms without registers say NOT_SUPPORTED, and a register that cannot be extended is an error", needs=["roots"])
    def agent_no_register(w):
        for tee, options in (("snp", ()), ("cca", ()), ("tdx", ("--without-fuse",))):
            config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{w.folder}/no-register-{tee}"'
            with Guest(t, w, f"no-register-{tee}", tee, t.SEED, config, options=options).start() as g:
                done = g.call(*EVENT, "an event", expect=None)
                if tee == "tdx":
                    check(done.returncode == 1 and ("AEL-" in done.text or "ATT-" in done.text), f"{done.returncode} {done.text}")
                else:
                    check(done.returncode == 1 and "no register" in done.text, f"{tee}: {done.returncode} {done.text}")
                    with Ttrpc(g) as one:
                        event = b"".join(field(number, text) for number, text in enumerate(("example.com", "Test", "x"), 1))
                        _, code, message, payload = one.send(call_of("ExtendRuntimeMeasurement", event)).answer()
                        check((code, fields(payload)) == (0, {1: 1}), f"not NOT_SUPPORTED: {code} {message} {payload}")
                healthy(t, g, "an event without a register")

    @case("where the device goes away events and evidence fail by their code, and go on when it is there again", needs=["roots"])
    def agent_device_gone(w):
        state = w.folder / "device-gone-state.json"
        config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{w.folder}/device-gone-log"'
        with Guest(t, w, "device-gone", "tdx", t.SEED, config, options=("--state", state)).start() as g:
            g.call(*EVENT, "before")
            g.unmount()
            done = g.call(*EVENT, "meanwhile", expect=1)
            check("AEL-" in done.text or "ATT-" in done.text, done.text)
            check("ATT-002" in g.call("get-evidence", "-r", "AAAA", expect=1).text, "no word of the device")
            healthy(t, g, "a device that is gone")
            g.mount()
            g.call(*EVENT, "afterwards")
            check(verified(w, g, b"afterwards") == ["before", "afterwards"], "other events")

    @case("a device that is slower than its time is told by its code; other calls are answered meanwhile, and later ones again",
          needs=["agent_server"])
    def agent_slow_device(w):
        with Guest(t, w, "slow-device", "tdx", t.SEED, kbs(w.url, deadline=20), options=("--answer-after", 5000)) as g:
            impatient(g)
            g.start()

            def ask(_):
                return g.call("get-evidence", "-r", "AAAA", expect=1, timeout=PATIENCE).text
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                running = [pool.submit(ask, n) for n in range(8)]
                while not all(r.done() for r in running):
                    check(g.call("get-tee").stdout.strip() == b"tdx", "another TEE")
                texts = [r.result() for r in running]
            check(all("ATT-003" in text or "AGT-011" in text for text in texts), f"{texts}")
            check(any("ATT-003" in text for text in texts), f"{texts}")
            text = g.call("get-resource", f"kbs:///{t.RESOURCE}", expect=1, timeout=PATIENCE).text
            check("CLI-007" in text, text)
            healthy(t, g, "a slow device")
            g.unmount()
            g.options = ()
            g.mount()
            verified(w, g, b"quick again")

    @case("an agent whose device is slow at start ends, and says what did not answer", needs=["roots"])
    def agent_slow_start(w):
        with Guest(t, w, "slow-start", "snp", t.SEED, options=("--answer-after", 5000)) as g:
            impatient(g)
            done = subprocess.run([g.program, "-c", g.config], capture_output=True, timeout=PATIENCE, check=False)
            check(done.returncode == 1 and b"did not answer within" in done.stderr, f"{done}")
            check(b"panicked" not in done.stderr and not g.sock.exists(), f"{done}")


def life(t):
    case, check = t.case, t.check
    ask = ("get-resource", f"kbs:///{t.RESOURCE}")

    def during(g, broker, stage):
        """A call under way, which has reached the key broker."""
        pool = concurrent.futures.ThreadPoolExecutor(1)
        running = pool.submit(lambda: g.call(*ask, expect=None, timeout=PATIENCE))
        t.wait_until("the request", lambda: broker.counts[stage])
        return pool, running

    @case("SIGTERM lets a request that is running be answered, then the agent ends with its socket gone", needs=["agent_server"])
    def agent_term_answered(w):
        with Broker(w.url) as broker, Guest(t, w, "term-answered", "snp", t.SEED, kbs(broker.url, deadline=30)).start() as g:
            told = threading.Event()

            def late(request):
                told.wait(10)
                time.sleep(0.5)
                request.pass_on()
            broker.faults["resource"] = late
            pool, running = during(g, broker, "resource")
            g.agent.send_signal(signal.SIGTERM)
            told.set()
            check(g.agent.wait(timeout=20) == 0, f"exit code {g.agent.returncode}\n{g.log()}")
            check(running.result(timeout=PATIENCE).stdout == t.SECRET, f"not answered: {running.result().text}")
            pool.shutdown()
            check(not g.sock.exists(), "the socket is left behind")

    @case("SIGTERM while a key broker is silent ends the agent within its bound, and the caller's call", needs=["agent_server"])
    def agent_term_cut(w):
        with Broker(w.url) as broker, Guest(t, w, "term-cut", "snp", t.SEED, kbs(broker.url, deadline=80)).start() as g:
            broker.faults["attest"] = silent
            pool, running = during(g, broker, "attest")
            begun = time.monotonic()
            check(g.stop() == 0, f"exit code {g.agent.returncode}\n{g.log()}")  # at most 20 s; 10 s are its bound
            check(running.result(timeout=PATIENCE).returncode == 1, "the call ends otherwise")
            check("the connection to the agent" in running.result().text, running.result().text)
            pool.shutdown()
            check(not g.sock.exists() and time.monotonic() - begun < 20, "the socket is left behind")
            check("panicked" not in g.log(), g.log())

    @case("SIGTERM while a device is silent ends the agent within its bound", needs=["roots"])
    def agent_term_device(w):
        # The simulator cannot be interrupted: a process ends only after what it has asked of it is answered.
        with Guest(t, w, "term-device", "tdx", t.SEED, options=("--answer-after", 20_000)).start() as g:
            with Ttrpc(g, timeout=16) as one:
                one.send(call_of("GetEvidence", field(1, b"n")))
                check(g.call("get-tee").stdout.strip() == b"tdx", "another TEE")
                g.agent.send_signal(signal.SIGTERM)
                check(one.refused_or_ended(), "answered")  # after 10 s
            check(not g.sock.exists(), "the socket is left behind")
            check(g.agent.wait(timeout=30) == 0, f"exit code {g.agent.returncode}\n{g.log()}")

    @case("idle connections do not hold up the end", needs=["roots"])
    def agent_term_idle(w):
        with Guest(t, w, "term-idle", "snp", t.SEED).start() as g, contextlib.ExitStack() as open_ones:
            for _ in range(20):
                open_ones.enter_context(Ttrpc(g))
            open_ones.enter_context(Ttrpc(g)).send(b"\0\0\0")
            healthy(t, g, "idle connections")
            check(g.stop() == 0, f"exit code {g.agent.returncode}\n{g.log()}")
            check("cut off" not in g.log(), f"waited for those that do nothing\n{g.log()}")

    @case("a socket that kill -9 has left behind is taken over, and what is no socket is left alone", needs=["roots"])
    def agent_stale_socket(w):
        with Guest(t, w, "stale", "snp", t.SEED).start() as g:
            for _ in range(3):
                g.stop(signal.SIGKILL)
                check(g.sock.is_socket(), "kill -9 leaves no socket: nothing is tried here")
                g.start()
                healthy(t, g, "a socket left behind")
            check(g.stop() == 0 and not g.sock.exists(), "the socket is left behind")
            g.sock.write_text("somebody's file")
            done = subprocess.run([g.program, "-c", g.config], capture_output=True, timeout=PATIENCE, check=False)
            check(done.returncode == 1 and b"not a socket" in done.stderr, f"{done}")
            check(g.sock.read_text() == "somebody's file", "a file was removed")


def rest(t):
    case, check = t.case, t.check

    @case("REST refuses browsers, foreign hosts, wrong methods, unknown parameters, and long or broken bodies", needs=["roots"])
    def agent_rest_guards(w):
        config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{w.folder}/guards-log"'
        allow = 'allow = ["evidence", "token", "extend", "resource"]\ndomains = ["any"]\nresources = ["any"]'
        with Guest(t, w, "guards", "tdx", t.SEED, config, allow).start() as g:
            def refused(path, status, code, *options):
                told = json.loads(g.curl(path, *options, expect=status))
                check(told["code"] == code and told["status"] == status and told["detail"], f"{path} {options}: {told}")
                return told

            event = {"domain": "example.com", "operation": "Test", "content": "one"}
            json_of = lambda value: ("-H", "Content-Type: application/json", "-d", value if isinstance(value, str) else json.dumps(value))
            for path in ("/info", "/aa/evidence?runtime_data=a", "/healthz", "/metrics", "/nothing", "/cdh/resource/a/b/c"):
                for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "169.254.169.254", ""):
                    refused(path, 403, "AGT-018", "-H", f"Host: {host}" if host else "Host;")
                for header in ("Origin: http://127.0.0.1", "Origin: null", "Sec-Fetch-Site: same-origin"):
                    refused(path, 403, "AGT-018", "-H", header)
            refused("/aa/aael", 403, "AGT-018", "-H", "Origin: http://localhost", *json_of(event))
            refused("/info", 403, "AGT-018", "--request-target", "http://evil.example/info")
            for path, allowed, method in (("/info", "GET", "POST"), ("/aa/evidence", "GET", "POST"), ("/aa/token", "GET", "DELETE"),
                                          ("/aa/aael", "POST", "GET"), ("/aa/aael", "POST", "PUT"), ("/healthz", "GET", "POST"),
                                          ("/cdh/resource/a/b/c", "GET", "POST")):
                body = g.curl(path, "-i", "-X", method, expect=405)
                check(f"\r\nallow: {allowed}\r\n".encode() in body.lower().replace(allowed.lower().encode(), allowed.encode()), f"{body}")
                check(b"AGT-017" in body, f"{body}")
            for path in ("/aa/evidence?runtime_data=a&x=1", "/aa/token?token_type=kbs&x=1", "/aa/evidence?runtime_data=a&runtime_data=b",
                         "/aa/evidence?runtime_data=%zz", "/aa/token"):
                refused(path, 400, "AGT-007")
            refused("/aa/token?token_type=nonsense", 400, "AGT-003")
            big = g.folder / "big"
            big.write_bytes(b'{"domain":"' + b"d" * (2 << 20) + b'"}')
            refused("/aa/aael", 413, "AGT-019", "--data-binary", f"@{big}")
            refused("/aa/aael", 413, "AGT-019", "--data-binary", f"@{big}", "-H", "Transfer-Encoding: chunked")
            for body in ("", "{", "[]", "null", '"text"', "\xff", "[" * 50_000, json.dumps({**event, "more": 1}),
                         json.dumps({**event, "content": 7}), json.dumps({"domain": "d", "operation": "o"})):
                refused("/aa/aael", 400, "AGT-007", *json_of(body))
            for part, value in (("content", "two\nlines"), ("domain", "two words"), ("operation", ""), ("operation", "a b")):
                told = refused("/aa/aael", 400, "AEL-001", *json_of({**event, part: value}))
                check("nothing was measured" in told["detail"] and part in told["detail"], f"{told}")
            for path in ("/cdh/resource/a/b", "/cdh/resource/a/../c", "/cdh/resource/%2e%2e/%2e%2e/b"):
                told = json.loads(g.curl(path, "--path-as-is", expect=400))
                check(told["code"] in ("AGT-008", "AGT-009", "CLI-009"), f"{path}: {told}")
            check(json.loads(g.curl("/aa/aael", *json_of(event))) == {"success": "true"}, "a good event")
            healthy(t, g, "all that")
            check("two" not in (w.folder / "guards-log" / "eventlog").read_bytes().decode(errors="replace"), "a refused event is in the log")

    @case("REST heads and bodies that do not end are given up, and others are served meanwhile", needs=["roots"])
    def agent_rest_slow(w):
        config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{w.folder}/rest-slow-log"'
        with Guest(t, w, "rest-slow", "tdx", t.SEED, config, 'allow = ["extend"]\ndomains = ["any"]').start() as g, contextlib.ExitStack() as all_of_them:
            def begin(data):
                one = all_of_them.enter_context(socket.create_connection(("127.0.0.1", g.port), timeout=PATIENCE))
                one.sendall(data)
                return one
            head = b"POST /aa/aael HTTP/1.1\r\nHost: localhost\r\n"
            started = [begin(b"GET /info HT"), begin(head), begin(head + b"Content-Length: 100\r\n\r\n{"),
                       begin(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{")]
            g.curl("/healthz")
            for number, one in enumerate(started):
                # The end, or a refusal and the end: within the 15 s that a request has to arrive.
                got = one.recv(100)
                check(not got or b" 408 " in got, f"connection {number}: {got}")
            for data in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100 + b"\0", b"GET /info HTTP/1.1\r\n\r\n",
                         b"GET /info HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
                         b"GET /info HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
                         head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
                         head + b"Content-Length: -1\r\n\r\n", head + b"Content-Length: 99999999999999999999999\r\n\r\n"):
                got = begin(data).recv(100)
                check(not got or got.startswith(b"HTTP/1.1 4"), f"{data[:60]}: {got}")
            g.curl("/healthz")
            healthy(t, g, "half requests")
