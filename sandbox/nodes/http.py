"""Just enough HTTP/1.1 for probes, logs, health endpoints and the ingress proxy: heads are parsed, bodies passed on."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

HEAD_LIMIT = 64 * 1024  # bytes of a request's or response's head


@dataclass(frozen=True)
class Head:
    """The head of a request: `target` is the path with its query as sent."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]

    def get(self, name: str, default: str = "") -> str:
        """The first header of that name, whatever its case."""
        return next((value for header, value in self.headers if header.lower() == name.lower()), default)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next request's head; None when the client closed instead, ValueError when it is not HTTP/1.x."""
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError as error:
        raise ValueError("request head too large") from error
    first, *lines = block.decode("latin-1").split("\r\n")[:-2]
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP/1: {first!r}")
    pairs = [line.partition(":") for line in lines]
    return Head(method, target, version, [(name, value.strip()) for name, _, value in pairs])


def response(status: int, body: bytes = b"", content_type: str = "text/plain; charset=utf-8") -> bytes:
    """A whole response that ends the connection."""
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode() + body


async def get_status(host: str, port: int, path: str, headers: dict[str, str], *, tls: bool = False) -> int:
    """GET, and the status of the answer. OSError without one, ValueError when it is not HTTP."""
    reader, writer = await asyncio.open_connection(host, port, ssl=_unverified() if tls else None)
    try:
        fields = {"host": f"{host}:{port}", "user-agent": "kube-probe/1", "accept": "*/*", "connection": "close"}
        fields |= {name.lower(): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        answer = (await reader.readline()).decode("latin-1").split(" ")
        if len(answer) < 2:
            raise ConnectionError("connection closed without an answer")
        return int(answer[1])
    finally:
        await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    """Closes a connection, whatever state the other side left it in."""
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


Handler = Callable[[Head, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def serve_connection(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request of a connection, which is closed afterwards; for `asyncio.start_server`."""
    try:
        head = await read_head(reader)
        if head is not None:
            await handler(head, reader, writer)
    except ValueError:
        writer.write(response(400))
    except OSError:
        writer.transport.abort()
    finally:
        await close(writer)


def _unverified() -> ssl.SSLContext:
    """Probes do not verify certificates, as the kubelet's do not."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
