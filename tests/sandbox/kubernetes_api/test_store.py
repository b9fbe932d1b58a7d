"""The store and the field sets, without HTTP."""

from pathlib import Path

import pytest

from sandbox.kubernetes.errors import Conflict, NotFound
from sandbox.kubernetes.fields import fieldset
from sandbox.kubernetes.fields.merge import remove
from sandbox.kubernetes.fields.shape import UNTYPED, shape_of
from sandbox.kubernetes.journal import HISTORY
from sandbox.kubernetes.schema.quantity import canonical
from sandbox.kubernetes.store import Store
from tests.contract.objects import Object, configmap, deployment


def _store(path: Path | None = None) -> Store:
    store = Store(path)
    if store.peek("namespaces", None, "default") is None:
        store.create("namespaces", {"metadata": {"name": "default"}})
    return store


def _in_default(obj: Object) -> Object:
    return obj | {"metadata": obj["metadata"] | {"namespace": "default"}}


def test_callers_get_copies() -> None:
    store = _store()
    made = store.create("configmaps", _in_default(configmap("c", a="1")))
    made["data"]["a"] = "changed"
    store.get("configmaps", "default", "c")["data"]["a"] = "changed"
    assert store.get("configmaps", "default", "c")["data"] == {"a": "1"}


def test_what_is_written_is_there_after_opening_again(tmp_path: Path) -> None:
    store = _store(tmp_path / "state.sqlite")
    store.create("configmaps", _in_default(configmap("kept")))
    store.create("configmaps", _in_default(configmap("gone")))
    store.delete("configmaps", "default", "gone")
    revision = store.revision
    store.close()
    again = Store(tmp_path / "state.sqlite")
    assert [each["metadata"]["name"] for each in again.list("configmaps")] == ["kept"]
    assert again.revision == revision
    again.close()


async def test_subscribers_see_changes_in_order() -> None:
    store = _store()
    subscription = store.subscribe("configmaps")
    store.create("configmaps", _in_default(configmap("c")))
    store.patch_status("namespaces", None, "default", {"phase": "Active"})
    store.delete("configmaps", "default", "c")
    subscription.close()
    assert [(event.type, event.kind) async for event in subscription] == [
        ("ADDED", "configmaps"),
        ("DELETED", "configmaps"),
    ]


def test_the_history_is_bounded_and_says_from_where_it_is_complete() -> None:
    store = _store()
    store.create("configmaps", _in_default(configmap("c")))
    for number in range(HISTORY):
        store.update("configmaps", _in_default(configmap("c", n=str(number))))
    oldest = store.journal.oldest("configmaps")
    assert len(store.journal.since("configmaps", oldest)) == HISTORY
    assert store.journal.oldest("secrets") < oldest


def test_a_status_is_merged_and_nulls_remove() -> None:
    store = _store()
    store.create("deployments.apps", _in_default(deployment("web")))
    store.patch_status("deployments.apps", "default", "web", {"replicas": 1, "conditions": [{"type": "A"}]})
    changed = store.patch_status("deployments.apps", "default", "web", {"replicas": None, "readyReplicas": 2})
    assert "replicas" not in changed["status"]
    assert (changed["status"]["conditions"][0]["type"], changed["status"]["readyReplicas"]) == ("A", 2)


def test_stale_writers_and_missing_objects_are_refused() -> None:
    store = _store()
    old = store.create("configmaps", _in_default(configmap("c")))
    store.update("configmaps", _in_default(configmap("c", a="1")))
    with pytest.raises(Conflict, match="the object has been modified"):
        store.update("configmaps", old)
    with pytest.raises(NotFound, match='configmaps "d" not found'):
        store.get("configmaps", "default", "d")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0.5", "500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"), ("0.5Gi", "512Mi"), ("1000", "1k"),
        (2, "2"), ("100", "100"), ("1e3", "1e3"), ("5e1", "50"),
        ("0", "0"), ("250m", "250m"), ("1.5Gi", "1536Mi"), ("20Gi", "20Gi"),
    ],
)  # fmt: skip
def test_quantities_are_shown_canonically(given: str, shown: str) -> None:
    assert canonical(given) == shown


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1Q", "--1", "."])
def test_malformed_quantities_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        canonical(text)


def test_field_sets_combine() -> None:
    left = fieldset.members({"a": 1, "b": {"c": 2}}, UNTYPED)
    right = fieldset.members({"b": {"c": 3, "d": 4}}, UNTYPED)
    assert fieldset.paths(fieldset.intersection(left, right)) == [".b", ".b.c"]
    assert fieldset.paths(fieldset.difference(left, right)) == [".a"]
    assert fieldset.difference(fieldset.union(left, right), left) == {"f:b": {"f:d": {".": {}}}}
    assert fieldset.from_fields_v1(fieldset.to_fields_v1(left)) == left


def test_members_are_taken_out_of_a_value() -> None:
    shape = shape_of(_store().registry.by_key("pods"))
    value = {"spec": {"containers": [{"name": "c", "image": "i", "tty": True}]}}
    image = {"f:spec": {"f:containers": {'k:{"name":"c"}': {"f:image": fieldset.MEMBER}}}}
    assert remove(value, image, shape) == {"spec": {"containers": [{"name": "c", "tty": True}]}}
    assert remove(value, {"f:spec": {"f:containers": {'k:{"name":"c"}': fieldset.MEMBER}}}, shape) is None
