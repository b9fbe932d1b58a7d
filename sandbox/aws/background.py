"""Work that takes long, done in worker threads without the lock, looked at later, tried again when it fails."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)
PATIENCE = 1.0  # seconds between attempts after a failure
INTERVAL = 0.2  # seconds between looks at what is not done yet
Key = tuple[Any, ...]


@dataclass
class _Work:
    work: Callable[[], Any]
    future: Future[Any]
    started: float = field(default_factory=time.monotonic)


class Background:
    """Work by key; a key's work starts when its earlier work has ended. Work that returns False is not done yet."""

    def __init__(self, workers: ThreadPoolExecutor) -> None:
        self._workers = workers
        self._works: dict[Key, _Work] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._works

    def begin(self, key: Key, work: Callable[[], Any]) -> None:
        before = self._works.get(key)

        def in_order() -> Any:
            if before is not None:
                before.future.exception()
            return work()

        self._works[key] = _Work(work, self._workers.submit(in_order))

    def done(self, key: Key) -> bool:
        """Whether the work has succeeded (also: there is none). What failed is logged and begun again."""
        if key not in self._works:
            return True
        found = self._works[key]
        if not found.future.done():
            return False
        problem = found.future.exception()
        if problem is None and found.future.result() is not False:
            return True
        if time.monotonic() > found.started + (PATIENCE if problem else INTERVAL):
            if problem is not None:
                log.warning("%s: trying again", key, exc_info=problem)
            self._works[key] = _Work(found.work, self._workers.submit(found.work))
        return False

    def forget(self, wanted: Callable[[Key], bool]) -> None:
        """Drop the results of the keys that `wanted` says True to."""
        for key in [key for key in self._works if wanted(key)]:
            del self._works[key]

    def join(self) -> None:
        """Wait until nothing is going on."""
        for found in self._works.values():
            found.future.exception()
