"""CustomResourceDefinitions: establishing, structural schemas, discovery, removal."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, meta
from tests.contract.widgets import CRDS, SCHEMA, Widgets, conditions, definition

HEAD = "spec.validation.openAPIV3Schema"


@pytest.fixture
def widgets(kube: Kube) -> Iterator[Widgets]:
    """An established definition."""
    made = Widgets(kube)
    yield made
    made.delete()


def test_a_definition_is_established(kube: Kube, widgets: Widgets) -> None:
    _, body = kube.call("GET", widgets.path)
    assert conditions(body) == {"NamesAccepted": "True", "Established": "True"}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    assert body["spec"]["names"] == body["status"]["acceptedNames"] == names
    assert (body["status"]["storedVersions"], body["spec"]["conversion"]) == (["v1"], {"strategy": "None"})


def test_its_conditions_are_null_at_first(kube: Kube) -> None:
    group = f"{kube.namespace}.example.org"
    status, body = kube.call("POST", kube.cluster_path(CRDS), definition(group), dryRun="All")
    assert (status, body["status"]["conditions"]) == (201, None)


def test_it_appears_in_discovery(kube: Kube, widgets: Widgets) -> None:
    _, body = kube.call("GET", f"/apis/{widgets.group}/v1")
    assert [each["name"] for each in body["resources"]] == ["widgets", "widgets/status", "widgets/scale"]
    assert body["groupVersion"] == f"{widgets.group}/v1"
    _, body = kube.call("GET", f"/apis/{widgets.group}")
    assert body["preferredVersion"] == {"groupVersion": f"{widgets.group}/v1", "version": "v1"}
    kube.until(lambda: widgets.group in [each["name"] for each in kube.call("GET", "/apis")[1]["groups"]])
    assert kube.request("GET", f"/apis/{widgets.group}/v2").text == "404 page not found\n"


def test_deleting_it_deletes_its_resources(kube: Kube, widgets: Widgets) -> None:
    kube.made(widgets.key, widgets.body() | meta("w", finalizers=["example.com/wait"]))
    status, body = kube.call("DELETE", widgets.path)
    assert (status, body["metadata"]["finalizers"]) == (200, ["customresourcecleanup.apiextensions.k8s.io"])
    kube.until(lambda: "deletionTimestamp" in kube.get(widgets.key, "w")["metadata"])
    kube.patch(widgets.key, "w", {"metadata": {"finalizers": None}}, "merge")
    kube.until(lambda: kube.call("GET", widgets.path)[0] == 404)
    kube.until(lambda: kube.request("GET", kube.path(widgets.key)).text == "404 page not found\n")


def test_replacing_it_needs_its_version(kube: Kube, widgets: Widgets) -> None:
    status, body = kube.call("PUT", widgets.path, definition(widgets.group))
    assert (status, body["details"]["causes"]) == (
        422,
        [
            {
                "reason": "FieldValueInvalid",
                "message": "Invalid value: 0: must be specified for an update",
                "field": "metadata.resourceVersion",
            }
        ],
    )


@pytest.mark.parametrize(
    ("schema", "field", "message"),
    [
        ({}, f"{HEAD}.type", "Required value: must not be empty at the root"),
        ({"type": "string"}, f"{HEAD}.type", 'Invalid value: "string": must be object at the root'),
        (
            {"type": "object", "properties": {"spec": {"properties": {}}}},
            f"{HEAD}.properties[spec].type",
            "Required value: must not be empty for specified object fields",
        ),
        (
            {"type": "object", "properties": {"spec": {"type": "bogus"}}},
            f"{HEAD}.properties[spec].type",
            'Unsupported value: "bogus": supported values: "array", "boolean", "integer", "number", "object", "string"',
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array"}}},
            f"{HEAD}.properties[a].items",
            "Required value: must be specified",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}},
            f"{HEAD}.properties[a].default",
            'Invalid value: "string":  in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
            f"{HEAD}.x-kubernetes-preserve-unknown-fields",
            "Invalid value: false: must be true or undefined",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}}},
            f"{HEAD}.properties[a].x-kubernetes-list-map-keys",
            "Required value: must not be empty if x-kubernetes-list-type is map",
        ),
    ],
)  # fmt: skip
def test_schemas_must_be_structural(kube: Kube, schema: Any, field: str, message: str) -> None:
    body = definition(f"{kube.namespace}.example.org", schema)
    status, answer = kube.call("POST", kube.cluster_path(CRDS), body, dryRun="All")
    assert (status, answer["details"]["kind"]) == (422, "CustomResourceDefinition")
    assert (field, message) in [(cause["field"], cause["message"]) for cause in answer["details"]["causes"]]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"scope": "X"}, "spec.scope", 'Unsupported value: "X": supported values: "Cluster", "Namespaced"'),
        (
            {"versions": []},
            "spec.versions",
            "Invalid value: []: must have exactly one version marked as storage version",
        ),
        ({"versions": []}, "status.storedVersions", "Invalid value: null: must have at least one stored version"),
        ({"names": {"plural": "widgets"}}, "spec.names.kind", "Required value"),
    ],
)
def test_definitions_are_checked(kube: Kube, change: Object, field: str, message: str) -> None:
    body = definition(f"{kube.namespace}.example.org", SCHEMA, **change)
    status, answer = kube.call("POST", kube.cluster_path(CRDS), body, dryRun="All")
    assert status == 422
    assert (field, message) in [(cause["field"], cause["message"]) for cause in answer["details"]["causes"]]


def test_a_definition_must_be_named_after_its_resource(kube: Kube) -> None:
    body = definition(f"{kube.namespace}.example.org") | meta("wrong")
    status, answer = kube.call("POST", kube.cluster_path(CRDS), body)
    text = 'metadata.name: Invalid value: "wrong": must be spec.names.plural+"."+spec.group'
    assert (status, text in answer["message"]) == (422, True)
