"""Custom resources: pruning, defaults, validation, apply, subresources."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from collections.abc import Iterator

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, meta
from tests.contract.watching import watch
from tests.contract.widgets import Widgets


@pytest.fixture(scope="module")
def shared(client: object) -> Iterator[dict[int, Widgets]]:
    """One definition for all tests of this file."""
    made: dict[int, Widgets] = {}
    yield made
    for each in made.values():
        each.delete()


@pytest.fixture
def widgets(kube: Kube, shared: dict[int, Widgets]) -> Widgets:
    """Widgets in the test's namespace."""
    if not shared:
        shared[0] = Widgets(kube)
    shared[0].kube = kube
    return shared[0]


def test_defaults_are_filled_and_unknown_fields_pruned(kube: Kube, widgets: Widgets) -> None:
    response = kube.request("POST", kube.path(widgets.key), widgets.body(surplus=1, free={"any": {"thing": 1}}))
    obj = response.json()
    assert (response.status_code, response.headers["warning"]) == (201, '299 - "unknown field \\"spec.surplus\\""')
    assert obj["spec"] == {"mode": "fast", "replicas": 2, "free": {"any": {"thing": 1}}, "nested": {"x": "y"}}
    assert obj["metadata"]["generation"] == 1


def test_nulls_are_pruned_unless_the_schema_allows_them(kube: Kube, widgets: Widgets) -> None:
    obj = kube.made(widgets.key, widgets.body(replicas=None, maybe=None, nested=None))
    assert obj["spec"] == {"mode": "fast", "replicas": 2, "maybe": None, "nested": {"x": "y"}}
    _, body = kube.create(widgets.key, widgets.body("x", mode=None))
    assert body["message"].endswith('"x" is invalid: spec.mode: Required value')


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"spec": {"mode": "fast", "surplus": 1}}, 'unknown field "spec.surplus"'),
        ({"spec": {"mode": "fast", "parts": [{"name": "a", "bogus": 1}]}}, 'unknown field "spec.parts[0].bogus"'),
        ({"extra": 1}, 'unknown field "extra"'),
        (meta("w", bogus=1), 'unknown field "metadata.bogus"'),
    ],
)
def test_unknown_fields_are_refused_when_strict(kube: Kube, widgets: Widgets, more: Object, text: str) -> None:
    status, body = kube.create(widgets.key, widgets.body() | more, fieldValidation="Strict")
    head = 'Widget in version "v1" cannot be handled as a Widget: strict decoding error: '
    assert (status, body["message"]) == (400, head + text)


@pytest.mark.parametrize(
    ("spec", "field", "reason", "text"),
    [
        ({"mode": "odd"}, "spec.mode", "NotSupported", 'Unsupported value: "odd": supported values: "fast", "slow"'),
        ({"replicas": -1}, "spec.replicas", "Invalid", "Invalid value: -1: spec.replicas in body should be greater than or equal to 0"),
        ({"replicas": -1}, ".spec.replicas", "Invalid", "Invalid value: -1: should be a non-negative integer"),
        ({"replicas": "2"}, "spec.replicas", "TypeInvalid", 'Invalid value: "string": spec.replicas in body must be of type integer: "string"'),
        ({"replicas": 1.5}, "spec.replicas", "TypeInvalid", 'Invalid value: "number": spec.replicas in body must be of type integer: "number"'),
        ({"host": "A"}, "spec.host", "Invalid", "Invalid value: \"A\": spec.host in body should match '^[a-z]+$'"),
        ({"host": "abcdefg"}, "spec.host", "TooLong", "Too long: may not be more than 5 bytes"),
        ({"host": ""}, "spec.host", "Invalid", 'Invalid value: "": spec.host in body should be at least 1 chars long'),
        ({"port": True}, "spec.port", "TypeInvalid", 'Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"'),
        ({"when": "x"}, "spec.when", "TypeInvalid", 'Invalid value: "x": spec.when in body must be of type date-time: "x"'),
        ({"ratio": 2}, "spec.ratio", "Invalid", "Invalid value: 2: spec.ratio in body should be less than or equal to 1"),
        ({"words": {"a": 1}}, "spec.words.a", "TypeInvalid", 'Invalid value: "integer": spec.words.a in body must be of type string: "integer"'),
        ({"few": []}, "spec.few", "Invalid", "Invalid value: 0: spec.few in body should have at least 1 items"),
        ({"few": ["a", "b", "c"]}, "spec.few", "TooMany", "Too many: 3: must have at most 2 items"),
        ({"unique": ["a", "a"]}, "spec.unique[1]", "Duplicate", 'Duplicate value: "a"'),
        ({"flag": "x"}, "spec.flag", "TypeInvalid", 'Invalid value: "string": spec.flag in body must be of type boolean: "string"'),
        ({"parts": [{"size": 1}]}, "spec.parts[0].name", "Required", "Required value"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, "spec.parts[1]", "Duplicate", 'Duplicate value: {"name":"a"}'),
    ],
)  # fmt: skip
def test_values_are_checked_against_the_schema(
    kube: Kube, widgets: Widgets, spec: Object, field: str, reason: str, text: str
) -> None:
    status, body = kube.create(widgets.key, widgets.body(**spec), dryRun="All")
    assert (status, body["reason"]) == (422, "Invalid")
    assert {"field": field, "reason": f"FieldValue{reason}", "message": text} in body["details"]["causes"]
    assert (body["details"]["group"], body["details"]["kind"]) == (widgets.group, "Widget")


