"""Runs an application under uvicorn on a socket that is listening already."""

import socket
from collections.abc import Callable

import structlog
import uvicorn
from fastapi import FastAPI

from service.app import create_app, end_streams
from service.ending import GOODBYE_SECONDS, end_within
from service.ports import Runtime
from service.settings import Settings
from service.worker import create_worker_app

GRACE = 5
"""Seconds that open requests get at a stop."""

_log = structlog.stdlib.get_logger("podium.server")


class _Server(uvicorn.Server):
    """Calls `at_stop` before a stop waits for anything."""

    def __init__(self, config: uvicorn.Config, at_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._at_stop = at_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._at_stop()
        await super().shutdown(sockets)


def run(runtime: Runtime, settings: Settings, listener: socket.socket) -> bool:
    """Until a signal says stop, which also stops `runtime`; False when the server did not start at all."""
    app = create_app(runtime, settings)

    def at_stop() -> None:
        """Steps begin to end now, and event streams do not hold up the stop."""
        _drain(runtime, settings)
        end_streams(app)

    _log.info("listening", url=settings.url, host=settings.address.host, port=settings.address.port)
    return _run(app, listener, at_stop)


def run_worker(runtime: Runtime, settings: Settings, listener: socket.socket) -> bool:
    """The same for a worker."""
    address = settings.worker_address
    _log.info("working", executor_id=settings.executor, host=address.host, port=address.port)
    return _run(create_worker_app(runtime), listener, lambda: _drain(runtime, settings))


def _drain(runtime: Runtime, settings: Settings) -> None:
    runtime.drain()
    end_within(settings.drain_seconds + GOODBYE_SECONDS)


def _run(app: FastAPI, listener: socket.socket, at_stop: Callable[[], None]) -> bool:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE
    )
    server = _Server(config, at_stop)
    server.run(sockets=[listener])
    return server.started
