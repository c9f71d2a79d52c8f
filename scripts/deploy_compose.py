"""Cases of scripts/deploy-test.py: the compose file, the files beside it, and the script that makes its secrets."""

import json
import os
import re
import shutil
import tomllib

# Images of others start as they like; ours must be given a configuration.
OURS = re.compile(r"assay(-\d+)?$")


def ours(compose):
    return {name: service for name, service in compose["services"].items() if OURS.match(name)}


def references(service, kind):
    return [(one, one) if isinstance(one, str) else (one["source"], one.get("target", one["source"])) for one in service.get(kind, [])]


def secret_path(target):
    return target if target.startswith("/") else f"/run/secrets/{target}"


def register(t):
    folder = t.DEPLOY / "compose"

    def read(w):
        yaml = w.package("yaml")
        texts = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
        # Through JSON, so that services which share an anchor are still things of their own.
        return {"compose": json.loads(json.dumps(yaml.safe_load(texts["compose.yaml"]))), "texts": texts}

    def hardened(_, deploy):
        found = []
        for name, service in deploy["compose"]["services"].items():
            wanted = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
            found += [f"{name}: {key} is {service.get(key)}" for key, value in wanted.items() if service.get(key) != value]
            found += [f"{name}: no {key}" for key in ("mem_limit", "cpus", "pids_limit", "restart", "logging") if not service.get(key)]
            found += [f"{name}: {key}" for key in ("privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "userns_mode") if key in service]
            if not re.fullmatch(r"\$\{ASSAY_UID:\?[^}]+\}:\$\{ASSAY_GID:\?[^}]+\}", service.get("user", "")):
                found.append(f"{name}: user is {service.get('user')}")
            found += [f"{name}: the socket of the container runtime" for v in service.get("volumes", []) if "docker.sock" in str(v)]
        return found

    def published(_, deploy):
        found, doors = [], []
        for name, service in deploy["compose"]["services"].items():
            for port in service.get("ports", []):
                doors.append(name)
                if not str(port).startswith("127.0.0.1:"):
                    found.append(f"{name}: {port} is published to others")
        return found if sorted(doors) == ["assay", "front"] else [*found, f"published are {doors}"]

    def database(_, deploy):
        compose, found = deploy["compose"], []
        service = compose["services"]["postgres"]
        inside = [name for name, one in compose["services"].items() if "database" in one.get("networks", [])]
        if service["networks"] != ["database"] or not compose["networks"]["database"].get("internal"):
            found.append("the database can reach, or be reached from, the outside")
        if any(name not in ("assay-1", "assay-2", "assay-3", "postgres") for name in inside):
            found.append(f"at the database are {inside}")
        if "pg_isready" not in service.get("healthcheck", {}).get("test", []):
            found.append("its health is not asked for")
        if "ssl=on" not in service["command"]:
            found.append("TLS is off")
        for line in deploy["texts"]["pg_hba.conf"].splitlines():
            words = line.split()
            if words and words[0] != "#" and (words[0] not in ("local", "hostssl") or words[-1] != "scram-sha-256"):
                found.append(f"access without TLS or without a password: {line}")
        for name in ("assay-1", "assay-2", "assay-3"):
            if compose["services"][name].get("depends_on", {}).get("postgres", {}).get("condition") != "service_healthy":
                found.append(f"{name} does not wait for the database")
        return found

    def profiles(_, deploy):
        compose = deploy["compose"]
        without = [name for name, service in compose["services"].items() if not service.get("profiles")]
        replicas = [name for name, service in ours(compose).items() if service.get("profiles") == ["replicas"]]
        found = [] if without == ["assay"] else [f"without a profile start {without}"]
        if len(replicas) != 3 or any(compose["services"][name] != compose["services"][replicas[0]] for name in replicas):
            found.append(f"replicas are {replicas}, or differ")
        servers = re.findall(r"^\s+server \S+ (\S+):(\d+)", deploy["texts"]["haproxy.cfg"], re.M)
        if sorted(servers) != [(name, "8080") for name in sorted(replicas)]:
            found.append(f"the front leads to {servers}")
        if sorted(compose["services"]["front"].get("depends_on", {})) != sorted(replicas):
            found.append("the front does not bring the replicas up")
        return found

    def front(_, deploy):
        """TLS passes through, each replica is asked whether it is ready, over verified TLS."""
        text = deploy["texts"]["haproxy.cfg"]
        wanted = ("mode tcp", "balance roundrobin", "uri /readyz", "check-ssl verify required", "ca-file /run/secrets/ca.crt")
        return [f"no {word}" for word in wanted if word not in text] + [
            f"{word} in it" for word in ("mode http", "verify none", "crt /") if word in text]

    def secrets(_, deploy):
        compose, found = deploy["compose"], []
        for name, service in compose["services"].items():
            for kind in ("secrets", "configs"):
                found += [f"{name}: {source} is not declared" for source, _ in references(service, kind) if source not in compose[kind]]
            for key, value in (service.get("environment") or {}).items():
                if re.search("PASSWORD|KEY|TOKEN|SECRET", key) and not key.endswith("_FILE"):
                    found.append(f"{name}: {key} is written down")
                targets = [secret_path(target) for _, target in references(service, "secrets")]
                if key.endswith("_FILE") and value not in targets:
                    found.append(f"{name}: {key} names {value}, which is not there")
        found += [f"{name} is not a file" for name, one in (*compose["secrets"].items(), *compose["configs"].items()) if set(one) != {"file"}]
        for name, text in deploy["texts"].items():
            if name != "generate-secrets.sh" and re.search(r"PRIVATE KEY|://[^/@\s]*:[^/@\s]*@|PASSWORD\s+'", text):
                found.append(f"{name} contains a secret")
        ignored = deploy["texts"][".gitignore"].split()
        return found + [f"{name} could be committed" for name in ("/secrets/", "/state/", "/.env") if name not in ignored]

    def configurations(w, deploy):
        """Each is read by the program, and each file that it names is put into the container."""
        compose, found = deploy["compose"], []
        for name, service in ours(compose).items():
            source = dict((target, source) for source, target in references(service, "configs")).get("/etc/assay/assay.toml")
            text = deploy["texts"][compose["configs"][source]["file"].removeprefix("./")]
            tree = tomllib.loads(text)
            targets = [secret_path(target) for _, target in references(service, "secrets")]
            for section in tree.values():
                found += [f"{name}: {key} = {value} is not there" for key, value in section.items()
                          if isinstance(value, str) and value.startswith("/run/") and value not in targets]
            data = tree["server"]["data_dir"]
            places = [v["target"] for v in service.get("volumes", [])] + [v.split(":")[0] for v in service.get("tmpfs", [])]
            if data not in places:
                found.append(f"{name}: {data} cannot be written")
            if f"{data}/key-encryption-key" not in targets:
                found.append(f"{name}: no key-encryption key")
            if service.get("profiles") and (not tree.get("store", {}).get("url", "").startswith("postgresql://") or not tree["store"].get("tls_root_certificate")):
                found.append(f"{name}: replicas do not share a database over verified TLS")
            if "danger" in tree or tree["server"].get("http"):
                found.append(f"{name}: dangers")
            if int(service["stop_grace_period"].removesuffix("s")) < tree["server"]["drain_seconds"] + 5:
                found.append(f"{name}: is killed while it drains")
            file = w.folder / "assay.toml"
            file.write_text(text)
            found += [f"{name}: {problem}" for problem in w.configuration_problems(file)]
        return found

    def change(name, old, new):
        def how(deploy):
            deploy["texts"][name] = deploy["texts"][name].replace(old, new)
        return how

    def service(name, how):
        return lambda deploy: how(deploy["compose"]["services"][name])

    t.properties("compose", {"file": read}, {
        "hardened": (hardened, None), "published": (published, None), "database": (database, None), "profiles": (profiles, None),
        "front": (front, None), "secrets": (secrets, None), "configurations": (configurations, None)}, [
        ("file", "hardened", "a file system to be written", service("assay", lambda s: s.update(read_only=False))),
        ("file", "hardened", "a capability", service("postgres", lambda s: s.update(cap_add=["CHOWN"]))),
        ("file", "hardened", "root", service("front", lambda s: s.update(user="0:0"))),
        ("file", "hardened", "a fallback user", service("assay", lambda s: s.update(user="${ASSAY_UID:-0}:${ASSAY_GID:-0}"))),
        ("file", "hardened", "no limit of memory", service("assay-2", lambda s: s.pop("mem_limit"))),
        ("file", "hardened", "new privileges", service("postgres", lambda s: s.pop("security_opt"))),
        ("file", "published", "to everybody", service("assay", lambda s: s.update(ports=["8080:8080"]))),
        ("file", "published", "a replica beside the front", service("assay-1", lambda s: s.update(ports=["127.0.0.1:1:8080"]))),
        ("file", "database", "with a way out", lambda d: d["compose"]["networks"].update(database={})),
        ("file", "database", "with the front beside it", service("front", lambda s: s["networks"].append("database"))),
        ("file", "database", "without TLS", change("pg_hba.conf", "hostssl", "host")),
        ("file", "database", "without a password", change("pg_hba.conf", "scram-sha-256", "trust")),
        ("file", "database", "not waited for", service("assay-3", lambda s: s.pop("depends_on"))),
        ("file", "database", "of unknown health", service("postgres", lambda s: s.pop("healthcheck"))),
        ("file", "profiles", "everything at once", service("postgres", lambda s: s.pop("profiles"))),
        ("file", "profiles", "a replica of another kind", service("assay-2", lambda s: s.update(mem_limit="2g"))),
        ("file", "profiles", "two replicas in front", change("haproxy.cfg", "server replica-3 assay-3:8080", "")),
        ("file", "front", "health by faith", change("haproxy.cfg", "verify required", "verify none")),
        ("file", "front", "reading along", change("haproxy.cfg", "mode tcp", "mode http")),
        ("file", "secrets", "a password written down", service("postgres", lambda s: s["environment"].update(POSTGRES_PASSWORD="x"))),
        ("file", "secrets", "a password of nowhere", service("postgres", lambda s: s["environment"].update(POSTGRES_PASSWORD_FILE="/x"))),
        ("file", "secrets", "in the environment", lambda d: d["compose"]["secrets"].update(database_password={"environment": "X"})),
        ("file", "secrets", "not declared", lambda d: d["compose"]["secrets"].pop("server_key")),
        ("file", "secrets", "to be committed", change(".gitignore", "/secrets/", "")),
        ("file", "secrets", "in an address", change("replica.toml", "//assay@", "//assay:word@")),
        ("file", "configurations", "a key that is not there", change("assay.toml", "server.key", "other.key")),
        ("file", "configurations", "no key-encryption key", service("assay-1", lambda s: s["secrets"].pop())),
        ("file", "configurations", "no place to write", service("assay", lambda s: s.pop("volumes"))),
        ("file", "configurations", "a database of its own", change("replica.toml", "url =", "# url =")),
        ("file", "configurations", "an unverified database", change("replica.toml", "tls_root_certificate", "# ")),
        ("file", "configurations", "too little grace", service("assay", lambda s: s.update(stop_grace_period="30s"))),
    ])

    # The script, run in a copy.

    def generated(w):
        """A copy of the folder in which the script has run."""

        def make():
            w.program("openssl")
            place = w.folder / "deploy" / "compose"
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("secrets", "state", ".env"))
            shutil.copy(t.DEPLOY / "certificates.sh", place.parent)
            result = w.run(place / "generate-secrets.sh")
            t.check(result.returncode == 0, result.stdout + result.stderr)
            return place, result.stdout + result.stderr

        return w.once("compose secrets", make)

    def contents(place):
        return {str(path.relative_to(place)): path.read_bytes() for path in (place / "secrets").iterdir()} | {".env": (place / ".env").read_bytes()}

    def makes_all(w):
        place, said = generated(w)
        compose = read(w)["compose"]
        variables = dict(line.split("=") for line in (place / ".env").read_text().split())
        t.check(set(variables) == {"ASSAY_UID", "ASSAY_GID"} and "0" not in variables.values(), f"the user is {variables}")
        for one in compose["secrets"].values():
            path = place / one["file"]
            t.check(path.is_file() and path.stat().st_size, f"{one['file']} was not made")
            t.check(path.stat().st_mode & 0o777 == 0o600, f"{path.name} has mode {path.stat().st_mode:o}")
            t.check(path.stat().st_uid == int(variables["ASSAY_UID"]), f"{path.name} belongs to another user")
        t.check((place / "secrets").stat().st_mode & 0o77 == 0, "others can look into secrets")
        t.check((place / "secrets/key-encryption-key").stat().st_size == 32, "the key-encryption key has another length")
        for service in compose["services"].values():
            for volume in service.get("volumes", []):
                t.check((place / volume["source"]).stat().st_uid == int(variables["ASSAY_UID"]), f"{volume['source']} belongs to another user")
        for name in ("postgres-password", "database-password"):
            secret = (place / "secrets" / name).read_text()
            t.check(len(secret) == 64 and secret not in said, f"{name}: {len(secret)} characters, or printed")
        t.check(os.path.exists(place / "secrets/ca.key") and "PRIVATE" not in said, "the authority's key")

    def certificates(w):
        place, _ = generated(w)
        secrets_folder = place / "secrets"
        for name, host in (("assay", "localhost"), ("assay", "assay"), ("postgres", "postgres")):
            verified = w.run("openssl", "verify", "-purpose", "sslserver", "-verify_hostname", host, "-CAfile", secrets_folder / "ca.crt",
                             secrets_folder / f"{name}.crt")
            t.check(verified.returncode == 0, verified.stderr)
        wrong = w.run("openssl", "verify", "-verify_hostname", "other", "-CAfile", secrets_folder / "ca.crt", secrets_folder / "assay.crt")
        t.check(wrong.returncode != 0, "the certificate is good for any name")
        signing = w.run("openssl", "verify", "-purpose", "sslserver", "-CAfile", secrets_folder / "assay.crt", "-partial_chain", secrets_folder / "postgres.crt")
        t.check(signing.returncode != 0, "the server's certificate signs others")

    def again(w):
        place, _ = generated(w)
        before = contents(place)
        t.check(w.run(place / "generate-secrets.sh").returncode == 0, "the second run fails")
        t.check(contents(place) == before, "a second run changed something")
        renewed = w.run(place / "generate-secrets.sh", "--renew", env={**os.environ, "ASSAY_NAMES": "kbs.example,192.0.2.7"})
        t.check(renewed.returncode == 0, renewed.stderr)
        after = contents(place)
        changed = sorted(name for name in before if before[name] != after[name])
        t.check(changed == ["secrets/assay.crt", "secrets/postgres.crt"], f"--renew changed {changed}")
        for flag, value in (("-verify_hostname", "kbs.example"), ("-verify_ip", "192.0.2.7")):
            result = w.run("openssl", "verify", flag, value, "-CAfile", place / "secrets/ca.crt", place / "secrets/assay.crt")
            t.check(result.returncode == 0, result.stderr)
        (place / "secrets/ca.key").rename(place / "ca.key")
        refused = w.run(place / "generate-secrets.sh", "--renew")
        t.check(refused.returncode != 0 and "ca.key" in refused.stderr, "certificates without their authority's key")
        t.check(contents(place) == {k: v for k, v in after.items() if k != "secrets/ca.key"}, "a refused run changed something")
        t.check(w.run(place / "generate-secrets.sh", "--other").returncode == 2, "an unknown option")

    def script(_):
        text = (folder / "generate-secrets.sh").read_text() + (t.DEPLOY / "certificates.sh").read_text()
        t.check("set -euo pipefail" in text and "umask 077" in text, "it does not stop at errors, or makes files that others read")
        t.check(not re.search(r"set -\w*x|-passout|-passin|curl|wget", text), "it shows or fetches something")

    def haproxy(w):
        place, _ = generated(w)
        text = (folder / "haproxy.cfg").read_text().replace("/run/secrets", str(place / "secrets"))
        file = w.folder / "haproxy.cfg"
        file.write_text(re.sub(r" assay-\d:", " 127.0.0.1:", text))
        result = w.run(w.program("haproxy"), "-c", "-f", file)
        t.check(result.returncode == 0, result.stdout + result.stderr)

    t.case("compose: the script makes every secret, for its user alone", makes_all)
    t.case("compose: its certificates are good for their names and nothing else", certificates)
    t.case("compose: run again it changes nothing; --renew changes the certificates", again)
    t.case("compose: the script shows and fetches nothing", script)
    t.case("compose: HAProxy reads its configuration", haproxy)
