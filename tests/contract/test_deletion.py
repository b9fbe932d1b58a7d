"""Deleting: grace, finalizers, preconditions, propagation, collections."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, deployment, job, meta, pod, service

APPS, JOBS = "deployments.apps", "jobs.batch"


def _owned(owner: Any, **more: Any) -> dict[str, Any]:
    meta = owner["metadata"]
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": meta["name"], "uid": meta["uid"]} | more


def test_a_plain_object_goes_at_once(kube: Kube) -> None:
    uid = kube.made("configmaps", configmap("c"))["metadata"]["uid"]
    status, body = kube.delete("configmaps", "c")
    details = {"name": "c", "kind": "configmaps", "uid": uid}
    expected = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    assert (status, body) == (200, expected)
    status, body = kube.delete("configmaps", "c")
    assert (status, body["message"]) == (404, 'configmaps "c" not found')


def test_a_few_kinds_answer_with_the_object(kube: Kube) -> None:
    kube.made("services", service("s"))
    assert kube.delete("services", "s")[1]["kind"] == "Service"
    kube.made("serviceaccounts", meta("a"))
    assert kube.delete("serviceaccounts", "a")[1]["kind"] == "ServiceAccount"


def test_a_pod_on_a_node_stays_until_the_kubelet_is_done(kube: Kube) -> None:
    node = f"node-{kube.namespace}"
    kube.call("POST", kube.cluster_path("nodes"), meta(node))
    kube.made("pods", pod("p", nodeName=node, terminationGracePeriodSeconds=20))
    status, body = kube.delete("pods", "p")
    assert (status, body["metadata"]["deletionGracePeriodSeconds"]) == (200, 20)
    assert "deletionTimestamp" in kube.get("pods", "p")["metadata"]
    assert kube.delete("pods", "p", {"gracePeriodSeconds": 5})[1]["metadata"]["deletionGracePeriodSeconds"] == 5
    kube.delete("pods", "p", {"gracePeriodSeconds": 0})
    assert kube.gone("pods", "p")
    kube.call("DELETE", kube.cluster_path("nodes", node))


def test_a_pod_without_node_goes_at_once(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    _, body = kube.delete("pods", "p")
    assert (body["kind"], body["metadata"]["deletionGracePeriodSeconds"]) == ("Pod", 0)
    assert kube.gone("pods", "p")


def test_a_finalizer_holds_the_object(kube: Kube) -> None:
    kube.made("configmaps", configmap("c") | meta("c", finalizers=["example.com/wait"]))
    _, body = kube.delete("configmaps", "c")
    assert body["metadata"]["deletionTimestamp"]
    assert body["metadata"]["deletionGracePeriodSeconds"] == 0
    status, body = kube.create("configmaps", configmap("c"))
    assert (status, body["message"]) == (409, 'object is being deleted: configmaps "c" already exists')
    assert kube.patch("configmaps", "c", {"data": {"still": "changes"}}, "merge")[0] == 200
    kube.patch("configmaps", "c", {"metadata": {"finalizers": []}}, "merge")
    assert kube.gone("configmaps", "c")


def test_no_finalizer_is_added_to_what_is_being_deleted(kube: Kube) -> None:
    kube.made("configmaps", configmap("c") | meta("c", finalizers=["example.com/wait"]))
    kube.delete("configmaps", "c")
    more = {"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}}
    status, body = kube.patch("configmaps", "c", more, "merge")
    text = "no new finalizers can be added if the object is being deleted, found new finalizers"
    expected = f'metadata.finalizers: Forbidden: {text} []string{{"example.com/more"}}'
    assert (status, body["message"]) == (422, f'ConfigMap "c" is invalid: {expected}')
    kube.patch("configmaps", "c", {"metadata": {"finalizers": []}}, "merge")


def test_preconditions_must_hold(kube: Kube) -> None:
    made = kube.made("configmaps", configmap("c"))["metadata"]
    again = "The object might have been deleted and then recreated"
    status, body = kube.delete("configmaps", "c", {"preconditions": {"uid": "other"}})
    text = f"the UID in the precondition (other) does not match the UID in record ({made['uid']}). {again}"
    assert (status, body["reason"]) == (409, "Conflict")
    assert body["message"] == f'Operation cannot be fulfilled on ConfigMap "c": {text}'
    status, body = kube.delete("configmaps", "c", {"preconditions": {"resourceVersion": "1"}})
    text = f"the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({made['resourceVersion']})"
    assert (status, body["message"]) == (
        409,
        f'Operation cannot be fulfilled on ConfigMap "c": {text}. The object might have been modified',
    )
    both = {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}
    assert kube.delete("configmaps", "c", {"preconditions": both})[0] == 200


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"propagationPolicy": "X"}, 'propagationPolicy: Unsupported value: "X": supported values: "Foreground", "Background", "Orphan", "nil"'),
        ({"dryRun": ["X"]}, 'dryRun: Unsupported value: ["X"]: supported values: "All"'),
        ({"orphanDependents": True, "propagationPolicy": "Orphan"}, 'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set'),
    ],
)  # fmt: skip
def test_options_of_a_deletion_are_checked(kube: Kube, options: Any, text: str) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.delete("configmaps", "c", options)
    assert (status, body["message"]) == (422, f'DeleteOptions.meta.k8s.io "" is invalid: {text}')
    assert not kube.gone("configmaps", "c")


def test_dry_run_deletes_nothing(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    assert kube.delete("configmaps", "c", dryRun="All")[0] == 200
    assert kube.delete("configmaps", "c", {"dryRun": ["All"]})[0] == 200
    assert not kube.gone("configmaps", "c")


def test_dependents_follow_their_owner_in_the_background(kube: Kube) -> None:
    owner = kube.made("configmaps", configmap("owner"))
    kube.made("secrets", meta("owned", ownerReferences=[_owned(owner)]))
    assert kube.delete("configmaps", "owner")[1]["kind"] == "Status"
    assert kube.gone("configmaps", "owner")
    kube.until(lambda: kube.gone("secrets", "owned"))


def test_what_refers_to_no_owner_is_collected(kube: Kube) -> None:
    nobody = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000"}
    kube.made("secrets", meta("orphan", ownerReferences=[nobody]))
    kube.until(lambda: kube.gone("secrets", "orphan"))


def test_in_the_foreground_the_owner_waits_for_its_dependents(kube: Kube) -> None:
    owner = kube.made("configmaps", configmap("owner"))
    held = meta("owned", ownerReferences=[_owned(owner, blockOwnerDeletion=True)], finalizers=["example.com/wait"])
    kube.made("secrets", held)
    _, body = kube.delete("configmaps", "owner", propagationPolicy="Foreground")
    assert body["metadata"]["finalizers"] == ["foregroundDeletion"]
    kube.until(lambda: "deletionTimestamp" in kube.get("secrets", "owned")["metadata"])
    assert not kube.gone("configmaps", "owner")
    kube.patch("secrets", "owned", {"metadata": {"finalizers": None}}, "merge")
    kube.until(lambda: kube.gone("configmaps", "owner"))
    assert kube.gone("secrets", "owned")


def test_orphaned_dependents_stay_without_their_owner(kube: Kube) -> None:
    owner = kube.made("configmaps", configmap("owner"))
    kube.made("secrets", meta("owned", ownerReferences=[_owned(owner)]))
    kube.delete("configmaps", "owner", {"propagationPolicy": "Orphan"})
    kube.until(lambda: kube.gone("configmaps", "owner"))
    assert "ownerReferences" not in kube.get("secrets", "owned")["metadata"]


def test_a_deployment_goes_with_what_it_made(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=1))
    kube.until(lambda: kube.names("pods"))
    kube.delete(APPS, "web", propagationPolicy="Foreground")
    kube.until(lambda: kube.gone(APPS, "web"))
    assert (kube.names("replicasets.apps"), kube.names("pods")) == ([], [])


def test_deleting_a_job_keeps_its_pods_unless_told_otherwise(kube: Kube) -> None:
    kube.made(JOBS, job("j", suspend=False))
    kube.until(lambda: kube.names("pods"))
    response = kube.request("DELETE", kube.path(JOBS, "j"))
    assert "child pods are preserved by default when jobs are deleted" in response.headers["warning"]
    kube.until(lambda: kube.gone(JOBS, "j"))
    assert kube.names("pods")
    kube.made(JOBS, job("k", suspend=False))
    kube.until(lambda: kube.names("pods", labelSelector="job-name=k"))
    kube.delete(JOBS, "k", propagationPolicy="Background")
    kube.until(lambda: not kube.names("pods", labelSelector="job-name=k"))


def test_a_collection_is_deleted_by_selector(kube: Kube) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        kube.made("secrets", meta(name, labels={"app": label}))
    status, body = kube.call("DELETE", kube.path("secrets"), labelSelector="app=x")
    assert (status, body["kind"]) == (200, "SecretList")
    assert [item["metadata"]["name"] for item in body["items"]] == ["a", "b"]
    assert kube.names("secrets") == ["c"]


def test_a_claim_is_protected_while_it_is_used(kube: Kube) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kube.made("persistentvolumeclaims", meta("c") | {"spec": spec})
    kube.delete("persistentvolumeclaims", "c")
    kube.until(lambda: kube.gone("persistentvolumeclaims", "c"))
