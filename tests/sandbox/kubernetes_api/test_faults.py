"""Faults on request, and the record of calls."""

import json
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap
from tests.contract.server import StandIn


@pytest.fixture(autouse=True)
def clean(client: httpx2.Client) -> Iterator[None]:
    """No rule outlives its test."""
    yield
    client.delete("/_sandbox/faults").raise_for_status()


def _fault(kube: Kube, **rule: object) -> None:
    kube.client.post("/_sandbox/faults", json={"match": f"{kube.namespace}/configmaps"} | rule).raise_for_status()


def test_an_error_strikes_as_often_as_asked(kube: Kube) -> None:
    _fault(kube, status=429, times=2)
    assert [kube.create("configmaps", configmap(name))[0] for name in "abc"] == [429, 429, 201]
    assert kube.names("configmaps", fieldSelector="metadata.name=a") == []


def test_an_error_looks_like_the_servers_own(kube: Kube) -> None:
    _fault(kube, status=429, skip=1)
    kube.names("configmaps")
    response = kube.client.get(kube.path("configmaps"))
    assert response.headers["retry-after"] == "1"
    assert response.json()["reason"] == "TooManyRequests"


def test_a_reset_happens_before_the_effect_and_a_loss_after_it(kube: Kube) -> None:
    _fault(kube, kind="reset")
    with pytest.raises(httpx2.TransportError):
        kube.create("configmaps", configmap("a"))
    assert kube.names("configmaps", fieldSelector="metadata.name=a") == []
    _fault(kube, kind="lost", match=f"POST .*{kube.namespace}/configmaps")
    with pytest.raises(httpx2.TransportError):
        kube.create("configmaps", configmap("b"))
    assert kube.names("configmaps", fieldSelector="metadata.name=b") == ["b"]


@pytest.mark.parametrize(
    ("kind", "after", "made"),
    [("html", False, []), ("empty", False, []), ("html", True, ["a"]), ("truncated", False, ["a"])],
)
def test_a_spoilt_answer_comes_in_place_of_a_call_or_after_its_effect(
    kube: Kube, kind: str, after: bool, made: list[str]
) -> None:
    _fault(kube, kind=kind, after=after)
    answer = kube.client.post(kube.path("configmaps"), json=configmap("a"))
    assert answer.is_success
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert kube.names("configmaps", fieldSelector="metadata.name=a") == made


@pytest.mark.parametrize(("kind", "made"), [("broken", ["a"]), ("hang", [])])
def test_a_connection_is_dropped_in_the_middle_of_an_answer_or_after_a_silence(
    kube: Kube, kind: str, made: list[str]
) -> None:
    _fault(kube, kind=kind, seconds=0.2)
    with pytest.raises(httpx2.TransportError):
        kube.create("configmaps", configmap("a"))
    assert kube.names("configmaps", fieldSelector="metadata.name=a") == made


def test_an_error_may_come_after_the_effect_or_look_like_a_services(kube: Kube) -> None:
    _fault(kube, status=500, after=True)
    assert kube.create("configmaps", configmap("a"))[0] == 500
    assert kube.names("configmaps", fieldSelector="metadata.name=a") == ["a"]
    _fault(kube, status=500, plain=True, message="no database")
    assert kube.create("configmaps", configmap("b"))[1] == {"detail": "no database"}


def test_a_fault_may_be_meant_for_one_client_only(kube: Kube) -> None:
    _fault(kube, status=500, agent="^podium")
    assert kube.create("configmaps", configmap("a"))[0] == 201
    answer = kube.client.get(kube.path("configmaps"), headers={"User-Agent": "podium"})
    assert answer.status_code == 500


def test_a_delay_waits_first(kube: Kube) -> None:
    _fault(kube, kind="delay", seconds=0.2)
    begin = time.monotonic()
    kube.names("configmaps")
    assert time.monotonic() - begin >= 0.2


def test_calls_are_recorded(kube: Kube) -> None:
    kube.client.delete("/_sandbox/calls")
    kube.create("configmaps", configmap("a"))
    calls = kube.client.get("/_sandbox/calls").json()
    [call] = [each for each in calls if kube.namespace in each["path"]]
    assert (call["verb"], call["path"], call["status"]) == ("POST", kube.path("configmaps"), 201)
    assert call["user"] == "kubernetes-admin"


def test_only_the_administrator_controls_faults(server: StandIn) -> None:
    with server.client("wrong") as client:
        assert client.get("/_sandbox/faults").status_code == 401


def test_malformed_rules_are_refused(kube: Kube) -> None:
    for rule in ({}, {"match": "("}, {"match": "x", "kind": "odd"}):
        assert kube.client.post("/_sandbox/faults", json=rule).status_code == 400
