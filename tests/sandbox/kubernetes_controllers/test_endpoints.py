"""Services find their pods."""

from typing import Any

from tests.sandbox.kubernetes_controllers.cluster import NAMESPACE, Cluster, deployment, eventually


def _make_service(cluster: Cluster) -> None:
    cluster.make(
        "services",
        {
            "metadata": {"name": "web", "labels": {"team": "a"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
    )


def _subset(cluster: Cluster) -> dict[str, Any]:
    subsets = cluster.get("endpoints", "web").get("subsets") or [{}]
    found: dict[str, Any] = subsets[0]
    return found


async def test_ready_pods_are_the_addresses_of_a_service(cluster: Cluster) -> None:
    _make_service(cluster)
    await eventually(lambda: cluster.get("endpoints", "web"))
    assert "subsets" not in cluster.get("endpoints", "web")
    cluster.make("deployments.apps", deployment(replicas=2))
    await eventually(lambda: len(_subset(cluster).get("addresses", [])) == 2)
    assert _subset(cluster)["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    names = {address["targetRef"]["name"] for address in _subset(cluster)["addresses"]}
    assert names == set(cluster.names("pods"))
    [slice_] = cluster.store.list("endpointslices.discovery.k8s.io", NAMESPACE)
    assert slice_["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    assert [each["conditions"]["ready"] for each in slice_["endpoints"]] == [True, True]


async def test_pods_that_are_not_ready_get_no_traffic(cluster: Cluster) -> None:
    _make_service(cluster)
    cluster.make("deployments.apps", deployment(image="unready"))
    await eventually(lambda: len(_subset(cluster).get("notReadyAddresses", [])) == 1)
    assert "addresses" not in _subset(cluster)


async def test_pods_that_went_and_services_that_went_leave_nothing(cluster: Cluster) -> None:
    _make_service(cluster)
    cluster.make("deployments.apps", deployment())
    await eventually(lambda: _subset(cluster).get("addresses"))
    cluster.change("deployments.apps", "web", replicas=0)
    await eventually(lambda: "subsets" not in cluster.get("endpoints", "web"))
    cluster.store.delete("services", NAMESPACE, "web")
    await eventually(lambda: not cluster.names("endpoints"))
    await eventually(lambda: not cluster.names("endpointslices.discovery.k8s.io"))


async def test_a_service_without_selector_is_left_alone(cluster: Cluster) -> None:
    cluster.make("services", {"metadata": {"name": "outside"}, "spec": {"ports": [{"port": 5432}]}})
    _make_service(cluster)
    await eventually(lambda: "web" in cluster.names("endpoints"))
    assert "outside" not in cluster.names("endpoints")
