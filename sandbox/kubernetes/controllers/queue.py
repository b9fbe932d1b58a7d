"""A work queue in the manner of client-go: a key waits in it at most once, and can be put in for later.

Controllers put the key of what changed; the one worker takes keys when they are due. Time is the event loop's clock.
"""

import asyncio

Key = tuple[str, str]
"""Namespace (empty for what has none) and name of the object to reconcile."""

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 30.0


class WorkQueue:
    """Keys with the time from which they may be worked on."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Have `key` worked on in `delay` seconds, or earlier if it already waits for an earlier time."""
        due = asyncio.get_running_loop().time() + delay
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            self._changed.set()

    def retry(self, key: Key) -> None:
        """Have `key` worked on again after a failure, each time twice as long after (at most 30 s)."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add(key, min(FIRST_RETRY_SECONDS * 2 ** min(failures, 20), LONGEST_RETRY_SECONDS))

    def forget(self, key: Key) -> None:
        """Note that `key` was worked on without failure: its next retry is a first one again."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """Wait for the key that is due first and take it out."""
        while True:
            self._changed.clear()
            key = min(self._due, key=self._due.__getitem__, default=None)
            if key is None:
                await self._changed.wait()
                continue
            remaining = self._due[key] - asyncio.get_running_loop().time()
            if remaining <= 0:
                del self._due[key]
                return key
            await self._wait_for_change(remaining)

    async def _wait_for_change(self, seconds: float) -> None:
        """Wait until something was added, `seconds` at most."""
        waiter = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({waiter}, timeout=seconds)
        finally:
            waiter.cancel()
