"""The operations that an executor answers: Conductor passes the question on over the WebSocket and the answer back.

503 when the application has no executor connected, 502 when none answers (documentation, "Conductor API", "How
operations are served").
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AliasGenerator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from sandbox.conductor import translate
from sandbox.conductor.models import (
    ApplicationVersion,
    AppName,
    Body,
    OrgName,
    Step,
    Workflow,
    WorkflowId,
    WorkflowSearch,
)
from sandbox.conductor.problems import ProblemError
from sandbox.conductor.routes import TheRegistry, TheSessions

router = APIRouter(prefix="/v2/orgs/{orgName}/apps/{appName}")


class WorkflowQuery(Body):
    """The query of `listWorkflows`: the commonest of the filters."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=to_camel), populate_by_name=True, extra="forbid"
    )
    status: str | None = None
    workflow_name: str | None = None
    limit: int | None = None
    offset: int | None = None
    sort_desc: bool = False
    load_input: bool = False
    load_output: bool = False


class Page(BaseModel):
    """Which part of a list."""

    limit: int | None = None
    offset: int | None = None


async def application_id(org: OrgName, app: AppName, known: TheRegistry) -> UUID:
    """The id of the application in the path."""
    return (await known.application(org, app)).id


TheApp = Annotated[UUID, Depends(application_id)]


@router.get("/versions", operation_id="listAppVersions")
async def list_versions(app: TheApp, connected: TheSessions) -> list[ApplicationVersion]:
    answer = await connected.ask(app, "list_application_versions")
    return [translate.version(found) for found in answer["output"]]


@router.get("/workflows", operation_id="listWorkflows")
async def list_workflows(
    app: TheApp, query: Annotated[WorkflowQuery, Query()], connected: TheSessions
) -> list[Workflow]:
    given = query.model_dump(exclude_none=True)
    for field in ("status", "workflow_name"):
        if field in given:
            given[field] = given[field].split(",")
    return await _search(app, WorkflowSearch(**given), connected)


@router.post("/workflows/search", operation_id="searchWorkflows")
async def search_workflows(app: TheApp, connected: TheSessions, body: WorkflowSearch | None = None) -> list[Workflow]:
    return await _search(app, body or WorkflowSearch(), connected)


@router.get("/workflows/{workflowId}", operation_id="getWorkflow")
async def get_workflow(app: TheApp, workflow_id: WorkflowId, connected: TheSessions) -> Workflow:
    answer = await connected.ask(app, "get_workflow", workflow_id=workflow_id, load_input=True, load_output=True)
    if answer["output"] is None:
        raise ProblemError(404, f"workflow {workflow_id} not found")
    return translate.workflow(answer["output"])


@router.get("/workflows/{workflowId}/steps", operation_id="listWorkflowSteps")
async def list_steps(
    app: TheApp, workflow_id: WorkflowId, page: Annotated[Page, Query()], connected: TheSessions
) -> list[Step]:
    answer = await connected.ask(app, "list_steps", workflow_id=workflow_id, **page.model_dump())
    return [translate.step(found) for found in answer["output"] or []]


async def _search(app: UUID, search: WorkflowSearch, connected: TheSessions) -> list[Workflow]:
    answer = await connected.ask(app, "list_workflows", body=translate.search_body(search))
    return [translate.workflow(found) for found in answer["output"]]
