"""What changed, in order: live subscriptions and a short history per kind for watches that come back.

A watch resumes from a resourceVersion as long as nothing newer than it was dropped from the history; else it gets 410.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Any

HISTORY = 512  # events kept per kind


class Event:
    """One change of one object. `raw` is the object's JSON after it (for DELETED: its last state)."""

    def __init__(
        self, change: str, kind: str, namespace: str, raw: bytes, previous: bytes | None, revision: int
    ) -> None:
        self.type = change  # ADDED, MODIFIED or DELETED
        self.kind = kind  # "pods", "deployments.apps"
        self.namespace = namespace  # empty when cluster-scoped
        self.raw = raw
        self.previous_raw = previous
        self.revision = revision

    @cached_property
    def object(self) -> dict[str, Any]:
        """The object after the change; shared among subscribers, so read-only."""
        loaded: dict[str, Any] = json.loads(self.raw)
        return loaded

    @cached_property
    def previous(self) -> dict[str, Any] | None:
        """The object before the change, None for ADDED; read-only."""
        return None if self.previous_raw is None else json.loads(self.previous_raw)


class Subscription:
    """An async iterator of events from now on; ends after `close()`."""

    def __init__(self, wanted: Callable[[Event], bool], drop: Callable[["Subscription"], None]) -> None:
        self._wanted = wanted
        self._drop = drop
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def offer(self, event: Event) -> None:
        """Queues the event when it is wanted."""
        if self._wanted(event):
            self._queue.put_nowait(event)

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        event = await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def pending(self) -> list[Event]:
        """Takes what is queued already, without waiting."""
        taken = []
        while not self._queue.empty():
            event = self._queue.get_nowait()
            if event is None:
                self._queue.put_nowait(None)
                break
            taken.append(event)
        return taken

    def close(self) -> None:
        """Stops delivery and ends the iteration."""
        self._drop(self)
        self._queue.put_nowait(None)


class Journal:
    """Publishes events to subscribers and remembers the latest of each kind."""

    def __init__(self, revision: int) -> None:
        """`revision` is where this process's memory begins; older watches must list again."""
        self._start = revision
        self._history: dict[str, deque[Event]] = {}
        self._dropped: dict[str, int] = {}
        self._subscriptions: list[Subscription] = []

    def publish(self, event: Event) -> None:
        """Delivers to all subscribers and keeps the event for late comers."""
        history = self._history.setdefault(event.kind, deque())
        if len(history) == HISTORY:
            self._dropped[event.kind] = history.popleft().revision
        history.append(event)
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)

    def subscribe(self, wanted: Callable[[Event], bool]) -> Subscription:
        """Events from now on for which `wanted` holds."""
        subscription = Subscription(wanted, self._unsubscribe)
        self._subscriptions.append(subscription)
        return subscription

    def _unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def begin(self, kind: str, revision: int) -> None:
        """A kind is served from now on: nothing is remembered of the time before."""
        self._dropped.setdefault(kind, revision)

    def oldest(self, kind: str) -> int:
        """The oldest resourceVersion of `kind` from which nothing is missing."""
        return self._dropped.get(kind, self._start)

    def since(self, kind: str, revision: int) -> list[Event]:
        """The remembered events of `kind` newer than `revision`."""
        return [event for event in self._history.get(kind, ()) if event.revision > revision]
