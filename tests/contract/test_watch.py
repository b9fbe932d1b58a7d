"""Watches: where they begin, what they show, how they end."""

import json
from collections.abc import Iterator
from typing import Any

from tests.contract.kube import Kube
from tests.contract.objects import meta


def _events(kube: Kube, count: int, kind: str = "secrets", **options: Any) -> list[tuple[str, Any]]:
    """The first `count` events as (type, object)."""
    return list(_stream(kube, count, kind, options))


def _stream(kube: Kube, count: int, kind: str, options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    params: dict[str, Any] = {"watch": "true", "timeoutSeconds": 5} | options
    with kube.client.stream("GET", kube.path(kind), params=params) as response:
        assert response.status_code == 200
        for line in response.iter_lines():
            event = json.loads(line)
            yield event["type"], event["object"]
            count -= 1
            if not count:
                return


def _seen(events: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [(change, obj["metadata"]["name"]) for change, obj in events]


def test_a_watch_from_a_version_shows_what_happened_since(kube: Kube) -> None:
    first = kube.made("secrets", meta("a"))
    kube.patch("secrets", "a", {"data": {"x": "eA=="}}, "merge")
    kube.made("secrets", meta("b"))
    kube.delete("secrets", "a")
    events = _events(kube, 3, resourceVersion=first["metadata"]["resourceVersion"])
    assert _seen(events) == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
    assert versions == sorted(versions)


def test_a_watch_without_version_begins_with_what_is_there(kube: Kube) -> None:
    kube.made("secrets", meta("a"))
    assert _seen(_events(kube, 1)) == [("ADDED", "a")]


def test_objects_enter_and_leave_a_selection(kube: Kube) -> None:
    start = kube.made("secrets", meta("a"))["metadata"]["resourceVersion"]
    for value in ("yes", "no"):
        kube.patch("secrets", "a", {"metadata": {"labels": {"on": value}}}, "merge")
    events = _events(kube, 2, resourceVersion=start, labelSelector="on=yes")
    assert _seen(events) == [("ADDED", "a"), ("DELETED", "a")]


def test_one_object_can_be_watched_by_name(kube: Kube) -> None:
    for name in ("a", "b"):
        kube.made("secrets", meta(name))
    assert _seen(_events(kube, 1, fieldSelector="metadata.name=b")) == [("ADDED", "b")]


def test_a_version_of_the_future_times_out(kube: Kube) -> None:
    status, body = kube.call("GET", kube.path("secrets"), watch="true", resourceVersion="999999999")
    assert (status, body["reason"]) == (504, "Timeout")
    assert body["message"].startswith("Too large resource version: 999999999, current: ")


def test_a_watch_ends_after_its_timeout_with_a_bookmark(kube: Kube) -> None:
    start = kube.made("secrets", meta("a"))["metadata"]["resourceVersion"]
    options = {"timeoutSeconds": 1, "allowWatchBookmarks": "true", "resourceVersion": start}
    [(change, obj)] = _events(kube, 9, **options)
    assert change == "BOOKMARK"
    assert obj["kind"] == "Secret"
    assert int(obj["metadata"]["resourceVersion"]) >= int(start)


def test_a_list_can_be_streamed(kube: Kube) -> None:
    kube.made("secrets", meta("a"))
    options = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    events = _events(kube, 2, **options)
    assert [change for change, _ in events] == ["ADDED", "BOOKMARK"]
    assert events[1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
