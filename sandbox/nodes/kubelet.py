"""The kubelet's HTTP port: container logs, which the API server's pods/{name}/log passes on.

GET /containerLogs/{namespace}/{pod}/{container}?tailLines=&previous=&follow=&limitBytes=&sinceSeconds=&timestamps=
Errors are the kubelet's: 404 for a Pod or container that is not here, 400 for one that has no such log yet. exec,
attach, run and port-forward answer 501: the sandbox's nodes do not do that.

Without a pod network it is plain HTTP on 127.0.0.1. With one it is HTTPS at each node's address, port 10250, as a real
API server insists, with a certificate that this process signs itself: as with any kubelet without serving certificate
rotation, the API server does not verify it. Who asks is verified only when a CA is given (`--kubelet-client-ca`): a
real kubelet also asks the API server what the caller may do, this one lets everybody with a certificate of that CA in.
"""

import asyncio
import functools
import json
import logging
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sandbox.certificates import self_signed
from sandbox.nodes import http
from sandbox.nodes.container import Container
from sandbox.nodes.logs import LogOptions, LogReader
from sandbox.nodes.pod import PodWorker

log = logging.getLogger(__name__)
FOLLOW_PERIOD = 0.2  # seconds between looks at a log that is followed
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
NOT_DONE = frozenset({"exec", "attach", "run", "portForward", "cri", "checkpoint"})
WAITING_WORDS = {  # how a log of a container that never ran is refused (kubelet_pods.go, validateContainerLogStatus)
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}

FindPod = Callable[[str, str], PodWorker | None]
"""(namespace, name) -> the worker of that Pod on this agent."""


class LogError(Exception):
    """There is no such log: HTTP status and the kubelet's text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubeletServer:
    """Listens from `serve` to `close`, at one socket or one for each node."""

    def __init__(self, find_pod: FindPod) -> None:
        self._find_pod = find_pod
        self._servers: list[asyncio.Server] = []

    async def serve(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> int:
        """Answers at that socket; gives its port."""
        handler = functools.partial(http.serve_connection, self._handle)
        server = await asyncio.start_server(handler, sock=listening, limit=http.HEAD_LIMIT, ssl=tls)
        self._servers.append(server)
        return int(listening.getsockname()[1])

    async def close(self) -> None:
        """Stops listening."""
        for server in self._servers:
            server.close()

    async def _handle(self, head: http.Head, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(head.target)
        try:
            await self._answer(parts.path, parts.query, writer)
        except LogError as error:
            writer.write(http.response(error.status, str(error).encode()))

    async def _answer(self, path: str, query: str, writer: asyncio.StreamWriter) -> None:
        words = path.strip("/").split("/")
        if words == ["healthz"]:
            writer.write(http.response(200, b"ok"))
        elif words[0] in NOT_DONE:
            writer.write(http.response(501, _not_done(words[0]), "application/json"))
        elif words[0] == "containerLogs" and len(words) == 4:
            await self._logs(self._container(*words[1:]), words[2], query, writer)
        else:
            raise LogError(404, "404 page not found")

    def _container(self, namespace: str, pod: str, name: str) -> Container:
        worker = self._find_pod(namespace, pod)
        if worker is None:
            raise LogError(404, f"pod {json.dumps(pod)} not found")
        container = worker.container(name)
        if container is None:
            raise LogError(404, f"container {json.dumps(name)} not found in pod {json.dumps(pod)}")
        return container

    async def _logs(self, container: Container, pod: str, query: str, writer: asyncio.StreamWriter) -> None:
        try:
            asked = {name: values[-1] for name, values in parse_qs(query).items()}
            options = LogOptions.parse(asked, time.time_ns())
        except ValueError as error:
            raise LogError(400, f"Unable to decode query: {error}") from error
        file = _log(container, pod, previous=options.previous)
        writer.write(HEAD)
        await _send(file, container, options, writer)


def _not_done(what: str) -> bytes:
    """A Status object, which kubectl shows when the API server passes it on (its WebSockets lose the message)."""
    message = f"the sandbox's nodes do not offer {what}: pods are processes on this machine, look at their logs"
    log.warning("refused: %s", message)
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 501}
    return json.dumps(status | {"reason": "NotImplemented", "message": message}).encode()


def serving_context(directory: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS with a certificate of our own, kept in `directory`; with `client_ca` only for clients that it vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(directory, "kubelet"))
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _log(container: Container, pod: str, *, previous: bool) -> Path:
    file, whose = container.log_file(previous=previous), f'container "{container.name}" in pod "{pod}"'
    if previous and not (file.exists() and container.record.last_state):
        raise LogError(400, f"previous terminated {whose} not found")
    if not file.exists():
        earlier = container.log_file(previous=True)
        if earlier.exists():  # between two runs, as in CrashLoopBackOff
            return earlier
        reason = container.record.state.get("waiting", {}).get("reason", "ContainerCreating")
        raise LogError(400, f"{whose} is waiting to start: {WAITING_WORDS.get(reason, reason)}")
    return file


async def _send(file: Path, container: Container, options: LogOptions, writer: asyncio.StreamWriter) -> None:
    """The log, and while it is followed what comes, to the end of this run of the container or of the limit."""
    reader, asked = LogReader(file, options), options.follow
    while asked and not reader.exhausted and not writer.is_closing():
        over = "running" not in container.record.state or container.log_file() != file
        if more := reader.read(whole_lines=True):
            writer.write(more)
            await writer.drain()
        elif over:
            break
        else:
            await asyncio.sleep(FOLLOW_PERIOD)
    if not writer.is_closing():
        writer.write(reader.read(whole_lines=False))
        await writer.drain()
