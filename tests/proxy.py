"""A TCP proxy before a database, with trouble on the way: late packets, broken connections, silence, refusal."""

import asyncio
import random
import threading
from typing import Any

BUFFER = 65536


class Proxy:
    """Listens on a port of its own until the end of the `with` block; all methods may be called from any thread.

    `share` of the bursts of bytes, in each direction, is late by so many seconds (least, most).
    """

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self.late: tuple[float, float] = (0.0, 0.0)
        self.share = 1.0
        self._heard = asyncio.Event()
        self._heard.set()
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.silence(on=False)
        self.refuse()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def accept(self) -> None:
        """Takes connections (again)."""
        self._refusing = False
        self._run(self._listen())

    def refuse(self) -> None:
        """The database is away: nobody listens, and all connections are broken."""
        self._refusing = True
        self._run(self._close())
        self.drop()

    def drop(self) -> None:
        """Breaks all connections there are."""
        self._run(self._abort())

    def silence(self, *, on: bool) -> None:
        """While it lasts, connections are there and nothing comes through."""
        self._loop.call_soon_threadsafe(self._heard.clear if on else self._heard.set)

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, other_writer}
        try:
            if not self._refusing:
                await asyncio.gather(self._pass(reader, other_writer), self._pass(other_reader, writer))
        finally:
            self._writers -= {writer, other_writer}
            for one in (writer, other_writer):
                one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while burst := await reader.read(BUFFER):
                await self._on_the_way()
                writer.write(burst)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()

    async def _on_the_way(self) -> None:
        if self.late[1] and random.random() < self.share:
            await asyncio.sleep(random.uniform(*self.late))
        await self._heard.wait()
