"""Replacing, and what every write has in common: versions, generations, status, scale."""

from tests.contract.kube import Kube
from tests.contract.objects import configmap, deployment, meta, pod

APPS = "deployments.apps"
STALE = "the object has been modified; please apply your changes to the latest version and try again"


def test_a_stale_update_conflicts(kube: Kube) -> None:
    old = kube.made("configmaps", configmap("c", a="1"))
    kube.patch("configmaps", "c", {"data": {"a": "2"}}, "merge")
    status, body = kube.replace("configmaps", old)
    assert (status, body["reason"]) == (409, "Conflict")
    assert body["message"] == f'Operation cannot be fulfilled on configmaps "c": {STALE}'
    assert body["details"] == {"name": "c", "kind": "configmaps"}


def test_an_update_without_version_replaces_whatever_is_there(kube: Kube) -> None:
    kube.made("configmaps", configmap("c", a="1") | meta("c", labels={"old": "yes"}))
    status, new = kube.replace("configmaps", configmap("c", b="2"))
    assert (status, new["data"]) == (200, {"b": "2"})
    assert "labels" not in new["metadata"]


def test_an_update_without_change_keeps_the_version(kube: Kube) -> None:
    old = kube.made("configmaps", configmap("c", a="1"))
    _, new = kube.replace("configmaps", old)
    assert new["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]


def test_a_version_must_be_a_number(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.replace("configmaps", configmap("c") | meta("c", resourceVersion="x"))
    assert (status, body["message"]) == (500, 'strconv.ParseUint: parsing "x": invalid syntax')
    assert "reason" not in body


def test_another_objects_uid_is_a_conflict(kube: Kube) -> None:
    uid = kube.made("configmaps", configmap("c"))["metadata"]["uid"]
    status, body = kube.replace("configmaps", configmap("c") | meta("c", uid="other"))
    assert (status, body["reason"]) == (409, "Conflict")
    text = f"Precondition failed: UID in precondition: other, UID in object meta: {uid}"
    assert body["message"] == (
        'Operation cannot be fulfilled on configmaps "c": StorageError: invalid object, Code: 4, Key: '
        f"/registry/configmaps/{kube.namespace}/c, ResourceVersion: 0, AdditionalErrorMsg: {text}"
    )


def test_replacing_what_is_not_there_is_not_found(kube: Kube) -> None:
    status, body = kube.replace("configmaps", configmap("none"))
    assert (status, body["message"]) == (404, 'configmaps "none" not found')


def test_the_generation_counts_changes_of_the_spec_only(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    _, labelled = kube.patch(APPS, "web", {"metadata": {"labels": {"a": "b"}}}, "merge")
    _, changed = kube.patch(APPS, "web", {"spec": {"minReadySeconds": 5}}, "merge")
    assert (labelled["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)


def test_the_server_keeps_what_it_decides(kube: Kube) -> None:
    made = kube.made(APPS, deployment("web"))
    change = {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 99}}
    _, patched = kube.patch(APPS, "web", change, "merge")
    for field in ("creationTimestamp", "generation", "uid"):
        assert patched["metadata"][field] == made["metadata"][field]


def test_status_and_spec_change_on_their_own_paths(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    both = {"spec": {"activeDeadlineSeconds": 9}, "status": {"message": "hello"}}
    _, by_status = kube.patch("pods", "p", both, "merge", "status")
    assert by_status["status"]["message"] == "hello"
    assert "activeDeadlineSeconds" not in by_status["spec"]
    _, by_main = kube.patch("pods", "p", both | {"status": {"message": "other"}}, "merge")
    assert by_main["spec"]["activeDeadlineSeconds"] == 9
    assert by_main["status"]["message"] == "hello"


def test_a_status_write_may_label(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    change = {"metadata": {"annotations": {"a": "b"}}, "status": {"reason": "Evicted"}}
    _, obj = kube.patch("pods", "p", change, "merge", "status")
    assert (obj["metadata"]["annotations"], obj["status"]["reason"]) == ({"a": "b"}, "Evicted")


def test_addresses_in_a_pods_status_are_checked(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    status, body = kube.patch("pods", "p", {"status": {"podIP": "x"}}, "merge", "status")
    text = 'Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
    assert (status, body["message"]) == (422, f'Pod "p" is invalid: status.podIPs[0]: {text}')


def test_scale_reads_and_sets_the_replicas(kube: Kube) -> None:
    kube.made(APPS, deployment("web", paused=True))
    status, scale = kube.call("GET", kube.path(APPS, "web", "scale"))
    assert (status, scale["kind"], scale["apiVersion"]) == (200, "Scale", "autoscaling/v1")
    assert scale["spec"] == {}  # what is 0 is not written
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    _, scale = kube.patch(APPS, "web", {"spec": {"replicas": 3}}, "merge", "scale")
    assert scale["spec"] == {"replicas": 3}
    _, scale = kube.replace(APPS, meta("web") | {"spec": {"replicas": 2}}, "scale")
    assert (scale["spec"], kube.get(APPS, "web")["spec"]["replicas"]) == ({"replicas": 2}, 2)


def test_a_scale_is_checked(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    status, body = kube.patch(APPS, "web", {"spec": {"replicas": -1}}, "merge", "scale")
    text = "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    assert (status, body["message"]) == (422, f'Scale.autoscaling "web" is invalid: {text}')
    stale = {"metadata": {"name": "web", "resourceVersion": "1"}, "spec": {"replicas": 1}}
    assert kube.replace(APPS, stale, "scale")[0] == 409
    assert kube.call("GET", kube.path("configmaps", "kube-root-ca.crt", "scale"))[0] == 404


def test_a_pod_is_bound_once(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    target = {"kind": "Node", "name": f"node-{kube.namespace}"}
    assert kube.call("POST", kube.cluster_path("nodes"), meta(target["name"]))[0] == 201
    binding, path = meta("p") | {"target": target}, kube.path("pods", "p", "binding")
    status, body = kube.call("POST", path, meta("p"))
    assert (status, body["message"]) == (500, "target.name: Required value")
    status, body = kube.call("POST", path, binding)
    assert (status, body["status"]) == (201, "Success")
    bound = kube.get("pods", "p")
    assert bound["spec"]["nodeName"] == target["name"]
    assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
    status, body = kube.call("POST", path, binding)
    text = f'pod p is already assigned to node "{target["name"]}"'
    assert (status, body["message"]) == (409, f'Operation cannot be fulfilled on pods/binding "p": {text}')
    kube.delete("pods", "p", {"gracePeriodSeconds": 0})
    assert kube.call("DELETE", kube.cluster_path("nodes", target["name"]))[0] == 200


def test_dry_runs_change_nothing(kube: Kube) -> None:
    old = kube.made("configmaps", configmap("c", a="1"))
    assert kube.replace("configmaps", configmap("c", a="2"), dryRun="All")[1]["data"] == {"a": "2"}
    assert kube.patch("configmaps", "c", {"data": {"a": "3"}}, "merge", dryRun="All")[1]["data"] == {"a": "3"}
    assert kube.get("configmaps", "c") == old
