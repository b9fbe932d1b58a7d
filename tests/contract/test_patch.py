"""The three patch types besides apply."""

# ruff: noqa: E501 (a row of a table of messages is a line)

import json
from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, container, deployment, meta

APPS = "deployments.apps"
REJECTED = "the server rejected our request due to an error in our request"


def _containers(obj: Any) -> list[Any]:
    found: list[Any] = obj["spec"]["template"]["spec"]["containers"]
    return found


def _in_template(spec: Any) -> Any:
    return {"spec": {"template": {"spec": spec}}}


def test_json_patch_runs_its_operations_in_order(kube: Kube) -> None:
    kube.made("configmaps", configmap("c", a="1"))
    operations = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "move", "from": "/data/a", "path": "/data/z"},
        {"op": "copy", "from": "/data/z", "path": "/data/y"},
        {"op": "replace", "path": "/data/b", "value": "3"},
    ]
    status, obj = kube.patch("configmaps", "c", operations, "json")
    assert (status, obj["data"]) == (200, {"b": "3", "y": "1", "z": "1"})


def test_json_patch_is_lenient_where_its_library_is(kube: Kube) -> None:
    kube.made("configmaps", configmap("c", a="1"))
    lenient = [{"op": "replace", "path": "/data/new", "value": "x"}, {"op": "test", "path": "/none", "value": None}]
    status, obj = kube.patch("configmaps", "c", lenient, "json")
    assert (status, obj["data"]) == (200, {"a": "1", "new": "x"})
    assert kube.patch("configmaps", "c", [], "json")[0] == 200


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "9"},
        {"op": "remove", "path": "/data/none"},
        {"op": "add", "path": "/none/x", "value": "x"},
        {"op": "bogus", "path": "/data/a"},
        {"op": "add"},
        {"op": "add", "path": "data", "value": "x"},
        {"op": "move", "from": "/data/none", "path": "/data/x"},
    ],
)
def test_json_patch_operations_that_do_not_fit_are_refused(kube: Kube, operation: Any) -> None:
    kube.made("configmaps", configmap("c", a="1"))
    status, body = kube.patch("configmaps", "c", [operation], "json")
    assert (status, body["reason"], body["message"], body["details"]) == (422, "Invalid", REJECTED, {})
    assert kube.get("configmaps", "c")["data"] == {"a": "1"}


def test_json_patch_counts_in_lists(kube: Kube) -> None:
    kube.made(APPS, deployment("web", container(name="a"), container(name="b"), paused=True))
    base = "/spec/template/spec/containers"
    operations = [
        {"op": "add", "path": f"{base}/-", "value": container(name="c")},
        {"op": "remove", "path": f"{base}/0"},
    ]
    _, obj = kube.patch(APPS, "web", operations, "json")
    assert [each["name"] for each in _containers(obj)] == ["b", "c"]
    for wrong in ({"op": "remove", "path": f"{base}/9"}, {"op": "add", "path": f"{base}/9", "value": {}}):
        assert kube.patch(APPS, "web", [wrong], "json")[0] == 422


def test_merge_patch_replaces_lists_and_null_removes(kube: Kube) -> None:
    kube.made(APPS, deployment("web", container(name="a"), container(name="b"), minReadySeconds=3, paused=True))
    change = _in_template({"containers": [container(name="other")]})
    change["spec"]["minReadySeconds"] = None
    _, obj = kube.patch(APPS, "web", change, "merge")
    assert [each["name"] for each in _containers(obj)] == ["other"]
    assert "minReadySeconds" not in obj["spec"]


def test_strategic_patch_merges_lists_by_their_keys(kube: Kube) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    kube.made(APPS, deployment("web", container(env=env), paused=True))
    change = {"name": "main", "env": [{"name": "B", "value": "3"}, {"name": "A", "$patch": "delete"}]}
    _, obj = kube.patch(APPS, "web", _in_template({"containers": [change]}), "strategic")
    [main] = _containers(obj)
    assert (main["image"], main["env"]) == ("example/app:1", [{"name": "B", "value": "3"}])
    change = {"name": "main", "env": [{"name": "B", "$patch": "delete"}]}
    _, obj = kube.patch(APPS, "web", _in_template({"containers": [change]}), "strategic")
    assert "env" not in _containers(obj)[0]


def test_strategic_patch_replaces_and_orders_as_it_is_told(kube: Kube) -> None:
    kube.made(APPS, deployment("web", container(name="a"), container(name="b"), paused=True))
    order = {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}]}
    _, obj = kube.patch(APPS, "web", _in_template(order | {"containers": [container(name="c")]}), "strategic")
    assert [each["name"] for each in _containers(obj)] == ["c", "b", "a"]
    only = {"containers": [container(name="z"), {"$patch": "replace"}]}
    _, obj = kube.patch(APPS, "web", _in_template(only), "strategic")
    assert [each["name"] for each in _containers(obj)] == ["z"]
    _, obj = kube.patch(APPS, "web", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, "strategic")
    assert obj["spec"]["strategy"] == {"type": "Recreate"}
    kube.patch(APPS, "web", {"metadata": {"labels": {"a": "b"}}}, "strategic")
    _, obj = kube.patch(APPS, "web", {"metadata": {"labels": {"$patch": "delete"}}}, "strategic")
    assert "labels" not in obj["metadata"]


