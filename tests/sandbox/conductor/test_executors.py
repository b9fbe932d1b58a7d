"""The real sample application against the stand-in, over the real WebSocket of dbos 3.2.0."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.sandbox.conductor.conftest import APP as APP_FOLDER
from tests.sandbox.conductor.conftest import (
    APP_PYTHON,
    CANARY_KEY,
    ENVIRONMENT,
    Databases,
    Program,
    Starter,
    eventually,
)

APP = "/v2/orgs/local/apps/dbos-app"
PAYMENTS = "/v2/orgs/local/apps/payments"
TOKENS = "/v2/orgs/local/tokens"


def register(conductor: Program) -> str:
    """Registers the application and gives a key."""
    assert conductor.http.put(APP).status_code == 204
    key: str = conductor.http.post(f"{TOKENS}/podium").json()["token"]
    return key


def executors(conductor: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = conductor.http.get(f"{APP}/executors").json()
    return found


def statuses(conductor: Program) -> list[str]:
    return [executor["status"] for executor in executors(conductor)]


def test_an_executor_is_listed_while_connected_answers_questions_and_outlives_conductor(
    start_conductor: Starter, start_app: Starter
) -> None:
    conductor = start_conductor()
    key = register(conductor)
    assert conductor.http.get(f"{APP}/workflows").status_code == 503  # nobody to ask
    app = start_app(conductor, key)
    eventually(lambda: statuses(conductor) == ["HEALTHY"])
    executor = executors(conductor)[0]
    assert (executor["appVersion"], executor["language"], executor["dbosVersion"]) == ("0.1.0", "python", "3.2.0")
    assert conductor.http.get(APP).json()["status"] == "AVAILABLE"

    assert app.http.get("/healthz").text == "ok"
    assert app.http.get("/last_step/task-1").json() == {"last_step": 0}
    assert app.http.get("/workflow/task-1").json() == {"workflow_id": "task-1", "status": "started"}
    eventually(lambda: app.http.get("/last_step/task-1").json() == {"last_step": 3})
    assert app.http.get("/workflow/task-1").status_code == 200  # the same id finds the same run
    enqueued = app.http.get("/enqueue/2").json()
    assert enqueued["duration"] == 2
    assert app.http.get("/metrics/taskQueue").json() == {"queue_length": 1}
    assert app.http.get("/enqueue/soon").status_code == 400

    eventually(lambda: conductor.http.get(f"{APP}/workflows/task-1").json()["status"] == "SUCCESS")
    assert conductor.http.get(f"{APP}/workflows/task-1").json()["output"] == "Workflow completed"
    steps = conductor.http.get(f"{APP}/workflows/task-1/steps").json()
    assert [step["stepName"] for step in steps if "run_step" in step["stepName"]] == ["run_step"] * 3
    search = conductor.http.post(f"{APP}/workflows/search", json={"queueName": ["taskQueue"]}).json()
    assert [workflow["workflowId"] for workflow in search] == [enqueued["workflow_id"]]
    listed = conductor.http.get(f"{APP}/workflows", params={"status": "SUCCESS", "sortDesc": "true"}).json()
    assert [workflow["workflowId"] for workflow in listed] == ["task-1"]
    assert conductor.http.get(f"{APP}/workflows/none").status_code == 404
    assert [version["versionName"] for version in conductor.http.get(f"{APP}/versions").json()] == ["0.1.0"]

    conductor.process.kill()
    conductor.process.wait()
    again = start_conductor(port=conductor.port)
    eventually(lambda: statuses(again) == ["HEALTHY"])  # the executor came back by itself
    app.process.terminate()
    app.process.wait(8)
    assert "Application shutdown complete" in app.output()
    assert statuses(again) == ["DISCONNECTED"]
    assert again.http.get(APP).json()["status"] == "UNAVAILABLE"
    again.process.terminate()
    again.process.wait(8)
    assert "Traceback" not in app.output() + again.output()
    assert key not in again.output()
    assert CANARY_KEY not in again.output()


def test_an_application_is_known_by_the_name_it_is_given(start_conductor: Starter, start_app: Starter) -> None:
    conductor = start_conductor()
    key = register(conductor)
    assert conductor.http.put(PAYMENTS).status_code == 204
    start_app(conductor, key, DBOS_APP_NAME="payments")
    eventually(lambda: [each["status"] for each in conductor.http.get(f"{PAYMENTS}/executors").json()] == ["HEALTHY"])
    assert executors(conductor) == []


def test_a_dead_executor_s_workflow_is_finished_by_another(start_conductor: Starter, start_app: Starter) -> None:
    conductor = start_conductor()
    key = register(conductor)
    conductor.http.patch(APP, json={"executorTimeoutSecs": 1})
    first = start_app(conductor, key)
    second = start_app(conductor, key)
    eventually(lambda: statuses(conductor) == ["HEALTHY", "HEALTHY"])
    workflow = first.http.get("/enqueue/1").json()["workflow_id"]
    first.http.get("/workflow/left-behind")
    first.process.kill()
    eventually(lambda: statuses(conductor) == ["HEALTHY"])
    eventually(lambda: second.http.get("/last_step/left-behind").json() == {"last_step": 3})
    eventually(lambda: conductor.http.get(f"{APP}/workflows/{workflow}").json()["status"] == "SUCCESS")


def test_an_application_that_may_not_connect_hears_why_and_tries_again(
    start_conductor: Starter, start_app: Starter
) -> None:
    conductor = start_conductor()
    key = conductor.http.post(f"{TOKENS}/any").json()["token"]
    app = start_app(conductor, key)
    eventually(lambda: "application dbos-app does not exist" in app.output())
    conductor.http.put(APP)
    eventually(lambda: statuses(conductor) == ["HEALTHY"])
    conductor.http.delete(f"{TOKENS}/any")
    eventually(lambda: "invalid API key" in app.output())
    assert "HTTP 401" in app.output()
    assert statuses(conductor) == ["DISCONNECTED"]
    assert key not in conductor.output()


@contextmanager
def connected(conductor: Program, key: str, executor_id: str) -> Iterator[None]:
    """An executor that says who it is and then nothing."""
    with connect(f"ws://127.0.0.1:{conductor.port}/websocket/dbos-app/{key}", proxy=None) as socket:
        question = json.loads(socket.recv(timeout=5))
        socket.send(json.dumps({**question, "executor_id": executor_id, "application_version": "0.1.0"}))
        yield


def test_without_a_licence_a_second_executor_is_refused(start_conductor: Starter) -> None:
    conductor = start_conductor(DBOS_CONDUCTOR_LICENSE_KEY="")
    key = register(conductor)
    with connected(conductor, key, "first"):
        eventually(lambda: statuses(conductor) == ["HEALTHY"])
        with pytest.raises(InvalidStatus) as refused, connected(conductor, key, "second"):
            pytest.fail("let in")
        assert refused.value.response.status_code == 403
        assert b"one executor per application" in (refused.value.response.body or b"")
    eventually(lambda: statuses(conductor) == ["DISCONNECTED"])
    with connected(conductor, key, "second"):
        eventually(lambda: statuses(conductor) == ["DISCONNECTED", "HEALTHY"])


def test_a_key_for_other_applications_does_not_open(start_conductor: Starter) -> None:
    conductor = start_conductor()
    register(conductor)
    conductor.http.put("/v2/orgs/local/apps/other")
    key = conductor.http.post(f"{TOKENS}/other", json={"appNames": ["other"]}).json()["token"]
    with pytest.raises(InvalidStatus) as refused, connected(conductor, key, "first"):
        pytest.fail("let in")
    assert refused.value.response.status_code == 403


def test_the_restricted_role_cannot_change_the_schema(databases: Databases, migrated: str) -> None:
    assert "postgres:***@" in migrated
    with psycopg.connect(databases.app, autocommit=True) as connection:
        for table in ("public.made", "dbos.made", "made"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"CREATE TABLE {table} (id int)".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("ALTER TABLE dbos.workflow_status ADD COLUMN made int")


def test_an_application_without_its_migration_says_so_and_ends(databases: Databases, tmp_path: Path) -> None:
    environment = {
        **ENVIRONMENT,
        "DBOS_SYSTEM_DATABASE_URL": databases.server.url("postgres", "dbos_app_role", "app-pw"),
    }
    done = subprocess.run(
        [str(APP_PYTHON), "main.py"], cwd=APP_FOLDER, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "dbos migrate" in done.stderr
