"""The proxy to services and pods, and pod logs."""

import json
from typing import Any

import pytest

from tests.contract.backend import Backend
from tests.contract.kube import Kube
from tests.contract.objects import container, meta, pod, service

PORTS = "sandbox.podium/ports"


def _answer(body: bytes, status: int = 200, **headers: str) -> Any:
    return lambda _request: (status, headers, body)


@pytest.fixture
def app(kube: Kube, backend: Backend) -> str:
    """A service with one ready pod that listens on the backend's port; its proxy path."""
    declared = container(ports=[{"containerPort": 8080, "name": "http"}])
    annotations = {PORTS: json.dumps({"8080": backend.port})}
    kube.made(
        "pods", pod("app-1", schedulerName="nobody", containers=[declared]) | meta("app-1", annotations=annotations)
    )
    kube.made("services", service("app", ports=[{"port": 80, "name": "web", "targetPort": "http"}]))
    target = {"ip": "10.0.0.1", "targetRef": {"kind": "Pod", "name": "app-1"}}
    kube.made(
        "endpoints", meta("app") | {"subsets": [{"addresses": [target], "ports": [{"name": "web", "port": 8080}]}]}
    )
    return kube.path("services", "app:web", "proxy")


def test_requests_reach_a_ready_endpoint(kube: Kube, backend: Backend, app: str) -> None:
    backend.answers["/hello"] = _answer(b"hi", 201, **{"x-own": "1"})
    headers = {"x-mine": "2"}
    response = kube.client.post(f"{app}/hello?a=1&b=%2F", content=b"body", headers=headers)
    assert (response.status_code, response.text, response.headers["x-own"]) == (201, "hi", "1")
    request = backend.seen[-1]
    assert (request["method"], request["target"], request["body"]) == ("POST", "/hello?a=1&b=%2F", b"body")
    assert request["headers"]["x-mine"] == "2"


def test_the_callers_token_is_not_passed_on(kube: Kube, backend: Backend, app: str) -> None:
    backend.answers["/token"] = _answer(b"")
    kube.client.get(f"{app}/token").raise_for_status()
    assert "authorization" not in {key.lower() for key in backend.seen[-1]["headers"]}


@pytest.mark.parametrize("name", ["app", "app:web", "app:80", "http:app:web"])
def test_ports_are_named_or_numbered(kube: Kube, backend: Backend, app: str, name: str) -> None:
    backend.answers["/"] = _answer(b"root")
    assert app
    assert kube.client.get(kube.path("services", name, "proxy") + "/").text == "root"


def test_redirects_stay_inside_the_proxy(kube: Kube, backend: Backend, app: str) -> None:
    backend.answers["/go"] = _answer(b"", 302, location="/there?x=1")
    response = kube.client.get(f"{app}/go")
    assert response.headers["location"] == f"{app}/there?x=1"


def test_errors_of_the_service_pass_through(kube: Kube, backend: Backend, app: str) -> None:
    backend.answers["/bad"] = _answer(b'{"detail":"no"}', 500)
    response = kube.client.get(f"{app}/bad")
    assert (response.status_code, response.json()) == (500, {"detail": "no"})


def test_a_service_without_endpoints_is_unavailable(kube: Kube) -> None:
    kube.made("services", service("empty"))
    status, body = kube.call("GET", kube.path("services", "empty", "proxy") + "/")
    assert (status, body["reason"]) == (503, "ServiceUnavailable")
    assert body["message"] == 'no endpoints available for service "empty"'


def test_an_unknown_service_or_port_is_said(kube: Kube, app: str) -> None:
    assert app
    assert kube.call("GET", kube.path("services", "none", "proxy") + "/")[0] == 404
    status, body = kube.call("GET", kube.path("services", "app:99", "proxy") + "/")
    assert (status, body["message"]) == (503, 'no service port "99" found for service "app"')


def test_an_endpoint_that_does_not_answer_is_unavailable(kube: Kube, app: str) -> None:
    annotations = {"metadata": {"annotations": {PORTS: json.dumps({"8080": 1})}}}
    kube.patch("pods", "app-1", annotations, "merge")
    status, body = kube.call("GET", f"{app}/")
    assert status == 503
    assert body["message"].startswith("error trying to reach service: ")


def test_pods_are_reached_by_port(kube: Kube, backend: Backend, app: str) -> None:
    assert app
    backend.answers["/pod"] = _answer(b"pod")
    assert kube.client.get(kube.path("pods", "app-1:8080", "proxy") + "/pod").text == "pod"


def test_logs_come_from_the_pods_node(kube: Kube, backend: Backend) -> None:
    name = f"node-{kube.namespace}"
    endpoints = {"kubeletEndpoint": {"Port": backend.port}}
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    node = meta(name) | {"status": {"daemonEndpoints": endpoints, "addresses": addresses}}
    assert kube.call("POST", "/api/v1/nodes", node)[0] == 201
    kube.made("pods", pod("p", nodeName=name))
    backend.answers[f"/containerLogs/{kube.namespace}/p/main"] = _answer(b"line\n")
    response = kube.client.get(kube.path("pods", "p", "log"), params={"tailLines": 5})
    assert response.text == "line\n"
    assert backend.seen[-1]["target"].endswith("?tailLines=5")
    kube.call("DELETE", f"/api/v1/nodes/{name}")


def test_logs_need_a_container_that_exists(kube: Kube) -> None:
    kube.made("pods", pod("p", containers=[container(), container(name="second")]))
    status, body = kube.call("GET", kube.path("pods", "p", "log"))
    assert (status, body["message"]) == (
        400,
        "a container name must be specified for pod p, choose one of: [main second]",
    )
    status, body = kube.call("GET", kube.path("pods", "p", "log"), container="third")
    assert (status, body["message"]) == (400, "container third is not valid for pod p")
