"""What must be true of the rendered Kubernetes overlays: for the cases of deploy_kubernetes.py.

A rendered overlay is a list of documents. A check takes it and gives a list of problems.
"""

import copy
import re
import tomllib

import deploy_network
from deploy_network import find, named, pods, selects

# The oldest release whose schema has all that is used, and the newest that the package knows.
OLDEST_RELEASE = "1.30"
# Kinds of the Prometheus Operator: not in Kubernetes' schemas.
FOREIGN_KINDS = ("ServiceMonitor",)


def container(pod):
    return pod["spec"]["containers"][0]


def settings(documents, pod):
    """The configuration that the pod is given, parsed."""
    name = next(v["configMap"]["name"] for v in pod["spec"]["volumes"] if "configMap" in v)
    return tomllib.loads(named(documents, "ConfigMap", name)["data"]["assay.toml"])


def leaves(tree, path=""):
    """(path, value) of each value of a tree of tables."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def secret_references(pod):
    """(name of the Secret, key or None) of each reference."""
    for volume in pod["spec"].get("volumes", []):
        if "secret" in volume:
            yield volume["secret"]["secretName"], None
    for one in pod["spec"]["containers"]:
        for variable in one.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                yield reference["name"], reference["key"]


def restricted(_, documents):
    found = []
    for pod in pods(documents):
        spec, where = pod["spec"], pod["name"]
        context = spec.get("securityContext", {})
        wanted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        found += [f"{where}: {k} is {context.get(k)}" for k, v in wanted.items() if context.get(k) != v]
        if not (isinstance(context.get("runAsUser"), int) and context["runAsUser"] > 0):
            found.append(f"{where}: runAsUser is {context.get('runAsUser')}")
        found += [f"{where}: {k}" for k in ("hostNetwork", "hostPID", "hostIPC") if spec.get(k)]
        found += [f"{where}: {k} is not false" for k in ("automountServiceAccountToken", "enableServiceLinks") if spec.get(k) is not False]
        found += [f"{where}: volume {v['name']} is of the host" for v in spec.get("volumes", []) if "hostPath" in v]
        for one in spec["containers"] + spec.get("initContainers", []):
            own = one.get("securityContext", {})
            wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True}
            found += [f"{where}: {k} is {own.get(k)}" for k, v in wanted.items() if own.get(k) is not v]
            if own.get("privileged"):
                found.append(f"{where}: privileged")
            if own.get("capabilities") != {"drop": ["ALL"]}:
                found.append(f"{where}: capabilities are {own.get('capabilities')}")
    return found if pods(documents) else ["no pods"]


def resources(_, documents):
    return [f"{pod['name']}: no {kind} for {what}" for pod in pods(documents) for one in pod["spec"]["containers"]
            for kind in ("requests", "limits") for what in ("cpu", "memory", "ephemeral-storage")
            if what not in one.get("resources", {}).get(kind, {})]


def probes(_, documents):
    found = []
    for pod in pods(documents):
        one = container(pod)
        ports = {port["name"] for port in one["ports"]}
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            get = one.get(probe, {}).get("httpGet", {})
            if (get.get("path"), get.get("scheme")) != (path, "HTTPS") or get.get("port") not in ports:
                found.append(f"{pod['name']}: {probe} is {get}")
    return found


def draining(_, documents):
    found = []
    for pod in pods(documents):
        pause = container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = settings(documents, pod)["server"].get("drain_seconds", 10)
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        if pause < 2:
            found.append(f"{pod['name']}: no pause before it stops; connections still come then")
        if grace < pause + drain + 5:
            found.append(f"{pod['name']}: {grace} s of grace are too few for {pause} s of pause and {drain} s of draining")
    return found


def images(_, documents):
    return [f"{pod['name']}: image {one['image']} has no tag and digest" for pod in pods(documents)
            for one in pod["spec"]["containers"] if not re.search(r":[^/@]+@sha256:[0-9a-f]{64}$", one["image"])]


def secrets(w, documents):
    """By reference only, and each reference is explained in the README."""
    found = [f"contains the Secret {d['metadata']['name']}" for d in find(documents, "Secret")]
    readme = (w.deploy / "kubernetes" / "README.md").read_text()
    for pod in pods(documents):
        for name, key in secret_references(pod):
            row = re.search(rf"^\| `{re.escape(name)}` \|.*", readme, re.M)
            if not row or (key and f"`{key}`" not in row[0]):
                found.append(f"{pod['name']}: Secret {name}{' key ' + key if key else ''} is not in the README")
        for one in pod["spec"]["containers"]:
            found += [f"{pod['name']}: {v['name']} is written down" for v in one.get("env", [])
                      if "value" in v and re.search("KEY|PASSWORD|TOKEN|SECRET", v["name"])]
        for path, value in leaves(settings(documents, pod)):
            if isinstance(value, str) and (re.search(r"://[^/@]*:[^/@]*@", value) or "PRIVATE KEY" in value
                                           or re.search(r"(password|token|secret|key)$", path) and not value.startswith("/")):
                found.append(f"{pod['name']}: {path} contains a secret")
    return found


def configuration(w, documents):
    found = []
    for pod in pods(documents):
        tree, where = settings(documents, pod), pod["name"]
        found += [f"{where}: {path} is on" for path, value in leaves(tree) if path.startswith("danger.") and value]
        found += [f"{where}: {path} is {value}: plain HTTP" for path, value in leaves(tree)
                  if path == "server.http" and value or str(value).startswith("http://")]
        mounts = {m["mountPath"]: m["name"] for m in container(pod)["volumeMounts"]}
        volumes = {v["name"] for v in pod["spec"].get("volumes", [])} | set(pod["claims"])
        found += [f"{where}: the volume {name} does not exist" for name in mounts.values() if name not in volumes]
        for path, value in leaves(tree):
            if isinstance(value, str) and value.startswith("/") and not any(
                    value == m or value.startswith(m + "/") for m in mounts):
                found.append(f"{where}: {path} = {value} is not mounted")
        variable = tree.get("key_encryption", {}).get("environment_variable")
        if not any(v["name"] == variable and "valueFrom" in v for v in container(pod).get("env", [])):
            found.append(f"{where}: the key-encryption key {variable} comes from no Secret")
        if "store" not in tree and tree["server"]["data_dir"] not in mounts:
            found.append(f"{where}: the data folder is not a volume")
        file = w.folder / "assay.toml"
        file.write_text(named(documents, "ConfigMap", next(
            v["configMap"]["name"] for v in pod["spec"]["volumes"] if "configMap" in v))["data"]["assay.toml"])
        found += [f"{where}: {problem}" for problem in w.configuration_problems(file)]
    return found


def services(_, documents):
    found, all_pods = [], pods(documents)
    for workload in find(documents, "StatefulSet", "Deployment"):
        name, spec = workload["metadata"]["name"], workload["spec"]
        if not selects(spec["selector"], spec["template"]["metadata"]["labels"]):
            found.append(f"{name}: does not select its own pods")
        if "serviceName" in spec and not named(documents, "Service", spec["serviceName"]):
            found.append(f"{name}: no service {spec['serviceName']}")
        if not named(documents, "ServiceAccount", spec["template"]["spec"]["serviceAccountName"]):
            found.append(f"{name}: no such service account")
    for service in find(documents, "Service"):
        chosen = [p for p in all_pods if selects({"matchLabels": service["spec"]["selector"]}, p["labels"])]
        where = f"service {service['metadata']['name']}"
        if len(chosen) != 1:
            found.append(f"{where}: selects the pods of {len(chosen)} workloads")
        for port in service["spec"]["ports"]:
            for pod in chosen:
                served = {p["name"]: p["containerPort"] for p in container(pod)["ports"]}
                if served.get(port["targetPort"]) != port["port"]:
                    found.append(f"{where}: port {port['port']} leads to {served}")
    for pod in all_pods:
        listens = [v for path, v in leaves(settings(documents, pod)) if path.endswith(".listen")]
        served = [f"0.0.0.0:{p['containerPort']}" for p in container(pod)["ports"]]
        if sorted(listens) != sorted(served):
            found.append(f"{pod['name']}: listens on {listens}, its ports are {served}")
    return found


def one_writer(_, documents):
    """SQLite: one process and a volume that stays."""
    found = []
    for workload in find(documents, "StatefulSet", "Deployment"):
        name, spec = workload["metadata"]["name"], workload["spec"]
        if workload["kind"] != "StatefulSet" or spec.get("replicas") != 1:
            found.append(f"{name}: more than one process could use the file")
        if not any(c["metadata"]["name"] == "data" for c in spec.get("volumeClaimTemplates", [])):
            found.append(f"{name}: what is stored goes with the pod")
        if spec.get("persistentVolumeClaimRetentionPolicy", {}).get("whenDeleted", "Retain") != "Retain":
            found.append(f"{name}: the volume goes with the StatefulSet")
    return found


def replicated(_, documents):
    found = []
    for workload in find(documents, "Deployment"):
        name, spec = workload["metadata"]["name"], workload["spec"]
        labels = spec["template"]["metadata"]["labels"]
        replicas = spec.get("replicas", 1)
        if replicas < 3:
            found.append(f"{name}: {replicas} replicas")
        update = spec.get("strategy", {}).get("rollingUpdate", {})
        if update.get("maxUnavailable") != 0 or not update.get("maxSurge"):
            found.append(f"{name}: an update takes replicas away before others serve: {update}")
        budgets = [b for b in find(documents, "PodDisruptionBudget") if selects(b["spec"]["selector"], labels)]
        if len(budgets) != 1 or not 1 <= budgets[0]["spec"].get("minAvailable", 0) < replicas:
            found.append(f"{name}: no disruption budget that keeps some and lets others go")
        spread = [s for s in spec["template"]["spec"].get("topologySpreadConstraints", [])
                  if selects(s.get("labelSelector", {}), labels) and s.get("labelSelector")]
        found += [f"{name}: not spread over {key}" for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
                  if key not in [s["topologyKey"] for s in spread]]
    for pod in pods(documents):
        store = settings(documents, pod).get("store", {})
        if not store.get("url", "").startswith("postgresql://") or pod["claims"]:
            found.append(f"{pod['name']}: its store is not the shared database")
        found += [f"{pod['name']}: no store.{key}" for key in ("password_file", "tls_root_certificate") if key not in store]
    return found if find(documents, "Deployment") else ["no Deployment"]


def mutual_tls(_, documents):
    """Between parts both sides show certificates, and the one asked knows who may ask what."""
    parts = {p["labels"]["app.kubernetes.io/component"]: settings(documents, p) for p in pods(documents)}
    found = []
    for asker, section, asked, door, san, role in (
            ("kbs", "attestation", "as", "attestation_service", "assay-kbs", "evaluator"),
            ("as", "reference_values", "rvps", "rvps", "assay-as", "reference-value-reader")):
        out, into = parts.get(asker, {}).get(section, {}), parts.get(asked, {})
        found += [f"{asker}: no {section}.{key}" for key in ("ca_certificate", "client_certificate", "client_key") if not out.get(key)]
        if not out.get("address", "").startswith(f"https://assay-{asked}:"):
            found.append(f"{asker}: {section}.address is {out.get('address')}")
        found += [f"{asked}: no {door}.{key}" for key in ("tls_certificate", "tls_key", "client_ca") if not into.get(door, {}).get(key)]
        if into.get("access", {}).get("clients") != [{"san": san, "roles": [role]}]:
            found.append(f"{asked}: access.clients is {into.get('access')}, not {san} as {role} alone")
    return found


def schemas(w, documents):
    validate = w.package("kubernetes_validate")
    releases, found = (OLDEST_RELEASE, validate.latest_version()), []
    for document in documents:
        if document["kind"] in FOREIGN_KINDS:
            continue
        for release in releases:
            try:
                used = validate.validate(copy.deepcopy(document), release, strict=True)
                if not release.startswith(used):
                    found.append(f"the schemas of {release} are not in the package; {used} was taken")
            except Exception as error:
                place = ".".join(map(str, getattr(error, "path", [])))
                found.append(f"{document['kind']} {document['metadata']['name']}, {release}: {place} {getattr(error, 'message', error)}")
    return found


CHECKS = {
    "schemas": (schemas, None), "restricted pods": (restricted, None), "resources": (resources, None), "probes": (probes, None),
    "draining": (draining, None), "images": (images, None), "secrets": (secrets, None), "configuration": (configuration, None),
    "services": (services, None), "one writer": (one_writer, ("all-in-one", "split")), "replicated": (replicated, ("replicas",)),
    "mutual TLS": (mutual_tls, ("split",)), "network policies": (deploy_network.policies, None), "flows": (deploy_network.flows, None),
}
