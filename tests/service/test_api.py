"""The REST API over the real ledger and control; no workflow runs."""

import json
import uuid
from typing import Any

import httpx2
import psycopg
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from steps.errors import Code, Fault, Problem
from tests.service.world import KEY, Story
from workflows.runtime import Runtime

SMALLEST = {"name": "dbos-conductor", "aws": {"region": "us-west-2"}}
DENIED = Problem(Code.AWS_ACCESS_DENIED, "ec2:CreateVpc is not allowed.", Fault.USER, True, "Allow it.")


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The response's problem document, checked for its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["code"] == code
    assert document["type"] == f"urn:podium:problem:{code.lower().replace('_', '-')}"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    return document


def test_a_name_and_a_region_are_enough_to_start_an_install(client: TestClient) -> None:
    response = client.post("/v1/installations", json=SMALLEST)
    assert response.status_code == 202
    body = response.json()
    assert body["state"] == "PENDING"
    assert body["spec"]["nodes"]["instance_type"] == "t3.medium"
    assert body["operation"]["phases"][0]["name"] == "preflight"
    assert body["operation"]["progress"] == 0
    assert response.headers["location"] == "/v1/installations/dbos-conductor"
    assert response.headers["operation-location"] == f"/v1/operations/{body['operation']['id']}"
    assert int(response.headers["retry-after"]) > 0
    assert client.get(response.headers["location"]).json() == body
    assert client.get(response.headers["operation-location"]).json() == body["operation"]


def test_a_spec_may_be_yaml(client: TestClient) -> None:
    text = "name: dbos-conductor\naws:\n  region: us-west-2\n"
    response = client.post("/v1/installations", content=text, headers={"Content-Type": "application/yaml"})
    assert response.status_code == 202
    aliases = "name: &a dbos-conductor\naws: *a\n"
    refused = client.post("/v1/installations", content=aliases, headers={"Content-Type": "application/yaml"})
    problem(refused, 400, "BAD_REQUEST")


def test_validate_only_answers_with_the_plan_and_creates_nothing(client: TestClient) -> None:
    response = client.post("/v1/installations?validate_only=true", json=SMALLEST)
    assert response.status_code == 200
    plan = response.json()
    assert {"name", "graph", "resources", "warnings"} == set(plan)
    assert {"phase": "cluster", "type": "OIDC provider", "name": "dbos-conductor"} in plan["resources"]
    assert client.get("/v1/installations").json()["installations"] == []


def test_the_same_idempotency_key_gives_the_first_answer_again(client: TestClient) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = client.post("/v1/installations", json=SMALLEST, headers=headers)
    reordered = json.dumps(dict(reversed(SMALLEST.items())), indent=2)
    again = client.post("/v1/installations", content=reordered, headers={**headers, "Content-Type": "application/json"})
    assert again.status_code == 202
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    other = client.post("/v1/installations", json=SMALLEST | {"namespace": "other"}, headers=headers)
    problem(other, 422, "IDEMPOTENCY_KEY_REUSED")


def test_an_idempotency_key_that_no_header_should_hold_is_refused(client: TestClient) -> None:
    response = client.post("/v1/installations", json=SMALLEST, headers={"Idempotency-Key": "two words"})
    assert problem(response, 422, "INVALID_SPEC")["errors"][0]["field"] == "idempotency-key"


def test_a_name_that_is_taken_is_named(client: TestClient) -> None:
    client.post("/v1/installations", json=SMALLEST)
    document = problem(client.post("/v1/installations", json=SMALLEST), 409, "ALREADY_EXISTS")
    assert document["installation"] == "/v1/installations/dbos-conductor"
    assert document["remedy"]


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        ({"aws": {"region": "us-west-9"}}, "aws.region", "us-west-2"),
        ({"aws": {}}, "aws.region", "us-west-2"),
        ({"aws": {"region": "us-west-2", "regoin": 1}}, "aws.regoin", "Did you mean region"),
        ({"name": "Bad--Name"}, "name", "hyphens"),
        ({"network": {"cidr": "10.0.0.0/33"}}, "network.cidr", "192.168.0.0/16"),
        ({"nodes": {"count": 0}}, "nodes.count", "Number of nodes"),
        ({"conductor": {"license_key": {"scret": "x"}}}, "conductor.license_key.scret", "Did you mean secret"),
        ({"exposure": {"mode": "path"}}, "exposure.allow_unauthenticated", "Set exposure.allow_unauthenticated"),
        ({"app": {"conductor_url": "ws://a\0b"}}, "app.conductor_url", "NUL"),
    ],
)
def test_bad_input_names_the_field_and_the_remedy(
    client: TestClient, change: dict[str, Any], field: str, word: str
) -> None:
    document = problem(client.post("/v1/installations", json=SMALLEST | change), 422, "INVALID_SPEC")
    found = {one["field"]: one for one in document["errors"]}
    assert field in found, document
    assert word in found[field]["message"] + found[field]["remedy"]
    assert found[field]["remedy"]
    assert client.get("/v1/installations").json()["installations"] == []


