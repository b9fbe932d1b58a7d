"""Namespaces, owners and nodes: what goes when they go."""

from pathlib import Path

from sandbox.kubernetes.controllers.nodes import Nodes
from sandbox.kubernetes.controllers.objects import find_condition
from sandbox.kubernetes.metadata import now
from sandbox.kubernetes.store import Store
from tests.sandbox.kubernetes_controllers.cluster import NAMESPACE, Cluster, Object, deployment, eventually


def _owned(owner: Object, name: str) -> Object:
    reference = {"apiVersion": "v1", "kind": owner["kind"], "name": owner["metadata"]["name"]}
    reference |= {"uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


async def test_every_namespace_gets_its_service_account_and_the_root_certificate(cluster: Cluster) -> None:
    await eventually(lambda: cluster.get("configmaps", "kube-root-ca.crt")["data"] == {"ca.crt": "certificate\n"})
    await eventually(lambda: "default" in cluster.names("serviceaccounts"))
    cluster.store.delete("serviceaccounts", NAMESPACE, "default")
    await eventually(lambda: "default" in cluster.names("serviceaccounts"))


async def test_a_deleted_namespace_is_emptied_first(cluster: Cluster) -> None:
    cluster.make("deployments.apps", deployment(replicas=2))
    cluster.make("secrets", {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    await eventually(lambda: len(cluster.names("pods")) == 2)
    cluster.store.delete("namespaces", None, NAMESPACE)
    await eventually(lambda: not cluster.names("pods") and not cluster.names("deployments.apps"))
    namespace = cluster.get("namespaces", NAMESPACE)
    assert namespace["status"]["phase"] == "Terminating"
    condition = find_condition(namespace, "NamespaceContentRemaining") or {}
    assert condition["message"] == "Some resources are remaining: secrets. has 1 resource instances"
    secret = cluster.store.get("secrets", NAMESPACE, "held")
    secret["metadata"]["finalizers"] = []
    cluster.store.update("secrets", secret)
    await eventually(lambda: not cluster.get("namespaces", NAMESPACE))


async def test_in_the_background_dependents_go_after_their_last_owner(cluster: Cluster) -> None:
    first = cluster.make("configmaps", {"metadata": {"name": "first"}})
    second = cluster.make("configmaps", {"metadata": {"name": "second"}})
    shared = _owned(first, "shared")
    shared["metadata"]["ownerReferences"] += _owned(second, "shared")["metadata"]["ownerReferences"]
    cluster.make("secrets", shared)
    cluster.store.delete("configmaps", NAMESPACE, "first")
    await eventually(lambda: len(cluster.get("secrets", "shared")["metadata"]["ownerReferences"]) == 1)
    cluster.store.delete("configmaps", NAMESPACE, "second")
    await eventually(lambda: not cluster.get("secrets", "shared"))


async def test_in_the_foreground_the_owner_waits_for_its_dependents(cluster: Cluster) -> None:
    owner = cluster.make("configmaps", {"metadata": {"name": "owner"}})
    dependent = _owned(owner, "dependent")
    dependent["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.make("secrets", dependent)
    cluster.store.delete("configmaps", NAMESPACE, "owner", propagation="Foreground")
    await eventually(lambda: "deletionTimestamp" in cluster.get("secrets", "dependent")["metadata"])
    assert cluster.get("configmaps", "owner")
    secret = cluster.store.get("secrets", NAMESPACE, "dependent")
    secret["metadata"]["finalizers"].remove("example.com/hold")
    cluster.store.update("secrets", secret)
    await eventually(lambda: not cluster.get("configmaps", "owner") and not cluster.get("secrets", "dependent"))


async def test_orphans_stay_without_their_owner(cluster: Cluster) -> None:
    owner = cluster.make("configmaps", {"metadata": {"name": "owner"}})
    cluster.make("secrets", _owned(owner, "orphan"))
    cluster.store.delete("configmaps", NAMESPACE, "owner", propagation="Orphan")
    await eventually(lambda: not cluster.get("configmaps", "owner"))
    assert not cluster.get("secrets", "orphan")["metadata"].get("ownerReferences")


async def test_a_dependent_of_an_owner_that_never_was_is_removed(cluster: Cluster) -> None:
    ghost = {"kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "no-such-uid"}}
    cluster.make("secrets", _owned(ghost, "dependent"))
    await eventually(lambda: not cluster.get("secrets", "dependent"))


async def test_a_silent_node_becomes_not_ready_and_loses_its_pods_then_recovers(tmp_path: Path) -> None:
    def impatient(store: Store) -> Nodes:
        return Nodes(store, grace=0.3, eviction=0.3)

    async with Cluster(tmp_path, impatient) as cluster:
        cluster.node("node-a")
        cluster.make("deployments.apps", deployment())
        await eventually(lambda: cluster.get("deployments.apps", "web")["status"].get("readyReplicas") == 1)
        [name] = cluster.names("pods")
        await eventually(lambda: (find_condition(cluster.get("nodes", "node-a"), "Ready") or {})["status"] == "Unknown")
        await eventually(lambda: name not in cluster.names("pods"))
        taints = {each["key"] for each in cluster.get("nodes", "node-a")["spec"]["taints"]}
        assert taints == {"node.kubernetes.io/unreachable"}
        node = cluster.store.get("nodes", None, "node-a")
        node["status"]["conditions"] = [{"type": "Ready", "status": "True", "lastHeartbeatTime": now()}]
        cluster.store.update("nodes", node, subresource="status")
        await eventually(lambda: cluster.get("deployments.apps", "web")["status"].get("readyReplicas") == 1)


async def test_renewed_leases_keep_a_node_ready(tmp_path: Path) -> None:
    async with Cluster(tmp_path, lambda store: Nodes(store, grace=0.2)) as cluster:
        cluster.make("namespaces", {"metadata": {"name": "kube-node-lease"}})
        cluster.node("node-a")
        lease = {"metadata": {"name": "node-a", "namespace": "kube-node-lease"}, "spec": {"renewTime": "0"}}
        cluster.make("leases.coordination.k8s.io", lease)
        beats = iter(range(1, 100))

        def beat() -> bool:
            renewed = cluster.store.get("leases.coordination.k8s.io", "kube-node-lease", "node-a")
            renewed["spec"]["renewTime"] = str(number := next(beats))
            cluster.store.update("leases.coordination.k8s.io", renewed)
            return number > 80

        await eventually(beat)
        assert (find_condition(cluster.get("nodes", "node-a"), "Ready") or {})["status"] == "True"
