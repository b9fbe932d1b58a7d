"""Puts the parts together into one web application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from sandbox.conductor import console_pages, endpoint, problems, proxied, routes, unimplemented
from sandbox.conductor.database import Database
from sandbox.conductor.endpoint import Gate
from sandbox.conductor.executors import HEARTBEAT_SECONDS, Executors
from sandbox.conductor.registry import Registry
from sandbox.conductor.sessions import Sessions
from sandbox.conductor.settings import Settings


def create_app(settings: Settings, database: Database) -> FastAPI:
    """The application; `database` must be started by the caller, who also closes it."""
    app = FastAPI(title="Conductor API", version="2.0.0", docs_url=None, redoc_url=None, lifespan=_lifespan(settings))
    app.state.executors = Executors(database, settings.host_id)
    app.state.registry = Registry(database)
    app.state.sessions = Sessions()
    app.state.gate = Gate(app.state.registry, app.state.executors, app.state.sessions, licensed=settings.licensed)
    problems.install(app)
    app.add_api_route("/healthz", _healthz, methods=["GET"], include_in_schema=False)
    app.add_api_route("/", _root, methods=["GET"], include_in_schema=False)
    app.include_router(endpoint.router)
    if settings.api:
        app.include_router(routes.router)
        app.include_router(proxied.router)
        unimplemented.install(app)
    else:
        app.include_router(console_pages.router, include_in_schema=False)
    return app


async def _healthz() -> PlainTextResponse:
    return PlainTextResponse("ok")


async def _root() -> PlainTextResponse:
    return PlainTextResponse("DBOS Conductor (sandbox stand-in)\n")


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await app.state.executors.forget_connections(all_hosts=settings.alone)
        watching = asyncio.create_task(app.state.gate.watch(HEARTBEAT_SECONDS))
        yield
        watching.cancel()
        await asyncio.wait([watching])

    return lifespan
