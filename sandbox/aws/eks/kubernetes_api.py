"""The little of the Kubernetes API that EKS itself needs: are nodes ready, drain and delete them, a kubeconfig."""

import base64
import http.client
import json
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


@dataclass(frozen=True)
class KubernetesApi:
    """The API server of one cluster, as its administrator. `kubeconfig` is CLUSTER_DIR/admin.kubeconfig."""

    kubeconfig: Path

    def request(self, method: str, path: str, body: Any = None, timeout: float = 5.0) -> dict[str, Any]:
        """The JSON answer. Raises OSError or HTTPException when there is none, LookupError on status >= 400."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server = urlsplit(cluster["server"])
        connection = http.client.HTTPSConnection(
            str(server.hostname), server.port, timeout=timeout, context=_trusting(self.kubeconfig.parent, cluster)
        )
        try:
            content = "application/merge-patch+json" if method == "PATCH" else "application/json"
            headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": content}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            body = json.loads(answer.read() or b"{}")
        finally:
            connection.close()
        if answer.status >= 400:
            raise LookupError(f"{method} {path}: {answer.status} {body.get('message', '')}")
        return dict(body)

    def ready_nodes(self) -> set[str]:
        """Names of the nodes whose condition Ready is True."""
        return {
            item["metadata"]["name"]
            for item in self.request("GET", "/api/v1/nodes")["items"]
            for condition in item.get("status", {}).get("conditions", [])
            if (condition["type"], condition["status"]) == ("Ready", "True")
        }

    def delete_node(self, name: str) -> None:
        """Delete a Node; one that is gone is fine."""
        self._tolerant("404", "DELETE", f"/api/v1/nodes/{name}")

    def drain(self, names: Collection[str]) -> bool:
        """Take no more pods on these nodes, evict those that are there; whether none is left but the DaemonSets'."""
        self._set_unschedulable(names, True)
        left = [pod for pod in self.request("GET", "/api/v1/pods")["items"] if _leaves(pod, names)]
        for pod in left:
            if "deletionTimestamp" not in pod["metadata"]:
                self._evict(pod["metadata"]["namespace"], pod["metadata"]["name"])
        return not left

    def uncordon(self, names: Collection[str]) -> None:
        """Let pods be scheduled there again."""
        self._set_unschedulable(names, None)

    def _set_unschedulable(self, names: Collection[str], value: bool | None) -> None:
        for name in names:
            self._tolerant("404", "PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": value}})

    def _evict(self, namespace: str, name: str) -> None:
        """429: a disruption budget does not allow it now."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"namespace": namespace, "name": name}}
        self._tolerant("404 429", "POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", eviction)

    def _tolerant(self, statuses: str, method: str, path: str, body: Any = None) -> None:
        try:
            self.request(method, path, body)
        except LookupError as problem:
            if not any(f": {status} " in str(problem) for status in statuses.split()):
                raise


def _leaves(pod: dict[str, Any], names: Collection[str]) -> bool:
    """As `kubectl drain --ignore-daemonsets` sees it; what has run to its end goes with its node."""
    owners = [owner["kind"] for owner in pod["metadata"].get("ownerReferences") or []]
    over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return pod["spec"].get("nodeName") in names and "DaemonSet" not in owners and not over


def merged(kubeconfigs: dict[str, Path]) -> str:
    """One kubeconfig with a context per cluster, named by its ARN; the last is the current one."""
    config: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for arn, path in kubeconfigs.items():
        single = yaml.safe_load(path.read_text())
        cluster = dict(single["clusters"][0]["cluster"])
        authority = cluster.pop("certificate-authority", None)
        if authority is not None:
            cluster["certificate-authority-data"] = base64.b64encode((path.parent / authority).read_bytes()).decode()
        config["clusters"].append({"name": arn, "cluster": cluster})
        config["users"].append({"name": arn, "user": single["users"][0]["user"]})
        config["contexts"].append({"name": arn, "context": {"cluster": arn, "user": arn}})
        config["current-context"] = arn
    return yaml.safe_dump(config, sort_keys=False)


def _trusting(directory: Path, cluster: dict[str, Any]) -> ssl.SSLContext:
    data = cluster.get("certificate-authority-data")
    if data is not None:
        return ssl.create_default_context(cadata=base64.b64decode(data).decode())
    return ssl.create_default_context(cafile=str(directory / cluster["certificate-authority"]))
