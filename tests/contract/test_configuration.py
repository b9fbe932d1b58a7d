"""ConfigMaps and Secrets."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, configmap, meta

KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def test_string_data_becomes_data_and_wins_over_it(kube: Kube) -> None:
    obj = kube.made("secrets", meta("s") | {"stringData": {"a": "hello"}, "data": {"a": "eQ==", "b": "eA=="}})
    assert obj["data"] == {"a": "aGVsbG8=", "b": "eA=="}
    assert (obj["type"], "stringData" in obj) == ("Opaque", False)


@pytest.mark.parametrize(
    ("data", "field", "text"),
    [
        ({"a/b": "1"}, "data[a/b]", f'Invalid value: "a/b": {KEY}'),
        ({"..": "1"}, "data[..]", "Invalid value: \"..\": must not be '..'"),
        ({"x" * 254: "1"}, f"data[{'x' * 254}]", f'Invalid value: "{"x" * 254}": must be no more than 253 characters'),
        ({"a": "x" * 1048577}, "[]", "Too long: may not be more than 1048576 bytes"),
    ],
)
def test_keys_and_sizes_are_checked(kube: Kube, data: dict[str, str], field: str, text: str) -> None:
    status, body = kube.create("configmaps", configmap("c", **data))
    assert (status, body["message"]) == (422, f'ConfigMap "c" is invalid: {field}: {text}')


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("kubernetes.io/tls", {}, "[data[tls.crt]: Required value, data[tls.key]: Required value]"),
        ("kubernetes.io/dockerconfigjson", {}, "data[.dockerconfigjson]: Required value"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "x"}, 'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character \'x\' looking for beginning of value'),
        ("kubernetes.io/basic-auth", {}, "[data[username]: Required value, data[password]: Required value]"),
        ("kubernetes.io/ssh-auth", {}, "data[ssh-privatekey]: Required value"),
        ("kubernetes.io/service-account-token", {}, "metadata.annotations[kubernetes.io/service-account.name]: Required value"),
    ],
)  # fmt: skip
def test_secret_types_have_needs(kube: Kube, kind: str, data: dict[str, str], text: str) -> None:
    status, body = kube.create("secrets", meta("s") | {"type": kind, "stringData": data})
    assert (status, body["message"]) == (422, f'Secret "s" is invalid: {text}')


IMMUTABLE = "Forbidden: field is immutable when `immutable` is set"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"data": {"a": "2"}}, "data"),
        ({"immutable": False}, "immutable"),
        ({"binaryData": {"z": "eA=="}}, "binaryData"),
    ],
)
def test_immutable_configmaps_stay(kube: Kube, change: Object, field: str) -> None:
    kube.made("configmaps", configmap("c", a="1") | {"immutable": True})
    status, body = kube.patch("configmaps", "c", change, "merge")
    assert (status, body["message"]) == (422, f'ConfigMap "c" is invalid: {field}: {IMMUTABLE}')
    assert kube.patch("configmaps", "c", {"metadata": {"labels": {"a": "b"}}}, "merge")[0] == 200


def test_immutable_secrets_stay(kube: Kube) -> None:
    kube.made("secrets", meta("s") | {"immutable": True, "stringData": {"a": "b"}})
    changes: list[tuple[Any, str]] = [({"stringData": {"a": "c"}}, "data"), ({"immutable": None}, "immutable")]
    for change, field in changes:
        status, body = kube.patch("secrets", "s", change, "merge")
        assert (status, body["message"]) == (422, f'Secret "s" is invalid: {field}: {IMMUTABLE}')
    status, body = kube.patch("secrets", "s", {"type": "other"}, "merge")
    text = 'type: Invalid value: "other": field is immutable'
    assert (status, body["message"]) == (422, f'Secret "s" is invalid: {text}')


def test_binary_and_plain_keys_are_distinct(kube: Kube) -> None:
    status, body = kube.create("configmaps", configmap("c", a="x") | {"binaryData": {"a": "eA=="}})
    text = 'data[a]: Invalid value: "a": duplicate of key present in binaryData'
    assert (status, body["message"]) == (422, f'ConfigMap "c" is invalid: {text}')
