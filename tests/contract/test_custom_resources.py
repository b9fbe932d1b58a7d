"""CustomResourceDefinitions and what they define."""

from collections.abc import Iterator

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, meta

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_ENTRY: Object = {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}
_SPEC: Object = {
    "type": "object",
    "required": ["mode"],
    "properties": {
        "mode": {"type": "string", "enum": ["fast", "slow"]},
        "replicas": {"type": "integer", "minimum": 0, "default": 2},
        "host": {"type": "string", "pattern": "^[a-z]+$"},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "parts": {
            "type": "array",
            "items": _ENTRY,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    },
}
_SCHEMA: Object = {"type": "object", "properties": {"spec": _SPEC, "status": {"type": "object"}}}


@pytest.fixture
def widgets(kube: Kube) -> Iterator[str]:
    """A definition of its own for the test's namespace, established; the resource's key."""
    group = f"{kube.namespace}.example.com"
    name = f"widgets.{group}"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _SCHEMA}}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    version |= {"subresources": {"status": {}, "scale": scale}}
    spec = {"group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"}}
    status, body = kube.call("POST", CRDS, meta(name) | {"spec": spec | {"versions": [version]}})
    assert status == 201, body
    kube.until(lambda: _established(kube, name))
    yield name
    kube.call("DELETE", f"{CRDS}/{name}")
    kube.until(lambda: kube.call("GET", f"{CRDS}/{name}")[0] == 404)


def _established(kube: Kube, name: str) -> bool:
    _, body = kube.call("GET", f"{CRDS}/{name}")
    return any(
        each["type"] == "Established" and each["status"] == "True" for each in body["status"]["conditions"] or []
    )


def _widget(name: str = "w", **spec: object) -> Object:
    return meta(name) | {"spec": {"mode": "fast"} | spec}


def test_custom_resources_appear_in_discovery(kube: Kube, widgets: str) -> None:
    group = widgets.removeprefix("widgets.")
    _, body = kube.call("GET", f"/apis/{group}/v1")
    names = [each["name"] for each in body["resources"]]
    assert names == ["widgets", "widgets/status", "widgets/scale"]
    _, groups = kube.call("GET", "/apis")
    assert group in [each["name"] for each in groups["groups"]]


def test_defaults_are_filled_and_unknown_fields_pruned(kube: Kube, widgets: str) -> None:
    obj = kube.made(widgets, _widget(surplus=1, free={"any": {"thing": 1}}))
    assert obj["spec"] == {"mode": "fast", "replicas": 2, "free": {"any": {"thing": 1}}}
    assert obj["apiVersion"] == f"{widgets.removeprefix('widgets.')}/v1"
    status, body = kube.create(widgets, _widget("x", surplus=1), fieldValidation="Strict")
    assert (status, 'unknown field "spec.surplus"' in body["message"]) == (400, True)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"mode": "odd"}, 'spec.mode: Unsupported value: "odd": supported values: "fast", "slow"'),
        ({"mode": None}, "spec.mode"),
        (
            {"replicas": -1},
            "spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0",
        ),
        ({"replicas": "2"}, 'spec.replicas in body must be of type integer: "string"'),
        ({"host": "A"}, "spec.host in body should match '^[a-z]+$'"),
        ({"port": True}, "must be of type integer or string"),
        ({"parts": [{"name": 1}]}, "spec.parts[0].name"),
    ],
)
def test_values_are_checked_against_the_schema(kube: Kube, widgets: str, spec: Object, text: str) -> None:
    status, body = kube.create(widgets, _widget(**spec))
    assert (status, body["reason"]) == (422, "Invalid")
    assert text in body["message"]


def test_required_fields_are_required(kube: Kube, widgets: str) -> None:
    _, body = kube.create(widgets, meta("w") | {"spec": {}})
    assert body["message"].endswith(
        "Widget." + widgets.removeprefix("widgets.") + ' "w" is invalid: spec.mode: Required value'
    )


def test_apply_merges_lists_by_the_keys_of_the_schema(kube: Kube, widgets: str) -> None:
    identity = {"apiVersion": f"{widgets.removeprefix('widgets.')}/v1", "kind": "Widget"}
    kube.apply(widgets, identity | _widget(parts=[{"name": "a", "size": 1}]), "first")
    _, obj = kube.apply(widgets, identity | _widget(parts=[{"name": "b", "size": 2}]), "second")
    assert obj["spec"]["parts"] == [{"name": "a", "size": 1}, {"name": "b", "size": 2}]
    status, body = kube.apply(widgets, identity | _widget(parts=[{"name": "a", "size": 9}]), "second")
    assert (status, '.spec.parts[name="a"].size' in body["message"]) == (409, True)


def test_status_and_scale_are_subresources(kube: Kube, widgets: str) -> None:
    kube.made(widgets, _widget() | {"status": {"replicas": 9}})
    assert "status" not in kube.get(widgets, "w")
    kube.patch(widgets, "w", {"spec": {"replicas": 4}}, "merge", "scale")
    obj = kube.get(widgets, "w")
    assert (obj["spec"]["replicas"], obj["metadata"]["generation"]) == (4, 2)


def test_strategic_patches_are_not_for_custom_resources(kube: Kube, widgets: str) -> None:
    kube.made(widgets, _widget())
    assert kube.patch(widgets, "w", {}, "strategic")[0] == 415


def test_deleting_the_definition_deletes_its_resources(kube: Kube, widgets: str) -> None:
    kube.made(widgets, _widget())
    kube.call("DELETE", f"{CRDS}/{widgets}")
    kube.until(lambda: kube.client.get(kube.path(widgets)).text == "404 page not found\n")
    assert kube.call("GET", f"{CRDS}/{widgets}")[0] == 404


def test_a_definition_must_be_named_after_its_resource(kube: Kube) -> None:
    spec = {"group": "example.com", "scope": "Cluster", "names": {"plural": "as", "kind": "A"}, "versions": []}
    status, body = kube.call("POST", CRDS, meta("wrong") | {"spec": spec})
    assert status == 422
    assert 'must be spec.names.plural+"."+spec.group' in body["message"]
