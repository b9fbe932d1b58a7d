"""What `podium worker` answers over HTTP: does it live, can it work, how does it do. Nothing to use, so no key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response

from service.api import metrics
from service.api.metrics import Metrics
from service.ports import Runtime


def create_worker_app(runtime: Runtime) -> FastAPI:
    """On a launched runtime, which is stopped when the application ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.to_thread(runtime.stop)

    app = FastAPI(title="Podium worker", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    numbers = Metrics(runtime.ledger, runtime.workers)

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    def readiness(response: Response) -> dict[str, str]:
        """503 while heartbeats do not land (the database does not answer), and from the beginning of a stop."""
        if runtime.can_work:
            return {"status": "ready"}
        response.status_code = 503
        return {"status": "not ready"}

    @app.get("/metrics")
    def render() -> Response:
        return Response(numbers.render(), media_type=metrics.CONTENT_TYPE)

    return app
