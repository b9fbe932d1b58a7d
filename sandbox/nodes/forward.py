"""TCP forwarding from a local listener to one of several backends."""

import asyncio
import random
import socket
from collections.abc import Callable

from sandbox.nodes import http

CHUNK = 64 * 1024  # bytes read at once
Backends = Callable[[], list[tuple[str, int]]]


class Listener:
    """A listening socket whose connections go to a backend each; without any they are reset, as kube-proxy rejects."""

    def __init__(self, listening: socket.socket) -> None:
        self.port: int = listening.getsockname()[1]
        self._socket = listening
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, backends: Backends) -> None:
        """Starts to accept connections; `backends` is asked anew for each."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
            await _forward(reader, writer, backends())

        self._server = await asyncio.start_server(accept, sock=self._socket)

    async def close(self) -> None:
        """Stops listening and drops the connections."""
        if self._server is None:
            self._socket.close()
            return
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._server.wait_closed()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, backends: list[tuple[str, int]]) -> None:
    try:
        if (backend := await connect(backends)) is None:
            writer.transport.abort()
            return
        await relay((reader, writer), backend)
    finally:
        await http.close(writer)


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(backends: list[tuple[str, int]]) -> Stream | None:
    """A connection to any of the backends, tried in random order; None when none accepts."""
    for host, port in random.sample(backends, len(backends)):
        try:
            return await asyncio.open_connection(host, port)
        except OSError:
            continue
    return None


async def relay(client: Stream, backend: Stream, idle_seconds: float | None = None) -> None:
    """Passes bytes both ways until both sides have ended, or nothing came from the backend for `idle_seconds`."""
    upward = asyncio.create_task(pump(client[0], backend[1], None))
    try:
        await pump(backend[0], client[1], idle_seconds)
    finally:
        upward.cancel()
        await asyncio.wait([upward])
        await http.close(backend[1])


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, idle_seconds: float | None) -> None:
    """Copies to the end of `source`, then says so to `target`."""
    try:
        while chunk := await asyncio.wait_for(source.read(CHUNK), idle_seconds):
            target.write(chunk)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
    except (OSError, TimeoutError):
        target.transport.abort()
