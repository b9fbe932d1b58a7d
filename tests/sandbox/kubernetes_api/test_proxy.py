"""How the stand-in reaches nodes: the log of a pod, over the kubelet endpoint that its node tells."""

from tests.contract.backend import Backend
from tests.contract.kube import Kube
from tests.contract.objects import meta, pod


def test_logs_come_from_the_pods_node(kube: Kube, backend: Backend) -> None:
    name = f"node-{kube.namespace}"
    endpoints = {"kubeletEndpoint": {"Port": backend.port}}
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    node = meta(name) | {"status": {"daemonEndpoints": endpoints, "addresses": addresses}}
    assert kube.call("POST", "/api/v1/nodes", node)[0] == 201
    kube.until(lambda: kube.find("serviceaccounts", "default"))
    kube.made("pods", pod("p", nodeName=name))
    backend.answers[f"/containerLogs/{kube.namespace}/p/main"] = lambda _request: (200, {}, b"line\n")
    response = kube.client.get(kube.path("pods", "p", "log"), params={"tailLines": 5})
    assert response.text == "line\n"
    assert backend.seen[-1]["target"].endswith("?tailLines=5")
    kube.call("DELETE", f"/api/v1/nodes/{name}")
