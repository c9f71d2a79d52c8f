"""Cases of scripts/deploy-test.py: the Kubernetes overlays, rendered by `kubectl kustomize`, and the script that makes their Secrets."""

import base64
import re

import deploy_kubernetes_breaks
import deploy_network
from deploy_manifests import CHECKS, container, schemas, secret_references
from deploy_network import find, named, pods, selects

OVERLAYS = ("all-in-one", "split", "replicas")


def register(t):
    t.World.deploy = t.DEPLOY

    def kubectl(w):
        program = w.program("kubectl")
        version = w.run(program, "version", "--client").stdout
        match = re.search(r"Kustomize Version: v(\d+)", version)
        if not match or int(match[1]) < 5:
            raise t.Skip("kubectl is older than 1.27: it does not know components")
        return program

    def rendered(folder):
        def render(w):
            yaml = w.package("yaml")
            result = w.run(kubectl(w), "kustomize", folder(w))
            t.check(result.returncode == 0, result.stderr)
            return [d for d in yaml.safe_load_all(result.stdout) if d]

        return lambda w: w.once(("rendered", folder), lambda: render(w))

    def own_overlay(name, text):
        """The folder of an overlay as users write it, on one of ours. Kustomize wants a relative path."""
        folder = t.ROOT / "target" / f"deploy-test-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kustomization.yaml").write_text(
            f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: assay\n{text}")
        return folder

    def with_monitoring(_):
        return own_overlay("monitoring", "resources: [../../deploy/kubernetes/overlays/split]\n"
                                         "components: [../../deploy/kubernetes/components/monitoring]\n")

    def as_in_the_readme(_):
        """The example of the README, with its address replaced by the path."""
        example = re.search(r"```yaml\napiVersion.*?kind: Kustomization\n(.*?)```", (t.DEPLOY / "kubernetes/README.md").read_text(), re.S)[1]
        example = re.sub(r"\[github.com/[a-z-]+/assay/(\S+)\?ref=<commit>\]", r"[../../\1]", example)
        example = example.replace("<your registry>", "own.example").replace("<digest>", "ab" * 32)
        folder = own_overlay("readme", example + "configMapGenerator: [{name: assay-config, behavior: replace, files: [assay.toml]}]\n")
        (folder / "assay.toml").write_text("# Mine.\n" + (t.DEPLOY / "kubernetes/overlays/replicas/server/assay.toml").read_text())
        return folder

    def overlay(name):
        return lambda w: t.DEPLOY / "kubernetes" / "overlays" / name

    things = {name: rendered(overlay(name)) for name in OVERLAYS}
    t.properties("kubernetes", things, CHECKS, deploy_kubernetes_breaks.BREAKS)

    def monitoring(w, documents):
        monitors = find(documents, "ServiceMonitor")
        services_found = find(documents, "Service")
        found = schemas(w, documents) + deploy_network.policies(w, documents)
        for service in services_found:
            chosen = [m for m in monitors if selects(m["spec"]["selector"], service["metadata"].get("labels", {}))]
            names = {p["name"] for p in service["spec"]["ports"]}
            if len(chosen) != 1 or any(e["port"] not in names or e["scheme"] != "https" or e["tlsConfig"].get("insecureSkipVerify")
                                       or e["tlsConfig"]["serverName"] != service["metadata"]["name"]
                                       for m in chosen for e in m["spec"]["endpoints"]):
                found.append(f"the metrics of {service['metadata']['name']} are not fetched, or not safely")
        return found

    def readme_example(w):
        documents = rendered(as_in_the_readme)(w)
        for name in ("schemas", "secrets", "configuration", "images", "replicated"):
            t.expect_none(CHECKS[name][0](w, documents))
        one = container(pods(documents)[0])
        t.check(one["image"] == f"own.example/assay:0.1.0@sha256:{'ab' * 32}", one["image"])
        t.check({"name": "ASSAY_SERVER__PUBLIC_URL", "value": "https://kbs.example:8080"} in one["env"], str(one["env"]))
        name = next(v["configMap"]["name"] for v in pods(documents)[0]["spec"]["volumes"] if "configMap" in v)
        t.check(named(documents, "ConfigMap", name)["data"]["assay.toml"].startswith("# Mine."), "the configuration was not replaced")

    t.case("kubernetes: the overlay in the README works", readme_example)

    def made(w, overlay, *more):
        """What make-secrets.sh prints for an overlay: each Secret decoded."""
        w.program("openssl")
        result = w.run(t.DEPLOY / "kubernetes" / "make-secrets.sh", overlay, *more, cwd=w.folder)
        t.check(result.returncode == 0, result.stderr)
        return list(w.package("yaml").safe_load_all(result.stdout))

    def made_secrets(w):
        """They are those that the overlays refer to, and the certificates fit together."""
        (w.folder / "password").write_text("a password")
        (w.folder / "database-ca").write_text("an authority")
        for overlay_name in OVERLAYS:
            more = ["kbs.example,192.0.2.7"] + (["password", "database-ca"] if overlay_name == "replicas" else [])
            documents = made(w, overlay_name, *more)
            t.expect_none(schemas(w, documents))
            wanted = {name for pod in pods(things[overlay_name](w)) for name, _ in secret_references(pod)}
            t.check({d["metadata"]["name"] for d in documents} == wanted, f"{overlay_name}: {wanted}")
            for document in documents:
                name = document["metadata"]["name"]
                files = {key: base64.b64decode(value) for key, value in document["data"].items()}
                row = re.search(rf"^\| `{name}` \|[^|]*\|([^|]*)\|", (t.DEPLOY / "kubernetes/README.md").read_text(), re.M)[1]
                t.check(set(files) == set(re.findall(r"`([a-z.]+)`", row)), f"{name}: the README says {row}")
                if name.endswith("key-encryption"):
                    t.check(len(base64.b64decode(files["key"], validate=True)) == 32, f"{name}: not 32 bytes")
                if "tls.key" in files:
                    for key, content in files.items():
                        (w.folder / key).write_bytes(content)
                    purpose = "sslclient" if name.endswith("-client") else "sslserver"
                    other = "sslserver" if purpose == "sslclient" else "sslclient"
                    host = name.removesuffix("-tls").removesuffix("-client")
                    verify = ("openssl", "verify", "-CAfile", w.folder / "ca.crt", "-verify_hostname", host, "-purpose")
                    t.check(w.run(*verify, purpose, w.folder / "tls.crt").returncode == 0, f"{name} is not good for {host}")
                    t.check(w.run(*verify, other, w.folder / "tls.crt").returncode != 0, f"{name} is good for the other side as well")
        t.check(made(w, "all-in-one", "a.example") != made(w, "all-in-one", "a.example"), "the same secrets twice")

    def no_half_secrets(w):
        for arguments in ((), ("other", "a.example"), ("replicas", "a.example"), ("replicas", "a.example", "absent", "absent")):
            result = w.run(t.DEPLOY / "kubernetes" / "make-secrets.sh", *arguments, cwd=w.folder)
            t.check(result.returncode == 2 and not result.stdout and "make-secrets.sh" in result.stderr, f"{arguments}: {result}")

    t.case("kubernetes: make-secrets.sh makes the Secrets of each overlay", made_secrets)
    t.case("kubernetes: make-secrets.sh makes all or nothing", no_half_secrets)

    def first(kind, change):
        return lambda documents: change(find(documents, kind)[0])

    t.properties("kubernetes", {"split with monitoring": rendered(with_monitoring)}, {"monitoring": (monitoring, None)}, [
        ("split with monitoring", "monitoring", "of another port", lambda d: [
            e.update(port="http") for m in find(d, "ServiceMonitor") for e in m["spec"]["endpoints"]]),
        ("split with monitoring", "monitoring", "without a service's labels", first("Service", lambda s: s["metadata"].pop("labels"))),
    ])