def test_all_problems_of_a_spec_come_at_once(client: TestClient) -> None:
    response = client.post("/v1/installations", json={"name": "x", "aws": {"region": "nowhere"}, "nods": {}})
    assert {one["field"] for one in response.json()["errors"]} == {"name", "aws.region", "nods"}


def test_overlapping_subnets_are_both_named(client: TestClient) -> None:
    ranges = ["192.168.0.0/19", "192.168.0.0/20"]
    body = SMALLEST | {"network": {"public_subnet_cidrs": ranges}}
    (error,) = client.post("/v1/installations", json=body).json()["errors"]
    assert error["field"] == "network"
    assert "overlap" in error["message"]
    assert "do not" in error["remedy"]


def test_a_secret_value_is_never_repeated(client: TestClient, capfd: pytest.CaptureFixture[str]) -> None:
    canary = "canary-licence-77"
    for key in (canary, [canary], {"secret": [canary]}, {"value": canary}):
        response = client.post("/v1/installations", json=SMALLEST | {"conductor": {"license_key": key}, "x": canary})
        assert response.status_code >= 400
        assert canary not in response.text
    assert canary not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 422, "INVALID_SPEC"),
        (b"name: [", "application/yaml", 400, "BAD_REQUEST"),
        (b"name=x", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"{}", "", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"[" * 100_000, "application/json", 400, "BAD_REQUEST"),
        (b" " * 300_000, "application/json", 413, "CONTENT_TOO_LARGE"),
        (b"", "application/json", 422, "INVALID_SPEC"),
    ],
)
def test_bodies_that_are_no_spec_are_refused(
    client: TestClient, content: bytes, kind: str, status: int, code: str
) -> None:
    response = client.post("/v1/installations", content=content, headers={"Content-Type": kind} if kind else {})
    problem(response, status, code)


