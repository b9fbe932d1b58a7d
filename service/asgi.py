"""Runs the application under uvicorn on a socket that is listening already."""

import socket

import structlog
import uvicorn
from fastapi import FastAPI

from service.app import create_app, end_streams
from service.ports import Runtime
from service.settings import Settings

GRACE = 5
"""Seconds that open requests get at a stop."""

_log = structlog.stdlib.get_logger("podium.server")


class _Server(uvicorn.Server):
    """Ends event streams first, so that a stop is not held up by them."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end_streams(self._app)
        await super().shutdown(sockets)


def run(runtime: Runtime, settings: Settings, listener: socket.socket) -> bool:
    """Until a signal says stop, which also stops `runtime`; False when the server did not start at all."""
    app = create_app(runtime, settings)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE
    )
    _log.info("listening", url=settings.url, host=settings.address.host, port=settings.address.port)
    server = _Server(config, app)
    server.run(sockets=[listener])
    return server.started
