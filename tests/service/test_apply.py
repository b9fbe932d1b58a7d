"""PUT of a changed spec over the real ledger and control: the plan, the operation, the refusals."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.service.test_api import problem
from tests.service.world import GUIDE, Story

PATH = "/v1/installations/dbos-conductor"


@pytest.fixture
def ready(story: Story) -> Story:
    story.finish_all()
    return story


def changed(**parts: Any) -> dict[str, Any]:
    return GUIDE.public() | parts


def test_a_plan_lists_what_differs_and_which_phases_it_touches(client: TestClient, ready: Story) -> None:
    body = changed(
        nodes={"count": 3, "instance_type": "t3.large"},
        exposure={"mode": "internal"},
        cluster={"version": "1.33"},
        app={"image": "example/app:2"},
    )
    response = client.put(f"{PATH}?validate_only=true", json=body)
    assert response.status_code == 200
    plan = response.json()
    told = {one["field"]: (one["before"], one["after"], one["action"]) for one in plan["changes"]}
    assert told["nodes.count"] == (2, 3, "update")
    assert told["nodes.instance_type"] == ("t3.medium", "t3.large", "replace")
    assert told["cluster.version"] == ("1.31", "1.33", "update")
    assert told["app.image"] == (None, "example/app:2", "update")
    actions = {one["name"]: one["action"] for one in plan["phases"]}
    assert actions["nodes"] == "replace"
    assert actions["ingress"] == actions["ingress-nginx"] == "remove"
    order = [one["name"] for one in plan["phases"]]
    assert order.index("preflight") == 0
    assert order.index("ingress") < order.index("ingress-nginx")
    assert order.index("kubernetes-1-32") < order.index("kubernetes-1-33") < order.index("nodes")
    assert order.index("migration") < order.index("app") < order.index("smoke-test")
    assert not {"network", "database", "conductor", "identity"} & set(order)
    assert client.get(PATH).json()["operation"]["id"] == ready.operation.id


def test_a_changed_spec_begins_an_upgrade(client: TestClient, ready: Story) -> None:
    response = client.put(PATH, json=changed(nodes={"count": 3}))
    assert response.status_code == 202
    operation = response.json()
    assert (operation["kind"], operation["id"] != ready.operation.id) == ("upgrade", True)
    assert response.headers["operation-location"] == f"/v1/operations/{operation['id']}"
    assert [phase["name"] for phase in operation["phases"]] == ["preflight", "nodes", "smoke-test"]
    again = client.put(PATH, json=changed(nodes={"count": 3}))
    assert (again.status_code, again.json()["id"]) == (202, operation["id"])
    other = client.put(PATH, json=changed(nodes={"count": 4}))
    problem(other, 409, "OPERATION_IN_PROGRESS")
    assert client.get(PATH).json()["spec"]["nodes"]["count"] == 3


def test_the_same_spec_begins_nothing(client: TestClient, ready: Story) -> None:
    response = client.put(PATH, json=changed())
    assert (response.status_code, response.json()["unchanged"]) == (200, True)
    assert client.get(PATH).json()["operation"]["id"] == ready.operation.id


def test_a_licence_key_is_planned_without_being_shown_or_stored(client: TestClient, ready: Story) -> None:
    response = client.put(f"{PATH}?validate_only=true", json=changed(conductor={"license_key": "canary-licence"}))
    plan = response.json()
    assert [one["field"] for one in plan["changes"]] == ["conductor.license_key"]
    assert {"secrets", "conductor", "app"} <= {one["name"] for one in plan["phases"]}
    assert "canary-licence" not in response.text
    assert ready.spec.conductor.license_key is None


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"aws": {"region": "eu-west-1"}}, "aws.region"),
        ({"network": {"cidr": "10.0.0.0/16"}}, "network.cidr"),
        ({"namespace": "other"}, "namespace"),
        ({"app": {"name": "other"}}, "app.name"),
        ({"cluster": {"version": "1.30"}}, "cluster.version"),
        ({"cluster": {"existing_name": "theirs"}}, "cluster.existing_name"),
        ({"database": {"engine_version": "17"}}, "database.engine_version"),
        ({"database": {"existing": {"host": "db", "password": {"secret": "x"}}}}, "database.existing.host"),
    ],
)
def test_what_is_fixed_is_refused_with_the_remedy(
    client: TestClient, ready: Story, parts: dict[str, Any], field: str
) -> None:
    document = problem(client.put(PATH, json=changed(**parts)), 422, "IMMUTABLE_FIELD")
    refused = {one["field"]: one for one in document["errors"]}
    assert refused[field]["message"]
    assert refused[field]["remedy"]
    plan = client.put(f"{PATH}?validate_only=true", json=changed(**parts)).json()
    assert {one["field"]: one["action"] for one in plan["changes"]}[field] == "impossible"
    assert client.get(PATH).json()["operation"]["id"] == ready.operation.id


def test_a_spec_of_another_name_or_of_nothing_is_refused(client: TestClient, ready: Story) -> None:
    assert ready.operation
    document = problem(client.put(PATH, json=changed(name="another")), 422, "INVALID_SPEC")
    assert document["errors"][0]["field"] == "name"
    problem(client.put("/v1/installations/another", json=changed(name="another")), 404, "NOT_FOUND")


def test_a_running_install_is_not_changed(client: TestClient, story: Story) -> None:
    story.run("preflight")
    problem(client.put(PATH, json=changed(nodes={"count": 3})), 409, "OPERATION_IN_PROGRESS")
