"""Operations: one durable run on an installation, by its id."""

from typing import Any

from fastapi import APIRouter, Response, Security

from service.api.auth import bearer
from service.api.installations import POLL_SECONDS
from service.api.models import Operation
from service.api.names import Engine, OperationId
from workflows.errors import NotFound

router = APIRouter(prefix="/v1", tags=["operations"], dependencies=[Security(bearer)])


@router.get(
    "/operations/{id}",
    operation_id="getOperation",
    response_model=Operation,
    summary="Look at an operation",
)
def get_operation(operation_id: OperationId, engine: Engine, response: Response) -> Any:
    """Its state, progress and phases; Retry-After while it is under way."""
    found = engine.ledger.operation(operation_id)
    if found is None:
        raise NotFound(f"There is no operation {operation_id}.")
    if found.finished_at is None:
        response.headers["Retry-After"] = POLL_SECONDS
    return found
