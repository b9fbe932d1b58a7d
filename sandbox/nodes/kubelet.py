"""The kubelet's HTTP port: container logs, which the API server's pods/{name}/log passes on.

GET /containerLogs/{namespace}/{pod}/{container}?tailLines=&previous=&follow=&limitBytes=, plain HTTP on 127.0.0.1.
Errors are the kubelet's: 404 for a Pod or container that is not here, 400 for one that has no such log yet.
"""

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sandbox.nodes import http
from sandbox.nodes.container import Container
from sandbox.nodes.pod import PodWorker
from sandbox.nodes.ports import PortBook

FOLLOW_PERIOD = 0.2  # seconds between looks at a log that is followed
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"

FindPod = Callable[[str, str], PodWorker | None]
"""(namespace, name) -> the worker of that Pod on this agent."""


class LogError(Exception):
    """There is no such log: HTTP status and the kubelet's text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubeletServer:
    """Listens from `start` to `close`."""

    def __init__(self, find_pod: FindPod) -> None:
        self._find_pod = find_pod
        self._server: asyncio.Server | None = None

    async def start(self, book: PortBook) -> int:
        """Listens, on the port of before if it is free; gives the port."""
        listening = book.listen("kubelet")
        port: int = listening.getsockname()[1]
        handler = functools.partial(http.serve_connection, self._handle)
        self._server = await asyncio.start_server(handler, sock=listening, limit=http.HEAD_LIMIT)
        return port

    async def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.close()

    async def _handle(self, head: http.Head, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(head.target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/healthz":
            writer.write(http.response(200, b"ok"))
            return
        try:
            container = self._container(parts.path)
            log = _log(container, previous=query.get("previous") == "true")
        except LogError as error:
            writer.write(http.response(error.status, str(error).encode()))
            return
        writer.write(HEAD)
        await _send(log, container, query, writer)

    def _container(self, path: str) -> Container:
        words = path.strip("/").split("/")
        if len(words) != 4 or words[0] != "containerLogs":
            raise LogError(404, "404 page not found")
        worker = self._find_pod(words[1], words[2])
        if worker is None:
            raise LogError(404, f'pod "{words[2]}" not found')
        container = worker.container(words[3])
        if container is None:
            raise LogError(404, f'container "{words[3]}" not found in pod "{words[2]}"')
        return container


def _log(container: Container, *, previous: bool) -> Path:
    log = container.log_file(previous=previous)
    if previous and not log.exists():
        raise LogError(400, f'previous terminated container "{container.name}" not found')
    if not log.exists():
        earlier = container.log_file(previous=True)
        if earlier.exists():  # between two runs, as in CrashLoopBackOff
            return earlier
        reason = container.record.state.get("waiting", {}).get("reason", "ContainerCreating")
        raise LogError(400, f'container "{container.name}" is waiting to start: {reason}')
    return log


async def _send(log: Path, container: Container, query: dict[str, str], writer: asyncio.StreamWriter) -> None:
    with log.open("rb") as file:
        content = file.read()
        if "tailLines" in query:
            count = int(query["tailLines"])
            content = b"".join(content.splitlines(keepends=True)[-count:]) if count else b""
        if "limitBytes" in query:
            content = content[: int(query["limitBytes"])]
        writer.write(content)
        await writer.drain()
        while query.get("follow") == "true" and not writer.is_closing():
            over = "running" not in container.record.state or container.log_file() != log
            if more := file.read():
                writer.write(more)
                await writer.drain()
            elif over:
                return
            else:
                await asyncio.sleep(FOLLOW_PERIOD)
