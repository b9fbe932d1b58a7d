"""Deployments and ReplicaSets: rollouts, their status and their history."""

from typing import Any

from tests.sandbox.kubernetes_controllers.cluster import NAMESPACE, Cluster, deployment, eventually, pod_template


def _condition(cluster: Cluster, kind: str, name: str = "web") -> dict[str, Any]:
    conditions = cluster.get("deployments.apps", name).get("status", {}).get("conditions", [])
    found: dict[str, Any] = next((each for each in conditions if each["type"] == kind), {})
    return found


def _complete(cluster: Cluster, replicas: int) -> bool:
    found = cluster.get("deployments.apps", "web")
    status = found["status"]
    counts = [status.get(field) for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
    return counts == [replicas] * 4 and status["observedGeneration"] == found["metadata"]["generation"]


async def _has_pods(cluster: Cluster, count: int) -> None:
    await eventually(lambda: len(cluster.names("pods")) == count)


async def test_a_deployment_becomes_available_with_pods_spread_over_the_nodes(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment(replicas=2))
    await eventually(lambda: _complete(cluster, 2))
    assert _condition(cluster, "Available")["reason"] == "MinimumReplicasAvailable"
    assert _condition(cluster, "Progressing")["reason"] == "NewReplicaSetAvailable"
    pods = cluster.store.list("pods", NAMESPACE)
    assert {pod["spec"]["nodeName"] for pod in pods} == {"node-a", "node-b"}
    hashes = {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods}
    assert cluster.names("replicasets.apps") == [f"web-{hashes.pop()}"]
    assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled"} <= cluster.reasons()


async def test_a_new_template_is_rolled_out_without_going_below_the_minimum(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment(replicas=3))
    await eventually(lambda: _complete(cluster, 3))
    lowest = [3]
    subscription = cluster.store.subscribe("deployments.apps")
    cluster.change("deployments.apps", "web", template=pod_template("ready:2"))
    await eventually(lambda: len(cluster.names("replicasets.apps")) == 2 and _complete(cluster, 3))
    lowest += [event.object["status"].get("availableReplicas", 0) for event in subscription.pending()]
    assert min(lowest) >= 3  # 25% of 3, rounded down, may be unavailable: none
    assert cluster.get("deployments.apps", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    old = [each for each in cluster.store.list("replicasets.apps") if each["spec"]["replicas"] == 0]
    assert len(old) == 1


async def test_a_restart_annotation_replaces_all_pods(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment())
    await eventually(lambda: _complete(cluster, 1))
    before = cluster.names("pods")
    template = pod_template()
    template["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-11-23T00:00:00Z"}
    cluster.change("deployments.apps", "web", template=template)
    await eventually(lambda: not set(before) & set(cluster.names("pods")) and _complete(cluster, 1))


async def test_a_rollout_that_does_not_become_ready_keeps_the_old_pods_and_misses_its_deadline(
    cluster: Cluster,
) -> None:
    cluster.make("deployments.apps", deployment(progressDeadlineSeconds=2))
    await eventually(lambda: _complete(cluster, 1))
    cluster.change("deployments.apps", "web", template=pod_template("unready"))
    await eventually(lambda: len(cluster.names("pods")) == 2)
    assert _condition(cluster, "Progressing")["status"] == "True"
    await eventually(lambda: _condition(cluster, "Progressing").get("reason") == "ProgressDeadlineExceeded")
    assert _condition(cluster, "Progressing")["status"] == "False"
    assert _condition(cluster, "Available")["status"] == "True"
    cluster.change("deployments.apps", "web", template=pod_template("ready:2"))
    await eventually(lambda: _complete(cluster, 1) and len(cluster.names("pods")) == 1)
    assert _condition(cluster, "Progressing")["reason"] == "NewReplicaSetAvailable"


async def test_recreate_ends_the_old_pods_before_it_makes_new_ones(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment(replicas=2, strategy={"type": "Recreate"}))
    await eventually(lambda: _complete(cluster, 2))
    events = cluster.store.subscribe("pods")
    cluster.change("deployments.apps", "web", template=pod_template("ready:2"))
    await eventually(lambda: len(cluster.names("replicasets.apps")) == 2 and _complete(cluster, 2))
    order = [event.type for event in events.pending() if event.type != "MODIFIED"]
    assert order == ["DELETED", "DELETED", "ADDED", "ADDED"]


async def test_going_back_to_an_earlier_template_reuses_its_replica_set(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment())
    await eventually(lambda: _complete(cluster, 1))
    for image in ("ready:2", "ready"):
        cluster.change("deployments.apps", "web", template=pod_template(image))
        await eventually(lambda: _complete(cluster, 1) and len(cluster.names("pods")) == 1)
    assert len(cluster.names("replicasets.apps")) == 2
    assert cluster.get("deployments.apps", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


async def test_scaling_down_and_up_follows_the_spec(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment(replicas=1))
    for replicas in (3, 1, 0):
        cluster.change("deployments.apps", "web", replicas=replicas)
        await _has_pods(cluster, replicas)
    assert len(cluster.names("replicasets.apps")) == 1


async def test_a_deleted_pod_is_replaced(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment())
    await eventually(lambda: _complete(cluster, 1))
    [name] = cluster.names("pods")
    cluster.store.delete("pods", NAMESPACE, name)
    await eventually(lambda: _complete(cluster, 1) and name not in cluster.names("pods"))


async def test_deleting_a_deployment_removes_its_replica_sets_and_pods(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment(replicas=2))
    await eventually(lambda: _complete(cluster, 2))
    cluster.store.delete("deployments.apps", NAMESPACE, "web")
    await eventually(lambda: not cluster.names("pods") and not cluster.names("replicasets.apps"))


async def test_min_ready_seconds_delays_availability(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment(minReadySeconds=1))
    await eventually(lambda: cluster.get("deployments.apps", "web")["status"].get("readyReplicas") == 1)
    assert _condition(cluster, "Available")["status"] == "False"
    await eventually(lambda: _complete(cluster, 1))
