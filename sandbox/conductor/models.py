"""Bodies of the HTTP API, by the field names of the OpenAPI document (camelCase there, snake_case here)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

OrgName = Annotated[str, Path(alias="orgName", min_length=3, max_length=30, pattern=r"^[a-z0-9_]+$")]
AppName = Annotated[str, Path(alias="appName", min_length=3, max_length=30, pattern=r"^[a-z0-9\-_]+$")]
TokenName = Annotated[str, Path(alias="tokenName")]
WorkflowId = Annotated[str, Path(alias="workflowId")]


class Body(BaseModel):
    """Unknown fields are refused, as the document says (`additionalProperties: false`)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Application(Body):
    id: UUID
    name: str
    org_id: UUID
    status: Literal["AVAILABLE", "UNAVAILABLE"]
    language: str | None
    gc_time_threshold_ms: int | None
    gc_rows_threshold: int | None
    global_timeout_ms: int | None
    executor_timeout_secs: int
    private_mode: bool
    dbos_cloud: bool


class RegisterApplication(Body):
    private_mode: bool | None = None


class UpdateApplication(Body):
    executor_timeout_secs: int | None = None
    gc_rows_threshold: int | None = None
    gc_time_threshold_ms: int | None = None
    global_timeout_ms: int | None = None
    private_mode: bool | None = None


class CreateToken(Body):
    app_names: list[str] | None = None
    permissions: list[str] | None = None


class TokenCreated(Body):
    token: str
    token_name: str


class Token(Body):
    token_name: str
    created_at: datetime
    permissions: list[str]
    app_ids: list[UUID]


class Executor(Body):
    executor_id: str
    app_id: UUID
    app_version: str
    status: Literal["HEALTHY", "DISCONNECTED", "DEAD"]
    host_id: str | None
    hostname: str | None
    created_at: datetime
    updated_at: datetime
    language: str | None
    dbos_version: str | None
    executor_metadata: dict[str, Any] | None


class ApplicationVersion(Body):
    version_id: str
    version_name: str
    version_timestamp: datetime
    created_at: datetime


class WorkflowSearch(Body):
    """Filters of a search; every field left out means no filter."""

    app_version: list[str] | None = None
    attributes: dict[str, Any] | None = None
    completed_after: datetime | None = None
    completed_before: datetime | None = None
    dequeued_after: datetime | None = None
    dequeued_before: datetime | None = None
    end_time: datetime | None = None
    executor_id: list[str] | None = None
    forked_from: list[str] | None = None
    has_parent: bool | None = None
    limit: int | None = None
    load_input: bool = False
    load_output: bool = False
    offset: int | None = None
    parent_workflow_id: list[str] | None = None
    queue_name: list[str] | None = None
    queues_only: bool = False
    schedule_name: list[str] | None = None
    sort_desc: bool = False
    start_time: datetime | None = None
    status: list[str] | None = None
    user: list[str] | None = None
    was_forked_from: bool | None = None
    workflow_id_prefix: list[str] | None = None
    workflow_ids: list[str] | None = None
    workflow_name: list[str] | None = None


class Workflow(Body):
    workflow_id: str
    status: str
    workflow_name: str | None
    workflow_class: str | None
    workflow_config: str | None
    user: str | None
    assumed_role: str | None
    roles: str | None
    input: str | None
    output: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    queue_name: str | None
    app_version: str | None
    executor_id: str | None
    timeout_ms: int | None
    deadline: datetime | None
    deduplication_id: str | None
    priority: int
    queue_partition_key: str | None
    forked_from: str | None
    was_forked_from: bool
    parent_workflow_id: str | None
    dequeued_at: datetime | None
    delay_until: datetime | None
    completed_at: datetime | None
    attributes: str | None
    schedule_name: str | None
    application_name: str | None


class Step(Body):
    step_id: int
    step_name: str
    output: str | None
    error: str | None
    child_workflow_id: str | None
    started_at: datetime | None
    completed_at: datetime | None
