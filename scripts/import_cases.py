"""The system test's cases for `assay import trustee`: what a Trustee stored is taken over, and a guest gets its
secret by it.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import base64
import json
import signal

import test_postgres

SECRET = b"a secret that Trustee kept\x00\xff"
RESOURCE = "tenant/key/1"

# Policies of our own, in Trustee's dialect.
ATTESTATION_POLICY = """package policy

import rego.v1

default executables := 33
default hardware := 97

executables := 3 if input.snp.measurement in query_reference_value("tenant_measurement")

hardware := 2 if input.snp.reported_tcb_snp >= 0

trust_claims := {"executables": executables, "hardware": hardware}
"""
RESOURCE_POLICY = """package policy

import rego.v1

default allow := false

allow if {
	data["resource-path"][0] == "tenant"
	input.submods.cpu0["ear.status"] == "affirming"
}
"""


class Trustee:
    """A Trustee's configuration and its LocalFs storage."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "kbs-config.toml"
        self.config.write_text(
            '[http_server]\nsockets = ["0.0.0.0:8080"]\ninsecure_http = true\n'
            '[admin]\nauthorization_mode = "InsecureAllowAll"\n'
            "[attestation_token]\ninsecure_header_jwk = true\n"
            '[attestation_service]\ntype = "coco_as_builtin"\ntimeout = 5\n'
            '[storage_backend]\nstorage_type = "LocalFs"\n'
            '[storage_backend.backends.local_fs]\ndir_path = "/opt/storage"\n'
            '[[plugins]]\nname = "resource"\nstorage_backend_type = "kvstorage"\n'
        )

    def store(self, namespace, key, value):
        place = self.folder / "root/opt/storage" / namespace
        place.mkdir(parents=True, exist_ok=True)
        (place / key.replace("/", "\\x2F")).write_bytes(value)

    def reference_value(self, name, value, expiration="2099-01-01T00:00:00Z"):
        stored = {"version": "0.1.0", "name": name, "expiration": expiration, "value": value}
        self.store("reference_value", name, json.dumps(stored).encode())

    def arguments(self):
        return ("import", "trustee", "--config", self.config, "--root", self.folder / "root")


def outcomes(report, kind):
    (found,) = [k for k in report["kinds"] if k["kind"] == kind]
    return {item["name"]: item["outcome"] for item in found["items"]}


