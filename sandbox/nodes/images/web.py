"""Small HTTP servers for containers that run inside the agent: a table of paths, one answer each."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from sandbox.nodes.http import Head, response, serve_connection

Answer = Callable[[], Awaitable[bytes]]
"""Gives a whole HTTP response, as `sandbox.nodes.http.response` makes it."""


@asynccontextmanager
async def listening(port: int, answers: Mapping[str, Answer]) -> AsyncIterator[None]:
    """Answers GET on 127.0.0.1:`port` by path, 404 for others, until the block ends."""

    async def handle(head: Head, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = answers.get(head.target.partition("?")[0])
        writer.write(await answer() if answer else response(404, b"404 page not found\n"))
        await writer.drain()

    server = await asyncio.start_server(functools.partial(serve_connection, handle), "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def ok() -> bytes:
    """What a health endpoint says."""
    return response(200, b"ok\n")
