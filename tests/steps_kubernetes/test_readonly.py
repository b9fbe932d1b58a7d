"""A client of a cluster that changes nothing: dry runs, what they are compared with, and the guard below them."""

from collections.abc import Iterator
from typing import Any

import pytest

from steps import objects, pods
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.readonly import Difference, Kind, ReadOnlyKube, Records, Stopped, recording
from tests.steps_kubernetes.recorded_api import RecordedApi

CONFIG_MAPS = "/api/v1/namespaces/dbos/configmaps"
SERVICE = "/api/v1/namespaces/dbos/services/app"


@pytest.fixture
def reading(api: RecordedApi) -> Iterator[ReadOnlyKube]:
    client = ReadOnlyKube(api.endpoint, api.ca_data, lambda: "token")
    yield client
    client.close()


@pytest.fixture
def found() -> Iterator[list[Difference]]:
    """What is noted during the test."""
    kept = Records()
    with recording(kept):
        yield kept.differences


def config_map(owner: Owner, **data: str) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "dbos"},
        "data": data,
    }
    return objects.label(manifest, owner, "console")


def changing(api: RecordedApi) -> list[str]:
    """Requests that were neither reads nor dry runs."""
    return [call for call in api.calls if not call.startswith("GET") and not api.queries[call].get("dryRun")]


def test_an_object_that_is_as_applied_is_no_difference(
    api: RecordedApi, kube: Kube, reading: ReadOnlyKube, owner: Owner, found: list[Difference]
) -> None:
    objects.apply(kube, owner, config_map(owner, key="1"))
    api.calls.clear()
    objects.apply(reading, owner, config_map(owner, key="1"))
    assert (found, changing(api)) == ([], [])


def test_a_missing_a_changed_and_an_extra_object_are_noted_and_left(
    api: RecordedApi, kube: Kube, reading: ReadOnlyKube, owner: Owner, found: list[Difference]
) -> None:
    objects.apply(kube, owner, config_map(owner, key="1"))
    other = config_map(owner)
    other["metadata"]["name"] = "left-over"
    objects.apply(kube, owner, other)
    wanted = config_map(owner)
    wanted["metadata"]["name"] = "b"
    api.calls.clear()
    objects.apply_component(reading, owner, "dbos", "console", [wanted, config_map(owner, key="2")])
    assert [(one.kind, one.resource.name, one.field, one.expected, one.found) for one in found] == [
        (Kind.MISSING, "dbos/b", None, None, None),
        (Kind.CHANGED, "dbos/a", "data.key", "2", "1"),
        (Kind.EXTRA, "dbos/left-over", None, None, None),
    ]
    assert changing(api) == []


def test_an_object_that_is_being_deleted_is_not_ready(
    api: RecordedApi, kube: Kube, reading: ReadOnlyKube, owner: Owner, found: list[Difference]
) -> None:
    objects.apply(kube, owner, config_map(owner))
    api.objects[f"{CONFIG_MAPS}/a"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    objects.apply(reading, owner, config_map(owner))
    assert [one.kind for one in found] == [Kind.UNREADY]


def test_pods_that_a_look_would_mark_are_no_differences(
    api: RecordedApi, reading: ReadOnlyKube, found: list[Difference]
) -> None:
    reading.patch("Pod", "p", "dbos", {"metadata": {"annotations": {pods.REPORTED: "true"}}})
    reading.delete("Pod", "p", "dbos")
    assert (found, api.calls) == ([], [])


def test_what_asks_conductor_for_a_change_ends_the_comparison(
    api: RecordedApi, reading: ReadOnlyKube, found: list[Difference]
) -> None:
    with pytest.raises(Stopped):
        reading.service_request("dbos", "conductor", 8090, "POST", "/v2/orgs/local/tokens/podium-app", body={})
    assert [(one.kind, one.resource.type, one.resource.name) for one in found] == [
        (Kind.MISSING, "Conductor token", "podium-app")
    ]
    assert api.calls == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_whatever_else_would_change_something_is_refused_where_requests_are_sent(
    api: RecordedApi, reading: ReadOnlyKube, method: str
) -> None:
    with pytest.raises(AssertionError, match="would have been sent"):
        reading._send(method, CONFIG_MAPS, body={})
    with pytest.raises(AssertionError, match="would have been sent"):
        Kube.delete(reading, "ConfigMap", "a", "dbos")
    assert api.calls == []


def service(owner: Owner, port: int) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "app", "namespace": "dbos"},
        "spec": {"ports": [{"port": port}]},
    }
    return objects.label(manifest, owner, "app")


def test_a_port_that_somebody_changed_is_replaced_and_not_joined(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    """By server-side apply alone both ports would be there, which is refused while they have no names."""
    objects.apply(kube, owner, service(owner, 8080))
    api.objects[SERVICE]["spec"]["ports"] = [{"port": 8081, "protocol": "TCP"}]
    api.calls.clear()
    objects.apply(kube, owner, service(owner, 8080))
    assert [call.split()[0] for call in api.calls] == ["GET", "PATCH", "PATCH"]
    assert api.objects[SERVICE]["spec"]["ports"] == [{"port": 8080}]
    api.calls.clear()
    objects.apply(kube, owner, service(owner, 8080))
    assert [call.split()[0] for call in api.calls] == ["GET", "PATCH"]