def test_a_body_must_say_what_it_is(kube: Kube, widgets: Widgets) -> None:
    status, body = kube.create(widgets.key, meta("w") | {"spec": {"mode": "fast"}})
    head = "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '"
    assert (status, body["message"].startswith(head)) == (400, True)
    other = widgets.body() | {"apiVersion": f"{widgets.group}/v2"}
    _, body = kube.create(widgets.key, other)
    expected = f"does not match the expected API version ({widgets.group}/v1)"
    assert body["message"] == f"the API version in the data ({widgets.group}/v2) {expected}"


def test_replacing_needs_the_version(kube: Kube, widgets: Widgets) -> None:
    made = kube.made(widgets.key, widgets.body())
    status, body = kube.replace(widgets.key, widgets.body())
    text = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert (status, body["message"]) == (422, f'widgets.{widgets.group} "w" is invalid: {text}')
    made["spec"]["mode"] = "slow"
    assert kube.replace(widgets.key, made)[1]["metadata"]["generation"] == 2


def test_apply_merges_lists_by_the_keys_of_the_schema(kube: Kube, widgets: Widgets) -> None:
    kube.applied(widgets.key, widgets.body(parts=[{"name": "a", "size": 1}]), "first")
    obj = kube.applied(widgets.key, widgets.body(parts=[{"name": "b", "size": 2}]), "second")
    assert obj["spec"]["parts"] == [{"name": "a", "size": 1}, {"name": "b", "size": 2}]
    status, body = kube.apply(widgets.key, widgets.body(parts=[{"name": "a", "size": 9}]), "second")
    assert (status, body["details"]["causes"][0]["field"]) == (409, '.spec.parts[name="a"].size')
    kube.applied(widgets.key, widgets.body(), "first")
    assert [each["name"] for each in kube.get(widgets.key, "w")["spec"]["parts"]] == ["b"]


def test_updates_of_custom_resources_own_what_they_write(kube: Kube, widgets: Widgets) -> None:
    obj = kube.made(widgets.key, widgets.body())
    [entry] = obj["metadata"]["managedFields"]
    nested: Object = {".": {}, "f:x": {}}
    assert entry["fieldsV1"] == {"f:spec": {".": {}, "f:mode": {}, "f:nested": nested, "f:replicas": {}}}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"surplus": 1}, ".spec.surplus: field not declared in schema"),
        ({"replicas": "x"}, ".spec.replicas: expected numeric (int or float), got string"),
        ({"unique": ["x", "x"]}, '.spec.unique: duplicate entries for key [="x"]'),
        ({"parts": [{"size": 1}]}, '.spec.parts: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)'),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_schema_cannot_be_applied(kube: Kube, widgets: Widgets, spec: Object, text: str) -> None:
    status, body = kube.apply(widgets.key, widgets.body(**spec))
    head = f"failed to create typed patch object (/w; {widgets.group}/v1, Kind=Widget): "
    assert (status, body["message"]) == (500, head + text)


def test_status_and_scale_are_subresources(kube: Kube, widgets: Widgets) -> None:
    made = kube.made(widgets.key, widgets.body() | {"status": {"ok": True}})
    assert "status" not in made
    _, obj = kube.patch(widgets.key, "w", {"status": {"ok": True}, "spec": {"mode": "slow"}}, "merge", "status")
    assert (obj["status"], obj["spec"]["mode"], obj["metadata"]["generation"]) == ({"ok": True}, "fast", 1)
    status, body = kube.patch(widgets.key, "w", {"status": {"ok": "x"}}, "merge", "status")
    text = 'status.ok: Invalid value: "string": ok in body must be of type boolean: "string"'
    assert (status, body["message"]) == (422, f'Widget.{widgets.group} "w" is invalid: {text}')
    _, scale = kube.patch(widgets.key, "w", {"spec": {"replicas": 4}}, "merge", "scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 4})
    obj = kube.get(widgets.key, "w")
    assert (obj["spec"]["replicas"], obj["metadata"]["generation"]) == (4, 2)


def test_strategic_patches_are_not_for_custom_resources(kube: Kube, widgets: Widgets) -> None:
    kube.made(widgets.key, widgets.body())
    status, body = kube.patch(widgets.key, "w", {}, "strategic")
    accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    assert (status, body["reason"], body["message"]) == (415, "UnsupportedMediaType", text)


def test_lists_of_custom_resources_carry_their_kinds(kube: Kube, widgets: Widgets) -> None:
    kube.made(widgets.key, widgets.body())
    _, found = kube.call("GET", kube.path(widgets.key), fieldSelector="metadata.name=w")
    assert (found["kind"], found["apiVersion"], found["metadata"]["continue"]) == (
        "WidgetList",
        f"{widgets.group}/v1",
        "",
    )
    assert (found["items"][0]["kind"], found["items"][0]["apiVersion"]) == ("Widget", f"{widgets.group}/v1")
    status, body = kube.call("GET", kube.path(widgets.key), fieldSelector="spec.mode=fast")
    assert (status, body["message"]) == (400, "field label not supported: spec.mode")


def test_tables_have_the_definitions_columns(kube: Kube, widgets: Widgets) -> None:
    kube.made(widgets.key, widgets.body())
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    _, table = kube.call("GET", kube.path(widgets.key), accept=accept)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Mode"]
    assert table["rows"][0]["cells"] == ["w", "fast"]


def test_a_watch_that_begins_before_the_servers_memory_is_gone(kube: Kube, widgets: Widgets) -> None:
    [(change, obj)] = watch(kube, 1, widgets.key, resourceVersion="1")
    assert (change, obj["kind"], obj["code"], obj["reason"]) == ("ERROR", "Status", 410, "Expired")
    assert obj["message"].startswith("too old resource version: 1 (")
