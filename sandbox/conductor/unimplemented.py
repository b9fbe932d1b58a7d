"""The rest of the HTTP API: known by path, answered with 501, so that nobody takes a gap for "not found".

Operations that need OAuth are not here: without OAuth the real one does not register them and answers 404 too.
"""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI

from sandbox.conductor.problems import ProblemError

APP = "/v2/orgs/{orgName}/apps/{appName}"
WORKFLOW = APP + "/workflows/{workflowId}"
OPERATIONS = (
    ("GET", APP + "/alerting-rules", "listAlertingRules"),
    ("POST", APP + "/alerting-rules", "createAlertingRule"),
    ("DELETE", APP + "/alerting-rules/{ruleId}", "deleteAlertingRule"),
    ("GET", APP + "/autoscale", "getAutoscale"),
    ("DELETE", APP + "/autoscaling-policy", "deleteAutoscalingPolicy"),
    ("GET", APP + "/autoscaling-policy", "getAutoscalingPolicy"),
    ("PUT", APP + "/autoscaling-policy", "setAutoscalingPolicy"),
    ("GET", APP + "/metrics", "listMetrics"),
    ("GET", APP + "/queues", "listQueues"),
    ("GET", APP + "/queues/{queueName}", "getQueue"),
    ("GET", APP + "/schedules", "listSchedules"),
    ("GET", APP + "/schedules/{scheduleName}", "getSchedule"),
    ("POST", APP + "/schedules/{scheduleName}/backfill", "backfillSchedule"),
    ("POST", APP + "/schedules/{scheduleName}/pause", "pauseSchedule"),
    ("POST", APP + "/schedules/{scheduleName}/resume", "resumeSchedule"),
    ("POST", APP + "/schedules/{scheduleName}/trigger", "triggerSchedule"),
    ("POST", APP + "/steps/aggregates", "getStepAggregates"),
    ("PATCH", APP + "/versions/latest", "setLatestAppVersion"),
    ("POST", APP + "/workflows/aggregates", "getWorkflowAggregates"),
    ("POST", APP + "/workflows/bulk-cancel", "bulkCancelWorkflows"),
    ("POST", APP + "/workflows/bulk-delete", "bulkDeleteWorkflows"),
    ("POST", APP + "/workflows/bulk-fork-from-failure", "bulkForkWorkflowsFromFailure"),
    ("POST", APP + "/workflows/bulk-resume", "bulkResumeWorkflows"),
    ("POST", APP + "/workflows/import", "importWorkflow"),
    ("DELETE", WORKFLOW, "deleteWorkflow"),
    ("POST", WORKFLOW + "/cancel", "cancelWorkflow"),
    ("GET", WORKFLOW + "/events", "listWorkflowEvents"),
    ("GET", WORKFLOW + "/export", "exportWorkflow"),
    ("POST", WORKFLOW + "/fork", "forkWorkflow"),
    ("GET", WORKFLOW + "/notifications", "listWorkflowNotifications"),
    ("POST", WORKFLOW + "/resume", "resumeWorkflow"),
    ("GET", WORKFLOW + "/streams", "listWorkflowStreams"),
    ("GET", "/v2/orgs/{orgName}/permissions", "listPermissions"),
)


def install(app: FastAPI) -> None:
    """Adds one route per operation that this stand-in does not offer."""
    router = APIRouter()
    for method, path, operation in OPERATIONS:
        router.add_api_route(path, _answer(operation), methods=[method], operation_id=operation)
    app.include_router(router)


def _answer(operation: str) -> Callable[[], None]:
    def refuse() -> None:
        raise ProblemError(501, f"the sandbox's Conductor does not offer the operation {operation}")

    return refuse
