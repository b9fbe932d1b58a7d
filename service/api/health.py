"""For whoever runs the service: is it alive, can it work, how does it do."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.api import metrics
from service.api.names import Engine

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="getHealth", summary="Is the process alive")
async def get_health() -> dict[str, str]:
    """Answers without looking at anything else."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Can it work",
    responses={503: {"description": "The database does not answer."}},
)
def get_readiness(engine: Engine) -> dict[str, str]:
    """Asks the database."""
    engine.ledger.ping()
    return {"status": "ready"}


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def get_metrics(request: Request) -> Any:
    """Installations by state, durations of phases, requests."""
    return Response(request.app.state.metrics.render(), media_type=metrics.CONTENT_TYPE)
