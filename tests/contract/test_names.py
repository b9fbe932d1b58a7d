"""Names, labels, annotations, owners and finalizers: what is accepted, and the exact words of the refusal."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, deployment, job, meta, pod, role, service

APPS, JOBS, ROLES = "deployments.apps", "jobs.batch", "roles.rbac.authorization.k8s.io"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
DNS1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
    "end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
QUALIFIED = (
    "a qualified name must consist"
    + NAME_PART.removeprefix("name part must consist")
    + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def _causes(body: Any) -> list[tuple[str, str]]:
    return [(cause["field"], cause["message"]) for cause in body["details"]["causes"]]


@pytest.mark.parametrize(
    ("kind", "body", "name", "text"),
    [
        ("configmaps", meta("Upper"), "Upper", SUBDOMAIN),
        ("configmaps", meta("a_b"), "a_b", SUBDOMAIN),
        ("configmaps", meta("a" * 254), "a" * 254, "must be no more than 253 characters"),
        ("secrets", meta("a/b"), "a/b", SUBDOMAIN),
        ("serviceaccounts", meta("A_"), "A_", SUBDOMAIN),
        ("pods", pod("A"), "A", SUBDOMAIN),
        (APPS, deployment("d") | meta("A"), "A", SUBDOMAIN),
        ("services", service("1a"), "1a", DNS1035),
        ("services", service("a.b"), "a.b", DNS1035),
        ("services", service("a" * 64), "a" * 64, "must be no more than 63 characters"),
        (ROLES, role("a/b", ["get"], "pods"), "a/b", "may not contain '/'"),
        (ROLES, role("..", ["get"], "pods"), "..", "may not be '..'"),
    ],
)
def test_names_are_checked(kube: Kube, kind: str, body: Any, name: str, text: str) -> None:
    status, answer = kube.create(kind, body)
    assert (status, answer["reason"], answer["details"]["name"]) == (422, "Invalid", name)
    assert ("metadata.name", f'Invalid value: "{name}": {text}') in _causes(answer)


def test_names_of_namespaces_are_labels(kube: Kube) -> None:
    for name, text in (("a.b", "must not contain dots"), ("A", LABEL)):
        _, body = kube.call("POST", "/api/v1/namespaces", meta(name))
        expected = f'Namespace "{name}" is invalid: metadata.name: Invalid value: "{name}": {text}'
        assert body["message"] == expected


def test_roles_may_have_colons_and_capitals(kube: Kube) -> None:
    assert kube.create(ROLES, role("a:B", ["get"], "pods"))[0] == 201


def test_a_name_is_required(kube: Kube) -> None:
    status, body = kube.create("configmaps", {"metadata": {}})
    text = 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    assert (status, body["message"]) == (422, text)
    assert body["details"].keys() == {"kind", "causes"}


def test_generated_names_are_checked_with_their_beginning(kube: Kube) -> None:
    _, body = kube.create("configmaps", {"metadata": {"generateName": "Upper-"}})
    assert [field for field, _ in _causes(body)] == ["metadata.generateName", "metadata.name"]


def test_a_jobs_name_becomes_a_label_of_its_pods(kube: Kube) -> None:
    name = "a" * 64
    _, body = kube.create(JOBS, job(name))
    text = f'Invalid value: "{name}": must be no more than 63 characters'
    assert body["message"] == f'Job.batch "{name}" is invalid: spec.template.labels: {text}'


@pytest.mark.parametrize(
    ("labels", "shown", "text"),
    [
        ({"a b": "c"}, "a b", NAME_PART),
        ({"a": "-"}, "-", VALUE),
        ({"a": "x" * 64}, "x" * 64, "must be no more than 63 characters"),
        ({"x" * 64: "a"}, "x" * 64, "name part must be no more than 63 characters"),
        ({"a/b/c": "x"}, "a/b/c", QUALIFIED),
        ({"/b": "x"}, "/b", "prefix part must be non-empty"),
        ({"A_b/c": "x"}, "A_b/c", f"prefix part {SUBDOMAIN}"),
        ({"x" * 254 + "/a": "x"}, "x" * 254 + "/a", "prefix part must be no more than 253 characters"),
        ({"": "x"}, "", "name part must be non-empty"),
    ],
)
def test_labels_are_checked(kube: Kube, labels: dict[str, str], shown: str, text: str) -> None:
    status, body = kube.create("configmaps", configmap("c") | meta("c", labels=labels))
    assert status == 422
    assert ("metadata.labels", f'Invalid value: "{shown}": {text}') in _causes(body)


def test_annotations_are_checked(kube: Kube) -> None:
    _, body = kube.create("configmaps", configmap("c") | meta("c", annotations={"a b": "c"}))
    assert _causes(body) == [("metadata.annotations", f'Invalid value: "a b": {NAME_PART}')]
    _, body = kube.create("configmaps", configmap("c") | meta("c", annotations={"a": "x" * 262144}))
    assert _causes(body) == [("metadata.annotations", "Too long: may not be more than 262144 bytes")]


def test_finalizers_are_qualified_names(kube: Kube) -> None:
    status, body = kube.create("configmaps", configmap("c") | meta("c", finalizers=["x"]))
    text = 'Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified'
    assert (status, _causes(body)) == (422, [("metadata.finalizers[0]", text)])


def test_owners_are_checked(kube: Kube) -> None:
    _, body = kube.create("configmaps", configmap("c") | meta("c", ownerReferences=[{}]))
    field, empty = "metadata.ownerReferences", 'Invalid value: "": must not be empty'
    assert _causes(body) == [
        (f"{field}.apiVersion", 'Invalid value: "": version must not be empty'),
        (f"{field}.kind", empty),
        (f"{field}.name", empty),
        (f"{field}.uid", empty),
    ]
    owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name, "controller": True} for name in "ab"]
    _, body = kube.create("configmaps", configmap("c") | meta("c", ownerReferences=owners))
    [(field, message)] = _causes(body)
    found = 'Found "true" in references for ConfigMap/a and ConfigMap/b'
    assert message.endswith(f": Only one reference can have Controller set to true. {found}")
