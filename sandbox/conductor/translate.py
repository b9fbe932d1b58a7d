"""Between the HTTP API's workflows and the executor protocol's: same facts, other names, and times as milliseconds."""

import json
from datetime import UTC, datetime
from typing import Any

from sandbox.conductor.models import ApplicationVersion, Step, Workflow, WorkflowSearch

# Fields of a search that the protocol calls otherwise.
RENAMED = {"workflow_ids": "workflow_uuids", "user": "authenticated_user", "app_version": "application_version"}
# Fields of a workflow that are the protocol's, taken as they are: ours -> theirs.
COPIED = {
    "workflow_id": "WorkflowUUID",
    "status": "Status",
    "workflow_name": "WorkflowName",
    "workflow_class": "WorkflowClassName",
    "workflow_config": "WorkflowConfigName",
    "user": "AuthenticatedUser",
    "assumed_role": "AssumedRole",
    "roles": "AuthenticatedRoles",
    "input": "Input",
    "output": "Output",
    "error": "Error",
    "queue_name": "QueueName",
    "app_version": "ApplicationVersion",
    "executor_id": "ExecutorID",
    "deduplication_id": "DeduplicationID",
    "queue_partition_key": "QueuePartitionKey",
    "forked_from": "ForkedFrom",
    "parent_workflow_id": "ParentWorkflowID",
    "attributes": "Attributes",
    "schedule_name": "ScheduleName",
    "application_name": "ApplicationName",
}
TIMES = {
    "created_at": "CreatedAt",
    "updated_at": "UpdatedAt",
    "deadline": "WorkflowDeadlineEpochMS",
    "dequeued_at": "DequeuedAt",
    "delay_until": "DelayUntilEpochMS",
    "completed_at": "CompletedAt",
}


def time(milliseconds: Any) -> datetime | None:
    """Milliseconds since 1970, number or digits, as a time; None stays None."""
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def search_body(search: WorkflowSearch) -> dict[str, Any]:
    """The body of `list_workflows`; filters that were not given are left out."""
    given = json.loads(search.model_dump_json(by_alias=False, exclude_none=True))
    return {RENAMED.get(field, field): value for field, value in given.items()}


def workflow(found: dict[str, Any]) -> Workflow:
    """A workflow of the API from a `WorkflowsOutput`."""
    timeout = found.get("WorkflowTimeoutMS")
    return Workflow(
        **{ours: found.get(theirs) for ours, theirs in COPIED.items()},
        **{ours: time(found.get(theirs)) for ours, theirs in TIMES.items()},
        timeout_ms=None if timeout is None else int(timeout),
        priority=int(found.get("Priority") or 0),
        was_forked_from=bool(found.get("WasForkedFrom")),
    )


def step(found: dict[str, Any]) -> Step:
    """A step of the API from a `WorkflowSteps`."""
    return Step(
        step_id=found["function_id"],
        step_name=found["function_name"],
        output=found.get("output"),
        error=found.get("error"),
        child_workflow_id=found.get("child_workflow_id"),
        started_at=time(found.get("started_at_epoch_ms")),
        completed_at=time(found.get("completed_at_epoch_ms")),
    )


def version(found: dict[str, Any]) -> ApplicationVersion:
    """A version of the API from an `ApplicationVersionOutput`."""
    return ApplicationVersion.model_validate(
        {
            "version_id": found["version_id"],
            "version_name": found["version_name"],
            "version_timestamp": time(found["version_timestamp"]),
            "created_at": time(found["created_at"]),
        }
    )
