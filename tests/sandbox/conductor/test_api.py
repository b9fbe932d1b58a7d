"""The HTTP API as a client sees it, over a real process with a real database."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest

from sandbox.conductor.settings import Settings, StartError
from tests.sandbox.conductor.conftest import ENVIRONMENT, ROOT, Databases, Starter, conductor_process, empty

ORG = "/v2/orgs/local"


@pytest.fixture(scope="module")
def http(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of one Conductor that the tests share; each uses names of its own."""
    empty(databases)
    with conductor_process(databases, tmp_path_factory.mktemp("conductor")) as program:
        yield program.http


def assert_problem(answer: httpx2.Response, status: int, detail: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert detail in body["detail"]
    return body


def test_an_application_is_registered_configured_and_deleted(http: httpx2.Client) -> None:
    assert http.get(f"{ORG}/apps").json() == []
    for _ in range(2):  # a repeated registration is no error: it may follow a lost answer
        assert http.put(f"{ORG}/apps/dbos-app").status_code == 204
    assert http.patch(f"{ORG}/apps/dbos-app", json={"executorTimeoutSecs": 5}).status_code == 204
    app = http.get(f"{ORG}/apps/dbos-app").json()
    assert app | {"id": "", "orgId": ""} == {
        "id": "",
        "name": "dbos-app",
        "orgId": "",
        "status": "UNAVAILABLE",
        "language": None,
        "gcTimeThresholdMs": None,
        "gcRowsThreshold": None,
        "globalTimeoutMs": None,
        "executorTimeoutSecs": 5,
        "privateMode": False,
        "dbosCloud": False,
    }
    assert http.get(f"{ORG}/apps").json() == [app]
    assert http.get(f"{ORG}/apps/dbos-app/executors").json() == []
    assert http.delete(f"{ORG}/apps/dbos-app").status_code == 204
    assert_problem(http.get(f"{ORG}/apps/dbos-app"), 404, "application dbos-app does not exist")


@pytest.mark.parametrize("name", ["ab", "x" * 31, "Upper", "with.dot"])
def test_a_name_that_conductor_would_refuse_is_refused(http: httpx2.Client, name: str) -> None:
    problem = assert_problem(http.put(f"{ORG}/apps/{name}"), 422, "validation failed")
    assert problem["errors"][0]["location"] == "path.appName"
    assert problem["errors"][0]["value"] == name


def test_unknown_fields_organisations_and_paths_are_refused(http: httpx2.Client) -> None:
    http.put(f"{ORG}/apps/known")
    unknown_field = assert_problem(http.put(f"{ORG}/apps/dbos-app", json={"x": 1}), 422, "validation failed")
    assert unknown_field["errors"][0]["location"] == "body.x"
    assert_problem(http.get("/v2/orgs/other/apps"), 404, "organization other does not exist")
    assert_problem(http.get("/v2/orgs/local/nothing"), 404, "Not Found")
    assert_problem(http.get("/v2/orgs/local"), 404, "Not Found")  # needs OAuth, so not registered without it
    assert_problem(http.get(f"{ORG}/apps/known/metrics"), 501, "listMetrics")
    assert http.get("/healthz").status_code == 200


def test_a_token_s_secret_is_shown_once_and_kept_as_a_hash(http: httpx2.Client, databases: Databases) -> None:
    http.put(f"{ORG}/apps/dbos-app")
    created = http.post(f"{ORG}/tokens/podium", json={"appNames": ["dbos-app"]})
    assert created.status_code == 201
    secret = created.json()["token"]
    assert secret.startswith("dbos_")
    assert_problem(http.post(f"{ORG}/tokens/podium"), 409, "token podium already exists")
    listed = http.get(f"{ORG}/tokens")
    assert [token["tokenName"] for token in listed.json()] == ["podium"]
    assert secret not in listed.text
    with psycopg.connect(databases.conductor) as connection:
        rows = connection.execute("SELECT * FROM tokens").fetchall()
    assert secret not in repr(rows)
    assert http.delete(f"{ORG}/tokens/podium").status_code == 204
    assert_problem(http.delete(f"{ORG}/tokens/podium"), 404, "token podium does not exist")


def test_state_outlives_the_process(start_conductor: Starter) -> None:
    first = start_conductor()
    first.http.put(f"{ORG}/apps/dbos-app")
    first.http.post(f"{ORG}/tokens/podium")
    first.process.kill()
    first.process.wait()
    second = start_conductor()
    assert second.http.get(f"{ORG}/apps/dbos-app").status_code == 200
    assert len(second.http.get(f"{ORG}/tokens").json()) == 1


def test_an_old_conductor_has_no_http_api(start_conductor: Starter) -> None:
    http = start_conductor(CONDUCTOR_API="none").http
    assert http.get("/healthz").status_code == 200
    assert http.put(f"{ORG}/apps/dbos-app").status_code == 404
    assert http.put("/_sandbox/console/apps/dbos-app").status_code == 204
    assert http.post("/_sandbox/console/tokens/by-hand").json()["token"].startswith("dbos_")


def refused_start(url: str) -> str:
    """The log of a container that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.conductor", "--port", "0"],
        cwd=ROOT,
        env={**ENVIRONMENT, "DBOS__CONDUCTOR_DB_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=15,
    )
    assert done.returncode == 1
    return done.stderr


def test_a_wrong_grant_or_password_ends_the_container_with_the_reason(databases: Databases) -> None:
    assert "permission denied" in refused_start(databases.app)
    wrong_password = refused_start(databases.conductor.replace("conductor-pw", "canary-pw"))
    assert "password authentication failed" in wrong_password
    assert "canary-pw" not in wrong_password


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "DBOS__CONDUCTOR_DB_URL is not set"),
        ({"DBOS__CONDUCTOR_DB_URL": "canary@host"}, "not a PostgreSQL connection string"),
        ({"DBOS__CONDUCTOR_DB_URL": "postgresql://h/d", "DBOS_CONDUCTOR_LICENSE_KEY": "invalid-canary"}, "was refused"),
        ({"DBOS__CONDUCTOR_DB_URL": "postgresql://h/d", "DBOS_OAUTH_ENABLED": "true"}, "OAuth"),
    ],
)
def test_settings_that_cannot_work_are_told_without_their_values(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(StartError, match=reason) as caught:
        Settings.from_environment(environment)
    assert "canary" not in str(caught.value)
