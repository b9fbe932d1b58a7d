"""Endpoints and EndpointSlices of Services, and the API server's proxy to what is behind them."""

import contextlib
import json
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.backend import Answer, Backend, serving
from tests.contract.kube import Kube
from tests.contract.kubelet import run
from tests.contract.objects import container, meta, pod, service
from tests.contract.server import ApiServer

SLICES = "endpointslices.discovery.k8s.io"
PORT = 8080


@pytest.fixture
def node(kube: Kube) -> Iterator[str]:
    """A node for pods to be on: those on nodes that are not there are no endpoints."""
    name = f"node-{kube.namespace}"
    assert kube.call("POST", kube.cluster_path("nodes"), meta(name))[0] == 201
    yield name
    kube.call("DELETE", kube.cluster_path("nodes", name))


def _web(kube: Kube, node: str, address: str, **annotations: str) -> None:
    """A Service with a named target port, and a ready pod behind it."""
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    kube.made("services", service("web", selector={"app": "web"}, ports=ports))
    declared = container(ports=[{"containerPort": PORT, "name": "http"}])
    body = pod("web-1", nodeName=node, containers=[declared])
    kube.made("pods", body | meta("web-1", labels={"app": "web"}, annotations=annotations))
    run(kube, "web-1", address)


def _slice(kube: Kube) -> Any:
    found = kube.items(SLICES, labelSelector="kubernetes.io/service-name=web")
    return found[0] if found and found[0]["endpoints"] else None


def _subsets(kube: Kube) -> Any:
    return (kube.find("endpoints", "web") or {}).get("subsets")


def _conditions(kube: Kube) -> dict[str, bool]:
    found: dict[str, bool] = _slice(kube)["endpoints"][0]["conditions"]
    return found


