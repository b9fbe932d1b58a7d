"""Installations: create (or only plan), list, look at, retry, cancel, provide what a phase waits for."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.responses import JSONResponse

from service.api import pages
from service.api.auth import bearer
from service.api.idempotency import IdempotencyKey, canonical_body, fingerprint
from service.api.models import ChangePlan, Installation, InstallationPage, Operation, Plan, ProvideRequest, RetryRequest
from service.api.names import Engine, InstallationName
from workflows.errors import NotFound, Renamed
from workflows.records import OperationRecord
from workflows.spec import InstallationSpec

POLL_SECONDS = "5"
"""What Retry-After advises to whoever polls."""

router = APIRouter(prefix="/v1", tags=["installations"], dependencies=[Security(bearer)])

HEADERS = {
    "Location": {"description": "Path of the installation.", "schema": {"type": "string"}},
    "Operation-Location": {"description": "Path of the operation to watch.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before looking again.", "schema": {"type": "integer"}},
}
_EXAMPLES = {
    "smallest": {
        "summary": "The smallest: everything else has the guide's values",
        "value": {"name": "dbos-conductor", "aws": {"region": "us-west-2"}},
    },
    "guide": {
        "summary": "The guide: reachable by path, with a licence from the secret store",
        "value": {
            "name": "dbos-conductor",
            "aws": {"region": "us-west-2"},
            "conductor": {"license_key": {"secret": "prod/dbos/license"}},
            "exposure": {"mode": "path", "allow_unauthenticated": True},
        },
    },
}


@router.post(
    "/installations",
    operation_id="createInstallation",
    status_code=202,
    response_model=Installation,
    summary="Install a Conductor",
    responses={
        200: {"model": Plan, "description": "The plan (with validate_only=true); nothing was created."},
        202: {"headers": HEADERS, "description": "Accepted: the install runs; watch the operation."},
    },
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": _EXAMPLES}}}},
)
def create_installation(
    spec: InstallationSpec,
    engine: Engine,
    response: Response,
    body: Annotated[str, Depends(canonical_body)],
    idempotency_key: IdempotencyKey = None,
    validate_only: Annotated[bool, Query(description="Only validate and plan; create nothing.")] = False,
) -> Any:
    """Starts a durable install and answers at once. A name and a region are enough."""
    if validate_only:
        return JSONResponse(Plan.model_validate(engine.control.plan(spec)).model_dump(mode="json"))
    seen = fingerprint(body, idempotency_key) if idempotency_key is not None else ""
    created = engine.control.create(spec, idempotency_key=idempotency_key, fingerprint=seen)
    point_to(response, created.installation.operation)
    if created.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return created.installation


@router.get(
    "/installations",
    operation_id="listInstallations",
    response_model=InstallationPage,
    summary="List installations",
)
def list_installations(
    request: Request,
    response: Response,
    engine: Engine,
    page_size: pages.PageSize = 20,
    page_token: pages.PageToken = None,
) -> Any:
    """In order of name; the next page is in `next_page_token` and in the Link header."""
    after = pages.decode(page_token, str) if page_token is not None else None
    found = engine.ledger.installations(limit=page_size + 1, after=after)
    page = found[:page_size]
    return {"installations": page, **pages.turn(request, response, page[-1].name if len(found) > page_size else None)}


@router.get(
    "/installations/{name}",
    operation_id="getInstallation",
    response_model=Installation,
    summary="Look at an installation",
)
def get_installation(name: InstallationName, engine: Engine) -> Any:
    """Its specification without secrets, its state, its outputs, and its current operation with every phase."""
    found = engine.ledger.installation(name)
    if found is None:
        raise NotFound(f"There is no installation {name}.")
    return found


@router.put(
    "/installations/{name}",
    operation_id="applyInstallation",
    status_code=202,
    response_model=Operation,
    summary="Bring an installation to a changed spec",
    responses={
        200: {"model": ChangePlan, "description": "The plan (with validate_only=true, or nothing differs)."},
        202: {"headers": HEADERS, "description": "Accepted: the upgrade runs; watch the operation."},
    },
)
def apply_installation(
    name: InstallationName,
    spec: InstallationSpec,
    engine: Engine,
    response: Response,
    validate_only: Annotated[bool, Query(description="Only plan: begin nothing.")] = False,
) -> Any:
    """Touches only what differs from what was applied, and what had not ended well before.

    The body is the whole specification. What cannot be changed is refused with what to do instead (in a plan: listed as
    impossible). The same request again answers with the same operation.
    """
    if spec.name != name:
        raise Renamed(name, spec.name)
    if not validate_only:
        changed = engine.control.apply(spec)
        if not changed.unchanged:
            return point_to(response, changed.operation)
    return JSONResponse(ChangePlan.model_validate(engine.control.plan_change(spec)).model_dump(mode="json"))


@router.delete(
    "/installations/{name}",
    operation_id="deleteInstallation",
    status_code=202,
    response_model=Operation,
    summary="Uninstall a Conductor",
    responses={202: {"headers": HEADERS, "description": "Accepted: the uninstall runs; watch the operation."}},
)
def delete_installation(
    name: InstallationName,
    engine: Engine,
    response: Response,
    data: Annotated[
        Literal["retain", "delete"],
        Query(description="The database's data: retain a last snapshot, or delete it for good."),
    ] = "retain",
    force: Annotated[
        bool, Query(description="Leave Kubernetes alone when the cluster cannot be reached; AWS is still cleaned up.")
    ] = False,
) -> Any:
    """Unmakes everything that Podium made, from any state; what was given or adopted is left alone and listed.

    The same request again answers with the same operation. GET still shows a deleted installation, with the proof
    that nothing is left.
    """
    return point_to(response, engine.control.delete(name, data=data, force=force))


@router.post(
    "/installations/{name}:retry",
    operation_id="retryInstallation",
    status_code=202,
    response_model=Operation,
    summary="Retry a failed or cancelled operation",
    responses={202: {"headers": HEADERS, "description": "Accepted: it goes on from the step that failed."}},
)
def retry_installation(
    name: InstallationName, engine: Engine, response: Response, body: RetryRequest | None = None
) -> Any:
    """Only what failed runs again; with `from_phase`, that phase and all that need it. 409 in any other state."""
    operation = engine.control.retry(name, body.from_phase if body else None)
    return point_to(response, operation)


@router.post(
    "/installations/{name}:cancel",
    operation_id="cancelInstallation",
    status_code=202,
    response_model=Operation,
    summary="Cancel the running operation",
    responses={202: {"headers": HEADERS, "description": "Accepted: it stops within seconds."}},
)
def cancel_installation(name: InstallationName, engine: Engine, response: Response) -> Any:
    """Takes effect within 2 s, also during a long wait. What was made stays; retry goes on from there."""
    return point_to(response, engine.control.cancel(name))


@router.post(
    "/installations/{name}:provide",
    operation_id="provideToInstallation",
    status_code=202,
    response_model=Operation,
    summary="Provide what a phase waits for",
    responses={202: {"headers": HEADERS, "description": "Accepted: the phase goes on."}},
)
def provide_to_installation(name: InstallationName, engine: Engine, response: Response, body: ProvideRequest) -> Any:
    """Answers a phase in state `waiting`, for example with the API key of an old Conductor."""
    return point_to(response, engine.control.provide(name, body.phase, body.value))


def point_to(response: Response, operation: OperationRecord) -> OperationRecord:
    """Tells where the operation, which is returned, can be watched."""
    response.headers["Location"] = f"/v1/installations/{operation.installation}"
    response.headers["Operation-Location"] = f"/v1/operations/{operation.id}"
    response.headers["Retry-After"] = POLL_SECONDS
    return operation