def test_strategic_patches_need_the_merge_key_and_known_directives(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    status, body = kube.patch(APPS, "web", _in_template({"containers": [{"env": []}]}), "strategic")
    assert (status, body["message"]) == (500, "map: map[env:[]] does not contain declared merge key: name")
    assert "reason" not in body
    status, body = kube.patch(APPS, "web", {"$patch": "bogus"}, "strategic")
    assert (status, body["message"]) == (500, "unknown patch type: bogus in map: map[$patch:bogus]")


@pytest.mark.parametrize(
    ("media", "patch", "text"),
    [
        ("merge", {"spec": {"replicas": "x"}}, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ("json", [{"op": "replace", "path": "/spec/replicas", "value": "x"}], "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ("strategic", {"spec": {"replicas": "x"}}, "unrecognized type: int32"),
        ("strategic", {"spec": "x"}, "cannot restore struct from: string"),
    ],
)  # fmt: skip
def test_a_patched_object_must_fit_its_type(kube: Kube, media: str, patch: Any, text: str) -> None:
    kube.made(APPS, deployment("web"))
    status, body = kube.patch(APPS, "web", patch, media)
    assert (status, body["reason"]) == (422, "Invalid")
    assert body["message"].startswith(' "" is invalid: patch: Invalid value: "')
    assert body["message"].endswith(f'": {text}')
    [cause] = body["details"]["causes"]
    assert (cause["field"], cause["reason"]) == ("patch", "FieldValueInvalid")
    assert body["details"].keys() == {"causes"}


@pytest.mark.parametrize("media", ["merge", "strategic"])
def test_unknown_and_doubled_fields_of_patches(kube: Kube, media: str) -> None:
    kube.made(APPS, deployment("web"))
    path, kind = kube.path(APPS, "web"), f"application/{'' if media == 'merge' else 'strategic-'}merge-patch+json"
    response = kube.request("PATCH", path, {"spec": {"replica": 1}}, media=kind)
    assert (response.status_code, response.headers["warning"]) == (200, '299 - "unknown field \\"spec.replica\\""')
    status, body = kube.call("PATCH", path, {"spec": {"replica": 1}}, media=kind, fieldValidation="Strict")
    assert (status, body["message"].endswith(': strict decoding error: unknown field "spec.replica"')) == (422, True)
    doubled = b'{"spec":{"replicas":0,"replicas":0}}'
    response = kube.request("PATCH", path, doubled, media=kind)
    assert (response.status_code, response.headers["warning"]) == (200, '299 - "duplicate field \\"spec.replicas\\""')
    status, body = kube.call("PATCH", path, doubled, media=kind, fieldValidation="Strict")
    assert (status, body["message"].endswith(': strict decoding error: duplicate field "spec.replicas"')) == (422, True)


@pytest.mark.parametrize(
    ("media", "content", "text"),
    [
        ("merge", b"{", "error decoding patch: unexpected end of JSON input"),
        ("merge", b"[]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ("strategic", b'"x"', "json: cannot unmarshal string into Go value of type map[string]interface {}"),
        ("json", b"x", "error decoding patch: invalid character 'x' looking for beginning of value"),
        ("json", b"{}", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
    ],
)  # fmt: skip
def test_malformed_patches_are_bad_requests(kube: Kube, media: str, content: bytes, text: str) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.patch("configmaps", "c", content, media)
    assert (status, body["reason"], body["message"]) == (400, "BadRequest", text)


def test_an_unknown_patch_type_is_refused(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    for media in ("application/json", "text/plain"):
        status, body = kube.call("PATCH", kube.path("configmaps", "c"), {}, media=media)
        assert (status, body["reason"], body["message"]) == (415, "UnsupportedMediaType", "415: Unsupported Media Type")


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"metadata": {"name": "z"}}, 400, "the name of the object (z) does not match the name on the URL (c)"),
        ({"metadata": {"namespace": "z"}}, 400, "the namespace of the provided object does not match the namespace sent on the request"),
        ({"metadata": {"uid": "z"}}, 422, 'ConfigMap "c" is invalid: metadata.uid: Invalid value: "z": field is immutable'),
        ({"metadata": {"resourceVersion": "1"}}, 409, "the object has been modified; please apply your changes to the latest version and try again"),
        ({"kind": "Z"}, 422, 'no kind "Z" is registered for version "v1" in scheme "pkg/runtime/scheme.go:110"'),
    ],
)  # fmt: skip
def test_a_patch_may_not_change_the_identity(kube: Kube, change: Any, status: int, text: str) -> None:
    kube.made("configmaps", configmap("c"))
    code, body = kube.patch("configmaps", "c", change, "merge")
    assert (code, body["message"][-len(text) :]) == (status, text)


def test_force_is_for_apply_only(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.patch("configmaps", "c", {}, "merge", force="true")
    text = 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    assert (status, body["message"]) == (422, text)


def test_patching_what_is_not_there_is_not_found(kube: Kube) -> None:
    for media, patch in (("merge", {}), ("strategic", {}), ("json", [])):
        status, body = kube.patch("configmaps", "none", patch, media)
        assert (status, body["message"]) == (404, 'configmaps "none" not found')


def test_a_merge_patch_may_remove_the_managers(kube: Kube) -> None:
    kube.made("configmaps", configmap("c", a="1") | meta("c", labels={"a": "b"}))
    nothing: list[list[Any]] = [[], [{}]]
    for empty in nothing:
        _, obj = kube.patch("configmaps", "c", {"metadata": {"managedFields": empty}}, "merge")
        assert "managedFields" not in obj["metadata"]
    _, obj = kube.patch("configmaps", "c", json.loads('{"data": {"x": "1"}}'), "merge")
    assert "managedFields" not in obj["metadata"]