def test_ready_pods_are_published(kube: Kube, node: str) -> None:
    _web(kube, node, "192.168.9.9")
    target = {
        "kind": "Pod",
        "namespace": kube.namespace,
        "name": "web-1",
        "uid": kube.get("pods", "web-1")["metadata"]["uid"],
    }
    found = kube.until(lambda: _slice(kube))
    assert found["ports"] == [{"name": "web", "port": PORT, "protocol": "TCP"}]
    ready = {"ready": True, "serving": True, "terminating": False}
    endpoint = {"addresses": ["192.168.9.9"], "conditions": ready, "nodeName": node, "targetRef": target}
    assert (found["addressType"], found["endpoints"]) == ("IPv4", [endpoint])
    assert found["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert found["metadata"]["ownerReferences"][0]["kind"] == "Service"
    subsets = kube.until(lambda: _subsets(kube))
    address = {"ip": "192.168.9.9", "nodeName": node, "targetRef": target}
    ports = [{"name": "web", "port": PORT, "protocol": "TCP"}]
    assert subsets == [{"addresses": [address], "ports": ports}]


def test_pods_that_are_not_ready_are_set_apart(kube: Kube, node: str) -> None:
    _web(kube, node, "192.168.9.9")
    kube.until(lambda: _subsets(kube))
    run(kube, "web-1", ready=False)
    kube.until(lambda: "notReadyAddresses" in kube.get("endpoints", "web")["subsets"][0])
    assert "addresses" not in kube.get("endpoints", "web")["subsets"][0]
    kube.until(lambda: _conditions(kube) == {"ready": False, "serving": False, "terminating": False})


def test_endpoints_go_with_their_service(kube: Kube, node: str) -> None:
    _web(kube, node, "192.168.9.9")
    kube.until(lambda: _slice(kube))
    kube.delete("services", "web")
    kube.until(lambda: kube.gone("endpoints", "web") and not kube.items(SLICES))


def test_a_service_without_pods_has_empty_endpoints(kube: Kube) -> None:
    kube.made("services", service("web", selector={"app": "web"}))
    assert "subsets" not in kube.until(lambda: kube.find("endpoints", "web"))
    found = kube.until(lambda: kube.items(SLICES, labelSelector="kubernetes.io/service-name=web"))
    assert (found[0]["endpoints"], found[0]["ports"]) == (None, None)


def test_addresses_of_endpoints_are_checked(kube: Kube) -> None:
    body = meta("e") | {"subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 80}]}]}
    status, answer = kube.create("endpoints", body)
    text = 'Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'
    assert (status, answer["details"]["causes"][0]["message"]) == (422, text)
    body = meta("e") | {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]}
    status, answer = kube.create(SLICES, body)
    assert (status, answer["details"]["causes"][0]["message"]) == (422, text)


@dataclass
class Application:
    """Something that listens behind a Service; `path` is its proxy."""

    backend: Backend
    path: str

    def answers(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Has it answer that."""
        answer: Answer = lambda _request: (status, headers, body)  # noqa: E731
        self.backend.answers[path] = answer


def _address(server: ApiServer) -> tuple[str, int]:
    """Where an application can listen: real API servers refuse loopback addresses, the stand-in has no pod network."""
    if not server.real:
        return "127.0.0.1", 0
    while True:
        address = f"192.168.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((address, PORT))
            return address, PORT


@pytest.fixture
def app(kube: Kube, server: ApiServer, node: str) -> Iterator[Application]:
    """A Service with one ready pod whose port really answers."""
    address, port = _address(server)
    with serving(address, port) as backend:
        where = {} if server.real else {"sandbox.podium/ports": json.dumps({str(PORT): backend.port})}
        _web(kube, node, address if server.real else "192.168.9.9", **where)
        kube.until(lambda: _subsets(kube) and _slice(kube))
        yield Application(backend, kube.path("services", "web:web", "proxy"))


def test_requests_reach_a_ready_endpoint(kube: Kube, app: Application) -> None:
    app.answers("/hello", b"hi", 201, **{"x-own": "1"})
    response = kube.client.post(f"{app.path}/hello?a=1&b=%2F", content=b"body", headers={"x-mine": "2"})
    assert (response.status_code, response.text, response.headers["x-own"]) == (201, "hi", "1")
    request = app.backend.seen[-1]
    assert (request["method"], request["target"], request["body"]) == ("POST", "/hello?a=1&b=%2F", b"body")
    assert {key.lower(): value for key, value in request["headers"].items()}["x-mine"] == "2"


def test_the_callers_token_is_not_passed_on(kube: Kube, app: Application) -> None:
    app.answers("/token", b"")
    kube.client.get(f"{app.path}/token").raise_for_status()
    assert "authorization" not in {key.lower() for key in app.backend.seen[-1]["headers"]}


@pytest.mark.parametrize("name", ["web:web", "web:80", "http:web:web"])
def test_ports_are_named_or_numbered(kube: Kube, app: Application, name: str) -> None:
    app.answers("/", b"root")
    assert kube.client.get(kube.path("services", name, "proxy") + "/").text == "root"


def test_a_port_with_a_name_is_not_found_without_it(kube: Kube, app: Application) -> None:
    status, body = kube.call("GET", kube.path("services", "web", "proxy") + "/")
    assert (status, body["message"]) == (503, 'no endpoints available for service "web"')
    assert not app.backend.seen


def test_a_proxy_path_without_end_is_redirected(kube: Kube, app: Application) -> None:
    response = kube.client.get(app.path)
    assert (response.status_code, response.headers["location"]) == (301, f"{app.path}/")


def test_redirects_stay_inside_the_proxy(kube: Kube, app: Application) -> None:
    app.answers("/go", b"", 302, location="/there?x=1")
    assert kube.client.get(f"{app.path}/go").headers["location"] == f"{app.path}/there?x=1"


def test_errors_of_the_service_pass_through(kube: Kube, app: Application) -> None:
    app.answers("/bad", b'{"detail":"no"}', 500)
    response = kube.client.get(f"{app.path}/bad")
    assert (response.status_code, response.json()) == (500, {"detail": "no"})


def test_pods_are_reached_by_port(kube: Kube, app: Application) -> None:
    app.answers("/pod", b"pod")
    assert kube.client.get(kube.path("pods", f"web-1:{PORT}", "proxy") + "/pod").text == "pod"


def test_a_service_without_endpoints_is_unavailable(kube: Kube) -> None:
    kube.made("services", service("empty", selector={"app": "empty"}))
    kube.until(lambda: kube.find("endpoints", "empty"))
    status, body = kube.call("GET", kube.path("services", "empty", "proxy") + "/")
    assert (status, body["reason"]) == (503, "ServiceUnavailable")
    assert body["message"] == 'no endpoints available for service "empty"'


def test_an_unknown_service_or_port_is_said(kube: Kube, app: Application) -> None:
    assert kube.call("GET", kube.path("services", "none", "proxy") + "/")[0] == 404
    status, body = kube.call("GET", kube.path("services", "web:99", "proxy") + "/")
    assert (status, body["message"]) == (503, 'no service port 99 found for service "web"')


def test_an_endpoint_that_does_not_answer_is_unavailable(kube: Kube, server: ApiServer, node: str) -> None:
    where = {} if server.real else {"sandbox.podium/ports": json.dumps({str(PORT): 1})}
    _web(kube, node, "192.168.0.1" if server.real else "192.168.9.9", **where)
    kube.until(lambda: _subsets(kube) and _slice(kube))
    status, body = kube.call("GET", kube.path("services", "web:web", "proxy") + "/")
    assert (status, body["reason"]) == (503, "ServiceUnavailable")
    assert body["message"].startswith("error trying to reach service: ")
