"""The system test's cases for the audit log: a real server, and hands on its database.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import json
import shutil
import signal
import sqlite3


def register(t):
    case, check = t.case, t.check

    def verify(w, *more, data=None, expect=0):
        """`assay audit verify --json`: the report."""
        result = w.run("audit", "verify", *more, *([] if "--file" in more else ["--data-dir", data or w.data]), "--json", expect=expect)
        answer = json.loads(result.stdout)
        check(answer["sound"] is (expect == 0), f"{answer}")
        return answer["report"]

    def listed(w, *more):
        return json.loads(w.run("audit", "list", "--data-dir", w.data, *more, "--json", expect=0).stdout)["records"]

    def tampered(w, name, *statements):
        """A copy of the data directory with a changed database."""
        copy = w.folder / f"tampered-{name}"
        shutil.copytree(w.data, copy)
        with sqlite3.connect(copy / "assay.db") as database:
            for statement in statements:
                changed = database.execute(statement)
                check(changed.rowcount != 0, f"{name}: {statement} changed nothing")
        database.close()
        return copy

    @case("the audit log records who did what and what became of it, without a secret", needs=["roots"])
    def audit_records(w):
        w = w.another("audited")
        w.roots = w.folder.parent / "roots.json"
        secret = w.folder / "secret"
        secret.write_bytes(b"a-secret-for-the-audit-log")
        policy = w.folder / "allow.rego"
        policy.write_text("package policy\nimport rego.v1\ndefault allow := true\n")
        w.start()
        admin = ("--url", w.url, "--data-dir", w.data)
        w.run("resource", "set", "audited/key/one", secret, *admin, expect=0)
        guest = ("--url", w.url, "--emulate", "snp", "--seed", t.SEED)
        w.run("attest", *guest, "--get", "audited/key/one", expect=10)
        w.run("policy", "set", "resource-policy", policy, "--kind", "resource", *admin, expect=0)
        w.run("attest", *guest, "--get", "audited/key/one", expect=0)
        check(w.http("POST", "/kbs/v0/resource/audited/key/two", b"x", token="nonsense")[0] == 401, "a bad token is taken")
        # While the server runs.
        verify(w)
        check(w.stop(signal.SIGTERM) == 0, "the server did not stop in good order")
        records = listed(w)
        kinds = [record["event"]["kind"] for record in records]
        for kind in ("chain-start", "admin", "verdict", "denial", "release", "access", "chain-stop"):
            check(kind in kinds, f"no {kind} among {kinds}")
        release = [record["event"] for record in records if record["event"]["kind"] == "release"][-1]
        check(release["resource"] == "audited/key/one" and release["who"].startswith("attestation "), f"{release}")
        check(len(listed(w, "--kind", "admin", "--resource", "audited/")) == 1, "the filter by resource")
        check(len(listed(w, "--result", "refused", "--kind", "denial")) >= 1, "the filter by result")
        check(listed(w, "--since", "2000-01-01T00:00:00Z", "--until", "2000-01-02T00:00:00Z") == [], "the filter by time")
        export = w.folder / "export.jsonl"
        w.run("audit", "export", "--out", export, "--data-dir", w.data, expect=0)
        text = export.read_text()
        for needle in ("a-secret-for-the-audit-log", "nonsense", "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiIsImp3ayI6"):
            check(needle not in text, f"{needle} is in the log")

    @case("tampering with the audit log's database is found, each kind by its name", needs=["audit_records"])
    def audit_tampering(w):
        w = w.others["audited"]
        report = verify(w)
        check(report["broken"] == [] and report["records"] > 8, f"{report}")
        one = "chain = (SELECT chain FROM audit_heads ORDER BY length DESC LIMIT 1)"
        last = f"(SELECT MAX(seq) FROM audit_records WHERE {one})"
        for name, what, *statements in (
            ("text", "altered", f"UPDATE audit_records SET record = replace(record, '\"outcome\":\"ok\"', '\"outcome\":\"failed\"') WHERE {one} AND seq = 1"),
            ("kind", "altered", f"UPDATE audit_records SET kind = 'denial' WHERE {one} AND seq = 1"),
            ("time", "altered", f"UPDATE audit_records SET time = time + 1 WHERE {one} AND seq = 1"),
            ("hash", "altered", f"UPDATE audit_records SET hash = zeroblob(48) WHERE {one} AND seq = 1"),
            ("first", "missing", f"DELETE FROM audit_records WHERE {one} AND seq = 0"),
            ("middle", "missing", f"DELETE FROM audit_records WHERE {one} AND seq = 2"),
            ("last", "missing", f"DELETE FROM audit_records WHERE {one} AND seq = {last}"),
            ("all", "missing", f"DELETE FROM audit_records WHERE {one}"),
            ("head", "head-missing", f"DELETE FROM audit_heads WHERE {one}"),
            ("shorter", "head-forged", f"UPDATE audit_heads SET length = length - 1 WHERE {one}"),
            ("signature", "head-forged", f"UPDATE audit_heads SET signature = signature || 'A' WHERE {one}"),
            ("swap", "altered",
             f"UPDATE audit_records SET seq = seq + 1000 WHERE {one} AND seq IN (1, 2)",
             f"UPDATE audit_records SET seq = 2 WHERE {one} AND seq = 1001",
             f"UPDATE audit_records SET seq = 1 WHERE {one} AND seq = 1002"),
        ):
            copy = tampered(w, name, *statements)
            found = {place["what"] for place in verify(w, data=copy, expect=1)["broken"]}
            check(what in found, f"{name}: {found}")
            shutil.rmtree(copy)
        text = w.run("audit", "verify", "--data-dir", w.data, expect=0).text
        check("sound" in text, text)

    @case("a removed chain and a database that was rolled back are found", needs=["audit_records"])
    def audit_rollback(w):
        w = w.others["audited"]
        before = w.folder / "before"
        shutil.copytree(w.data, before)
        # A further chain quotes the first.
        w.start()
        admin = ("--url", w.url, "--data-dir", w.data)
        w.run("resource", "delete", "audited/key/one", *admin, expect=0)
        w.stop(signal.SIGKILL)
        verify(w)
        heads, keys, export = w.folder / "heads.jsonl", w.folder / "keys.json", w.folder / "all.jsonl"
        w.run("audit", "heads", "--out", heads, "--data-dir", w.data, expect=0)
        keys.write_bytes(w.run("audit", "keys", "--data-dir", w.data, expect=0).stdout)
        w.run("audit", "export", "--out", export, "--data-dir", w.data, expect=0)
        longest = "SELECT chain FROM audit_heads ORDER BY length DESC LIMIT 1"
        copy = tampered(w, "chain", f"CREATE TEMP TABLE gone AS {longest}", "DELETE FROM audit_records WHERE chain IN (SELECT chain FROM gone)",
                        "DELETE FROM audit_heads WHERE chain IN (SELECT chain FROM gone)")
        found = {place["what"] for place in verify(w, data=copy, expect=1)["broken"]}
        check("chain-missing" in found, f"{found}")
        # The old database is sound in itself; the heads tell.
        verify(w, data=before)
        found = {place["what"] for place in verify(w, "--heads", heads, data=before, expect=1)["broken"]}
        check(found & {"missing", "chain-missing"}, f"{found}")
        verify(w, "--heads", heads)
        # Without the store.
        report = verify(w, "--file", export, "--keys", keys, "--heads", heads)
        check(report["records"] > 8, f"{report}")
        lines = export.read_text().splitlines(keepends=True)
        for name, changed in (("cut", lines[:-1]), ("line", lines[:-3] + lines[-2:]), ("other", [line.replace("audited/key/one", "audited/key/two") for line in lines])):
            file = w.folder / f"export-{name}.jsonl"
            file.write_text("".join(changed))
            check(w.run("audit", "verify", "--file", file, "--keys", keys).returncode == 1, f"{name} is not found")
        check(w.run("audit", "verify", "--file", export).returncode == 2, "an export is verified without keys")

    @case("old records are pruned, and what stays verifies", needs=["audit_rollback"])
    def audit_prune(w):
        w = w.others["audited"]
        before = verify(w)["records"]
        check("0 records" in w.run("audit", "prune", "--before", "365d", "--data-dir", w.data, expect=0).text, "something was pruned")
        said = json.loads(w.run("audit", "prune", "--before", "0s", "--data-dir", w.data, "--json", expect=0).stdout)
        report = verify(w)
        check(said["records"] > 0 and report["pruned"] >= said["records"], f"{said} {report}")
        check(report["records"] < before + 6, f"{report}")
        verify(w, "--heads", w.folder / "heads.jsonl")
        w.start()
        w.stop(signal.SIGTERM)
        verify(w)
        copy = tampered(w, "prune", "DELETE FROM audit_records WHERE kind = 'prune'")
        check(verify(w, data=copy, expect=1)["broken"], "a removed prune record is not found")
