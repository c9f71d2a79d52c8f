"""The system test's cases for secrets that are kept elsewhere: real servers on a double of Vault and on SoftHSM.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

ALLOW_ALL = "package policy\nimport rego.v1\ndefault allow := true\n"
TOKEN, ROLE_ID, SECRET_ID, JWT = "hvs.system-test", "role-of-the-test", "secret-id-of-the-test", "jwt.of.the.test"
PIN, LABEL = "16 18 03", "assay system test"
MODULES = [
    "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
]


class Vault:
    """A double of Vault in a process of its own."""

    def __init__(self, t, w, *more):
        self.process = subprocess.Popen(
            [w.assay, "--json", "emulate", "vault", "--token", TOKEN, "--role-id", ROLE_ID, "--secret-id", SECRET_ID,
             "--kubernetes-role", "assay", "--kubernetes-jwt", JWT, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=w.folder,
        )
        w.started.append(self.process)
        line = self.process.stdout.readline()
        t.check(line, "the double of Vault ended")
        self.address = "http://" + json.loads(line)["listening"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=15)

    def ask(self, method, path, body=None, token=TOKEN):
        """Status and JSON of one request to the API, or to /control."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.address}/{path}", data=data, method=method)
        request.add_header("X-Vault-Token", token)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def behave(self, **change):
        status, answer = self.ask("POST", "control", change)
        assert status == 200, answer

    def requests(self, what):
        return self.ask("GET", "control")[1]["requests"].get(what, 0)


