"""Watches: where they begin, what they show, how they end."""

from tests.contract.kube import Kube
from tests.contract.objects import meta
from tests.contract.watching import seen, stream, watch


def test_a_watch_from_a_version_shows_what_happened_since(kube: Kube) -> None:
    first = kube.made("secrets", meta("a"))
    kube.patch("secrets", "a", {"data": {"x": "eA=="}}, "merge")
    kube.made("secrets", meta("b"))
    kube.delete("secrets", "a")
    events = watch(kube, 3, resourceVersion=first["metadata"]["resourceVersion"])
    assert seen(events) == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
    assert versions == sorted(versions)


def test_a_watch_goes_on_with_what_happens(kube: Kube) -> None:
    start = kube.made("secrets", meta("a"))["metadata"]["resourceVersion"]
    events = stream(kube, 2, "secrets", resourceVersion=start)
    kube.made("secrets", meta("b"))
    assert next(events)[1]["metadata"]["name"] == "b"
    kube.delete("secrets", "b")
    assert next(events)[0] == "DELETED"
    assert not list(events)


def test_a_watch_without_version_begins_with_what_is_there(kube: Kube) -> None:
    for name in "ab":
        kube.made("secrets", meta(name))
    assert seen(watch(kube, 2)) == [("ADDED", "a"), ("ADDED", "b")]
    assert seen(watch(kube, 2, resourceVersion="0")) == [("ADDED", "a"), ("ADDED", "b")]


def test_a_list_and_a_watch_from_its_version_miss_nothing(kube: Kube) -> None:
    kube.made("secrets", meta("a"))
    version = kube.call("GET", kube.path("secrets"))[1]["metadata"]["resourceVersion"]
    kube.made("secrets", meta("b"))
    assert seen(watch(kube, 1, resourceVersion=version)) == [("ADDED", "b")]


def test_objects_enter_and_leave_a_selection(kube: Kube) -> None:
    start = kube.made("secrets", meta("a"))["metadata"]["resourceVersion"]
    for value in ("yes", "no"):
        kube.patch("secrets", "a", {"metadata": {"labels": {"on": value}}}, "merge")
    events = watch(kube, 2, resourceVersion=start, labelSelector="on=yes")
    assert seen(events) == [("ADDED", "a"), ("DELETED", "a")]


def test_one_object_can_be_watched_by_name(kube: Kube) -> None:
    for name in ("a", "b"):
        kube.made("secrets", meta(name))
    assert seen(watch(kube, 1, fieldSelector="metadata.name=b")) == [("ADDED", "b")]


def test_a_watch_ends_after_its_timeout(kube: Kube) -> None:
    start = kube.made("secrets", meta("a"))["metadata"]["resourceVersion"]
    assert watch(kube, 9, resourceVersion=start, timeoutSeconds=1) == []


def test_a_version_of_the_future_is_waited_for(kube: Kube) -> None:
    kube.made("secrets", meta("a"))
    assert watch(kube, 9, resourceVersion="999999999", timeoutSeconds=1) == []


def test_bookmarks_tell_how_far_a_watch_is(kube: Kube) -> None:
    start = kube.made("secrets", meta("a"))["metadata"]["resourceVersion"]
    options = {"timeoutSeconds": 4, "allowWatchBookmarks": "true", "fieldSelector": "metadata.name=a"}
    events = stream(kube, 2, "secrets", **options)
    assert seen([next(events)]) == [("ADDED", "a")]
    kube.made("secrets", meta("b"))
    change, obj = next(events)
    assert (change, obj["kind"], obj["apiVersion"]) == ("BOOKMARK", "Secret", "v1")
    assert int(obj["metadata"]["resourceVersion"]) >= int(start)
    assert "name" not in obj["metadata"]


def test_a_list_can_be_streamed(kube: Kube) -> None:
    kube.made("secrets", meta("a"))
    options = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    events = watch(kube, 2, **options)
    assert [change for change, _ in events] == ["ADDED", "BOOKMARK"]
    assert events[1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_options_of_a_watch_are_checked(kube: Kube) -> None:
    path = kube.path("secrets")
    status, body = kube.call("GET", path, watch="true", resourceVersion="x")
    text = 'resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax'
    assert (status, body["message"]) == (500, text)
    status, body = kube.call("GET", path, watch="true", sendInitialEvents="true")
    text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    assert (status, body["details"]["causes"][0]["message"]) == (422, f"Forbidden: {text}")
    assert kube.call("GET", path, watch="true", labelSelector="a in b")[0] == 400
