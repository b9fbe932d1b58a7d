"""fieldValidation: unknown and doubled fields, as warnings or refused."""

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, container, deployment, meta

APPS = "deployments.apps"
HEAD = 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '


def test_unknown_fields_are_dropped_with_a_warning(kube: Kube) -> None:
    response = kube.request("POST", kube.path(APPS), deployment("d", replica=1))
    assert response.status_code == 201
    assert response.headers["warning"] == '299 - "unknown field \\"spec.replica\\""'
    assert "replica" not in response.json()["spec"]


def test_unknown_fields_may_be_ignored(kube: Kube) -> None:
    response = kube.request("POST", kube.path(APPS), deployment("d", replica=1), fieldValidation="Ignore")
    assert (response.status_code, "warning" in response.headers) == (201, False)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (deployment("d", replica=1), 'unknown field "spec.replica"'),
        (deployment("d") | meta("d", nme="x"), 'unknown field "metadata.nme"'),
        (deployment("d", container(img="x")), 'unknown field "spec.template.spec.containers[0].img"'),
        (deployment("d", container(ENV=[])), 'unknown field "spec.template.spec.containers[0].ENV"'),
        (deployment("d", replica=1) | {"more": 1}, 'unknown field "spec.replica", unknown field "more"'),
    ],
)
def test_unknown_fields_are_refused_when_strict(kube: Kube, body: Any, text: str) -> None:
    status, answer = kube.create(APPS, body, fieldValidation="Strict")
    assert (status, answer["reason"]) == (400, "BadRequest")
    assert answer["message"] == HEAD + text
    assert kube.gone(APPS, "d")


def test_doubled_fields_are_found(kube: Kube) -> None:
    body = b'{"metadata":{"name":"c"},"data":{"a":"1","a":"2"}}'
    response = kube.request("POST", kube.path("configmaps"), body)
    assert (response.status_code, response.json()["data"]) == (201, {"a": "2"})
    assert response.headers["warning"] == '299 - "duplicate field \\"data.a\\""'
    status, answer = kube.create("configmaps", body, fieldValidation="Strict")  # type: ignore[arg-type]
    text = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.a"'
    assert (status, answer["message"]) == (400, text)


def test_updates_are_checked_too(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    status, answer = kube.replace("configmaps", configmap("c") | {"date": {}}, fieldValidation="Strict")
    assert (status, answer["message"].endswith('strict decoding error: unknown field "date"')) == (400, True)


def test_endpoints_are_deprecated(kube: Kube) -> None:
    response = kube.request("GET", kube.path("endpoints"))
    text = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    assert response.headers["warning"] == f'299 - "{text}"'


def test_names_that_make_poor_hostnames_are_warned_of(kube: Kube) -> None:
    body = {"metadata": {"name": "a.b"}, "spec": {"schedulerName": "x", "containers": [container()]}}
    warning = kube.request("POST", kube.path("pods"), body).headers["warning"]
    assert "this is used in the Pod's hostname, which can result in surprising behavior" in warning
