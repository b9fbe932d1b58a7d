"""Drift: how what is there differs from what was applied, and its repair."""

from typing import Any

from fastapi import APIRouter, Response, Security
from fastapi.responses import JSONResponse

from service.api.auth import bearer
from service.api.installations import HEADERS, point_to
from service.api.models import Drift, Operation
from service.api.names import Engine, InstallationName
from workflows.drift import drifted

router = APIRouter(prefix="/v1", tags=["installations"], dependencies=[Security(bearer)])


@router.get(
    "/installations/{name}/drift",
    operation_id="getDrift",
    response_model=Drift,
    summary="Compare what is there with what was applied",
)
def get_drift(name: InstallationName, engine: Engine) -> Any:
    """Looks at AWS and the cluster for up to a minute and changes nothing. 409 while an operation is under way.

    What cannot be looked at is listed as unreadable; what only runs, such as a migration, is not compared.
    """
    return engine.control.drift(name)


@router.post(
    "/installations/{name}:repair",
    operation_id="repairInstallation",
    status_code=202,
    response_model=Operation,
    summary="Do again what has drifted",
    responses={
        200: {"model": Drift, "description": "Nothing has drifted: the report; nothing was begun."},
        202: {"headers": HEADERS, "description": "Accepted: the repair runs; watch the operation."},
    },
)
def repair_installation(name: InstallationName, engine: Engine, response: Response) -> Any:
    """Looks for drift, for up to a minute, then has the phases that drifted done again, with what follows from them."""
    found = engine.control.drift(name)
    changed = engine.control.repair(name, drifted(found))
    if changed.unchanged:
        return JSONResponse(Drift.model_validate(found).model_dump(mode="json"))
    return point_to(response, changed.operation)
