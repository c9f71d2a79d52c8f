"""The system test's cases for `assay-agent`: the real agent on simulated kernel files, with a real server.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import base64
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha256"\n\n[data]\n"owner" = "tenant A"\n'
SHM = pathlib.Path("/dev/shm")


class Guest:
    """Simulated kernel files and an agent on them, in a folder of their own."""

    def __init__(self, t, w, name, tee, seed, config="", rest="", options=(), environment=None):
        self.t, self.w, self.tee, self.seed = t, w, tee, seed
        self.folder = w.folder / f"guest-{name}"
        self.folder.mkdir()
        self.root, self.sock = self.folder / "root", self.folder / "agent.sock"
        self.root.mkdir()
        self.port = t.free_port()
        self.init_data = self.folder / "initdata.toml"
        self.init_data.write_text(INIT_DATA)
        self.options, self.environment = options, environment or {}
        self.program = str(pathlib.Path(w.assay).with_name("assay-agent"))
        self.config = self.folder / "agent.toml"
        self.config.write_text(
            f'{config}\n[device]\nroot = "{self.root}"\n[init_data]\ntoml_file = "{self.init_data}"\n'
            f'[[listener]]\naddress = "unix://{self.sock}"\nprotocol = "ttrpc"\n'
            + (f'[[listener]]\naddress = "127.0.0.1:{self.port}"\nprotocol = "rest"\n{rest}\n' if rest else "")
        )
        self.kernel = self.agent = None

    def __enter__(self):
        if not self.kernel:
            self.mount()
        return self

    def __exit__(self, *_):
        if self.agent and self.agent.poll() is None:
            self.agent.kill()
            self.agent.wait()
        self.unmount()

    def mount(self):
        self.kernel = subprocess.Popen(
            [self.w.assay, "--json", "emulate", "configfs-tsm", "--mount", self.root, "--tee", self.tee,
             "--seed", self.seed, "--init-data", self.init_data, *map(str, self.options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
        )
        self.w.started.append(self.kernel)
        line = self.kernel.stdout.readline()
        if not line:
            said = self.kernel.stderr.read().decode(errors="replace")
            if "fuse" in said.lower():
                raise self.t.Skip(f"no FUSE here: {said.strip()}")
            raise AssertionError(f"the simulator ended: {said}")

    def unmount(self):
        if self.kernel and self.kernel.poll() is None:
            self.kernel.terminate()
            self.kernel.wait(timeout=15)

    def start(self, ready=True):
        if not self.kernel:
            self.mount()
        log = open(self.folder / "agent.log", "ab")
        self.agent = subprocess.Popen(
            [self.program, "-c", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            env={**os.environ, **self.environment},
        )
        log.close()
        self.w.started.append(self.agent)
        if ready:
            self.wait()
        return self

    def wait(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.agent.poll() is not None:
                raise AssertionError(f"the agent ended with {self.agent.returncode}\n{self.log()}")
            if self.sock.exists():
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(self.sock))
                    return
            time.sleep(0.02)
        raise AssertionError(f"the agent does not listen after 30 s\n{self.log()}")

    def log(self):
        return (self.folder / "agent.log").read_text(errors="replace")[-4000:]

    def stop(self, how=signal.SIGTERM):
        self.agent.send_signal(how)
        return self.agent.wait(timeout=20)

    def call(self, *arguments, expect=0, timeout=60):
        """A command of `assay-agent` that calls the running one."""
        arguments = [str(a) for a in (*arguments, "--socket", f"unix://{self.sock}")]
        done = subprocess.run([self.program, *arguments], capture_output=True, timeout=timeout, cwd=self.folder, check=False)
        text = (done.stdout + done.stderr).decode(errors="replace")
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"assay-agent {' '.join(arguments)}: {done.returncode}, expected {expect}\n{text}\n{self.log()}")
        if "panicked at" in text or "panicked at" in self.log():
            raise AssertionError(f"a panic\n{text}\n{self.log()}")
        done.text = text
        return done

    def curl(self, path, *options, expect=200):
        """Status and body by the real `curl`."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", *options, f"http://127.0.0.1:{self.port}{path}"],
            capture_output=True, timeout=70, check=False,
        )
        body, _, status = done.stdout.rpartition(b"\n")
        if int(status or 0) != expect:
            raise AssertionError(f"{path}: {status} {body[:400]!r} {done.stderr!r}, expected {expect}\n{self.log()}")
        return body

    def evidence(self, data, file="evidence.json"):
        file = self.folder / file
        file.write_bytes(self.call("get-evidence", "-r", base64.b64encode(data).decode()).stdout)
        return file