def register(t):
    case, check = t.case, t.check

    def trustee(w):
        claims = w.verify(w.evidence, "--anchors", w.roots, expect=t.ACCEPTED)["claims"]
        it = Trustee(w.another("trustee").folder)
        it.store("repository", RESOURCE, SECRET)
        it.store("repository", "no-path", b"x")
        it.store("kbs", "resource-policy.rego", RESOURCE_POLICY.encode())
        it.store("attestation_service_policy", "default_cpu.rego", ATTESTATION_POLICY.encode())
        it.store("attestation_service_policy", "hostile_cpu.rego", b"package policy\ntrust_claims := http.send({})")
        it.reference_value("tenant_measurement", [t.find(claims, "measurement")])
        it.reference_value("ended", [1], "2020-01-01T00:00:00Z")
        return it

    @case("a dry run of an import says what would come of it, and changes nothing", needs=["verify_good"])
    def import_dry_run(w):
        w.trustee = trustee(w)
        w.imported = w.another("imported")
        result = w.run(*w.trustee.arguments(), "--dry-run", "--data-dir", w.imported.data, "--json", expect=t.REJECTED)
        report = json.loads(result.stdout)
        check(outcomes(report, "resources") == {RESOURCE: "taken", "no-path": "refused"}, f"{report}")
        check(not w.imported.data.exists(), "a data directory was made")
        check(SECRET not in result.stdout, "the secret is in the report")

    @case("what Trustee stored is imported; what was refused is named", needs=["import_dry_run"])
    def import_trustee(w):
        arguments = (*w.trustee.arguments(), "--data-dir", w.imported.data, "--json")
        report = json.loads(w.run(*arguments, "--write-config", w.folder / "imported.toml", expect=t.REJECTED).stdout)
        check(outcomes(report, "resources") == {RESOURCE: "taken", "no-path": "refused"}, f"{report}")
        check(outcomes(report, "resource policy") == {"resource-policy": "taken"}, f"{report}")
        check(
            outcomes(report, "attestation policies") == {"default_cpu": "taken", "hostile_cpu.rego": "refused"},
            f"{report}",
        )
        check(outcomes(report, "reference values") == {"tenant_measurement": "taken", "ended": "refused"}, f"{report}")
        refused = {line["key"] for line in report["configuration"] if line["outcome"] == "refused"}
        check(
            refused
            == {"http_server.insecure_http", "admin.authorization_mode", "attestation_token.insecure_header_jwk"},
            f"refused are {refused}",
        )
        check("session_seconds = 300" in (w.folder / "imported.toml").read_text(), "the timeout in seconds")
        w.run("config", "check", "--config", w.folder / "imported.toml", expect=0)
        again = json.loads(w.run(*arguments, expect=t.REJECTED).stdout)
        check(outcomes(again, "resources")[RESOURCE] == "unchanged", "a second run stored it again")
        check(outcomes(again, "attestation policies")["default_cpu"] == "unchanged", "a second run set it again")

    @case("a guest gets an imported secret by the imported policies and reference values", needs=["import_trustee"])
    def import_served(w):
        imported = w.imported
        imported.roots = w.roots
        imported.start()
        imported.mint()
        good = imported.attest(get=RESOURCE, expect=0)
        check(good.stdout in (SECRET, SECRET + b"\n"), f"got {len(good.stdout)} other bytes")
        other = imported.attest("--set", f"measurement={t.OTHER_MEASUREMENT}", get=RESOURCE)
        check(other.returncode == t.REJECTED and SECRET not in other.stdout, f"another image: {other.text}")
        policy = imported.run("policy", "get", "default_cpu", *imported.server_args(), expect=0).stdout.decode()
        check(policy.strip() == ATTESTATION_POLICY.strip(), "the policy in force is another")
        values = imported.run("reference-value", "list", *imported.server_args(), "--json", expect=0).text
        check("tenant_measurement" in values and "ended" not in values, "the reference values in force are others")
        check(imported.stop(signal.SIGTERM) == 0, "the exit code")
        check(SECRET not in (imported.data / "assay.db").read_bytes(), "the secret is in the database in clear")

    @case("what Trustee stored in PostgreSQL or in JSON files is imported as well", needs=["import_dry_run"])
    def import_other_places(w):
        stored = {
            path.name: {file.name.replace("\\x2F", "/"): file.read_bytes() for file in path.iterdir()}
            for path in (w.trustee.folder / "root/opt/storage").iterdir()
        }
        folder = w.another("other-places").folder

        def imported(name, storage, *more):
            config = folder / f"{name}.toml"
            config.write_text(
                f'[attestation_service]\ntype = "coco_as_builtin"\n[storage_backend]\n{storage}\n'
            )
            result = w.run("import", "trustee", "--config", config, "--data-dir", folder / name, "--json", *more,
                           expect=t.REJECTED)
            check(SECRET not in result.stdout, "the secret is in the report")
            report = json.loads(result.stdout)
            check(outcomes(report, "resources") == {RESOURCE: "taken", "no-path": "refused"}, f"{name}: {report}")
            check(outcomes(report, "resource policy") == {"resource-policy": "taken"}, f"{name}: {report}")
            check(outcomes(report, "reference values")["tenant_measurement"] == "taken", f"{name}: {report}")

        for namespace, values in stored.items():
            text = json.dumps({key: base64.urlsafe_b64encode(value).decode() for key, value in values.items()})
            (folder / f"{namespace}.json").write_text(text)
        imported("json", f'storage_type = "LocalJson"\nbackends.local_json.file_dir_path = "{folder}"')

        if test_postgres.binaries() is None:
            raise t.Skip("JSON files were imported; for the rest PostgreSQL's server is not installed")
        with test_postgres.Cluster() as cluster:
            cluster.create("trustee")
            for namespace, values in stored.items():
                cluster.sql("trustee", f"CREATE TABLE {namespace} (key TEXT PRIMARY KEY, value BYTEA)")
                for key, value in values.items():
                    cluster.sql("trustee", f"INSERT INTO {namespace} VALUES ('{key}', '\\x{value.hex()}')")
            place = f'db = "trustee", username = "assay", host = "127.0.0.1", port = {cluster.port}'
            storage = f'storage_type = "Postgres"\nbackends.postgres = {{ {place} }}'
            imported("postgres", storage, "--postgres-password-file", cluster.password_file)
            # Without the password, or the server: an error in words, and nothing half done.
            config = folder / "postgres.toml"
            said = w.run("import", "trustee", "--config", config, "--dry-run", expect=t.OUR_FAULT).text
            check("IMP-006" in said and cluster.password not in said, said)
        said = w.run("import", "trustee", "--config", config, "--dry-run", expect=t.OUR_FAULT).text
        check("IMP-006" in said, said)
