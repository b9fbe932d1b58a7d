"""The real sample application against the stand-in, over the real WebSocket of dbos 3.2.0."""

from typing import Any

import psycopg
import pytest

from tests.sandbox.conductor.conftest import CANARY_KEY, Databases, Program, Starter, eventually

APP = "/v2/orgs/local/apps/dbos-app"
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


def test_an_executor_is_listed_while_connected_and_its_workflows_can_be_asked_for(
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
    enqueued = app.http.get("/enqueue/30").json()
    assert enqueued["duration"] == 30
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

    app.process.kill()
    eventually(lambda: statuses(conductor) == ["DISCONNECTED"])
    assert conductor.http.get(APP).json()["status"] == "UNAVAILABLE"
    assert key not in conductor.output()
    assert CANARY_KEY not in conductor.output()


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


def test_wrong_keys_and_unregistered_applications_are_refused_with_a_reason(
    start_conductor: Starter, start_app: Starter
) -> None:
    conductor = start_conductor()
    placeholder = start_app(conductor, "placeholder")
    eventually(lambda: "invalid API key" in placeholder.output())
    assert "HTTP 401" in placeholder.output()
    unregistered = start_app(conductor, conductor.http.post(f"{TOKENS}/any").json()["token"])
    eventually(lambda: "application dbos-app does not exist" in unregistered.output())
    conductor.http.put(APP)
    eventually(lambda: statuses(conductor) == ["HEALTHY"])  # it tries again by itself
    conductor.http.delete(f"{TOKENS}/any")
    eventually(lambda: statuses(conductor) == ["DISCONNECTED"])
    assert "placeholder" not in conductor.output()


def test_without_a_licence_a_second_executor_is_refused(start_conductor: Starter, start_app: Starter) -> None:
    conductor = start_conductor(DBOS_CONDUCTOR_LICENSE_KEY="")
    key = register(conductor)
    first = start_app(conductor, key)
    eventually(lambda: statuses(conductor) == ["HEALTHY"])
    second = start_app(conductor, key)
    eventually(lambda: "one executor per application" in second.output())
    first.process.kill()
    eventually(lambda: sorted(statuses(conductor)) == ["DISCONNECTED", "HEALTHY"])


def test_executors_come_back_after_conductor_was_killed(start_conductor: Starter, start_app: Starter) -> None:
    conductor = start_conductor()
    app = start_app(conductor, register(conductor))
    eventually(lambda: statuses(conductor) == ["HEALTHY"])
    conductor.process.kill()
    conductor.process.wait()
    again = start_conductor(port=conductor.port)
    eventually(lambda: statuses(again) == ["HEALTHY"])
    assert app.http.get("/healthz").status_code == 200


def test_the_restricted_role_cannot_change_the_schema(databases: Databases, migrated: str) -> None:
    assert "postgres:***@" in migrated
    with psycopg.connect(databases.app, autocommit=True) as connection:
        for table in ("public.made", "dbos.made", "made"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"CREATE TABLE {table} (id int)".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("ALTER TABLE dbos.workflow_status ADD COLUMN made int")
