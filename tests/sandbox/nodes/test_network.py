"""Endpoints, Services and environment variables of a pod network; the addresses themselves need a namespace."""

import socket

import pytest

from sandbox.nodes import network, service_env
from sandbox.nodes.api import Event, Object
from sandbox.nodes.cluster_ips import ClusterIps
from sandbox.nodes.endpoints import SlicedEndpoints
from sandbox.nodes.images.sealed_secrets_real import listen_arguments
from sandbox.nodes.network import Loopback, PodNetwork
from sandbox.processes import free_port


def service(name: str, address: str, *ports: Object, namespace: str = "dbos") -> Object:
    """A Service."""
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": address, "ports": list(ports)}}


def endpoint_slice(name: str, of: str, port: Object, *endpoints: Object) -> Object:
    """An EndpointSlice of the Service `of`."""
    metadata = {"name": name, "namespace": "dbos", "labels": {"kubernetes.io/service-name": of}}
    return {"metadata": metadata, "ports": [port], "endpoints": list(endpoints)}


def test_backends_are_the_ready_endpoints_of_the_port_asked_for() -> None:
    web = {"name": "http", "port": 80, "targetPort": "web"}
    services = {("dbos", "app"): service("app", "10.100.0.9", web, {"name": "metrics", "port": 9090})}
    slices = [
        endpoint_slice("a", "app", {"name": "http", "port": 8080}, {"addresses": ["192.168.1.2"], "conditions": {}}),
        endpoint_slice(
            "b", "app", {"name": "http", "port": 8081}, {"addresses": ["192.168.1.3"], "conditions": {"ready": False}}
        ),
        endpoint_slice("c", "other", {"name": "http", "port": 1}, {"addresses": ["192.168.1.4"]}),
    ]
    endpoints = SlicedEndpoints(services, {("dbos", item["metadata"]["name"]): item for item in slices})
    assert endpoints.find("dbos", "app", 80) == endpoints.find("dbos", "app", "http") == [("192.168.1.2", 8080)]
    assert endpoints.find("dbos", "app", 9090) == endpoints.find("dbos", "app", 81) == []
    assert endpoints.find("dbos", "gone", 80) == []


def test_containers_are_told_of_the_api_server_and_of_their_own_namespaces_services() -> None:
    services = {
        ("default", "kubernetes"): service("kubernetes", "10.100.0.1", {"name": "https", "port": 443}),
        ("dbos", "dbos-app"): service("dbos-app", "10.100.0.9", {"name": "http", "port": 80}),
        ("dbos", "headless"): service("headless", "None", {"port": 80}),
        ("other", "web"): service("web", "10.100.0.8", {"port": 80}),
    }
    pod: Object = {"metadata": {"namespace": "dbos"}, "spec": {}}
    env = service_env.variables(services, lambda *_: [("172.31.0.1", 6443)], pod)
    assert (env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]) == ("172.31.0.1", "6443")
    assert env["DBOS_APP_PORT"] == env["DBOS_APP_PORT_80_TCP"] == "tcp://10.100.0.9:80"
    assert env["DBOS_APP_SERVICE_PORT_HTTP"] == "80"
    assert not [name for name in env if name.startswith(("HEADLESS", "WEB"))]
    alone = service_env.variables(services, lambda *_: [], pod | {"spec": {"enableServiceLinks": False}})
    assert (alone["KUBERNETES_SERVICE_HOST"], alone["KUBERNETES_SERVICE_PORT"]) == ("10.100.0.1", "443")
    assert {name.partition("_")[0] for name in alone} == {"KUBERNETES"}


def test_host_ports_answer_at_the_node_and_container_ports_at_the_pod() -> None:
    ports = [{"containerPort": 80, "hostPort": 8000}, {"containerPort": 443}]
    pod = {"spec": {"containers": [{"ports": ports}]}}
    assert network.forwards(pod, "192.168.1.2", "172.31.0.9", {80: 20001, 443: 20002}) == {
        ("192.168.1.2", 80): 20001,
        ("192.168.1.2", 443): 20002,
        ("172.31.0.9", 8000): 20001,
    }


async def test_without_a_network_addresses_are_told_and_differ() -> None:
    loopback = Loopback(lambda: {"192.168.1.2"})
    pods: list[Object] = [{"metadata": {"uid": str(number)}, "spec": {}} for number in range(20)]
    given = [loopback.pod_address(pod) for pod in pods]
    assert len(set(given)) == 20
    assert loopback.pod_address({"metadata": {"uid": "h"}, "spec": {"hostNetwork": True}}) == "127.0.0.1"
    assert loopback.pod_address(pods[0] | {"status": {"podIP": "192.168.9.9"}}) == "192.168.9.9"


def test_without_a_route_for_the_range_no_address_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_pod_addresses", lambda pod: iter(["192.0.2.1"]))  # TEST-NET-1: nobody's
    with pytest.raises(OSError, match="local route"):
        PodNetwork().pod_address({"metadata": {"uid": "u"}, "spec": {}})


async def test_a_service_listens_at_its_cluster_ip_as_long_as_it_exists() -> None:
    port = free_port()
    item = service("web", "127.0.0.1", {"port": port})
    ips = ClusterIps({("dbos", "web"): item}, lambda *_: [], [])
    ips.on_service(Event("ADDED", item))
    other = ClusterIps({}, lambda *_: [], [])
    other.on_service(Event("ADDED", item))  # another agent of the same cluster
    with socket.create_connection(("127.0.0.1", port), 5):
        pass
    ips.on_service(Event("DELETED", item))
    await ips.close()
    await other.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], ["--listen-addr", "127.0.0.1:21000", "--listen-metrics-addr", "127.0.0.1:0"]),
        (["--listen-addr", ":9090"], ["--listen-addr", "127.0.0.1:0", "--listen-metrics-addr", "127.0.0.1:0"]),
        (["--listen-addr=:8080"], ["--listen-addr", "127.0.0.1:21000", "--listen-metrics-addr", "127.0.0.1:0"]),
    ],
)
def test_the_real_controller_is_told_to_listen_at_the_pods_local_ports(args: list[str], expected: list[str]) -> None:
    assert listen_arguments(args, {8080: 21000}) == expected
