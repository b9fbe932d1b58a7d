"""DaemonSets and StatefulSets."""

from tests.sandbox.kubernetes_controllers.cluster import NAMESPACE, Cluster, Object, eventually, pod_template


def _set(name: str, image: str = "ready", **spec: object) -> Object:
    selector = {"matchLabels": {"app": "web"}}
    return {"metadata": {"name": name}, "spec": {"selector": selector, "template": pod_template(image), **spec}}


def _images(cluster: Cluster) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in cluster.store.list("pods", NAMESPACE)}


async def test_a_daemon_set_has_one_pod_on_each_node_also_on_later_ones(cluster: Cluster) -> None:
    cluster.make("daemonsets.apps", _set("agent"))
    await eventually(lambda: cluster.get("daemonsets.apps", "agent")["status"].get("numberAvailable") == 2)
    cluster.node("node-c")
    await eventually(lambda: cluster.get("daemonsets.apps", "agent")["status"].get("numberAvailable") == 3)
    nodes = sorted(pod["spec"]["nodeName"] for pod in cluster.store.list("pods", NAMESPACE))
    assert nodes == ["node-a", "node-b", "node-c"]
    status = cluster.get("daemonsets.apps", "agent")["status"]
    assert [status[field] for field in ("desiredNumberScheduled", "numberReady", "updatedNumberScheduled")] == [3, 3, 3]


async def test_a_daemon_set_without_nodes_wants_nothing_and_loses_pods_with_their_node(cluster: Cluster) -> None:
    cluster.make("daemonsets.apps", _set("agent"))
    await eventually(lambda: cluster.get("daemonsets.apps", "agent")["status"].get("numberAvailable") == 2)
    for name in ("node-a", "node-b"):
        cluster.store.delete("nodes", None, name)
    await eventually(lambda: not cluster.names("pods"))
    await eventually(lambda: cluster.get("daemonsets.apps", "agent")["status"]["desiredNumberScheduled"] == 0)


async def test_a_changed_daemon_set_replaces_its_pods(cluster: Cluster) -> None:
    cluster.make("daemonsets.apps", _set("agent"))
    await eventually(lambda: cluster.get("daemonsets.apps", "agent")["status"].get("numberAvailable") == 2)
    cluster.change("daemonsets.apps", "agent", template=pod_template("ready:2"))
    await eventually(lambda: _images(cluster) == {"ready:2"})
    await eventually(lambda: cluster.get("daemonsets.apps", "agent")["status"].get("updatedNumberScheduled") == 2)


async def test_a_stateful_set_makes_its_pods_in_order_and_removes_the_last_first(cluster: Cluster) -> None:
    events = cluster.store.subscribe("pods")
    cluster.make("statefulsets.apps", _set("db", replicas=2, serviceName="db"))
    await eventually(lambda: cluster.get("statefulsets.apps", "db")["status"].get("readyReplicas") == 2)
    assert [event.object["metadata"]["name"] for event in events.pending() if event.type == "ADDED"] == ["db-0", "db-1"]
    cluster.change("statefulsets.apps", "db", replicas=1)
    await eventually(lambda: cluster.names("pods") == ["db-0"])


async def test_a_changed_stateful_set_replaces_its_pods_from_the_last(cluster: Cluster) -> None:
    cluster.make("statefulsets.apps", _set("db", replicas=2, serviceName="db"))
    await eventually(lambda: cluster.get("statefulsets.apps", "db")["status"].get("readyReplicas") == 2)
    events = cluster.store.subscribe("pods")
    cluster.change("statefulsets.apps", "db", template=pod_template("ready:2"))
    await eventually(lambda: _images(cluster) == {"ready:2"} and len(cluster.names("pods")) == 2)
    gone = [event.object["metadata"]["name"] for event in events.pending() if event.type == "DELETED"]
    assert gone == ["db-1", "db-0"]
    await eventually(lambda: cluster.get("statefulsets.apps", "db")["status"]["currentReplicas"] == 2)