def with_server(t, w):
    """The server with the secret, whose own cases may have stopped it."""
    if w.server is None:
        w.start()


def register(t):
    """Adds the cases."""
    case, check = t.case, t.check

    @case("the server of before starts again, for the agent's cases", needs=["stored"])
    def agent_server(w):
        with_server(t, w)
        w.mint()

    def kbs(w):
        return f'kbs = "{w.url}"'

    def verified(w, guest, data, *more):
        return w.verify(
            guest.evidence(data), "--anchors", w.roots, "--report-data", data.hex(), "--init-data", guest.init_data, *more, tee=guest.tee, expect=t.ACCEPTED,
        )

    def collateral(w, guest):
        file = guest.folder / "collateral.json"
        w.run("emulate", "collateral", "--tee", "tdx", "--seed", guest.seed, "--out", file, expect=0)
        return ("--collateral", file)

    def endorsements(w, guest):
        anchor, realm = guest.folder / "anchor.json", guest.folder / "realm.json"
        for kind, file in (("trust-anchor", anchor), ("realm", realm)):
            w.run("emulate", "endorsements", "--kind", kind, "--form", "json", "--seed", guest.seed,
                  "--init-data", guest.init_data, "--out", file, expect=0)
        return ("--collateral", anchor, "--endorsements", realm)

    @case("the agent starts without a key broker, answers, and ends on SIGTERM with its socket gone", needs=["roots"])
    def agent_alone(w):
        with Guest(t, w, "alone", "snp", t.SEED).start() as g:
            check(g.call("get-tee").stdout.strip() == b"snp", "the TEE")
            refused = g.call("get-resource", "kbs:///a/b/c", expect=1)
            check("AGT-004" in refused.text and "kbs" in refused.text, refused.text)
            check(g.sock.stat().st_mode & 0o777 == 0o600, f"mode {g.sock.stat().st_mode:o}")
            check(g.stop() == 0, f"exit code {g.agent.returncode}")
            check(not g.sock.exists(), "the socket is left behind")

    for tee in ("snp", "tdx", "cca"):
        def evidence_of(w, tee=tee):
            with Guest(t, w, f"evidence-{tee}", tee, t.SEED).start() as g:
                more = {"tdx": collateral, "cca": endorsements}.get(tee, lambda *_: ())(w, g)
                # CCA's challenge has at least 32 bytes.
                for data in (b"n" * 32, b"n" * 64) if tee == "cca" else (b"", b"n" * 32, b"n" * 64):
                    verified(w, g, data, *more)
                too_long = g.call("get-evidence", "-r", base64.b64encode(b"n" * 65).decode(), expect=1)
                check("ATT-001" in too_long.text and "64" in too_long.text, too_long.text)
                huge = g.call("get-evidence", "-r", base64.b64encode(b"n" * 90_000).decode(), expect=1)
                check("ATT-001" in huge.text, huge.text[:300])
        evidence_of.__name__ = f"agent_evidence_{tee}"
        case(f"evidence from the agent on simulated {tee} hardware verifies, and 65 bytes are refused", needs=["roots"])(evidence_of)

    @case("a second agent on the same socket, or the same event log, is refused and the first goes on", needs=["roots"])
    def agent_second(w):
        log = w.folder / "one-log"
        config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{log}"'
        with Guest(t, w, "first", "tdx", t.SEED, config).start() as g:
            second = subprocess.run([g.program, "-c", g.config], capture_output=True, timeout=30, check=False)
            check(second.returncode == 1 and b"panicked" not in second.stderr, f"{second}")
            other = g.folder / "other.toml"
            other.write_text(g.config.read_text().replace(str(g.sock), str(g.folder / "other.sock")))
            third = subprocess.run([g.program, "-c", other], capture_output=True, timeout=30, check=False)
            check(third.returncode == 1 and b"is used by another agent" in third.stderr, f"{third}")
            check(g.call("get-tee").stdout.strip() == b"tdx", "the first one does not answer")

    @case("events are measured, and after kill -9 at any moment log and register agree", needs=["roots"])
    def agent_killed(w):
        config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{w.folder / "killed-log"}"'
        with Guest(t, w, "killed-agent", "tdx", t.SEED, config) as g:
            acknowledged = 0
            for round_number in range(6):
                g.start()
                with concurrent.futures.ThreadPoolExecutor(4) as pool:
                    def extend(n, r=round_number):
                        return g.call("extend-runtime-measurement", "-d", "example.com", "-o", "Test", "-c", f"{r}-{n}", expect=None).returncode == 0
                    running = [pool.submit(extend, n) for n in range(12)]
                    time.sleep(0.05 + 0.04 * round_number)
                    g.agent.kill()
                    g.agent.wait()
                    acknowledged += sum(f.result() for f in running)
            g.start()
            g.call("extend-runtime-measurement", "-d", "example.com", "-o", "Test", "-c", "the last one")
            claims = verified(w, g, b"after", *collateral(w, g))["claims"]
            text = json.dumps(claims)
            check("the last one" in text, "the last event is not in the claims")
            entries = [i for i in range(6 * 12) if f"{i // 12}-{i % 12}\"" in text]
            check(len(entries) >= acknowledged, f"{acknowledged} acknowledged, {len(entries)} in the log")

    @case("with the event log turned off, the events of before still go with the evidence", needs=["roots"])
    def agent_log_off(w):
        config = f'[eventlog_config]\nenable_eventlog = true\ndirectory = "{w.folder / "off-log"}"'
        with Guest(t, w, "log-off", "tdx", t.SEED, config).start() as g:
            g.call("extend-runtime-measurement", "-d", "example.com", "-o", "Start", "-c", "measured before")
            check(g.stop() == 0, "the end")
            g.config.write_text(g.config.read_text().replace("enable_eventlog = true", "enable_eventlog = false"))
            g.start()
            claims = verified(w, g, b"n" * 32, *collateral(w, g))["claims"]
            check("measured before" in json.dumps(claims), "the event is not in the claims")
            off = g.call("extend-runtime-measurement", "-d", "example.com", "-o", "Start", "-c", "x", expect=1)
            check("turned off" in off.text, off.text)

    @case("an attested guest reads its secret by ttRPC and REST; a denial comes with its reason", needs=["agent_server"])
    def agent_secret(w):
        rest = 'allow = ["resource"]\nresources = ["default/key"]'
        with Guest(t, w, "secret", "snp", t.SEED, kbs(w), rest).start() as g:
            check(g.call("get-resource", f"kbs:///{t.RESOURCE}").stdout == t.SECRET, "another secret by ttRPC")
            check(g.curl(f"/cdh/resource/{t.RESOURCE}") == t.SECRET, "another secret by REST")
            missing = json.loads(g.curl("/cdh/resource/default/key/nothing", expect=404))
            check(missing["code"] == "CLI-002", f"{missing}")
            refused = json.loads(g.curl("/cdh/resource/other/key/1", expect=403))
            check(refused["code"] == "AGT-002" and "resources" in refused["detail"], f"{refused}")
            check(json.loads(g.curl("/aa/token?token_type=kbs", expect=refusal_status(g)))["status"] >= 403, "a token by REST")
            g.curl("/cdh/resource/default/key/1", "-X", "POST", expect=405)
            g.curl("/nothing", expect=404)
            check(json.loads(g.curl("/info"))["tee"] == "snp", "info")
            check(b"assay_agent_requests_total" in g.curl("/metrics"), "metrics")
            g.curl("/readyz")
        with Guest(t, w, "denied", "snp", t.SEED, kbs(w), rest, ("--set", f"measurement={t.OTHER_MEASUREMENT}")).start() as g:
            denied = g.call("get-resource", f"kbs:///{t.RESOURCE}", expect=1)
            check("CLI-001" in denied.text, denied.text)
            told = json.loads(g.curl(f"/cdh/resource/{t.RESOURCE}", expect=403))
            check(any(f["outcome"] == "failed" and f["expected"] for f in told["findings"]), f"no findings: {told}")

    def refusal_status(g):
        """What a listener that is for resources alone answers to `/aa`: no such path, or not allowed."""
        return 404 if b"resource" in g.curl("/info") and b'"all"' not in g.curl("/info") else 403

    @case("the agent of a simulated CCA realm reads its secret from a server with the signed endorsements", needs=["agent_server"])
    def agent_cca_secret(w):
        c = w.another("agent-cca")
        signer = c.folder / "signer.pem"
        w.run("emulate", "corim-signer", "--seed", t.SEED, "--out", signer, expect=0)
        c.start("--corim-signer", signer, trust_emulator=False)
        try:
            c.mint()
            with Guest(t, w, "cca-secret", "cca", t.SEED, kbs(c)) as g:
                for kind in ("trust-anchor", "platform", "realm"):
                    file = c.emulate(f"{kind}.corim", "--form", "signed-corim", "--init-data", g.init_data, kind=kind)
                    w.run("endorsement", "submit", file, *c.server_args(), expect=0)
                c.admin("POST", f"/kbs/v0/resource/{t.RESOURCE}", t.SECRET, headers={"Content-Type": "application/octet-stream"})
                g.start()
                check(g.call("get-resource", f"kbs:///{t.RESOURCE}").stdout == t.SECRET, "another secret")
        finally:
            c.stop(signal.SIGTERM)

    def auth_requests(w):
        text = w.http("GET", "/metrics")[2].decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("kbs_auth_requests_total"))

    @case("ten token calls at once cause one attestation; the token is kept, with no key beside it", needs=["agent_server"])
    def agent_tokens(w):
        with Guest(t, w, "tokens", "snp", t.SEED, kbs(w)).start() as g:
            before = auth_requests(w)
            with concurrent.futures.ThreadPoolExecutor(10) as pool:
                answers = list(pool.map(lambda _: json.loads(g.call("get-token", "-t", "kbs").stdout), range(10)))
            check(auth_requests(w) - before == 1, f"{auth_requests(w) - before} handshakes")
            check(len({a["token"] for a in answers}) == 1, "not one token")
            check(all("tee_keypair" not in a for a in answers), "the key was handed out")
            again = json.loads(g.call("get-token", "-t", "kbs").stdout)
            check(again == answers[0] and auth_requests(w) - before == 1, "the token was not kept")
            check("AGT-003" in g.call("get-token", "-t", "nonsense", expect=1).text, "an unknown kind of token")

    @case("an event that was measured is in the next token; a token from before is not given again", needs=["agent_server"])
    def agent_fresh(w):
        config = f'{kbs(w)}\n[eventlog_config]\nenable_eventlog = true\ndirectory = "{w.folder / "fresh-log"}"'
        with t.pcs_double(w) as (base, _):
            other = w.another("fresh")
            other.roots = w.roots
            (other.folder / "server.toml").write_text(f'[collateral]\nintel_url = "{base}"\n')
            other.start("--config", other.folder / "server.toml")
            try:
                with Guest(t, w, "fresh", "tdx", t.SEED, config.replace(w.url, other.url)).start() as g:
                    token = lambda: t.claims_of(json.loads(g.call("get-token", "-t", "kbs").stdout)["token"])
                    first = token()
                    check(token()["jti"] == first["jti"], "not kept")
                    g.call("extend-runtime-measurement", "-d", "example.com", "-o", "Start", "-c", "something new")
                    second = token()
                    check(second["jti"] != first["jti"] and "something new" in json.dumps(second), "the event is not in the token")
                    # A restart of the agent changes nothing: log and register go on.
                    check(g.stop() == 0, "the end")
                    g.start()
                    check("something new" in json.dumps(token()), "the event is not in the token after a restart")
            finally:
                other.stop(signal.SIGTERM)

    @case("the doctor attests by the running agent, and by itself where none runs", needs=["agent_server"])
    def agent_doctor_attests(w):
        with Guest(t, w, "doctor-attests", "snp", t.SEED, kbs(w)) as g:
            for running in (False, True):
                if running:
                    g.start()
                done = subprocess.run([g.program, "-c", g.config, "doctor", "--attest"], capture_output=True, timeout=60, check=False)
                said = (done.stdout + done.stderr).decode()
                check(done.returncode == 0 and "accepted" in said and ("running agent" in said) is running, said)

    @case("with the dangerous option the key goes with the token, in the form that older hubs read", needs=["agent_server"])
    def agent_key(w):
        config = f'[token_configs.kbs]\nurl = "{w.url}"\ngive_tee_key_danger = true'
        with Guest(t, w, "key", "snp", t.SEED, config).start() as g:
            answer = json.loads(g.call("get-token", "-t", "kbs").stdout)
            check(answer["tee_keypair"].startswith("-----BEGIN PRIVATE KEY-----"), "no PKCS#8 in PEM")
            check("PRIVATE" not in g.log(), "the key is in the log")

    @case("a token that has ended is replaced before use, by a guest whose key broker was away", needs=["roots"])
    def agent_expiry(w):
        other = w.another("short-tokens")
        other.roots = w.roots
        (other.folder / "server.toml").write_text("[token]\nlifetime_seconds = 10\n")
        other.start("--config", other.folder / "server.toml")
        try:
            with Guest(t, other, "expiry", "snp", t.SEED, kbs(other)).start() as g:
                token = lambda: t.claims_of(json.loads(g.call("get-token", "-t", "kbs").stdout)["token"])
                first = token()
                check(token()["jti"] == first["jti"], "not kept")
                other.stop(signal.SIGKILL)
                check("CLI-004" in g.call("get-resource", "kbs:///a/b/c", expect=1, timeout=90).text, "no word of the key broker that is away")
                other.start("--config", other.folder / "server.toml")
                time.sleep(11)
                second = token()
                check(second["jti"] != first["jti"] and second["exp"] > time.time(), f"{second}")
        finally:
            if other.server:
                other.stop(signal.SIGTERM)

    @case("secrets are written into files: on tmpfs alone, mode 0600, and a full one leaves no half of them", needs=["agent_server"])
    def agent_files(w):
        memory = SHM / f"assay-system-test-{os.getpid()}"
        config = f'{kbs(w)}\n[[files]]\npath = "{memory}/key"\nresource = "kbs:///{t.RESOURCE}"\n' \
                 f'[[files]]\npath = "{w.folder}/on-disk"\nresource = "kbs:///{t.RESOURCE}"'
        try:
            with Guest(t, w, "files", "snp", t.SEED, config, 'allow = ["resource"]\nresources = []').start() as g:
                deadline = time.monotonic() + 20
                while not (memory / "key").exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                check((memory / "key").read_bytes() == t.SECRET, "another secret in the file")
                check((memory / "key").stat().st_mode & 0o777 == 0o600, "the mode of the file")
                check(not (w.folder / "on-disk").exists(), "a secret on a disk")
                ready = g.curl("/readyz", expect=503).decode()
                check("on-disk" in ready and "tmpfs" in ready, ready)
        finally:
            shutil.rmtree(memory, ignore_errors=True)

    @case("sealed secrets are opened after their signature was verified, and not otherwise", needs=["agent_server"])
    def agent_sealed(w):
        with Guest(t, w, "sealed", "snp", t.SEED, kbs(w)).start() as g:
            key, public = g.folder / "key.jwk", g.folder / "public.jwk"
            kid = "kbs:///default/signing-key/owner"
            w.run("sealed-secret", "keygen", "--kid", kid, "--out-private", key, "--out-public", public, expect=0)
            check(key.stat().st_mode & 0o777 == 0o600, "the mode of the private key")
            w.run("resource", "set", "default/signing-key/owner", public, *w.server_args(), expect=0)
            sealed = g.folder / "sealed"
            sealed.write_bytes(w.run("sealed-secret", "seal", "vault", "--signing-key", key, "--kid", kid,
                                     "--resource", f"kbs:///{t.RESOURCE}", expect=0).stdout)
            check(g.call("unseal", sealed).stdout == t.SECRET, "another secret")
            parts = sealed.read_text().strip().split(".")
            payload = bytearray(base64.urlsafe_b64decode(parts[2] + "=" * (-len(parts[2]) % 4)))
            payload[payload.index(b"key/system")] ^= 1
            forged = g.folder / "forged"
            forged.write_text(".".join((parts[0], parts[1], t.b64url(bytes(payload)), parts[3])))
            told = g.call("unseal", forged, expect=1)
            check("SEA-" in told.text and t.SECRET not in told.stdout, told.text)

    @case("the doctor says what was looked for, on a machine with a TEE and on one without", needs=["roots"])
    def agent_doctor(w):
        with Guest(t, w, "doctor", "tdx", t.SEED) as g:
            done = subprocess.run([g.program, "-c", g.config, "doctor"], capture_output=True, timeout=30, check=False)
            said = (done.stdout + done.stderr).decode()
            check(done.returncode == 0 and "tdx: here" in said and "MRCONFIGID" in said, said)
        bare = w.folder / "bare.toml"
        bare.write_text(f'[device]\nroot = "{w.folder / "no-such-root"}"\n')
        done = subprocess.run([g.program, "-c", bare, "doctor"], capture_output=True, timeout=30, check=False)
        said = (done.stdout + done.stderr).decode()
        check(done.returncode == 1 and "snp: not here" in said and "missing" in said, said)
        done = subprocess.run([g.program, "-c", bare], capture_output=True, timeout=30, check=False)
        check(done.returncode == 1 and b"no TEE was found" in done.stderr and b"sev" in done.stderr, f"{done}")

    @case("config check finds what would keep the agent from starting", needs=["roots"])
    def agent_config(w):
        program = str(pathlib.Path(w.assay).with_name("assay-agent"))
        file = w.folder / "check.toml"
        for text, word in (
            ('kbs = "http://kbs.example:8080"', "plain_http_danger"),
            ('no_such_key = 1', "no_such_key"),
            ('[[listener]]\naddress = "127.0.0.1:8006"\nprotocol = "rest"', "resources"),
        ):
            file.write_text(text + "\n")
            done = subprocess.run([program, "-c", file, "config", "check"], capture_output=True, timeout=20, check=False)
            check(done.returncode == 1 and word in done.stderr.decode(), f"{text}: {done}")
        example = subprocess.run([program, "config", "example"], capture_output=True, timeout=20, check=True)
        file.write_bytes(example.stdout)
        subprocess.run([program, "-c", file, "config", "check"], timeout=20, check=True, stdout=subprocess.DEVNULL)

    @case("init data other than those of the launch end the agent at start, saying both values", needs=["roots"])
    def agent_init_data(w):
        with Guest(t, w, "init-data", "snp", t.SEED) as g:
            g.init_data.write_text(INIT_DATA.replace("tenant A", "tenant B"))
            done = subprocess.run([g.program, "-c", g.config], capture_output=True, timeout=30, check=False)
            found = hashlib.sha256(INIT_DATA.encode()).hexdigest().encode()
            check(done.returncode == 1 and b"HOSTDATA" in done.stderr and found in done.stderr, f"{done}")

    @case("demo of the agent: the secret by background check, a passport, three refusals")
    def demo_agent(w):
        done = w.run("demo", "--mode", "agent", "--json", expect=(0, 1), timeout=180)
        if done.returncode and "fuse" in done.text.lower():
            raise t.Skip("no FUSE here")
        check(done.returncode == 0, done.text)
        story = json.loads(done.stdout)
        check(story["released"]["secret"], "nothing was released")
        check(story["passport"]["eat_profile"], "no passport")
        check([one["status"] for one in story["refused"]] == [403, 403, 403], f"{story['refused']}")
        check("APR-TDX-001" in [f["code"] for f in story["refused"][2]["findings"]], f"{story['refused'][2]}")

    @case("the agent holds no verifier and no vendor's root")
    def agent_small(w):
        program = pathlib.Path(w.assay).with_name("assay-agent").read_bytes()
        for text in (b"INTEL-023", b"SNP-007", b"Intel SGX Root CA", b"ARK-Milan"):
            check(text not in program, f"{text} is in the agent")
