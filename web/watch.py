"""Turns reading again and again into being told: one reader per watched thing, however many streams follow it.

Streams wait on asyncio events, so none holds a thread; the reads run in threads, since the ledger is synchronous.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Channel(Generic[T]):
    """What is known of one key; `version` counts the changes seen."""

    value: T | None = None
    version: int = 0
    failure: BaseException | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    followers: int = 0
    reader: asyncio.Task[None] | None = None

    def announce(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Watcher(Generic[T]):
    """`look(key, last)` reads the present value; `last` is what it returned before, or None.

    `interval` is the time between two reads and `heartbeat` the longest silence of `changes`, seconds.
    """

    def __init__(self, look: Callable[[str, T | None], T], *, interval: float = 0.3, heartbeat: float = 15.0) -> None:
        self._look = look
        self._interval = interval
        self._heartbeat = heartbeat
        self._channels: dict[str, _Channel[T]] = {}
        self._closed = False

    async def changes(self, key: str) -> AsyncIterator[T | None]:
        """The value now, then every new one; None when nothing changed for a heartbeat. Ends with `close`.

        Raises what `look` raised, which ends the stream; the client then connects again.
        """
        channel = self._join(key)
        seen = 0
        try:
            while not self._closed:
                if channel.version == seen and not await self._woken(channel):
                    yield None
                    continue
                if channel.failure is not None:
                    raise channel.failure
                if channel.version > seen and not self._closed:
                    seen = channel.version
                    yield channel.value
        finally:
            self._leave(key, channel)

    def close(self) -> None:
        """Ends every stream: the service is about to stop."""
        self._closed = True
        for channel in self._channels.values():
            channel.announce()

    async def _woken(self, channel: _Channel[T]) -> bool:
        try:
            await asyncio.wait_for(channel.changed.wait(), self._heartbeat)
        except TimeoutError:
            return False
        return True

    def _join(self, key: str) -> _Channel[T]:
        channel = self._channels.setdefault(key, _Channel())
        channel.followers += 1
        if channel.reader is None:
            channel.reader = asyncio.create_task(self._read(key, channel))
        return channel

    def _leave(self, key: str, channel: _Channel[T]) -> None:
        channel.followers -= 1
        if channel.followers == 0 and channel.reader is not None:
            channel.reader.cancel()
            self._forget(key, channel)

    def _forget(self, key: str, channel: _Channel[T]) -> None:
        if self._channels.get(key) is channel:
            del self._channels[key]

    async def _read(self, key: str, channel: _Channel[T]) -> None:
        try:
            while True:
                value = await asyncio.to_thread(self._look, key, channel.value)
                if channel.version == 0 or value != channel.value:
                    channel.value = value
                    channel.version += 1
                    channel.announce()
                await asyncio.sleep(self._interval)
        except Exception as error:  # noqa: BLE001 - handed to every follower, which raises it
            channel.failure = error
            self._forget(key, channel)
            channel.announce()