def test_a_body_without_an_announced_length_is_bounded_too(client: TestClient) -> None:
    def chunks() -> Any:
        for _ in range(40):
            yield b" " * 10_000

    response = client.post("/v1/installations", content=chunks(), headers={"Content-Type": "application/json"})
    problem(response, 413, "CONTENT_TOO_LARGE")


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {KEY}", "Bearer", f"Bearer {KEY}x", "Bearer \xe9"])
def test_v1_needs_the_api_key(anonymous: TestClient, header: str | None) -> None:
    headers = {b"Authorization": header.encode("latin-1")} if header else None
    for method, path in (("GET", "/v1/installations"), ("POST", "/v1/installations"), ("GET", "/v1/nothing")):
        response = anonymous.request(method, path, headers=headers)
        problem(response, 401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"].startswith("Bearer")


def test_health_docs_and_the_document_need_no_key(anonymous: TestClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert anonymous.get(path).status_code == 200, path
    assert "createInstallation" in anonymous.get("/docs").text


def test_what_is_not_there_is_a_problem_too(client: TestClient) -> None:
    problem(client.get("/v1/installations/none"), 404, "NOT_FOUND")
    problem(client.get("/v1/installations/%00"), 404, "NOT_FOUND")
    problem(client.get("/v1/installations/none/events"), 404, "NOT_FOUND")
    problem(client.post("/v1/installations/none:cancel"), 404, "NOT_FOUND")
    problem(client.get("/v1/operations/none"), 404, "NOT_FOUND")
    problem(client.get("/v1/elsewhere"), 404, "NOT_FOUND")
    response = client.delete("/v1/installations")
    problem(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"]


def test_installations_come_in_pages(client: TestClient) -> None:
    for name in ("charlie", "alpha", "bravo"):
        client.post("/v1/installations", json=SMALLEST | {"name": name})
    first = client.get("/v1/installations?page_size=2")
    assert [one["name"] for one in first.json()["installations"]] == ["alpha", "bravo"]
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'
    second = client.get(first.json()["next"])
    assert [one["name"] for one in second.json()["installations"]] == ["charlie"]
    assert second.json()["next_page_token"] is None
    assert "link" not in second.headers
    for token in ("x", "bnVsbA", "WzEsIDVd", "W10"):
        refused = client.get("/v1/installations", params={"page_token": token})
        assert problem(refused, 422, "INVALID_SPEC")["errors"][0]["field"] == "page_token"


def test_a_failed_phase_shows_code_fault_and_remedy(client: TestClient, story: Story) -> None:
    story.finish("preflight")
    story.fail("network", DENIED)
    installation = client.get("/v1/installations/dbos-conductor").json()
    assert installation["state"] == "FAILED"
    phase = next(one for one in installation["operation"]["phases"] if one["name"] == "network")
    assert phase["state"] == "failed"
    assert phase["error"] == {
        "code": "AWS_ACCESS_DENIED",
        "message": "ec2:CreateVpc is not allowed.",
        "fault": "user",
        "retryable": True,
        "remedy": "Allow it.",
        "details": [],
        "step": "network.ensure",
    }


def test_cancel_and_provide_need_a_fitting_state(client: TestClient, story: Story) -> None:
    story.finish("preflight")
    refused = client.post("/v1/installations/dbos-conductor:retry")
    document = problem(refused, 409, "WRONG_STATE")
    assert document["state"] == "RUNNING"
    assert "FAILED" in document["allowed"]
    reference = {"phase": "api-key", "value": {"secret": "prod/key"}}
    problem(client.post("/v1/installations/dbos-conductor:provide", json=reference), 409, "WRONG_STATE")
    cancelled = client.post("/v1/installations/dbos-conductor:cancel")
    assert cancelled.status_code == 202
    assert cancelled.json()["state"] == "CANCELLED"
    assert cancelled.headers["operation-location"] == f"/v1/operations/{story.operation.id}"


def test_an_unknown_phase_is_answered_with_those_there_are(client: TestClient, story: Story) -> None:
    response = client.post("/v1/installations/dbos-conductor:retry", json={"from_phase": "nothing"})
    document = problem(response, 422, "UNKNOWN_PHASE")
    assert "preflight" in document["remedy"]
    wrong = client.post("/v1/installations/dbos-conductor:retry", json={"from": "network"})
    assert problem(wrong, 422, "INVALID_SPEC")["errors"][0]["field"] == "from"
    assert story.operation.state == "PENDING"


def test_provide_keeps_its_value_to_itself(client: TestClient, story: Story) -> None:
    assert story.operation
    response = client.post("/v1/installations/dbos-conductor:provide", json={"phase": 5, "value": ["canary-55"]})
    document = problem(response, 422, "INVALID_SPEC")
    assert "canary-55" not in response.text
    assert {one["field"] for one in document["errors"]} == {"phase", "value"}


def test_events_come_in_pages(client: TestClient, story: Story) -> None:
    story.finish("preflight", "network")
    page = client.get("/v1/installations/dbos-conductor/events?page_size=3").json()
    assert [event["seq"] for event in page["events"]] == [1, 2, 3]
    everything = list(page["events"])
    while page["next"]:
        page = client.get(page["next"]).json()
        everything += page["events"]
    assert [event["seq"] for event in everything] == list(range(1, len(everything) + 1))
    assert client.get("/v1/installations/dbos-conductor/events?after=5").json()["events"][0]["seq"] == 6


def test_metrics_count_states_phases_and_requests(client: TestClient, story: Story) -> None:
    story.finish("preflight")
    client.get("/v1/installations/dbos-conductor")
    text = client.get("/metrics").text
    assert 'podium_installations{state="PROVISIONING"} 1.0' in text
    assert 'podium_phase_duration_seconds{installation="dbos-conductor",phase="preflight",state="succeeded"}' in text
    assert 'podium_http_requests_total{method="GET",route="/v1/installations/{name}",status="200"} 1.0' in text


def test_a_database_that_is_gone_is_503(client: TestClient, runtime: Runtime) -> None:
    with runtime.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE podium_phases RENAME TO gone")
    response = client.get("/v1/operations/x")
    problem(response, 503, "DATABASE_UNAVAILABLE")
    assert response.headers["retry-after"]


def test_a_read_that_stood_still_until_postgresql_ended_it_is_503(
    client: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended process: the driver calls it an internal error."""
    ended = psycopg.errors.IdleInTransactionSessionTimeout("terminating connection due to idle-in-transaction timeout")

    def stood_still(_operation: str) -> None:
        raise sa.exc.InternalError("SELECT 1", {}, ended)

    monkeypatch.setattr(runtime.ledger, "operation", stood_still)
    problem(client.get("/v1/operations/x"), 503, "DATABASE_UNAVAILABLE")


def test_an_error_of_a_database_that_answers_is_500(
    client: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_operation: str) -> None:
        raise sa.exc.ProgrammingError("SELECT 1", {}, psycopg.errors.UndefinedColumn("no such column"))

    monkeypatch.setattr(runtime.ledger, "operation", refused)
    problem(client.get("/v1/operations/x"), 500, "INTERNAL")


def test_a_request_id_is_taken_over_when_it_is_a_plain_one(client: TestClient) -> None:
    given = {"X-Request-Id": "portal-4711-abc"}
    assert client.get("/healthz", headers=given).headers["x-request-id"] == "portal-4711-abc"
    odd = {"X-Request-Id": "a\tb"}
    assert client.get("/healthz", headers=odd).headers["x-request-id"] != "a\tb"
