"""The HTTP API as a client sees it, over a real process with a real database."""

import subprocess
import sys
from typing import Any

import httpx2
import psycopg
import pytest

from tests.sandbox.conductor.conftest import CANARY_KEY, ENVIRONMENT, ROOT, Databases, Starter

ORG = "/v2/orgs/local"


def assert_problem(answer: httpx2.Response, status: int, detail: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert detail in body["detail"]
    return body


def test_an_application_is_registered_configured_and_deleted(start_conductor: Starter) -> None:
    http = start_conductor().http
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
def test_a_name_that_conductor_would_refuse_is_refused(start_conductor: Starter, name: str) -> None:
    problem = assert_problem(start_conductor().http.put(f"{ORG}/apps/{name}"), 422, "validation failed")
    assert problem["errors"][0]["location"] == "path.appName"
    assert problem["errors"][0]["value"] == name


def test_unknown_fields_organisations_and_paths_are_refused(start_conductor: Starter) -> None:
    http = start_conductor().http
    unknown_field = assert_problem(http.put(f"{ORG}/apps/dbos-app", json={"x": 1}), 422, "validation failed")
    assert unknown_field["errors"][0]["location"] == "body.x"
    assert_problem(http.get("/v2/orgs/other/apps"), 404, "organization other does not exist")
    assert_problem(http.get("/v2/orgs/local/nothing"), 404, "Not Found")
    assert_problem(http.get("/v2/orgs/local"), 404, "Not Found")  # needs OAuth, so not registered without it
    assert_problem(http.get(f"{ORG}/apps/dbos-app/metrics"), 501, "listMetrics")
    assert http.get("/healthz").status_code == 200


def test_a_token_s_secret_is_shown_once_and_kept_as_a_hash(start_conductor: Starter, databases: Databases) -> None:
    http = start_conductor().http
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


def refused_start(**env: str) -> str:
    """The log of a container that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.conductor", "--port", "0"],
        cwd=ROOT,
        env={**ENVIRONMENT, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=15,
    )
    assert done.returncode == 1
    return done.stderr


def test_a_wrong_grant_url_or_licence_ends_the_container_with_the_reason(databases: Databases) -> None:
    url = databases.conductor
    assert "permission denied" in refused_start(DBOS__CONDUCTOR_DB_URL=databases.app)
    wrong_password = refused_start(DBOS__CONDUCTOR_DB_URL=url.replace("conductor-pw", "canary-pw"))
    assert "password authentication failed" in wrong_password
    assert "canary-pw" not in wrong_password
    assert "DBOS__CONDUCTOR_DB_URL is not set" in refused_start()
    assert "canary-pw" not in refused_start(DBOS__CONDUCTOR_DB_URL="canary-pw@host")
    licence = refused_start(DBOS__CONDUCTOR_DB_URL=url, DBOS_CONDUCTOR_LICENSE_KEY="invalid-canary")
    assert "license key was refused" in licence
    assert "invalid-canary" not in licence
    assert CANARY_KEY not in licence
