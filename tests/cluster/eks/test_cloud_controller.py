"""Services of type LoadBalancer at a real API server get a load balancer in AWS, and give it back."""

import json
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cluster.planes import Plane, until
from tests.sandbox.aws.standin import Network, StandIn

IDLE = "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout"
CLEANUP = "service.kubernetes.io/load-balancer-cleanup"
Object = dict[str, Any]


class Cluster:
    """The Services of one namespace, and the load balancers of AWS."""

    def __init__(self, http: httpx2.Client, aws: StandIn) -> None:
        self.namespace = f"lb-{secrets.token_hex(3)}"
        self.http = http
        self._elb, self.ec2 = aws.client("elb"), aws.client("ec2")
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})

    def call(self, method: str, path: str, body: Object | None = None, media: str = "application/json") -> Object:
        content = None if body is None else json.dumps(body)
        answer = self.http.request(method, path, content=content, headers={"content-type": media})
        assert answer.is_success, answer.text
        return dict(answer.json())

    def path(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/services/{name}".removesuffix("/")

    def make(self, name: str = "web") -> Object:
        ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]
        spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": ports}
        body = {"metadata": {"name": name, "annotations": {IDLE: "3600"}}, "spec": spec}
        return self.call("POST", f"{self.path()}?fieldValidation=Strict", body)

    def get(self, name: str = "web") -> Object | None:
        answer = self.http.get(self.path(name))
        return dict(answer.json()) if answer.status_code == 200 else None

    def patch(self, body: Object, name: str = "web") -> None:
        self.call("PATCH", self.path(name), body, "application/merge-patch+json")

    def delete(self, name: str = "web") -> None:
        self.call("DELETE", self.path(name))

    def ingress(self) -> list[Object]:
        found: list[Object] = (self.get() or {}).get("status", {}).get("loadBalancer", {}).get("ingress", [])
        return found

    def announced(self) -> list[Object]:
        """What status.loadBalancer.ingress must be by the annotation, which an agent that runs makes its own."""
        known = json.loads((self.get() or {})["metadata"]["annotations"]["sandbox.podium/ports"])
        ports = [{"port": known[port], "protocol": "TCP"} for port in ("80", "443")]
        return [{"hostname": "localhost", "ports": ports}]

    def in_aws(self, service: Object) -> Object | None:
        name = ("a" + service["metadata"]["uid"].replace("-", ""))[:32]
        found = self._elb.describe_load_balancers()["LoadBalancerDescriptions"]
        return next((each for each in found if each["LoadBalancerName"] == name), None)

    def reasons(self) -> set[str]:
        listed = self.call("GET", f"/api/v1/namespaces/{self.namespace}/events")
        return {each["reason"] for each in listed["items"]}


@pytest.fixture
def cluster(control_plane: Plane, aws: StandIn) -> Iterator[Cluster]:
    with control_plane.http() as http:
        made = Cluster(http, aws)
        yield made
        for name in ("web", "second"):
            if made.get(name):
                made.delete(name)
                until(lambda name=name: made.get(name) is None)  # type: ignore[misc]


def test_a_service_gets_a_load_balancer_in_the_public_subnets(cluster: Cluster, network: Network) -> None:
    service = cluster.make()
    until(lambda: cluster.in_aws(service) is not None)
    found = cluster.in_aws(service) or {}
    assert sorted(found["Subnets"]) == sorted(network.public)
    node_ports = {port["port"]: port["nodePort"] for port in service["spec"]["ports"]}
    listeners = [each["Listener"] for each in found["ListenerDescriptions"]]
    assert {each["LoadBalancerPort"]: each["InstancePort"] for each in listeners} == node_ports
    until(lambda: "EnsuringLoadBalancer" in cluster.reasons())
    assert CLEANUP in (cluster.get() or {})["metadata"]["finalizers"]


def test_the_status_names_the_ports_where_the_nodes_answer(cluster: Cluster) -> None:
    cluster.make()
    cluster.patch({"metadata": {"annotations": {"sandbox.podium/ports": '{"80": 41235, "443": 41236}'}}})
    until(lambda: bool(cluster.ingress()))
    until(lambda: cluster.ingress() == cluster.announced())
    until(lambda: "EnsuredLoadBalancer" in cluster.reasons())


def test_a_deleted_service_goes_after_its_load_balancer(cluster: Cluster) -> None:
    service = cluster.make()
    until(lambda: cluster.in_aws(service) is not None)
    cluster.delete()
    until(lambda: cluster.get() is None)
    assert cluster.in_aws(service) is None
    name = "k8s-elb-a" + service["metadata"]["uid"].replace("-", "")[:31]
    groups = cluster.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    assert groups["SecurityGroups"] == []
    assert {"DeletingLoadBalancer", "DeletedLoadBalancer"} <= cluster.reasons()


def test_a_service_that_becomes_internal_gives_its_load_balancer_back(cluster: Cluster) -> None:
    service = cluster.make()
    cluster.patch({"metadata": {"annotations": {"sandbox.podium/ports": '{"80": 1, "443": 2}'}}})
    until(lambda: bool(cluster.ingress()))
    cluster.patch({"spec": {"type": "ClusterIP"}})
    until(lambda: cluster.in_aws(service) is None)
    until(lambda: not (cluster.get() or {})["metadata"].get("finalizers"))
    assert cluster.ingress() == []


def test_what_aws_refuses_is_an_event_and_is_tried_again(cluster: Cluster, aws: StandIn) -> None:
    aws.fault(
        match="elasticloadbalancing:CreateLoadBalancer", kind="error", code="TooManyLoadBalancers", status=400, times=2
    )
    service = cluster.make()
    until(lambda: "SyncLoadBalancerFailed" in cluster.reasons())
    until(lambda: cluster.in_aws(service) is not None)


def test_a_controller_that_was_killed_finds_what_it_missed(cluster: Cluster, control_plane: Plane) -> None:
    first = cluster.make()
    until(lambda: cluster.in_aws(first) is not None)
    [process] = control_plane.processes("sandbox.control_plane.cloud_controller")
    os.kill(process, signal.SIGKILL)
    cluster.delete()
    second = cluster.make("second")
    until(lambda: cluster.in_aws(second) is not None)
    until(lambda: cluster.get() is None)
    assert cluster.in_aws(first) is None


def test_a_load_balancer_leads_to_the_pods_behind_its_service(cluster: Cluster, nodes: Path) -> None:
    container = {
        "name": "web",
        "image": "registry.k8s.io/pause:3.10",
        "ports": [{"containerPort": 8080}, {"containerPort": 8443}],
    }
    pod = {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"containers": [container]}}
    home = f"/api/v1/namespaces/{cluster.namespace}"
    until(lambda: cluster.http.get(f"{home}/serviceaccounts/default").is_success)
    cluster.call("POST", f"{home}/pods", pod)
    cluster.make()
    until(lambda: bool(cluster.ingress()), 60)
    [entry] = cluster.ingress()
    for port in entry["ports"]:
        assert httpx2.get(f"http://{entry['hostname']}:{port['port']}/", trust_env=False).status_code == 200
    cluster.call("DELETE", f"{home}/pods/web")