def register(t):
    """Adds the cases."""

    def in_the_end(s, expected, code=""):
        """Dependencies are asked once a second at the most; until then readiness is what it was."""
        deadline = time.monotonic() + 20
        while True:
            status, _, answer = s.http("GET", "/readyz")
            if status == expected and code in answer.decode():
                return
            t.check(time.monotonic() < deadline, f"readiness is {status}, expected {expected} {code}: {answer!r}\n{s.log()}")
            time.sleep(0.1)

    case, check = t.case, t.check

    @contextlib.contextmanager
    def server(w, name, config, environment=None, ready=True):
        """A server with this configuration, where whoever attests gets every resource."""
        s = w.others.get(name) or w.another(name)
        s.roots = w.roots
        for file, text in (("token", TOKEN), ("secret-id", SECRET_ID), ("jwt", JWT), ("pin", PIN)):
            if not (s.folder / file).exists():
                (s.folder / file).write_text(text + "\n")
        file = s.folder / "assay.toml"
        file.write_text(config.replace("$", str(s.folder)))
        s.run("config", "check", "--config", file, expect=0)
        s.start("--config", file, environment=environment)
        try:
            s.mint()
            if ready:
                s.admin("POST", "/kbs/v0/resource-policy", {"policy": t.b64url(ALLOW_ALL.encode())})
            yield s
        finally:
            if s.server:
                s.stop(signal.SIGTERM)
        whole = (s.folder / "server.log").read_text(errors="replace")
        for secret in (t.SECRET.decode(errors="replace"), base64.b64encode(t.SECRET).decode(), TOKEN, SECRET_ID, JWT, PIN):
            check(secret not in whole, "a secret or credential is in the log")
        check("panicked at" not in whole, f"a panic\n{s.log()}")

    AUTH = {
        "token": 'auth = "token"\ntoken_file = "$/token"\n',
        "approle": f'auth = "approle"\nrole_id = "{ROLE_ID}"\nsecret_id_file = "$/secret-id"\n',
        "kubernetes": 'auth = "kubernetes"\nkubernetes_role = "assay"\nkubernetes_token_file = "$/jwt"\n',
    }

    def vault_config(vault, auth, kv, more="", backend='backend = "vault"'):
        mount = "kv1" if kv == 1 else "secret"
        return (
            f'[vault]\naddress = "{vault.address}"\n{AUTH[auth]}{more}\n'
            f'[resources]\n{backend}\nvault_mount = "{mount}"\nvault_kv_version = {kv}\n'
        )

    def store(s, path, value=None, expect=200):
        status, headers, body = s.http(
            "POST", f"/kbs/v0/resource/{path}", t.SECRET if value is None else value,
            {"Content-Type": "application/octet-stream"}, token=s.token,
        )
        check(status == expect, f"storing {path}: {status} {body!r}, expected {expect}\n{s.log()}")
        return headers, body

    def gets(s, path, value=None):
        got = s.attest(get=path, expect=0).stdout
        value = t.SECRET if value is None else value
        check(got.rstrip(b"\n") == value or got == value, f"the guest got {got!r}")

    @case("emulate vault answers like Vault, fails on command, and stops when told")
    def emulate_vault(w):
        w.run("emulate", "vault", "--listen", "0.0.0.0:0", expect=t.OUR_FAULT)
        with Vault(t, w) as vault:
            check(vault.ask("GET", "v1/sys/health")[0] == 200, "health")
            check(vault.ask("GET", "v1/secret/data/a", token="hvs.other")[0] == 403, "another token")
            check(vault.ask("POST", "v1/secret/data/a", {"data": {"data": "eA=="}})[1]["data"]["version"] == 1, "written")
            vault.behave(sealed=True)
            check(vault.ask("GET", "v1/secret/data/a") == (503, {"errors": ["Vault is sealed"]}), "sealed")
            check(vault.ask("POST", "control", {"seeled": True})[0] == 400, "nonsense")
            check(vault.stop() == 0, "the exit code")

    for auth, kv in (("token", 2), ("approle", 1), ("kubernetes", 2)):
        def in_vault(w, auth=auth, kv=kv):
            with Vault(t, w, "--lease-seconds", "4") as vault, \
                    server(w, f"vault-{auth}", vault_config(vault, auth, kv)) as s:
                place = "v1/kv1/default/key/1" if kv == 1 else "v1/secret/data/default/key/1"
                headers, _ = store(s, "default/key/1", b"first")
                check(headers.get("ETag") == (None if kv == 1 else '"1"'), f"ETag {headers.get('ETag')}")
                store(s, "default/key/1")
                status, answer = vault.ask("GET", place)
                data = answer["data"] if kv == 1 else answer["data"]["data"]
                check(status == 200 and data == {"data": base64.b64encode(t.SECRET).decode()}, f"in Vault: {answer}")
                gets(s, "default/key/1")
                check([r["path"] for r in json.loads(s.admin("GET", "/kbs/v0/resources?prefix=default/"))] == ["default/key/1"], "listed")
                # Not in the own store.
                check(t.SECRET not in b"".join(p.read_bytes() for p in s.data.iterdir() if p.is_file()), "in the own store")
                if auth != "token":
                    # Every token is gone: the next call logs in again.
                    vault.behave(expire_tokens=True)
                    gets(s, "default/key/1")
                s.admin("DELETE", "/kbs/v0/resource/default/key/1")
                check(vault.ask("GET", place)[0] == 404, "still in Vault")
                gone = s.attest(get="default/key/1")
                check(gone.returncode != 0 and "KBS-018" in gone.text, gone.text)
        in_vault.__name__ = f"vault_{auth}"
        case(f"secrets are kept in Vault (KV version {kv}, {auth}): stored, released, listed, deleted", needs=["roots"])(in_vault)

    @case("what Trustee keeps in Vault is released, by the whole path", needs=["roots"])
    def vault_trustee(w):
        with Vault(t, w) as vault, server(w, "vault-trustee", vault_config(vault, "token", 1)) as s:
            for place, value in (("a/key/1", b"of a"), ("b/key/1", b"of b")):
                vault.ask("POST", f"v1/kv1/{place}", {"data": base64.b64encode(value).decode(), "note": "by hand"})
            gets(s, "a/key/1", b"of a")
            gets(s, "b/key/1", b"of b")
            vault.ask("POST", "v1/kv1/a/key/2", {"password": "hunter2"})
            refused = s.attest(get="a/key/2")
            check(refused.returncode != 0 and "SEC-001" in refused.text and "hunter2" not in refused.text, refused.text)

    @case("a Vault that is sealed, silent, strict or broken is named, and all is well after it without a restart", needs=["roots"])
    def vault_failures(w):
        with Vault(t, w) as vault, \
                server(w, "vault-failures", vault_config(vault, "approle", 2, "deadline_seconds = 1")) as s:
            store(s, "default/key/1")
            for change, undo, status, code, ready in (
                ({"sealed": True}, {"sealed": False}, 503, "VLT-006", 503),
                ({"delay_ms": 3000}, {"delay_ms": 0}, 504, "VLT-005", 503),
                ({"deny": ["secret/"]}, {"deny": []}, 502, "VLT-013", 200),
                ({"fail_status": 500}, {"fail_status": None}, 502, "VLT-010", None),
                ({"garbage": True}, {"garbage": False}, 502, "VLT-023", 503),
                ({"redirect": True}, {"redirect": False}, 502, "VLT-020", None),
                ({"fail_status": 413, "fail_text": "request body too large"}, {"fail_status": None}, 413, "VLT-022", None),
            ):
                vault.behave(**change)
                _, body = store(s, "default/key/1", expect=status)
                problem = t.problem(body)
                check(problem["code"] == code, f"{change}: {problem}")
                check("127.0.0.1" not in problem["detail"] and "secret/" not in problem["detail"], f"{problem}")
                if ready:
                    in_the_end(s, ready, code if ready != 200 else "")
                    check(s.http("GET", "/healthz")[0] == 200, "alive")
                vault.behave(**undo)
                gets(s, "default/key/1")
                in_the_end(s, 200)
            vault.behave(sealed=True)
            refused = s.attest(get="default/key/1")
            check(refused.returncode != 0 and "VLT-006" in refused.text and t.SECRET not in refused.stdout, refused.text)

    @case("a KV engine of another version, or none at all, is named before anything is written", needs=["roots"])
    def vault_wrong_engine(w):
        with Vault(t, w) as vault:
            for name, kv, mount, code in (("v", 1, "secret", "VLT-016"), ("w", 2, "kv1", "VLT-016"), ("x", 2, "none", "VLT-014")):
                config = vault_config(vault, "token", kv).replace('vault_mount = "kv1"', f'vault_mount = "{mount}"')
                config = config.replace('vault_mount = "secret"', f'vault_mount = "{mount}"')
                s = w.another(f"vault-wrong-{name}")
                s.roots = w.roots
                (s.folder / "token").write_text(TOKEN)
                (s.folder / "assay.toml").write_text(config.replace("$", str(s.folder)))
                s.start("--config", s.folder / "assay.toml", ready=503)
                s.mint()
                _, body = store(s, "default/key/1", expect=502)
                check(t.problem(body)["code"] == code, f"{body}")
                check(s.stop(signal.SIGTERM) == 0, "the exit code")
            check(vault.ask("GET", "v1/kv1/data?list=true")[0] == 404, "something was written")

    @case("repositories are kept where the settings say: one in Vault, the others in the own store", needs=["roots"])
    def by_repository(w):
        with Vault(t, w) as vault:
            config = vault_config(vault, "approle", 2, backend='by_repository = { Team-A = "vault" }')
            with server(w, "by-repository", config) as s:
                store(s, "Team-A/key/1", b"in vault")
                headers, _ = store(s, "default/key/1", b"here")
                check(headers["ETag"] == '"1"', "the own store's version")
                gets(s, "Team-A/key/1", b"in vault")
                check(vault.ask("GET", "v1/secret/data/Team-A/key/1")[0] == 200, "not in Vault")
                check(vault.ask("GET", "v1/secret/data/default/key/1")[0] == 404, "in Vault")
                listed = json.loads(s.admin("GET", "/kbs/v0/resources"))
                check([r["path"] for r in listed] == ["Team-A/key/1", "default/key/1"], f"{listed}")
                vault.behave(sealed=True)
                gets(s, "default/key/1", b"here")
                in_the_end(s, 503)

    @case("settings that lack what a back end needs are refused by name")
    def backend_settings(w):
        file = w.folder / "backends.toml"
        for text, part in (
            ('[resources]\nbackend = "vault"', "vault.address"),
            ('[vault]\naddress = "https://v.example"', "vault.token_file"),
            ('[vault]\naddress = "https://v.example"\ntoken = "x"', "token"),
            ('[resources]\nbackend = "pkcs11"', "resources.pkcs11_module"),
        ):
            file.write_text(text)
            refused = w.run("config", "check", "--config", file, expect=(t.OUR_FAULT, t.REJECTED, t.MALFORMED))
            check(part in refused.text, refused.text)
        (w.folder / "backend-token").write_text(TOKEN)
        file.write_text(f'[vault]\naddress = "http://10.0.0.1:8200"\ntoken_file = "{w.folder}/backend-token"\n')
        refused = w.run("serve", "--config", file, "--data-dir", w.folder / "backend-data", "--http", "--listen", "127.0.0.1:0", expect=t.OUR_FAULT)
        check("plain http" in refused.text and TOKEN not in refused.text, refused.text)

    def softhsm(w):
        """A new token: the module, and the environment that names it."""
        module = next((m for m in MODULES if os.path.exists(m)), None)
        if not module or not shutil.which("softhsm2-util"):
            raise t.Skip("no SoftHSM here (Debian: softhsm2)")
        folder = w.folder / "softhsm"
        environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
        if not folder.exists():
            (folder / "tokens").mkdir(parents=True)
            (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
            done = subprocess.run(
                ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "so of the test"],
                env={**os.environ, **environment}, capture_output=True, check=False,
            )
            check(done.returncode == 0, f"softhsm2-util: {done.stderr!r}")
        return module, environment

    def hsm_config(module):
        return (
            f'[resources]\nbackend = "pkcs11"\npkcs11_module = "{module}"\npkcs11_token_label = "{LABEL}"\n'
            'pkcs11_pin_file = "$/pin"\n'
        )

    @case("secrets are kept on a PKCS#11 token, and are there after kill -9", needs=["roots"])
    def pkcs11(w):
        module, environment = softhsm(w)
        with server(w, "pkcs11", hsm_config(module), environment) as s:
            for version, value in (("1", b"first"), ("2", t.SECRET)):
                headers, _ = store(s, "default/key/1", value)
                check(headers["ETag"] == f'"{version}"', f"{headers['ETag']}")
            gets(s, "default/key/1")
            s.stop(signal.SIGKILL)
        with server(w, "pkcs11", hsm_config(module), environment) as s:
            gets(s, "default/key/1")
            check([r["path"] for r in json.loads(s.admin("GET", "/kbs/v0/resources"))] == ["default/key/1"], "listed")
            if shutil.which("pkcs11-tool"):
                seen = subprocess.run(
                    ["pkcs11-tool", "--module", module, "--token-label", LABEL, "--login", "--pin", PIN, "--list-objects"],
                    env={**os.environ, **environment}, capture_output=True, check=False,
                ).stdout.decode(errors="replace")
                check("default/key/1" in seen and "assay:2" in seen, f"what pkcs11-tool sees: {seen}")
            s.admin("DELETE", "/kbs/v0/resource/default/key/1")
            gone = s.attest(get="default/key/1")
            check(gone.returncode != 0 and "KBS-018" in gone.text, gone.text)

    @case("a token that does not take the PIN makes the server not ready, and the right PIN ready without a restart", needs=["pkcs11"])
    def pkcs11_pin(w):
        module, environment = softhsm(w)
        s = w.another("pkcs11-pin")
        s.roots = w.roots
        (s.folder / "pin").write_text("wrong pin")
        (s.folder / "assay.toml").write_text(hsm_config(module).replace("$", str(s.folder)))
        s.start("--config", s.folder / "assay.toml", environment=environment, ready=503)
        s.mint()
        for _ in range(12):
            _, body = store(s, "default/key/1", expect=502)
            check(t.problem(body)["code"] == "HSM-005", f"{body!r}")
        (s.folder / "pin").write_text(PIN)
        store(s, "default/key/1")
        in_the_end(s, 200)
        log = (s.folder / "server.log").read_text()
        check("wrong pin" not in log and PIN not in log, "a PIN is in the log")
        check(s.stop(signal.SIGTERM) == 0, "the exit code")
