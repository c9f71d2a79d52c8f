"""What Kubernetes' network policies let through, computed as the cluster would: for the checks of deploy_manifests.py."""

import re
import tomllib

DNS = 53


def find(documents, *kinds):
    return [d for d in documents if d["kind"] in kinds]


def named(documents, kind, name):
    return next((d for d in find(documents, kind) if d["metadata"]["name"] == name), None)


def pods(documents):
    """Each kind of pod: name of its workload, labels, specification, names of claimed volumes."""
    return [{
        "name": d["metadata"]["name"],
        "labels": d["spec"]["template"]["metadata"]["labels"],
        "spec": d["spec"]["template"]["spec"],
        "claims": [c["metadata"]["name"] for c in d["spec"].get("volumeClaimTemplates", [])],
    } for d in find(documents, "StatefulSet", "Deployment", "DaemonSet", "Job")]


def selects(selector, labels):
    """Whether a label selector takes these labels; the empty one takes all."""
    if any(labels.get(k) != v for k, v in selector.get("matchLabels", {}).items()):
        return False
    for expression in selector.get("matchExpressions", []):
        value, operator = labels.get(expression["key"]), expression["operator"]
        good = {"In": value in expression.get("values", []), "NotIn": value not in expression.get("values", []),
                "Exists": value is not None, "DoesNotExist": value is None}[operator]
        if not good:
            return False
    return True


def served(pod):
    return {p["name"]: p["containerPort"] for p in pod["spec"]["containers"][0]["ports"]}


def port_allowed(rule, pod, port):
    """A rule without ports allows all; a port may be given by its name at the pod that is asked."""
    return "ports" not in rule or any(
        port == (served(pod).get(p["port"]) if pod and isinstance(p["port"], str) else p["port"]) for p in rule["ports"])


def own(documents, pod, direction):
    """The rules for a pod in one direction, of the policies that select it; None where none does: all is open."""
    chosen = [p["spec"] for p in find(documents, "NetworkPolicy")
              if direction in p["spec"]["policyTypes"] and selects(p["spec"]["podSelector"], pod["labels"])]
    return [rule for p in chosen for rule in p.get(direction.lower(), [])] if chosen else None


def allowed(documents, source, target, port):
    """Whether the pod `source` reaches `port` of the pod `target`, both being of this namespace."""
    out, into = own(documents, source, "Egress"), own(documents, target, "Ingress")

    def peer(rule, side, other):
        return side not in rule or any("podSelector" in p and "namespaceSelector" not in p
                                       and selects(p["podSelector"], other["labels"]) for p in rule[side])

    return (out is None or any(peer(r, "to", target) and port_allowed(r, target, port) for r in out)) and (
        into is None or any(peer(r, "from", source) and port_allowed(r, target, port) for r in into))


def open_to_all(documents, target, port):
    """Whether anybody, from anywhere, reaches the port."""
    into = own(documents, target, "Ingress")
    return into is None or any("from" not in r and port_allowed(r, target, port) for r in into)


def reaches_namespace(documents, source, namespace, port):
    labels = {"kubernetes.io/metadata.name": namespace}
    out = own(documents, source, "Egress")
    return out is None or any(port_allowed(r, None, port) and any(
        "namespaceSelector" in p and selects(p["namespaceSelector"], labels) for p in r.get("to", [])) for r in out)


def reaches_vendors(documents, source):
    out = own(documents, source, "Egress")
    return out is None or any(port_allowed(r, None, 443) and any("ipBlock" in p for p in r.get("to", [])) for r in out)


def policies(_, documents):
    """Each policy selects pods that exist, names ports that exist, and opens no more than some ports of somebody."""
    found, all_pods = [], pods(documents)
    denies = [p for p in find(documents, "NetworkPolicy") if p["spec"]["podSelector"] == {}
              and sorted(p["spec"]["policyTypes"]) == ["Egress", "Ingress"] and not p["spec"].get("ingress") and not p["spec"].get("egress")]
    if not denies:
        found.append("nothing is denied by default")
    for policy in find(documents, "NetworkPolicy"):
        name, spec = policy["metadata"]["name"], policy["spec"]
        chosen = [p for p in all_pods if selects(spec["podSelector"], p["labels"])]
        if not chosen:
            found.append(f"{name}: selects no pod")
        for direction, side in (("ingress", "from"), ("egress", "to")):
            if spec.get(direction) and direction.title() not in spec["policyTypes"]:
                found.append(f"{name}: its {direction} rules are not of its types")
            for rule in spec.get(direction, []):
                if not rule.get("ports") or (direction == "egress" and not rule.get("to")):
                    found.append(f"{name}: opens everything")
                others = [p for peer in rule.get(side, []) if "podSelector" in peer and "namespaceSelector" not in peer
                          for p in all_pods if selects(peer["podSelector"], p["labels"])]
                if any("podSelector" in peer and "namespaceSelector" not in peer for peer in rule.get(side, [])) and not others:
                    found.append(f"{name}: its peers do not exist")
                for pod in chosen if direction == "ingress" else others:
                    found += [f"{name}: {pod['name']} has no port {p['port']}" for p in rule.get("ports", [])
                              if p["port"] not in served(pod).values() and p["port"] not in served(pod)]
    for rule in (r for p in all_pods for r in own(documents, p, "Egress") or []):
        for block in (peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer):
            if block["cidr"] == "0.0.0.0/0" and not {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block.get("except", [])):
                found.append("the way to the internet leads inside as well")
    return found


def flows(_, documents):
    """What the configurations need is open, and between the pods nothing else."""
    found, all_pods = [], pods(documents)
    by_name = {p["name"]: p for p in all_pods}
    needed = set()
    for pod in all_pods:
        name = next(v["configMap"]["name"] for v in pod["spec"]["volumes"] if "configMap" in v)
        tree = tomllib.loads(named(documents, "ConfigMap", name)["data"]["assay.toml"])
        for section in ("attestation", "reference_values"):
            match = re.fullmatch(r"https://([a-z-]+):(\d+)", tree.get(section, {}).get("address", ""))
            if match and match[1] not in by_name:
                found.append(f"{pod['name']}: there is no {match[1]}")
            elif match:
                needed.add((pod["name"], match[1], int(match[2])))
        match = re.fullmatch(r"postgresql://[^@]+@[^.]+\.([^.]+)\.svc:(\d+)/.*", tree.get("store", {}).get("url", ""))
        if match and not reaches_namespace(documents, pod, match[1], int(match[2])):
            found.append(f"{pod['name']}: its database is out of reach")
        if not reaches_namespace(documents, pod, "kube-system", DNS):
            found.append(f"{pod['name']}: no names")
        verifies = "attestation" not in tree and "rvps" not in tree
        if reaches_vendors(documents, pod) != verifies:
            found.append(f"{pod['name']}: verifies: {verifies}; reaches the vendors: {not verifies}")
        for port in served(pod).values():
            if open_to_all(documents, pod, port) != (port == tree_port(tree)):
                found.append(f"{pod['name']}: port {port} is {'closed to clients' if port == tree_port(tree) else 'open to everybody'}")
    for source in all_pods:
        for target in all_pods:
            for port in served(target).values():
                wanted = (source["name"], target["name"], port) in needed
                if source is not target and allowed(documents, source, target, port) != wanted:
                    found.append(f"{source['name']} → {target['name']}:{port} is {'closed' if wanted else 'open'}")
    return found


def tree_port(tree):
    """The port of the key broker's door, where there is one; the others' doors are not for everybody."""
    listen = tree.get("server", {}).get("listen")
    return int(listen.rsplit(":", 1)[1]) if listen else None
