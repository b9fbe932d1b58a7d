"""Deployments: progress, completion, deadlines, pauses, and what is refused."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.kubelet import pods_of, run, run_all
from tests.contract.objects import container, deployment
from tests.contract.widgets import conditions

APPS, SETS = "deployments.apps", "replicasets.apps"


def _until(kube: Kube, reason: str, name: str = "web") -> Any:
    """The Deployment, once its Progressing condition has that reason."""

    def progressing() -> Any:
        obj = kube.get(APPS, name)
        found = (obj["status"].get("conditions") or []) if obj["status"] else []
        return obj if any(each["type"] == "Progressing" and each["reason"] == reason for each in found) else None

    return kube.until(progressing)


def _condition(obj: Any, kind: str) -> tuple[str, str, str]:
    [found] = [each for each in obj["status"]["conditions"] if each["type"] == kind]
    return found["status"], found["reason"], found["message"]


def _until_available(kube: Kube, replicas: int) -> Any:
    """The Deployment, once it has so many available replicas."""

    def available() -> Any:
        obj = kube.get(APPS, "web")
        return obj if obj["status"].get("availableReplicas") == replicas else None

    return kube.until(available)


def test_a_rollout_progresses_and_completes(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=2))
    pods_of(kube, "app=web", 2)
    kube.until(lambda: kube.get(APPS, "web")["status"].get("unavailableReplicas") == 2)
    obj = _until(kube, "ReplicaSetUpdated")
    minimum = "Deployment does not have minimum availability."
    assert _condition(obj, "Available") == ("False", "MinimumReplicasUnavailable", minimum)
    run_all(kube, "app=web", 2)
    obj = _until(kube, "NewReplicaSetAvailable")
    [replica_set] = kube.items(SETS)
    name = replica_set["metadata"]["name"]
    assert _condition(obj, "Available") == ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    text = f'ReplicaSet "{name}" has successfully progressed.'
    assert _condition(obj, "Progressing") == ("True", "NewReplicaSetAvailable", text)
    counts = {key: value for key, value in obj["status"].items() if key.endswith("eplicas")}
    assert counts == {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    assert obj["status"]["observedGeneration"] == obj["metadata"]["generation"] == 1
    assert obj["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}


def test_replica_sets_and_pods_belong_to_their_deployment(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=1))
    [pod] = pods_of(kube, "app=web")
    [replica_set] = kube.items(SETS)
    suffix = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{suffix}"
    assert replica_set["metadata"]["ownerReferences"][0]["name"] == "web"
    assert replica_set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert replica_set["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": suffix}}
    assert pod["metadata"]["generateName"] == f"web-{suffix}-"
    assert pod["metadata"]["labels"] == {"app": "web", "pod-template-hash": suffix}


def test_a_new_template_is_rolled_out_beside_the_old_one(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=2))
    run_all(kube, "app=web", 2)
    _until(kube, "NewReplicaSetAvailable")
    change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example/app:2"}]}}}}
    kube.patch(APPS, "web", change, "strategic")
    pods_of(kube, "app=web", 3)  # surge 1, none unavailable of 2
    kube.until(lambda: kube.get(APPS, "web")["status"].get("updatedReplicas") == 1)

    def replaced() -> bool:
        pods = kube.items("pods")
        for pod in pods:
            if "podIP" not in pod["status"]:
                run(kube, pod["metadata"]["name"])
        return {pod["spec"]["containers"][0]["image"] for pod in pods} == {"example/app:2"}

    kube.until(replaced)
    obj = _until(kube, "NewReplicaSetAvailable")
    assert obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert sorted(each["spec"]["replicas"] for each in kube.items(SETS)) == [0, 2]


def test_a_rollout_that_was_complete_stays_so_when_pods_are_lost(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=3))
    run_all(kube, "app=web", 3)
    complete = _condition(_until(kube, "NewReplicaSetAvailable"), "Progressing")
    names = [pod["metadata"]["name"] for pod in kube.items("pods")]
    for ready in (False, True):  # two are lost, one comes back
        for name in names[ready:2]:
            run(kube, name, ready=ready)
        obj = _until_available(kube, 1 + ready)
        assert _condition(obj, "Progressing") == complete
        assert _condition(obj, "Available")[:2] == ("False", "MinimumReplicasUnavailable")


def test_an_earlier_template_gets_its_replica_set_again_and_its_pods_are_left_alone(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=2))
    run_all(kube, "app=web", 2)
    _until(kube, "NewReplicaSetAvailable")
    [first] = kube.items(SETS)
    before = {pod["metadata"]["uid"] for pod in kube.items("pods")}
    for image in ("example/app:broken", "example/app:1"):
        change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}
        kube.patch(APPS, "web", change, "strategic")
        pods_of(kube, "app=web", 3 if image.endswith("broken") else 2)
    obj = _until(kube, "NewReplicaSetAvailable")
    name = first["metadata"]["name"]
    assert _condition(obj, "Progressing")[2] == f'ReplicaSet "{name}" has successfully progressed.'
    assert {pod["metadata"]["uid"] for pod in kube.items("pods")} == before
    assert obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert {each["metadata"]["name"]: each["spec"]["replicas"] for each in kube.items(SETS)}[name] == 2
    marks = {key.partition("/")[2]: value for key, value in kube.get(SETS, name)["metadata"]["annotations"].items()}
    assert (marks["revision"], marks["revision-history"]) == ("3", "1")


def test_a_rollout_that_stands_still_misses_its_deadline(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=1, progressDeadlineSeconds=1))
    obj = _until(kube, "ProgressDeadlineExceeded")
    [replica_set] = kube.items(SETS)
    text = f'ReplicaSet "{replica_set["metadata"]["name"]}" has timed out progressing.'
    assert _condition(obj, "Progressing") == ("False", "ProgressDeadlineExceeded", text)
    run_all(kube, "app=web")
    _until(kube, "NewReplicaSetAvailable")


def test_pods_that_are_refused_are_told_of(kube: Kube) -> None:
    wanted = deployment("web", replicas=1)
    wanted["spec"]["template"]["spec"]["serviceAccountName"] = "nope"
    kube.made(APPS, wanted)
    obj = kube.until(lambda: "ReplicaFailure" in conditions(kube.get(APPS, "web")) and kube.get(APPS, "web"))
    name = kube.items(SETS)[0]["metadata"]["name"]
    where = f'{kube.namespace}/nope: serviceaccount "nope" not found'
    text = f'pods "{name}-" is forbidden: error looking up service account {where}'
    assert _condition(obj, "ReplicaFailure") == ("True", "FailedCreate", text)
    about = f"involvedObject.name={name},reason=FailedCreate"
    event = kube.until(lambda: kube.items("events", fieldSelector=about))[0]
    assert (event["type"], event["message"]) == ("Warning", f"Error creating: {text}")
    kube.made("serviceaccounts", {"metadata": {"name": "nope"}})
    pods_of(kube, "app=web")
    kube.until(lambda: "ReplicaFailure" not in conditions(kube.get(APPS, "web")))


def test_a_paused_deployment_says_so(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    _until(kube, "NewReplicaSetAvailable")
    kube.patch(APPS, "web", {"spec": {"paused": True}}, "merge")
    assert _condition(_until(kube, "DeploymentPaused"), "Progressing") == (
        "Unknown",
        "DeploymentPaused",
        "Deployment is paused",
    )


def test_scaling_adds_and_removes_pods(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=1))
    pods_of(kube, "app=web", 1)
    kube.patch(APPS, "web", {"spec": {"replicas": 3}}, "merge", "scale")
    pods_of(kube, "app=web", 3)
    kube.patch(APPS, "web", {"spec": {"replicas": 0}}, "merge", "scale")
    kube.until(lambda: not kube.items("pods"))
    assert conditions(kube.get(APPS, "web")).keys() == {"Available", "Progressing"}


def _template(**spec: Any) -> Any:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()]} | spec}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"selector": None}, "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`]"),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        ({"selector": {"matchLabels": {"app": "other"}}}, "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"strategy": {"type": "X"}}, 'spec.strategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"'),
        ({"strategy": {"type": "Recreate", "rollingUpdate": {}}}, "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"),
        ({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}, "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 10}, "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"),
        ({"template": _template(restartPolicy="Never")}, 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'),
        ({"template": _template(activeDeadlineSeconds=5)}, "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"),
    ],
)  # fmt: skip
def test_deployments_are_checked(kube: Kube, spec: Any, text: str) -> None:
    status, body = kube.create(APPS, deployment("web", **spec))
    assert (status, body["message"]) == (422, f'Deployment.apps "web" is invalid: {text}')


def test_a_selector_may_not_change(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    status, body = kube.patch(APPS, "web", {"spec": {"selector": {"matchLabels": {"a": "b"}}}}, "merge")
    text = 'Invalid value: {"matchLabels":{"a":"b","app":"web"}}: field is immutable'
    assert (status, text in [cause["message"] for cause in body["details"]["causes"]]) == (422, True)
