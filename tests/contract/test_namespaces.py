"""Namespaces: what they begin with, and how they end."""

from tests.contract.kube import Kube, unique
from tests.contract.objects import configmap, deployment, meta
from tests.contract.widgets import conditions

APPS = "deployments.apps"


def _path(name: str) -> str:
    return f"/api/v1/namespaces/{name}"


def test_a_new_namespace_is_active_and_labelled(kube: Kube) -> None:
    name = unique("ns")
    _, body = kube.call("POST", "/api/v1/namespaces", meta(name))
    assert body["metadata"]["labels"] == {"kubernetes.io/metadata.name": name}
    assert (body["spec"], body["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})
    kube.call("DELETE", _path(name))


def test_a_terminating_namespace_takes_nothing_new(kube: Kube) -> None:
    kube.made("configmaps", configmap("held") | meta("held", finalizers=["example.com/wait"]))
    status, body = kube.call("DELETE", _path(kube.namespace))
    assert (status, body["status"]["phase"]) == (200, "Terminating")
    assert body["metadata"]["deletionTimestamp"]
    assert "deletionGracePeriodSeconds" not in body["metadata"]
    text = f"unable to create new content in namespace {kube.namespace} because it is being terminated"
    for answer in (kube.create("configmaps", configmap("late")), kube.apply("configmaps", configmap("late"))):
        status, refused = answer
        assert (status, refused["reason"]) == (403, "Forbidden")
        assert refused["message"] == f'configmaps "late" is forbidden: {text}'
        assert refused["details"]["causes"] == [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {kube.namespace} is being terminated",
                "field": "metadata.namespace",
            }
        ]
    kube.patch("configmaps", "held", {"metadata": {"finalizers": None}}, "merge")


def test_a_namespace_goes_with_everything_in_it(kube: Kube) -> None:
    kube.made(APPS, deployment("web", replicas=1))
    kube.made("secrets", meta("s"))
    kube.call("DELETE", _path(kube.namespace))
    kube.until(lambda: kube.call("GET", _path(kube.namespace))[0] == 404)
    assert kube.gone(APPS, "web")
    assert kube.items("pods") == kube.items("secrets") == []


def test_a_namespace_says_what_it_waits_for(kube: Kube) -> None:
    kube.made("configmaps", configmap("held") | meta("held", finalizers=["example.com/wait"]))
    kube.call("DELETE", _path(kube.namespace))

    def waits() -> bool:
        return conditions(kube.call("GET", _path(kube.namespace))[1]).get("NamespaceFinalizersRemaining") == "True"

    kube.until(waits)
    status = kube.call("GET", _path(kube.namespace))[1]["status"]
    told = {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}
    remaining = "Some resources are remaining: configmaps. has 1 resource instances"
    finalizers = "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances"
    assert told["NamespaceContentRemaining"] == ("True", "SomeResourcesRemain", remaining)
    assert told["NamespaceFinalizersRemaining"] == ("True", "SomeFinalizersRemain", finalizers)
    assert told["NamespaceDeletionDiscoveryFailure"][0] == "False"
    assert told["NamespaceDeletionContentFailure"][0] == "False"
    kube.patch("configmaps", "held", {"metadata": {"finalizers": None}}, "merge")
    kube.until(lambda: kube.call("GET", _path(kube.namespace))[0] == 404)


def test_the_finalizer_of_a_namespace_is_removed_on_its_own_path(kube: Kube) -> None:
    _, body = kube.call("GET", _path(kube.namespace))
    body["spec"]["finalizers"] = ["kubernetes", "example.com/wait"]
    status, changed = kube.call("PUT", f"{_path(kube.namespace)}/finalize", body)
    assert (status, changed["spec"]["finalizers"]) == (200, ["kubernetes", "example.com/wait"])
    changed["spec"]["finalizers"] = []
    assert kube.call("PUT", _path(kube.namespace), changed)[1]["spec"]["finalizers"] == [
        "kubernetes",
        "example.com/wait",
    ]
    changed["spec"]["finalizers"] = ["kubernetes"]
    changed["metadata"].pop("resourceVersion")
    assert kube.call("PUT", f"{_path(kube.namespace)}/finalize", changed)[0] == 200


def test_the_systems_namespaces_cannot_be_deleted(kube: Kube) -> None:
    for name in ("default", "kube-system", "kube-public"):
        status, body = kube.call("DELETE", _path(name))
        text = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
        assert (status, body["message"]) == (403, text)
