"""The little of the Kubernetes API that EKS itself needs: are nodes ready, delete nodes, and the admin's kubeconfig."""

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


@dataclass(frozen=True)
class KubernetesApi:
    """The API server of one cluster, as its administrator. `kubeconfig` is CLUSTER_DIR/admin.kubeconfig."""

    kubeconfig: Path

    def request(self, method: str, path: str, timeout: float = 5.0) -> dict[str, Any]:
        """The JSON answer. Raises OSError or HTTPException when there is none, LookupError on status >= 400."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server = urlsplit(cluster["server"])
        connection = http.client.HTTPSConnection(
            str(server.hostname), server.port, timeout=timeout, context=_trusting(self.kubeconfig.parent, cluster)
        )
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {user['token']}"})
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
        try:
            self.request("DELETE", f"/api/v1/nodes/{name}")
        except LookupError as problem:
            if " 404 " not in str(problem):
                raise


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
