"""The sample application of the DBOS guide "Deploying Conductor on Kubernetes", in Python.

It shows what Conductor looks after: a workflow of three steps that reports its progress as an event, and a queue whose
length an autoscaler can read. It connects to Conductor when DBOS_CONDUCTOR_KEY is set, and runs with a database role
that may read and write DBOS's tables but not change them: `dbos migrate` has made them beforehand.

Environment:
    DBOS_SYSTEM_DATABASE_URL  PostgreSQL URL of the system database (required).
    DBOS_CONDUCTOR_URL        WebSocket URL of Conductor, e.g. ws://conductor.dbos.svc.cluster.local:8090/.
    DBOS_CONDUCTOR_KEY        Conductor API key; empty or unset: run without Conductor.
    DBOS_APP_NAME             the name under which Conductor knows the application (default dbos-app).
    STEP_SECONDS              how long each of the three steps takes, in seconds (default 5, as in the guide).
    HOST, PORT                where to listen (default 0.0.0.0:8080).
"""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from dbos import DBOS, DBOSConfig, SetWorkflowID, error
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse

APP_NAME = os.environ.get("DBOS_APP_NAME") or "dbos-app"
APP_VERSION = "0.1.0"
STEPS_EVENT = "steps_event"
TASK_QUEUE = "taskQueue"
WORKFLOWS_PER_WORKER = 2
SHUTDOWN_SECONDS = 10
"""How long running workflows may go on after SIGTERM; what is left then is recovered by another executor."""


def configuration() -> DBOSConfig:
    """The DBOS configuration from the environment; raises KeyError when there is no database URL."""
    return DBOSConfig(
        name=APP_NAME,
        system_database_url=os.environ["DBOS_SYSTEM_DATABASE_URL"],
        conductor_url=os.environ.get("DBOS_CONDUCTOR_URL") or None,
        conductor_key=os.environ.get("DBOS_CONDUCTOR_KEY") or None,
        application_version=APP_VERSION,
        # The role may not run DDL, so launch only verifies that the migration Job has run.
        run_migrations=False,
    )


@DBOS.step()
def run_step(number: int) -> str:
    """One piece of work, STEP_SECONDS long."""
    time.sleep(float(os.environ.get("STEP_SECONDS", "5")))
    DBOS.logger.info(f"Step {number} completed!")
    return f"Step {number} completed"


@DBOS.workflow()
def example_workflow() -> str:
    """Three steps in sequence; the event `steps_event` holds the number of the last one completed."""
    for number in (1, 2, 3):
        run_step(number)
        DBOS.set_event(STEPS_EVENT, number)
    return "Workflow completed"


@DBOS.workflow()
def sleep_workflow(seconds: int) -> str:
    """Occupies a place on a worker for `seconds`; durable, so a restart does not begin the wait anew."""
    DBOS.sleep(seconds)
    return f"Slept for {seconds} seconds"


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    DBOS(config=configuration())
    DBOS.launch()
    await DBOS.register_queue_async(TASK_QUEUE, worker_concurrency=WORKFLOWS_PER_WORKER)
    yield
    DBOS.destroy(workflow_completion_timeout_sec=SHUTDOWN_SECONDS)


app = FastAPI(title=APP_NAME, version=APP_VERSION, lifespan=lifespan)


@app.exception_handler(error.DBOSException)
def report_dbos_error(_: Request, problem: error.DBOSException) -> JSONResponse:
    return JSONResponse({"error": str(problem)}, status_code=500)


@app.get("/healthz")
async def healthz() -> PlainTextResponse:
    return PlainTextResponse("ok")


@app.get("/workflow/{task_id}")
def start_workflow(task_id: str) -> dict[str, str]:
    """Start the example workflow as `task_id`; a second call with the same id finds the first one's run."""
    with SetWorkflowID(task_id):
        DBOS.start_workflow(example_workflow)
    return {"workflow_id": task_id, "status": "started"}


@app.get("/last_step/{task_id}")
def last_step(task_id: str) -> dict[str, int]:
    """The number of the last step completed, 0 when there is none yet."""
    return {"last_step": DBOS.get_event(task_id, STEPS_EVENT, timeout_seconds=0) or 0}


@app.get("/enqueue/{seconds}", response_model=None)
def enqueue(seconds: str) -> dict[str, str | int] | JSONResponse:
    """Put a workflow that sleeps `seconds` on the queue."""
    if not (seconds.isascii() and seconds.isdigit()):
        return JSONResponse({"error": "invalid duration"}, status_code=400)
    handle = DBOS.enqueue_workflow(TASK_QUEUE, sleep_workflow, int(seconds))
    return {"workflow_id": handle.get_workflow_id(), "duration": int(seconds)}


@app.get("/metrics/{queue_name}")
def queue_length(queue_name: str) -> dict[str, int]:
    """How many workflows of the queue are waiting or running: what an autoscaler asks for."""
    waiting = DBOS.list_workflows(queue_name=queue_name, queues_only=True, load_input=False, load_output=False)
    return {"queue_length": len(waiting)}


def main() -> None:
    uvicorn.run(app, host=os.environ.get("HOST", "0.0.0.0"), port=int(os.environ.get("PORT", "8080")))  # noqa: S104 - a container listens on its pod's address


if __name__ == "__main__":
    main()
