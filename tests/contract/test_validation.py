"""What is refused, with Kubernetes' own words."""

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, configmap, container, deployment, job, meta, pod, service

APPS = "deployments.apps"
_MISMATCH: Object = {"matchLabels": {"app": "other"}}


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("configmaps", meta("Upper"), 'metadata.name: Invalid value: "Upper": a lowercase RFC 1123 subdomain'),
        ("services", service("1a"), 'metadata.name: Invalid value: "1a": a DNS-1035 label must consist of'),
        ("configmaps", {"metadata": {}}, "metadata.name: Required value: name or generateName is required"),
        ("configmaps", meta("c", labels={"a b": "c"}), 'metadata.labels: Invalid value: "a b": name part must consist'),
        ("configmaps", meta("c", labels={"a": "-"}), 'metadata.labels: Invalid value: "-": a valid label must be'),
        ("configmaps", configmap("c", **{"a/b": "1"}), "a valid config key must consist of alphanumeric"),
        ("pods", pod("p", containers=[]), "spec.containers: Required value"),
        ("pods", pod("p", containers=[{"name": "c"}]), "spec.containers[0].image: Required value"),
        ("pods", pod("p", containers=[container()] * 2), 'spec.containers[1].name: Duplicate value: "main"'),
        (
            "pods",
            pod("p", containers=[container(ports=[{"containerPort": 70000}])]),
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            "pods",
            pod("p", containers=[container(volumeMounts=[{"name": "v", "mountPath": "/x"}])]),
            'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            "pods",
            pod("p", containers=[container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})]),
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (APPS, deployment("d", selector=None), "spec.selector: Required value"),
        (
            APPS,
            deployment("d", selector=_MISMATCH),
            'spec.template.metadata.labels: Invalid value: {"app":"d"}: `selector` does not match template `labels`',
        ),
        (
            "jobs.batch",
            job("j", template={"spec": {"containers": [container()]}}),
            'spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"',
        ),
        ("services", service("s", ports=[]), "spec.ports: Required value"),
        ("services", service("s", ports=[{"port": 1}, {"port": 2}]), "spec.ports[0].name: Required value"),
        ("services", service("s", type="X"), 'spec.type: Unsupported value: "X": supported values: "ClusterIP"'),
        ("secrets", meta("s") | {"type": "kubernetes.io/tls"}, "data[tls.crt]: Required value"),
        (
            "ingresses.networking.k8s.io",
            meta("i") | {"spec": {"rules": [{"http": {"paths": [{"path": "/"}]}}]}},
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            meta("h") | {"spec": {"maxReplicas": 0, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}},
            "spec.maxReplicas: Invalid value: 0: must be greater than 0",
        ),
    ],
)
def test_invalid_objects_are_refused(kube: Kube, kind: str, body: Object, text: str) -> None:
    status, answer = kube.create(kind, body)
    assert (status, answer["reason"]) == (422, "Invalid")
    assert text in answer["message"]
    assert answer["details"]["causes"]


def test_several_problems_are_told_at_once(kube: Kube) -> None:
    _, body = kube.create("pods", pod("p", containers=[{"name": "c"}], restartPolicy="Sometimes"))
    fields = [cause["field"] for cause in body["details"]["causes"]]
    assert fields == ["spec.containers[0].image", "spec.restartPolicy"]
    assert body["message"].startswith('Pod "p" is invalid: [spec.containers[0].image: Required value, ')


@pytest.mark.parametrize(
    ("kind", "body", "change", "text"),
    [
        (APPS, deployment("x"), {"spec": {"selector": {"matchLabels": {"app": "y"}}}}, "field is immutable"),
        (
            "jobs.batch",
            job("x", suspend=False, parallelism=0),
            {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}},
            "spec.template: Invalid value: ",
        ),
        ("secrets", meta("x"), {"type": "other"}, 'type: Invalid value: "other": field is immutable'),
        ("services", service("x"), {"spec": {"clusterIP": "10.100.9.9"}}, "may not change once set"),
        ("pods", pod("x"), {"spec": {"hostNetwork": True}}, "pod updates may not change fields other than"),
        (
            "configmaps",
            configmap("x", a="1") | {"immutable": True},
            {"data": {"a": "2"}},
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
    ],
)
def test_what_may_not_change_does_not(kube: Kube, kind: str, body: Object, change: Any, text: str) -> None:
    kube.made(kind, body)
    status, answer = kube.patch(kind, "x", change, "merge")
    assert (status, answer["reason"]) == (422, "Invalid")
    assert text in answer["message"]


def test_wrong_types_are_bad_requests(kube: Kube) -> None:
    status, body = kube.create(APPS, deployment("d", replicas="three"))
    assert status == 400
    assert body["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct '
        "field DeploymentSpec.spec.replicas of type int32"
    )


def test_secret_data_must_be_base64(kube: Kube) -> None:
    status, body = kube.create("secrets", meta("s") | {"data": {"a": "not base64!"}})
    assert status == 400
    assert "illegal base64 data" in body["message"]


def test_unknown_fields_are_dropped_with_a_warning_or_refused_when_strict(kube: Kube) -> None:
    response = kube.client.post(kube.path(APPS), json=deployment("d", replica=1))
    assert response.status_code == 201
    assert response.headers["warning"] == '299 - "unknown field \\"spec.replica\\""'
    assert "replica" not in response.json()["spec"]
    status, body = kube.create(APPS, deployment("e", replica=1), fieldValidation="Strict")
    assert status == 400
    assert 'strict decoding error: unknown field "spec.replica"' in body["message"]


def test_bodies_must_fit_their_path(kube: Kube) -> None:
    status, body = kube.create("configmaps", configmap("c") | meta("c", namespace="other"))
    assert (status, body["reason"]) == (400, "BadRequest")
    assert "does not match the namespace sent on the request" in body["message"]
    kube.made("configmaps", configmap("c"))
    status, body = kube.call("PUT", kube.path("configmaps", "c"), configmap("d"))
    assert body["message"] == "the name of the object (d) does not match the name on the URL (c)"
    status, body = kube.create("configmaps", deployment("d"))
    assert status == 400


def test_malformed_bodies_are_bad_requests(kube: Kube) -> None:
    for content in (b"{", b"[]", b'"x"', b"a: [", b""):
        headers = {"content-type": "application/json"}
        response = kube.client.post(kube.path("configmaps"), content=content, headers=headers)
        assert response.status_code == 400, content
        assert response.json()["kind"] == "Status"


def test_protobuf_is_not_understood(kube: Kube) -> None:
    headers = {"content-type": "application/vnd.kubernetes.protobuf"}
    response = kube.client.post(kube.path("configmaps"), content=b"k8s\x00", headers=headers)
    assert (response.status_code, response.json()["reason"]) == (415, "UnsupportedMediaType")
