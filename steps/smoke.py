"""The smoke test: the guide's four calls to the application, and Conductor's list of executors.

All through the Kubernetes API's service proxy, so that it works before, and without, any exposure.
"""

from typing import Any

from steps import app
from steps.clients.conductor import ConductorApi
from steps.clients.kubernetes import Kube
from steps.errors import Code, Fault, PodiumError, TransientError
from steps.scrubbing import scrub
from steps.waiting import Pending

STEPS = 3
"""Steps of the sample's workflow; `/last_step/{id}` counts up to this."""
HEALTHY = "HEALTHY"


def await_executor(kube: Kube, namespace: str, app_name: str) -> dict[str, Any] | Pending:
    """`{"executors": [ids]}` once Conductor lists a healthy executor of the application.

    A Conductor too old for the HTTP API lists none that anybody could read: `{"executors": []}`.
    """
    api = ConductorApi(kube, namespace)
    if not api.is_supported():
        return {"executors": []}
    found = api.executors(app_name)
    healthy = sorted(str(each["executorId"]) for each in found if each.get("status") == HEALTHY)
    if healthy:
        return {"executors": healthy}
    states = ", ".join(sorted({str(each.get("status")) for each in found})) or "none"
    return Pending(f"Conductor lists no healthy executor of {app_name} yet ({states})")


def start_workflow(kube: Kube, namespace: str, task_id: str) -> dict[str, Any]:
    """`/workflow/{task_id}`: the answer, e.g. `{"workflow_id", "status"}`. The same id again finds the same run."""
    answer: dict[str, Any] = _call(kube, namespace, f"/workflow/{task_id}", "workflow_id")["answer"]
    return answer


def await_workflow_progress(kube: Kube, namespace: str, task_id: str, steps: int = 1) -> dict[str, Any] | Pending:
    """`{"last_step": n}` once at least `steps` of the workflow's three steps are complete."""
    reached = int(_call(kube, namespace, f"/last_step/{task_id}")["answer"].get("last_step", 0))
    if reached >= steps:
        return {"last_step": reached}
    return Pending(f"the workflow has completed {reached} of {STEPS} steps")


def run_smoke_test(
    kube: Kube, namespace: str, app_name: str, task_id: str, *, is_sample: bool = True
) -> dict[str, Any]:
    """The report: `{"passed": True, "calls": [{"call", "status", "answer"}], "executors": [ids]}`.

    `is_sample` False: the user's own application, which need not offer the sample's paths; then no call is made.
    SMOKE_TEST_FAILED, naming the call and its answer, when one does not do as the guide says.
    """
    calls = _sample_calls(kube, namespace, task_id) if is_sample else []
    listed = await_executor(kube, namespace, app_name)
    if isinstance(listed, Pending):
        raise _failed(f"{listed.detail}.")
    return {"passed": True, "calls": calls, "executors": listed["executors"]}


def _sample_calls(kube: Kube, namespace: str, task_id: str) -> list[dict[str, Any]]:
    """The guide's four calls; a repeated run finds the workflow of the same `task_id`."""
    return [
        _call(kube, namespace, f"/workflow/{task_id}", "workflow_id"),
        _call(kube, namespace, f"/last_step/{task_id}", "last_step"),
        _call(kube, namespace, "/enqueue/1", "workflow_id"),
        _call(kube, namespace, "/metrics/taskQueue", "queue_length"),
    ]


def _call(kube: Kube, namespace: str, path: str, expected: str | None = None) -> dict[str, Any]:
    """GET one path of the application: `{"call", "status", "answer"}`; the answer is JSON with `expected` in it."""
    answer = kube.service_request(namespace, app.NAME, app.PORT, "GET", path)
    body = answer.json()
    call = f"GET {path}"
    if answer.status >= 500 or (answer.status == 200 and not isinstance(body, dict)):
        raise _transient(f"{call} answered {answer.status}: {scrub(answer.text)[:200]}")
    if answer.status != 200 or not isinstance(body, dict) or (expected is not None and expected not in body):
        raise _failed(f"{call} answered {answer.status}: {scrub(answer.text)[:200]}")
    return {"call": call, "status": answer.status, "answer": body}


def _failed(why: str) -> PodiumError:
    return PodiumError.by_user(
        Code.SMOKE_TEST_FAILED,
        f"The application is up but does not do as it should: {why}",
        "Look at the application's log (kubectl logs deployment/dbos-app) and Conductor's, then retry.",
    )


def _transient(why: str) -> TransientError:
    failed = _failed(why)
    return TransientError(failed.code, failed.message, fault=Fault.USER, retryable=True, remedy=failed.remedy)
