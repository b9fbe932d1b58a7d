"""A TLS front before a PostgreSQL server that was built without OpenSSL, as RDS offers TLS on its one port.

Speaks only the start of the protocol (SSLRequest is answered 'S', GSSENCRequest 'N'), then passes bytes both ways.
Clients that do not ask for TLS are passed through in the clear. PostgreSQL documentation, "SSL Session Encryption" in
the chapter Frontend/Backend Protocol.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSSENC_REQUEST = struct.pack("!ii", 8, 80877104)


class _Pipe(asyncio.Protocol):
    """One direction's receiving end: what arrives is written to `peer`, which slows us down when it cannot keep up."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Pipe | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()


class _Client(_Pipe):
    """The client's end: negotiates, then connects to the server and becomes a plain pipe."""

    def __init__(self, front: "TlsFront", port: int) -> None:
        super().__init__()
        self._front = front
        self._port = port
        self._start = b""

    def data_received(self, data: bytes) -> None:
        if self.peer is not None or self.transport is None:
            super().data_received(data)
            return
        self._start += data
        if self._start == SSL_REQUEST:
            self._answer(self.transport, b"S")
            self._front.run(self._start_tls(self.transport))
        elif self._start == GSSENC_REQUEST:
            self._answer(self.transport, b"N")
        elif len(self._start) >= 8:
            self._front.run(self._connect(self.transport))

    def _answer(self, transport: asyncio.Transport, byte: bytes) -> None:
        self._start = b""
        transport.write(byte)

    async def _start_tls(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            self.transport = await loop.start_tls(transport, self, self._front.tls, server_side=True)
        except (OSError, ssl.SSLError):
            transport.abort()

    async def _connect(self, transport: asyncio.Transport) -> None:
        transport.pause_reading()
        try:
            to_server, server = await asyncio.get_running_loop().create_connection(_Pipe, "127.0.0.1", self._port)
        except OSError:
            transport.abort()
            return
        server.peer, self.peer = self, server
        if transport.is_closing():
            to_server.close()
            return
        to_server.write(self._start)
        transport.resume_reading()


class TlsFront:
    """All TLS fronts of one process, served by one thread; `certificate` and `key` are PEM files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self._loop = asyncio.new_event_loop()
        self._servers: dict[int, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres-tls", daemon=True)
        self._thread.start()

    def listen(self, port: int, server_port: int) -> None:
        """Accept on 127.0.0.1:`port` for the PostgreSQL server at `server_port`; raises OSError if `port` is taken."""

        async def open_server() -> asyncio.Server:
            return await self._loop.create_server(lambda: _Client(self, server_port), "127.0.0.1", port)

        self._servers[port] = asyncio.run_coroutine_threadsafe(open_server(), self._loop).result(10)

    def unlisten(self, port: int) -> None:
        """Stop accepting on `port`; open connections end with their server."""
        server = self._servers.pop(port, None)
        if server is not None:
            self._loop.call_soon_threadsafe(server.close)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` on our loop and keep it referenced until it ends (call from the loop's thread)."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop accepting, end the thread."""
        for port in list(self._servers):
            self.unlisten(port)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
