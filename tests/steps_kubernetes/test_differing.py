"""Field by field: what differs between an object and what an apply would make of it."""

from typing import Any

from steps.comparing import differing, differing_values
from steps.scrubbing import HIDDEN


def deployment(**spec: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "console", "uid": "1", "generation": 1}, "spec": spec}


def fields(live: dict[str, Any], wanted: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(one.path, one.expected, one.found) for one in differing(live, wanted)]


def test_what_the_api_server_keeps_is_not_compared() -> None:
    live = deployment(replicas=1)
    kept = {"uid": "2", "generation": 9, "resourceVersion": "7", "managedFields": [{}], "creationTimestamp": "now"}
    other = deployment(replicas=1) | {"metadata": {"name": "console"} | kept, "status": {"replicas": 1}}
    assert fields(live, other) == []


def test_entries_of_a_list_are_told_apart_by_name() -> None:
    live = deployment(containers=[{"name": "b", "image": "2"}, {"name": "a", "image": "1"}])
    wanted = deployment(containers=[{"name": "a", "image": "1"}, {"name": "b", "image": "3"}])
    assert fields(live, wanted) == [("spec.containers[b].image", "3", "2")]


def test_what_only_one_side_has_is_null_on_the_other() -> None:
    assert fields(deployment(replicas=1), deployment(paused=True)) == [
        ("spec.paused", True, None),
        ("spec.replicas", None, 1),
    ]


def test_keys_that_are_no_plain_words_are_quoted() -> None:
    live = {"kind": "Namespace", "metadata": {"labels": {"a.b/c": "1"}}}
    wanted = {"kind": "Namespace", "metadata": {"labels": {"a.b/c": "2"}}}
    assert fields(live, wanted) == [("metadata.labels['a.b/c']", "2", "1")]


def test_values_of_secrets_are_never_shown() -> None:
    live = {"kind": "Secret", "metadata": {}, "data": {"url": "Y2FuYXJ5"}}
    wanted = {"kind": "Secret", "metadata": {}, "data": {"url": "b3RoZXI="}}
    assert fields(live, wanted) == [("data.url", HIDDEN, HIDDEN)]


def test_variables_whose_name_says_secret_are_hidden() -> None:
    live = deployment(env=[{"name": "API_TOKEN", "value": "canary-4711"}])
    assert "canary-4711" not in str(fields(live, deployment(env=[])))
    changed = deployment(env=[{"name": "API_TOKEN", "value": "canary-0815"}])
    assert "canary" not in str(fields(live, changed))


def test_values_of_a_chart_are_hidden_where_their_key_says_secret() -> None:
    live = {"auth": {"password": "canary-4711"}, "replicas": 1}
    found = differing_values("values", live, {"auth": {"password": "canary-0815"}, "replicas": 2})
    assert [(one.path, one.expected) for one in found] == [("values.auth.password", HIDDEN), ("values.replicas", 2)]
    whole = differing_values("values", {}, {"auth": {"password": "canary-4711", "user": "podium"}})
    assert "canary" not in str(found) + str(whole)
    assert "podium" in str(whole)
