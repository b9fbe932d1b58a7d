"""Lists: selectors, pages, versions, tables."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, meta, pod

APPS = "deployments.apps"


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=a", ["one"]),
        ("app==a", ["one"]),
        ("app!=a", ["three", "two"]),
        ("app in (a,b)", ["one", "two"]),
        ("app in (a, b),tier", ["one"]),
        ("app notin (a,b)", ["three"]),
        ("app", ["one", "two"]),
        ("!app", ["three"]),
        ("app=a,tier=web", ["one"]),
        ("app=a,tier!=web", []),
        ("number>1", ["two"]),
        ("number<2", ["one"]),
        ("app in ()", []),
        ("empty=", ["three"]),
    ],
)
def test_lists_are_selected_by_labels(kube: Kube, selector: str, found: list[str]) -> None:
    labels: dict[str, Any] = {
        "one": {"app": "a", "tier": "web", "number": "1"},
        "two": {"app": "b", "number": "2"},
        "three": {"empty": ""},
    }
    for name, values in labels.items():
        kube.made("configmaps", configmap(name) | meta(name, labels=values))
    assert kube.names("configmaps", labelSelector=selector) == found


NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("-a=b", f'unable to parse requirement: <nil>: Invalid value: "-a": {NAME_PART}'),
        ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
    ],
)  # fmt: skip
def test_malformed_label_selectors_are_refused(kube: Kube, selector: str, text: str) -> None:
    status, body = kube.call("GET", kube.path("configmaps"), labelSelector=selector)
    assert (status, body["reason"], body["message"]) == (400, "BadRequest", text)


def test_lists_are_selected_by_fields(kube: Kube) -> None:
    for name in ("a", "b"):
        kube.made("pods", pod(name, schedulerName="nobody"))
    kube.set_status("pods", "b", {"phase": "Running"})
    assert kube.names("pods", fieldSelector="status.phase=Running") == ["b"]
    assert kube.names("pods", fieldSelector="metadata.name!=b,status.phase=Pending") == ["a"]
    assert kube.names("pods", fieldSelector="spec.schedulerName=nobody,spec.nodeName=") == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "selector", "text"),
    [
        ("pods", "spec.image=x", "field label not supported: spec.image"),
        ("configmaps", "data=x", '"data" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        (APPS, "spec.x=y", '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("configmaps", "data", "invalid selector: 'data'; can't understand 'data'"),
    ],
)
def test_fields_that_cannot_be_selected_are_refused(kube: Kube, kind: str, selector: str, text: str) -> None:
    status, body = kube.call("GET", kube.path(kind), fieldSelector=selector)
    assert (status, body["message"]) == (400, text)


def test_long_lists_come_in_pages_of_one_moment(kube: Kube) -> None:
    for number in range(5):
        kube.made("secrets", meta(f"s{number}"))
    _, first = kube.call("GET", kube.path("secrets"), limit=2)
    assert first["metadata"]["remainingItemCount"] == 3
    kube.delete("secrets", "s3")
    kube.made("secrets", meta("s9"))
    _, second = kube.call("GET", kube.path("secrets"), limit=2, **{"continue": first["metadata"]["continue"]})
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    _, third = kube.call("GET", kube.path("secrets"), limit=2, **{"continue": second["metadata"]["continue"]})
    names = [item["metadata"]["name"] for page in (first, second, third) for item in page["items"]]
    assert names == ["s0", "s1", "s2", "s3", "s4"]
    assert "continue" not in third["metadata"]


def test_selected_pages_do_not_count_what_remains(kube: Kube) -> None:
    for number in range(3):
        kube.made("secrets", meta(f"s{number}", labels={"a": "b"}))
    _, page = kube.call("GET", kube.path("secrets"), limit=1, labelSelector="a=b")
    assert page["metadata"]["continue"]
    assert "remainingItemCount" not in page["metadata"]


def test_tokens_and_versions_of_lists_are_checked(kube: Kube) -> None:
    path = kube.path("secrets")
    status, body = kube.call("GET", path, **{"continue": "xxx"})
    assert (status, body["message"].startswith("invalid continue token: continue key is not valid: ")) == (400, True)
    status, body = kube.call("GET", path, resourceVersion="x")
    text = 'resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax'
    assert (status, body["message"]) == (400, f"invalid resource version: {text}")
    status, body = kube.call("GET", path, limit="x")
    assert (status, body["message"]) == (400, 'strconv.ParseInt: parsing "x": invalid syntax')
    status, body = kube.call("GET", path, resourceVersionMatch="Exact")
    text = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
    assert (status, body["details"]["causes"][0]["message"]) == (422, text)


def test_a_list_may_be_of_a_certain_moment(kube: Kube) -> None:
    kube.made("secrets", meta("a"))
    _, now = kube.call("GET", kube.path("secrets"))
    version = now["metadata"]["resourceVersion"]
    assert kube.names("secrets", resourceVersion=version, resourceVersionMatch="Exact") == ["a"]
    assert kube.names("secrets", resourceVersion=version, resourceVersionMatch="NotOlderThan") == ["a"]
    assert kube.names("secrets", resourceVersion="0") == ["a"]


def test_items_of_built_in_lists_carry_no_kind(kube: Kube) -> None:
    kube.made("secrets", meta("s"))
    _, found = kube.call("GET", kube.path("secrets"))
    assert (found["kind"], found["apiVersion"]) == ("SecretList", "v1")
    assert found["items"][0].keys() & {"kind", "apiVersion"} == set()


def test_lists_over_all_namespaces_show_each(kube: Kube) -> None:
    kube.made("secrets", meta("s", labels={"of": kube.namespace}))
    _, found = kube.call("GET", "/api/v1/secrets", labelSelector=f"of={kube.namespace}")
    assert [item["metadata"]["namespace"] for item in found["items"]] == [kube.namespace]
    assert kube.call("GET", "/api/v1/namespaces/nowhere/secrets")[1]["items"] == []


def test_tables_are_made_for_kubectl(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = kube.call("GET", kube.path("pods"), accept=accept)[1]
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    titles = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    row = dict(zip(titles, table["rows"][0]["cells"], strict=False))
    assert (row["Name"], row["Ready"], row["Status"], str(row["Restarts"])) == ("p", "0/1", "Pending", "0")
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
