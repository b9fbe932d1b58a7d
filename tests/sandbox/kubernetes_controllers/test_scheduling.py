"""Where pods go, and what is said when they cannot go anywhere."""

from typing import Any

import pytest

from sandbox.kubernetes.controllers.objects import find_condition
from sandbox.kubernetes.controllers.quantities import parse_quantity
from tests.sandbox.kubernetes_controllers.cluster import NAMESPACE, Cluster, eventually, pod_template


def _pod(cluster: Cluster, name: str, cpu: str = "100m", **spec: Any) -> None:
    template = pod_template(**spec)
    template["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    cluster.make("pods", {"metadata": {"name": name}, "spec": template["spec"]})


def _why(cluster: Cluster, name: str) -> str:
    condition = find_condition(cluster.get("pods", name), "PodScheduled") or {}
    assert condition.get("status") != "True"
    return str(condition.get("message", ""))


async def test_a_pod_that_asks_for_too_much_is_unschedulable_until_room_is_made(cluster: Cluster) -> None:
    _pod(cluster, "first", cpu="1500m")
    _pod(cluster, "second", cpu="1500m")
    await eventually(lambda: all(cluster.get("pods", name)["spec"].get("nodeName") for name in ("first", "second")))
    _pod(cluster, "third", cpu="1")
    await eventually(lambda: _why(cluster, "third") == "0/2 nodes are available: 2 Insufficient cpu.")
    condition = find_condition(cluster.get("pods", "third"), "PodScheduled") or {}
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert "FailedScheduling" in cluster.reasons()
    cluster.store.delete("pods", NAMESPACE, "first")
    await eventually(lambda: cluster.get("pods", "third")["spec"].get("nodeName"))


async def test_without_nodes_a_pod_waits_for_the_first_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        _pod(cluster, "early")
        await eventually(lambda: _why(cluster, "early") == "no nodes available to schedule pods")
        cluster.node("node-a", conditions=[{"type": "Ready", "status": "False"}])
        text = "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."
        await eventually(lambda: _why(cluster, "early") == text)
        cluster.node("node-b")
        await eventually(lambda: cluster.get("pods", "early")["spec"].get("nodeName") == "node-b")


async def test_selectors_and_taints_keep_pods_away(cluster: Cluster) -> None:
    node = cluster.store.get("nodes", None, "node-a")
    node["spec"]["taints"] = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    cluster.store.update("nodes", node)
    _pod(cluster, "picky", nodeSelector={"kubernetes.io/hostname": "node-a"})
    text = (
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint {gpu: yes}."
    )
    await eventually(lambda: _why(cluster, "picky") == text)
    toleration = {"key": "gpu", "operator": "Exists"}
    _pod(cluster, "tolerant", nodeSelector={"kubernetes.io/hostname": "node-a"}, tolerations=[toleration])
    await eventually(lambda: cluster.get("pods", "tolerant")["spec"].get("nodeName") == "node-a")


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", "0.25"), ("1", "1"), ("1.5Gi", "1610612736"), ("512Mi", "536870912"), (2, "2"), ("1k", "1000")],
)
def test_quantities_are_numbers(text: str | int, number: str) -> None:
    assert str(parse_quantity(text).normalize().__format__("f")) == number


@pytest.mark.parametrize("text", ["", "Mi", "1.2.3", "12Q"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a resource quantity"):
        parse_quantity(text)
