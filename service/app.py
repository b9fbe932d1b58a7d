"""The ASGI application: routers and what is around them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from service.api import docs, drift, events, health, installations, openapi, operations, problems
from service.api.auth import ApiKeyGuard, LocalGuard
from service.api.body import BodyReader
from service.api.context import RequestContext
from service.api.metrics import Metrics
from service.ports import Runtime
from service.settings import Settings
from web.site import Site


def create_app(runtime: Runtime, settings: Settings) -> FastAPI:
    """The service on a launched runtime, which is stopped when the application ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            end_streams(app)
            await asyncio.to_thread(runtime.stop)

    app = FastAPI(
        title="Podium",
        version=version("podium"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    app.state.metrics = Metrics(runtime.ledger, runtime.workers)
    app.state.event_watcher = events.watcher(runtime.ledger)
    app.state.site = Site(runtime.ledger, runtime.control, settings.key, secure=settings.url.startswith("https:"))
    for router in (installations.router, drift.router, operations.router, events.router, health.router, docs.router):
        app.include_router(router)
    app.state.site.mount(app)
    _document(app)
    problems.install(app)
    app.add_middleware(BodyReader)
    if settings.key is None:
        app.add_middleware(LocalGuard)
    else:
        app.add_middleware(ApiKeyGuard, key=settings.key)
    app.add_middleware(RequestContext, metrics=app.state.metrics)
    return app


def end_streams(app: FastAPI) -> None:
    """Ends all event streams, which would otherwise hold up a graceful stop."""
    app.state.event_watcher.close()
    app.state.site.close()


def _document(app: FastAPI) -> None:
    def document() -> dict[str, Any]:
        return openapi.document(app)

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend it
