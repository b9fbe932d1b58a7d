"""All objects of the cluster, whoever made them, found through the API's own discovery; and Conductor's view."""

import re
from typing import Any

from tests.chaos.normal import Ids, normal
from tests.e2e.harness import until
from tests.e2e.outside import Cluster

NOT_LISTED = frozenset({"Event", "Lease", "Endpoints", "EndpointSlice", "ControllerRevision"})
"""Come and go by themselves."""
ONE_OF_MANY = frozenset({"Pod", "ReplicaSet", "Node"})
"""Their names end at random: told by their owner, and whether they work."""
OWNERS = ("Job", "ReplicaSet")
WITHOUT = frozenset({"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink"})
SECRET_KEYS = frozenset({"data", "stringData", "encryptedData", "binaryData"})
"""Values are random, or sealed at random: only the keys are compared."""
HASHES = ("podium/secrets-hash", "podium/hash", "deployment.kubernetes.io/revision", "checksum")
ASSIGNED = frozenset(
    {
        *("clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "volumeName", "nodeName", "providerID"),
        *("podCIDR", "podCIDRs", "caBundle"),
    }
)
"""What controllers fill in."""
COLLECT_SECONDS = 60.0
"""For Kubernetes' garbage collector, which goes on after the operation has ended."""
RELEASE = "helm.sh/release.v1"
"""Type of the Secrets in which helm keeps its releases."""
SANDBOX = "sandbox.podium/"
"""Notes of the sandbox's own controllers: ports of this machine."""


def cluster_picture(cluster: Cluster) -> dict[str, list[Any]]:
    """Kind to objects in normal form, once pods that nobody owns any more are gone."""
    until(lambda: not _uncollected(cluster), "what is deleted is gone", COLLECT_SECONDS)
    found: dict[str, list[Any]] = {}
    for path, kind in _resources(cluster):
        if kind not in NOT_LISTED:
            items = cluster.get(path)["items"]
            releases = [one for one in items if one.get("type") == RELEASE]
            told = [_told(one, kind) for one in items if one not in releases and not _is_try(one)]
            told += _releases(releases)
            found[f"k8s {kind}"] = normal(told, Ids())
    return found


def conductor_picture(cluster: Cluster, namespace: str = "dbos") -> dict[str, list[Any]]:
    """Applications and names of tokens."""
    api = "/v2/orgs/local"
    apps = cluster.through_service("conductor", 8090, f"{api}/apps", namespace).json()
    tokens = cluster.through_service("conductor", 8090, f"{api}/tokens", namespace).json()
    return {
        "conductor apps": sorted(app["name"] if "name" in app else app["appName"] for app in apps),
        "conductor tokens": sorted(token["tokenName"] for token in tokens),
    }


def _resources(cluster: Cluster) -> list[tuple[str, str]]:
    """Path of the list of each kind that has one, and the kind; each kind in its preferred version."""
    groups = cluster.get("/apis")["groups"]
    bases = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    return [
        (f"{base}/{resource['name']}", resource["kind"])
        for base in bases
        for resource in cluster.get(base)["resources"]
        if "list" in resource["verbs"] and "/" not in resource["name"]
    ]


def _uncollected(cluster: Cluster) -> list[str]:
    """Pods that are going, or whose Job or ReplicaSet has gone."""
    owners = [*cluster.get("/apis/batch/v1/jobs")["items"], *cluster.get("/apis/apps/v1/replicasets")["items"]]
    there = {one["metadata"]["uid"] for one in owners}
    going = []
    for pod in cluster.get("/api/v1/pods")["items"]:
        owned_by = [one["uid"] for one in pod["metadata"].get("ownerReferences", ()) if one["kind"] in OWNERS]
        if "deletionTimestamp" in pod["metadata"] or not there.issuperset(owned_by):
            going.append(pod["metadata"]["name"])
    return going


def _is_try(one: dict[str, Any]) -> bool:
    """Pods of a Job: how many it takes is chance, where a database restarts beside it. The Job itself is told."""
    return any(owner["kind"] == "Job" for owner in one["metadata"].get("ownerReferences", ()))


def _told(one: dict[str, Any], kind: str) -> Any:
    meta, status = one["metadata"], one.get("status", {})
    where = meta.get("namespace")
    if kind in ONE_OF_MANY:
        owners = [f"{owner['kind']} {_stem(owner['name'])}" for owner in meta.get("ownerReferences", ())]
        ready = [c["status"] for c in status.get("conditions", ()) if c["type"] == "Ready"]
        return {"namespace": where, "owners": owners, "ready": ready, "replicas": one.get("spec", {}).get("replicas")}
    told = _plain({key: value for key, value in one.items() if key != "status"})
    if kind == "Secret" and meta["name"].startswith("sealed-secrets-key"):
        told["metadata"]["name"] = "<sealing key>"
    if (kind, where, meta["name"]) == ("Service", "default", "kubernetes"):
        told["spec"].pop("ports")
    return told


def _releases(secrets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Helm's releases as their newest revision has them: how many there have been before is history."""
    newest: dict[tuple[str, str], dict[str, str]] = {}
    for secret in sorted(secrets, key=lambda one: int(one["metadata"]["labels"]["version"])):
        labels = secret["metadata"]["labels"]
        newest[secret["metadata"]["namespace"], labels["name"]] = labels
    return [{"release": list(name), "status": labels["status"]} for name, labels in newest.items()]


def _stem(name: str) -> str:
    """Without a ReplicaSet's hash, whose letters are those of k8s.io/apimachinery's `rand.SafeEncodeString`."""
    return re.sub(r"-[bcdfghjklmnpqrstvwxz2456789]{6,10}$", "", name)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for key, one in value.items():
            if key in WITHOUT or key in ASSIGNED or key.startswith(SANDBOX):
                continue
            if key in SECRET_KEYS and isinstance(one, dict):
                made[key] = sorted(one)
            elif key.startswith(HASHES) or "hash" in key.lower():
                made[key] = "<hash>"
            else:
                made[key] = _plain(one)
        return made
    return [_plain(one) for one in value] if isinstance(value, list) else value
