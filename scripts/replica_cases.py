"""The system test's cases for several replicas on one PostgreSQL database.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

import test_postgres

GUESTS = 2000
ALLOW_AFFIRMING = "package policy\nimport rego.v1\ndefault allow := false\nallow if input.submods.cpu0[\"ear.status\"] == \"affirming\"\n"
DENY = "package policy\nimport rego.v1\ndefault allow := false\n"


class Balancer:
    """Gives each connection to the next replica that takes it, on a port of its own."""

    def __init__(self, ports):
        self.ports, self.turn = ports, itertools.count()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(256)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        first = next(self.turn)
        for offset in range(len(self.ports)):
            try:
                server = socket.create_connection(("127.0.0.1", self.ports[(first + offset) % len(self.ports)]), 5)
            except OSError:
                continue
            threading.Thread(target=self.copy, args=(client, server), daemon=True).start()
            self.copy(server, client)
            return
        client.close()

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (target, source):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            source.close()

    def close(self):
        self.socket.close()


class Replicas:
    """A database server, replicas on it, and a balancer before them."""

    def __init__(self, t, w, name, count=3, more=""):
        self.t, self.w = t, w
        self.folder = w.folder / name
        self.folder.mkdir()
        self.cluster = test_postgres.Cluster().start()
        self.database = name.replace("-", "_")
        self.url = self.cluster.create(self.database)
        self.key = self.folder / "key"
        self.key.write_bytes(os.urandom(32))
        self.key.chmod(0o600)
        self.ports = [t.free_port() for _ in range(count)]
        self.processes = [None] * count
        self.configs = [self.config(i, more) for i in range(count)]
        self.balancer = Balancer(self.ports)
        self.token = None

    def config(self, i, more):
        file = self.folder / f"replica-{i}.toml"
        file.write_text(
            f'[server]\nlisten = "127.0.0.1:{self.ports[i]}"\nhttp = true\ndata_dir = "{self.folder}/data-{i}"\n'
            f'[store]\nurl = "{self.url}"\npassword_file = "{self.cluster.password_file}"\n'
            f'[key_encryption]\nfile = "{self.key}"\n'
            "[limits]\nattestations_per_minute = 0\n"
            f'[danger]\ntrust_emulator = "{self.w.roots}"\n{more}')
        return file

    def start(self, i):
        log = open(self.folder / f"replica-{i}.log", "ab")
        self.processes[i] = subprocess.Popen(
            [self.w.assay, "serve", "--config", self.configs[i]], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=self.folder)
        log.close()
        self.w.started.append(self.processes[i])

    def start_all(self):
        for i in range(len(self.ports)):
            self.start(i)
        for i in range(len(self.ports)):
            self.wait(i)

    def wait(self, i, timeout=40):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.t.check(self.processes[i].poll() is None, f"replica {i} ended\n{self.log(i)}")
            with contextlib.suppress(OSError):
                if self.http("GET", "/readyz", at=i)[0] == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"replica {i} is not ready after {timeout} s\n{self.log(i)}")

    def log(self, i, lines=15):
        with contextlib.suppress(OSError):
            return "\n".join((self.folder / f"replica-{i}.log").read_text(errors="replace").splitlines()[-lines:])
        return ""

    def kill(self, i):
        self.processes[i].kill()
        self.processes[i].wait()

    def http(self, method, path, body=None, at=None, token=None, timeout=20):
        """One request, to the replica `at` or to whichever has its turn."""
        port = self.balancer.port if at is None else self.ports[at]
        world = self.t.World(self.w.assay, self.folder)
        world.url = f"http://127.0.0.1:{port}"
        return world.http(method, path, body, token=token, timeout=timeout)

    def admin(self, method, path, body=None, at=None):
        if self.token is None:
            self.token = self.w.run("admin", "token", "--config", self.configs[0], "--role", "admin", "--ttl", "2h",
                                    expect=0).stdout.decode().strip()
        status, headers, answer = self.http(method, path, body, at=at, token=self.token)
        self.t.check(200 <= status < 300, f"{method} {path}: {status} {answer.decode(errors='replace')}")
        return answer

    def assay(self, *arguments, expect=0, timeout=120):
        return self.w.run(*arguments, "--config", self.configs[0], expect=expect, timeout=timeout)

    def prepare(self):
        """Reference values that make the emulated guest affirming, a policy, a resource."""
        message = self.t.reference_value_message(self.t.good_reference_values(self.w))
        self.admin("POST", "/kbs/v0/reference-value", message, at=0)
        text = self.t.base64.urlsafe_b64encode(ALLOW_AFFIRMING.encode()).decode().rstrip("=")
        self.admin("POST", "/kbs/v0/resource-policy", {"policy": text}, at=1 % len(self.ports))
        self.admin("POST", f"/kbs/v0/resource/{self.t.RESOURCE}", self.t.SECRET, at=2 % len(self.ports))
        self.secret = self.folder / "secret"
        self.secret.write_bytes(self.t.SECRET)

    def guests(self, count, clients=8, within=240):
        """Guests before the balancer, as a process; its end is an object."""
        process = subprocess.Popen(
            [self.w.assay, "--json", "emulate", "guests", "--addr", f"127.0.0.1:{self.balancer.port}",
             "--count", str(count), "--clients", str(clients), "--seed", self.t.SEED, "--get", self.t.RESOURCE,
             "--expect", self.secret, "--within-seconds", str(within)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder)
        self.w.started.append(process)
        return process

    def result(self, process, timeout=300):
        out, err = process.communicate(timeout=timeout)
        self.t.check(out, f"the guests said nothing: {err.decode(errors='replace')}")
        return json.loads(out)

    def close(self):
        self.balancer.close()
        for process in self.processes:
            if process and process.poll() is None:
                process.terminate()
        for process in self.processes:
            if process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                if process.poll() is None:
                    process.kill()
                    process.wait()
        self.cluster.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def register(t):
    check, case = t.check, t.case

    def replicas(w, name, **more):
        if test_postgres.binaries() is None:
            raise t.Skip("PostgreSQL's server is not installed")
        return Replicas(t, w, name, **more)

    @case("replicas: a change at one is in force at all within a second; one session spans them", needs=("roots", "verify_good"))
    def replicas_agree(w):
        with replicas(w, "agree") as r:
            r.start_all()
            r.prepare()
            first = r.result(r.guests(30))
            check(not first["wrong"] and first["fetched"] == 30 and first["retries"] == 0, first)
            check(first["replays_refused"] == 30 and first["races"] >= 3, first)

            def until(what, found):
                """How long it took; how busy the machine is decides that too, so it is printed, not judged."""
                begin = time.monotonic()
                while not found():
                    check(time.monotonic() - begin < 20, f"{what}: not in force after 20 s")
                    time.sleep(0.02)
                return time.monotonic() - begin

            took = {}
            policy = t.base64.urlsafe_b64encode(DENY.encode()).decode().rstrip("=")
            r.admin("POST", "/kbs/v0/resource-policy", {"policy": policy, "policy_id": "other"}, at=0)
            for at in (1, 2):
                took[f"policy at {at}"] = until("policy", lambda: r.http(
                    "GET", "/kbs/v0/resource-policy/other", at=at, token=r.token)[0] == 200)
            message = t.reference_value_message({"another": [1]})
            r.admin("POST", "/kbs/v0/reference-value", message, at=1)
            for at in (0, 2):
                took[f"reference value at {at}"] = until("reference value", lambda: r.http(
                    "GET", "/kbs/v0/reference-value/another", at=at, token=r.token)[0] == 200)
            keys = lambda at: len(json.loads(r.http("GET", "/.well-known/jwks.json", at=at)[2])["keys"])
            before = keys(0)
            r.assay("key", "rotate", "token-signing")
            for at in (0, 1, 2):
                took[f"key at {at}"] = until("signing key", lambda: keys(at) == before + 1)
            print("        in force elsewhere after: " + ", ".join(f"{what} {1000 * s:.0f} ms" for what, s in took.items()))

    @case("replicas: 2000 guests while replicas are killed and the database is restarted: nothing wrong, nothing lost",
          needs=("replicas_agree",))
    def replicas_chaos(w):
        with replicas(w, "chaos") as r:
            r.start_all()
            r.prepare()
            guests = r.guests(GUESTS, within=280)
            done = threading.Event()
            acknowledged, kills = {}, [0]

            def write():
                """Writes of an administrator; what was acknowledged is noted."""
                for n in itertools.count():
                    if done.is_set():
                        return
                    path = f"chaos/w/{n % 40}"
                    with contextlib.suppress(OSError, AssertionError):
                        status, headers, _ = r.http("POST", f"/kbs/v0/resource/{path}", str(n).encode(), token=r.token,
                                                    timeout=10)
                        if status == 200:
                            acknowledged[path] = max(acknowledged.get(path, 0), int(headers["ETag"].strip('"')))
                    time.sleep(0.05)

            def chaos():
                """One replica at a time is killed and started again; once the database is, as in a crash."""
                dice = random.Random(6)
                for n in itertools.count(1):
                    if done.wait(dice.uniform(0.5, 1.5)):
                        return
                    if n == 6:
                        r.cluster.restart("immediate", pause=0.5)
                        continue
                    victim = dice.randrange(3)
                    r.kill(victim)
                    kills[0] += 1
                    time.sleep(dice.uniform(0.1, 0.6))
                    r.start(victim)

            with concurrent.futures.ThreadPoolExecutor() as pool:
                threads = [pool.submit(write), pool.submit(chaos)]
                try:
                    result = r.result(guests)
                finally:
                    done.set()
                for thread in threads:
                    thread.result()
            check(not result["wrong"], result["wrong"][:5])
            check(result["fetched"] == GUESTS, result)
            check(kills[0] >= 5, f"only {kills[0]} replicas were killed")
            check(result["races"] > 0 and result["replays_refused"] > 0, result)
            print(f"        {GUESTS} guests in {result['seconds']:.0f} s, {kills[0]} kills, {result['retries']} tries anew, "
                  f"{result['races']} races, {sum(acknowledged.values())} writes acknowledged")

            for i in range(3):
                if r.processes[i].poll() is not None:
                    r.start(i)
                r.wait(i)
            listed = {entry["path"]: entry["version"] for entry in json.loads(r.admin("GET", "/kbs/v0/resources?prefix=chaos/"))}
            lost = {path: (version, listed.get(path)) for path, version in acknowledged.items()
                    if listed.get(path, 0) < version}
            check(not lost, f"acknowledged writes were lost: {lost}")
            r.assay("store", "check")
            r.assay("audit", "verify")
            (row,) = r.cluster.sql(r.database, "SELECT COUNT(*), COUNT(DISTINCT jti) FROM attestations")
            check(row[0] == row[1], f"tokens: {row}")

    @case("replicas: every key is exchanged under load and no request fails", needs=("replicas_agree",))
    def replicas_rotate(w):
        with replicas(w, "rotate") as r:
            r.start_all()
            r.prepare()
            stop = threading.Event()
            rounds = []

            def load():
                while not stop.is_set():
                    rounds.append(r.result(r.guests(120, clients=4)))

            with concurrent.futures.ThreadPoolExecutor() as pool:
                loading = pool.submit(load)
                try:
                    for purpose in ("token-signing", "session-sealing", "admin"):
                        r.assay("key", "rotate", purpose)
                    new = r.folder / "new-key"
                    rotated = json.loads(r.assay("--json", "key", "rotate", "key-encryption", "--new-key-file",
                                                 new).stdout)
                    # New keys sign some seconds after they are published.
                    time.sleep(7)
                    # One replica starts again with the old key, one with the new one.
                    check(r.http("GET", "/kbs/v0/resources", at=0, token=r.token)[0] == 200, "the old admin token")
                finally:
                    stop.set()
                loading.result()
            check(len(rounds) >= 2, f"only {len(rounds)} rounds of guests")
            failed = [one for one in rounds if one["wrong"] or one["retries"] or one["fetched"] != one["guests"]]
            check(not failed, failed[:2])
            check(rotated["resealed"]["resources"] >= 1 and rotated["resealed"]["keys"] >= 3, rotated)
            signing = json.loads(r.assay("--json", "key", "list").stdout)
            check(len([k for k in signing["keys"] if k["purpose"] == "token-signing"]) == 2, signing)

            r.kill(1)
            r.start(1)
            r.wait(1)
            r.configs[2].write_text(r.configs[2].read_text().replace(str(r.key), str(new)))
            r.kill(2)
            r.start(2)
            r.wait(2)
            one = r.result(r.guests(30))
            check(not one["wrong"] and one["retries"] == 0, one)
            # The old key is given up: nobody starts with it any more.
            for i in (0, 1):
                r.configs[i].write_text(r.configs[i].read_text().replace(str(r.key), str(new)))
            r.assay("key", "retire", rotated["old"])
            one = r.result(r.guests(30))
            check(not one["wrong"] and one["retries"] == 0, one)
            r.configs[0].write_text(r.configs[0].read_text().replace(str(new), str(r.key)))
            refused = r.w.run("store", "check", "--config", r.configs[0], expect=1)
            check("STORE-007" in refused.text or "not the one of this database" in refused.text, refused.text)

    @case("replicas: a database that is gone, silent or full: not ready, named, and over without a restart",
          needs=("replicas_agree",))
    def replicas_database(w):
        with replicas(w, "outage", count=1) as r:
            r.start_all()
            r.prepare()

            def ready(expected, part="", limit=25):
                deadline = time.monotonic() + limit
                while True:
                    status, _, body = r.http("GET", "/readyz", at=0)
                    text = body.decode(errors="replace")
                    if status == expected and part in text:
                        return
                    check(time.monotonic() < deadline, f"readiness is {status}, expected {expected} {part}: {text}")
                    time.sleep(0.1)

            r.cluster.stop("immediate")
            ready(503, "STORE-025")
            status, _, body = r.http("POST", "/kbs/v0/resource/a/b/c", b"x", at=0, token=r.token)
            check(status == 503 and t.CODE.search(body.decode()), f"{status} {body}")
            r.cluster.start()
            ready(200)
            # It accepts, and says nothing.
            children = [int(p) for p in subprocess.run(
                ["pgrep", "-f", r.cluster.data], capture_output=True, text=True).stdout.split()]
            postgres = [p for p in all_below(children)]
            for process in postgres:
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGSTOP)
            try:
                ready(503)
            finally:
                for process in postgres:
                    with contextlib.suppress(OSError):
                        os.kill(process, signal.SIGCONT)
            ready(200)
            one = r.result(r.guests(20))
            check(not one["wrong"] and one["fetched"] == 20, one)

    @case("replicas: a wrong key, a newer schema, a wrong password are named at the start", needs=("replicas_agree",))
    def replicas_refused(w):
        with replicas(w, "refused", count=1) as r:
            r.start_all()
            r.kill(0)
            good = r.configs[0].read_text()
            other = r.folder / "other-key"
            other.write_bytes(os.urandom(32))
            other.chmod(0o600)
            wrong = r.folder / "wrong-password"
            wrong.write_text("wrong")
            for text, part in (
                    (good.replace(str(r.key), str(other)), "not the one of this database"),
                    (good.replace(r.cluster.password_file, str(wrong)), "refuses"),
                    (good.replace("postgresql://assay@", "postgresql://assay:secret@"), "holds a password"),
                    (good.replace(f"/{r.database}", "/absent"), "refuses"),
            ):
                r.configs[0].write_text(text)
                found = r.w.run("serve", "--config", r.configs[0], expect=1)
                check(part in found.text, f"{part}: {found.text}")
                check("secret@" not in found.text, "a password is shown")
            r.configs[0].write_text(good)
            r.cluster.sql(r.database, "INSERT INTO schema_migrations VALUES (99, 'sha384:00')")
            found = r.w.run("serve", "--config", r.configs[0], expect=1)
            check("use a newer program" in found.text, found.text)

    @case("a store moves from SQLite to PostgreSQL: export, import, check", needs=("replicas_agree",))
    def replicas_move(w):
        with replicas(w, "move", count=1) as r:
            source = w.another("move-source")
            source.start(trust_emulator=False)
            token = source.run("admin", "token", "--data-dir", source.data, "--role", "admin", expect=0).stdout.decode().strip()
            status, _, body = source.http("POST", "/kbs/v0/resource/moved/b/c", b"moved", token=token)
            check(status == 200, body)
            export, key = r.folder / "export", r.folder / "export-key"
            w.run("store", "export", "--data-dir", source.data, "--to", export, "--key-file", key, expect=0)
            again = w.run("store", "export", "--data-dir", source.data, "--to", export, "--key-file", key, expect=1)
            check("is there already" in again.text, again.text)
            check(b"moved" not in export.read_bytes(), "the export is in clear")
            cut = r.folder / "cut"
            cut.write_bytes(export.read_bytes()[:-1])
            refused = r.assay("store", "import", "--from", cut, "--key-file", key, expect=1)
            check("cut off" in refused.text, refused.text)
            r.assay("store", "import", "--from", export, "--key-file", key)
            twice = r.assay("store", "import", "--from", export, "--key-file", key, expect=1)
            check("not empty" in twice.text, twice.text)
            r.assay("store", "check")
            source.stop(signal.SIGTERM)
            r.start_all()
            # The admin keys moved, too.
            status, _, body = r.http("GET", "/kbs/v0/resources", at=0, token=token)
            check(status == 200 and b"moved/b/c" in body, f"{status} {body}")


def all_below(processes):
    """The processes and their children."""
    found = set(processes)
    while True:
        more = set()
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
                if parent in found:
                    more.add(int(stat.parent.name))
        if more <= found:
            return found
        found |= more
