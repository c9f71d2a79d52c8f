"""What deploy_manifests.py's checks must notice: each line breaks one thing in a rendered overlay."""

from deploy_network import find, named


def workloads(documents):
    return find(documents, "StatefulSet", "Deployment")


def spec(change):
    """Breaks the specification of the first workload."""
    return lambda documents: change(workloads(documents)[0]["spec"])


def pod(change):
    return spec(lambda s: change(s["template"]["spec"]))


def container(change):
    return pod(lambda p: change(p["containers"][0]))


def guarded(change):
    return container(lambda c: change(c["securityContext"]))


def policy(name, change):
    return lambda documents: change(named(documents, "NetworkPolicy", name)["spec"])


def config(old, new, index=0):
    """Replaces text in one of the configurations."""

    def change(documents):
        data = find(documents, "ConfigMap")[index]["data"]
        data["assay.toml"] = data["assay.toml"].replace(old, new)

    return change


def without(kind, name):
    return lambda documents: documents.remove(named(documents, kind, name))


ONE, SPLIT, MANY = "all-in-one", "split", "replicas"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "assay-tls"}, "stringData": {"tls.key": "x"}}
AS, KBS, RVPS = 0, 1, 2

BREAKS = [
    (ONE, "schemas", "an unknown key", container(lambda c: c.update(imagePulPolicy="Always"))),
    (MANY, "schemas", "a number as text", spec(lambda s: s.update(replicas="3"))),
    (ONE, "schemas", "no selector", spec(lambda s: s.pop("selector"))),
    (ONE, "restricted pods", "root", pod(lambda p: p["securityContext"].update(runAsUser=0))),
    (ONE, "restricted pods", "root allowed", pod(lambda p: p["securityContext"].pop("runAsNonRoot"))),
    (ONE, "restricted pods", "all system calls", pod(lambda p: p["securityContext"].pop("seccompProfile"))),
    (ONE, "restricted pods", "the node's network", pod(lambda p: p.update(hostNetwork=True))),
    (ONE, "restricted pods", "a folder of the node", pod(lambda p: p["volumes"].append({"name": "x", "hostPath": {"path": "/"}}))),
    (ONE, "restricted pods", "the cluster's token", pod(lambda p: p.pop("automountServiceAccountToken"))),
    (ONE, "restricted pods", "services as settings", pod(lambda p: p.pop("enableServiceLinks"))),
    (SPLIT, "restricted pods", "a privileged container", guarded(lambda c: c.update(privileged=True))),
    (SPLIT, "restricted pods", "escalation", guarded(lambda c: c.pop("allowPrivilegeEscalation"))),
    (MANY, "restricted pods", "a file system to be written", guarded(lambda c: c.update(readOnlyRootFilesystem=False))),
    (MANY, "restricted pods", "a capability", guarded(lambda c: c["capabilities"].update(add=["NET_ADMIN"]))),
    (MANY, "restricted pods", "an open second container", pod(lambda p: p["containers"].append({"name": "x", "image": "x"}))),
    (ONE, "resources", "no limit of memory", container(lambda c: c["resources"]["limits"].pop("memory"))),
    (MANY, "resources", "no request of processor time", container(lambda c: c["resources"]["requests"].pop("cpu"))),
    (ONE, "probes", "no readiness", container(lambda c: c.pop("readinessProbe"))),
    (ONE, "probes", "liveness by readiness", container(lambda c: c["livenessProbe"]["httpGet"].update(path="/readyz"))),
    (SPLIT, "probes", "plain HTTP", container(lambda c: c["startupProbe"]["httpGet"].pop("scheme"))),
    (SPLIT, "probes", "another port", container(lambda c: c["livenessProbe"]["httpGet"].update(port="http"))),
    (MANY, "draining", "too little grace", pod(lambda p: p.update(terminationGracePeriodSeconds=30))),
    (MANY, "draining", "longer draining", config("drain_seconds = 30", "drain_seconds = 60")),
    (MANY, "draining", "no pause", container(lambda c: c.pop("lifecycle"))),
    (ONE, "images", "no digest", container(lambda c: c.update(image="registry.example/assay:0.1.0"))),
    (ONE, "secrets", "a Secret in it", lambda documents: documents.append(SECRET)),
    (ONE, "secrets", "a key in the environment", container(lambda c: c["env"].append({"name": "ASSAY_KEY", "value": "x"}))),
    (ONE, "secrets", "an unknown Secret", pod(lambda p: p["volumes"][-1].update(secret={"secretName": "unheard-of"}))),
    (MANY, "secrets", "a password in the address", config("//assay@", "//assay:pass@")),
    (ONE, "configuration", "a danger", config("[log]", "[danger]\nallow_sample = true\n[log]"), "danger.allow_sample"),
    (ONE, "configuration", "plain HTTP", config("drain_seconds", "http = true\ndrain_seconds"), "server.http"),
    (ONE, "configuration", "a file that is not mounted", config("/etc/assay/tls/tls.key", "/etc/tls.key"), "not mounted"),
    (ONE, "configuration", "a volume that does not exist", spec(lambda s: s.pop("volumeClaimTemplates")), "does not exist"),
    (ONE, "configuration", "another variable for the key", config("ASSAY_KEY_ENCRYPTION_KEY", "OTHER_KEY"), "no Secret"),
    (MANY, "configuration", "no certificate authority mounted", container(
        lambda c: c.update(volumeMounts=[m for m in c["volumeMounts"] if m["name"] != "database"])), "not mounted"),
    (ONE, "services", "another target", lambda d: find(d, "Service")[0]["spec"]["ports"][0].update(targetPort="http")),
    (SPLIT, "services", "another port", lambda d: find(d, "Service")[0]["spec"]["ports"][0].update(port=8080)),
    (SPLIT, "services", "too wide a selector", lambda d: find(d, "Service")[0]["spec"]["selector"].pop("app.kubernetes.io/component")),
    (SPLIT, "services", "no service", without("Service", "assay-rvps")),
    (ONE, "services", "another door", config("0.0.0.0:8080", "0.0.0.0:8443")),
    (ONE, "services", "loopback only", config("0.0.0.0:8080", "127.0.0.1:8080")),
    (MANY, "services", "other pods selected", spec(lambda s: s["selector"]["matchLabels"].update(a="b"))),
    (ONE, "services", "no account", without("ServiceAccount", "assay")),
    (ONE, "one writer", "two replicas", spec(lambda s: s.update(replicas=2))),
    (SPLIT, "one writer", "no volume", spec(lambda s: s.pop("volumeClaimTemplates"))),
    (SPLIT, "one writer", "a volume that goes", spec(lambda s: s["persistentVolumeClaimRetentionPolicy"].update(whenDeleted="Delete"))),
    (MANY, "replicated", "two replicas", spec(lambda s: s.update(replicas=2))),
    (MANY, "replicated", "an outage by update", spec(lambda s: s["strategy"]["rollingUpdate"].update(maxUnavailable=1))),
    (MANY, "replicated", "no disruption budget", without("PodDisruptionBudget", "assay")),
    (MANY, "replicated", "a budget that blocks", lambda d: find(d, "PodDisruptionBudget")[0]["spec"].update(minAvailable=3)),
    (MANY, "replicated", "a budget for others", lambda d: find(d, "PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"].update(a="b")),
    (MANY, "replicated", "all on one node", pod(lambda p: p["topologySpreadConstraints"].pop(0))),
    (MANY, "replicated", "a spread of others", pod(lambda p: p["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(a="b"))),
    (MANY, "replicated", "a store of its own", config("[store]", "[store.x]")),
    (MANY, "replicated", "an unverified database", config("tls_root_certificate =", "# =")),
    (SPLIT, "mutual TLS", "no certificate shown", config("client_certificate =", "# =", KBS)),
    (SPLIT, "mutual TLS", "nobody's certificate asked for", config("client_ca =", "# =", RVPS)),
    (SPLIT, "mutual TLS", "too many rights", config('["evaluator"]', '["admin"]', AS)),
    (SPLIT, "mutual TLS", "rights for others", config('"assay-as"', '"assay-kbs"', RVPS)),
    (SPLIT, "mutual TLS", "another part", config("https://assay-rvps:", "https://assay-as:", AS)),
    (ONE, "network policies", "nothing denied", without("NetworkPolicy", "default-deny")),
    (ONE, "network policies", "only coming in denied", policy("default-deny", lambda p: p.update(policyTypes=["Ingress"]))),
    (ONE, "network policies", "pods that do not exist", policy("dns", lambda p: p["podSelector"]["matchLabels"].update(a="b"))),
    (SPLIT, "network policies", "peers that do not exist", policy(
        "as-from-kbs", lambda p: p["ingress"][0]["from"][0]["podSelector"]["matchLabels"].update(a="b"))),
    (SPLIT, "network policies", "a port that does not exist", policy("kbs-to-as", lambda p: p["egress"][0]["ports"][0].update(port=50005))),
    (ONE, "network policies", "all ports", policy("clients", lambda p: p["ingress"][0].pop("ports"))),
    (ONE, "network policies", "out to everywhere", policy("dns", lambda p: p["egress"][0].pop("to"))),
    (MANY, "network policies", "inside by way of the internet", policy("vendors", lambda p: p["egress"][0]["to"][0]["ipBlock"].pop("except"))),
    (SPLIT, "flows", "no way out", without("NetworkPolicy", "kbs-to-as"), "assay-kbs → assay-as:50004 is closed"),
    (SPLIT, "flows", "no way in", without("NetworkPolicy", "rvps-from-as"), "assay-as → assay-rvps:50003 is closed"),
    (SPLIT, "flows", "the key broker at the reference values", lambda d: [
        policy("kbs-to-as", lambda p: p["egress"][0].pop("to"))(d), policy("kbs-to-as", lambda p: p["egress"][0].pop("ports"))(d),
        policy("rvps-from-as", lambda p: p["ingress"][0].update({"from": [{"podSelector": {}}]}))(d)], "assay-kbs → assay-rvps:50003 is open"),
    (SPLIT, "flows", "a part open to all", policy("as-from-kbs", lambda p: p["ingress"][0].pop("from")), "open to everybody"),
    (SPLIT, "flows", "the key broker at the vendors", policy(
        "vendors", lambda p: p["podSelector"].pop("matchExpressions")), "assay-kbs: verifies: False"),
    (ONE, "flows", "no clients", without("NetworkPolicy", "clients"), "closed to clients"),
    (ONE, "flows", "no names", without("NetworkPolicy", "dns"), "no names"),
    (MANY, "flows", "another database", config(".database.svc", ".other.svc"), "its database is out of reach"),
    (MANY, "flows", "another database port", config(":5432", ":5433"), "its database is out of reach"),
]
