"""What runs the controllers: one dispatcher that reads the store's events, one worker per controller.

A controller says which keys an event concerns and reconciles one key at a time from what the store holds *now*; it
never acts on the event itself. So a lost or doubled event does no harm, and a restart begins by treating every
stored object as just added.
"""

import asyncio
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.objects import Object
from sandbox.kubernetes.controllers.queue import Key, WorkQueue
from sandbox.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

log = logging.getLogger(__name__)

Again = float | None
"""Seconds after which the same key is to be reconciled again, or None."""


class Retry(Exception):
    """Raised by a controller whose work could not be done now, for a reason that it has already told."""


class Reconciler(ABC):
    """Keeps one kind of object as its spec says, wherever the objects are."""

    @abstractmethod
    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """The keys to reconcile after `change` (ADDED, MODIFIED, DELETED) of `obj` (read-only) of `kind`."""

    @abstractmethod
    def reconcile(self, key: Key) -> Again | Awaitable[Again]:
        """Bring what belongs to `key` one step nearer to its spec; says after how many seconds to look again."""


class Controller(Reconciler):
    """One that reads and writes this process's own store."""

    def __init__(self, store: "Store") -> None:
        self.store = store


class Worker:
    """One controller with its queue."""

    def __init__(self, controller: Reconciler) -> None:
        self.controller = controller
        self.queue = WorkQueue()
        self._name = type(controller).__name__

    def notice(self, change: str, kind: str, obj: Object) -> None:
        """Queue what the controller says an event concerns; an odd object must not end all controllers."""
        try:
            for key in self.controller.keys(change, kind, obj):
                self.queue.add(key)
        except Exception:
            log.exception("%s cannot make sense of %s %s", self._name, kind, obj["metadata"].get("name"))

    async def run(self) -> None:
        """Reconcile due keys for ever."""
        while True:
            await self._step(await self.queue.get())

    async def _step(self, key: Key) -> None:
        try:
            result = self.controller.reconcile(key)
            again = await result if inspect.isawaitable(result) else result
        except (ApiError, Retry) as error:
            log.debug("%s %s: %s; looking again", self._name, key, error)
            self.queue.retry(key)
        except Exception:
            log.exception("%s %s failed; trying again", self._name, key)
            self.queue.retry(key)
        else:
            self.queue.forget(key)
            if again is not None:
                self.queue.add(key, again)
        await asyncio.sleep(0)  # requests are answered between two reconciliations


async def dispatch(store: "Store", workers: Sequence[Worker]) -> None:
    """Tell every worker of everything stored, then of every change."""
    subscription = store.subscribe()
    for resource in store.registry.all():
        for entry in store.entries(resource.key):
            _notice(workers, "ADDED", resource.key, entry.object)
    async for event in subscription:
        _notice(workers, event.type, event.kind, event.object)


def _notice(workers: Sequence[Worker], change: str, kind: str, obj: Object) -> None:
    for worker in workers:
        worker.notice(change, kind, obj)
