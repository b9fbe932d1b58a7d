"""Deleting: grace, finalizers, propagation, preconditions, namespaces."""

from tests.contract.kube import Kube
from tests.contract.objects import configmap, deployment, job, meta, pod

APPS = "deployments.apps"


def _gone(kube: Kube, kind: str, name: str) -> bool:
    return kube.call("GET", kube.path(kind, name))[0] == 404


def test_a_plain_object_goes_at_once(kube: Kube) -> None:
    uid = kube.made("configmaps", configmap("c"))["metadata"]["uid"]
    status, body = kube.delete("configmaps", "c")
    assert status == 200
    assert (body["kind"], body["status"]) == ("Status", "Success")
    assert body["details"] == {"name": "c", "kind": "configmaps", "uid": uid}
    assert kube.delete("configmaps", "c")[0] == 404


def test_a_pod_on_a_node_stays_until_the_kubelet_is_done(kube: Kube) -> None:
    node = f"node-{kube.namespace}"
    kube.call("POST", "/api/v1/nodes", meta(node))
    kube.made("pods", pod("p", nodeName=node, terminationGracePeriodSeconds=20))
    status, body = kube.delete("pods", "p")
    assert status == 200
    assert body["metadata"]["deletionGracePeriodSeconds"] == 20
    assert "deletionTimestamp" in kube.get("pods", "p")["metadata"]
    kube.delete("pods", "p", {"gracePeriodSeconds": 0})
    assert _gone(kube, "pods", "p")
    kube.call("DELETE", f"/api/v1/nodes/{node}")


def test_a_pod_without_node_goes_at_once(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    kube.delete("pods", "p")
    assert _gone(kube, "pods", "p")


def test_a_finalizer_holds_the_object(kube: Kube) -> None:
    kube.made("configmaps", configmap("c") | meta("c", finalizers=["example.com/wait"]))
    _, body = kube.delete("configmaps", "c")
    assert "deletionTimestamp" in body["metadata"]
    kube.patch("configmaps", "c", {"metadata": {"finalizers": []}}, "merge")
    assert _gone(kube, "configmaps", "c")


def test_preconditions_must_hold(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.delete("configmaps", "c", {"preconditions": {"uid": "other"}})
    assert (status, body["reason"]) == (409, "Conflict")
    assert 'ConfigMap "c": the UID in the precondition (other) does not match the UID in record' in body["message"]


def test_dry_run_deletes_nothing(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    assert kube.delete("configmaps", "c", dryRun="All")[0] == 200
    assert not _gone(kube, "configmaps", "c")


def test_dependents_follow_their_owner(kube: Kube) -> None:
    owner = kube.made("configmaps", configmap("owner"))["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    kube.made("secrets", meta("owned", ownerReferences=[reference]))
    kube.delete("configmaps", "owner")
    kube.until(lambda: _gone(kube, "secrets", "owned"))


def test_deleting_a_job_keeps_its_pods_unless_told_otherwise(kube: Kube) -> None:
    kube.made("jobs.batch", job("j", suspend=False))
    kube.until(lambda: kube.names("pods"))
    response = kube.client.delete(kube.path("jobs.batch", "j"))
    assert "child pods are preserved by default when jobs are deleted" in response.headers["warning"]
    kube.until(lambda: _gone(kube, "jobs.batch", "j"))
    assert kube.names("pods")
    kube.made("jobs.batch", job("k", suspend=False))
    kube.until(lambda: kube.names("pods", labelSelector="job-name=k"))
    kube.delete("jobs.batch", "k", propagationPolicy="Background")
    kube.until(lambda: not kube.names("pods", labelSelector="job-name=k"))


def test_a_collection_is_deleted_by_selector(kube: Kube) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        kube.made("secrets", meta(name, labels={"app": label}))
    status, _ = kube.call("DELETE", kube.path("secrets"), labelSelector="app=x")
    assert status == 200
    assert kube.names("secrets") == ["c"]


def test_a_namespace_goes_with_everything_in_it(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    kube.made("configmaps", configmap("held") | meta("held", finalizers=["example.com/wait"]))
    path = f"/api/v1/namespaces/{kube.namespace}"
    _, body = kube.call("DELETE", path)
    assert body["status"]["phase"] == "Terminating"
    status, refused = kube.create("configmaps", configmap("late"))
    assert (status, refused["reason"]) == (403, "Forbidden")
    assert f"namespace {kube.namespace} because it is being terminated" in refused["message"]
    kube.until(lambda: _gone(kube, APPS, "web"))
    assert kube.call("GET", path)[0] == 200
    kube.patch("configmaps", "held", {"metadata": {"finalizers": None}}, "merge")
    kube.until(lambda: kube.call("GET", path)[0] == 404)


def test_the_systems_namespaces_cannot_be_deleted(kube: Kube) -> None:
    status, body = kube.call("DELETE", "/api/v1/namespaces/kube-system")
    assert (status, body["message"]) == (
        403,
        'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    )


def test_an_eviction_respects_the_disruption_budget(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody") | meta("p", labels={"app": "p"}))
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}}
    kube.made("poddisruptionbudgets.policy", meta("b") | {"spec": budget})
    status, body = kube.call("POST", kube.path("pods", "p", "eviction"), meta("p"))
    assert (status, body["reason"]) == (429, "TooManyRequests")
    kube.delete("poddisruptionbudgets.policy", "b")
    assert kube.call("POST", kube.path("pods", "p", "eviction"), meta("p"))[0] == 201
    assert _gone(kube, "pods", "p")
