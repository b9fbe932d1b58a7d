"""Services of type LoadBalancer."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.kubernetes.controllers.elb import LoadBalancerError, Wanted
from sandbox.kubernetes.controllers.load_balancers import LoadBalancers
from sandbox.kubernetes.store import Store
from tests.sandbox.kubernetes_controllers.cluster import NAMESPACE, Cluster, Object, eventually

ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout"
LABELS = {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"}


class Cloud:
    """What the controller asked of AWS; the first `failures` calls fail, deletion needs to be asked for twice."""

    def __init__(self) -> None:
        self.failures = 0
        self.made: dict[str, Wanted] = {}
        self._asked = 0

    def ensure(self, wanted: Wanted) -> datetime:
        if self.failures:
            self.failures -= 1
            raise LoadBalancerError("could not find any suitable subnets for creating the ELB")
        self.made[wanted.name] = wanted
        return datetime.now(UTC)

    def delete(self, name: str) -> bool:
        self._asked += 1
        if self._asked > 1:
            self.made.pop(name, None)
        return self._asked > 1


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
async def cluster(tmp_path: Path, cloud: Cloud) -> AsyncIterator[Cluster]:
    def with_cloud(store: Store) -> LoadBalancers:
        return LoadBalancers(store, made.settings, lambda _: cloud)

    made = Cluster(tmp_path, with_cloud)
    async with made:
        made.node("node-a")
        yield made


def _service(cluster: Cluster) -> Object:
    return cluster.make(
        "services",
        {
            "metadata": {"name": "ingress-nginx-controller", "labels": LABELS, "annotations": {ANNOTATION: "3600"}},
            "spec": {
                "type": "LoadBalancer",
                "selector": {"app": "web"},
                "ports": [
                    {"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"},
                    {"name": "https", "port": 443, "nodePort": 30443, "protocol": "TCP"},
                ],
            },
        },
    )


def _proxy(cluster: Cluster, ports: dict[str, int]) -> None:
    service = cluster.store.get("services", NAMESPACE, "ingress-nginx-controller")
    service["metadata"].setdefault("annotations", {})["sandbox.podium/ports"] = json.dumps(ports)
    cluster.store.update("services", service)


def _addresses(cluster: Cluster) -> list[Object]:
    service = cluster.get("services", "ingress-nginx-controller")
    found: list[Object] = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return found


async def test_the_status_names_the_ports_where_the_service_answers(cluster: Cluster, cloud: Cloud) -> None:
    service = _service(cluster)
    await eventually(lambda: cloud.made)
    [wanted] = cloud.made.values()
    assert wanted.name == ("a" + service["metadata"]["uid"].replace("-", ""))[:32]
    assert (wanted.idle_timeout, wanted.ports, wanted.internal) == (3600, {80: 30080, 443: 30443}, False)
    assert wanted.tags == {
        "kubernetes.io/cluster/test": "owned",
        "kubernetes.io/service-name": f"{NAMESPACE}/ingress-nginx-controller",
    }
    assert _addresses(cluster) == []
    _proxy(cluster, {"80": 41235, "443": 41236})
    await eventually(lambda: _addresses(cluster))
    ports = [{"port": 41235, "protocol": "TCP"}, {"port": 41236, "protocol": "TCP"}]
    assert _addresses(cluster) == [{"hostname": "localhost", "ports": ports}]


async def test_what_aws_refuses_is_an_event_and_is_tried_again(cluster: Cluster, cloud: Cloud) -> None:
    cloud.failures = 2
    _service(cluster)
    await eventually(lambda: cloud.made)
    [failed] = [each for each in cluster.store.list("events") if each["reason"] == "SyncLoadBalancerFailed"]
    assert failed["message"].endswith("could not find any suitable subnets for creating the ELB")
    assert failed["count"] == 2


async def test_a_deleted_service_stays_until_its_load_balancer_is_gone(cluster: Cluster, cloud: Cloud) -> None:
    _service(cluster)
    await eventually(lambda: cloud.made)
    cluster.store.delete("services", NAMESPACE, "ingress-nginx-controller")
    assert cluster.get("services", "ingress-nginx-controller")
    await eventually(lambda: not cluster.get("services", "ingress-nginx-controller"))
    assert cloud.made == {}
    assert {"DeletingLoadBalancer", "DeletedLoadBalancer"} <= cluster.reasons()


async def test_a_service_that_becomes_internal_gives_its_load_balancer_back(cluster: Cluster, cloud: Cloud) -> None:
    _service(cluster)
    _proxy(cluster, {"80": 1, "443": 2})
    await eventually(lambda: _addresses(cluster))
    cluster.change("services", "ingress-nginx-controller", type="ClusterIP")
    await eventually(lambda: not cloud.made and not _addresses(cluster))
    await eventually(lambda: not cluster.get("services", "ingress-nginx-controller")["metadata"].get("finalizers"))
