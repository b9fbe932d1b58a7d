"""A local copy of one collection, kept up to date by list and watch, as client-go's informers do.

A broken stream is taken up again from the last resourceVersion seen; 410 Gone, or a server that was away, means
listing anew, and what vanished in between is reported as DELETED.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sandbox.nodes.api import ApiError, Client, Event, Object, Resource, key

log = logging.getLogger(__name__)
Handler = Callable[[Event], None]
RELIST_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds, the last one repeated
SHORTEST_STREAM = 0.1  # seconds; a server that ends streams at once is not asked again in a tight loop


class Informer:
    """`items` maps (namespace, name) to the newest object; `handler` hears of every change after it is in `items`."""

    def __init__(
        self, client: Client, resource: Resource, namespace: str | None = None, handler: Handler | None = None
    ) -> None:
        self.items: dict[tuple[str, str], Object] = {}
        self.synced = asyncio.Event()  # set once the first list is in
        self._client, self._resource, self._namespace = client, resource, namespace
        self.handler = handler

    async def run(self) -> None:
        """Keeps `items` up to date until cancelled."""
        failures = 0
        while True:
            try:
                version = await self._list()
                failures = 0
                while True:
                    version = await self._follow(version)
            except ApiError as error:
                log.info("watching %s again: %s", self._resource.plural, error)
            await asyncio.sleep(RELIST_DELAYS[min(failures, len(RELIST_DELAYS) - 1)])
            failures += 1

    async def _list(self) -> str:
        listing = await self._client.list(self._resource, self._namespace)
        fresh = {key(item): item for item in listing.items}
        for gone in [item for name, item in self.items.items() if not _same(item, fresh.get(name))]:
            self._apply(Event("DELETED", gone))
        for name, item in fresh.items():
            known = self.items.get(name)
            if known is None:
                self._apply(Event("ADDED", item))
            elif known["metadata"].get("resourceVersion") != item["metadata"].get("resourceVersion"):
                self._apply(Event("MODIFIED", item))
        self.synced.set()
        return listing.resource_version

    async def _follow(self, version: str) -> str:
        """One watch stream to its end; gives the last resourceVersion seen."""
        started = asyncio.get_running_loop().time()
        async with contextlib.aclosing(self._client.watch(self._resource, self._namespace, version)) as events:
            async for event in events:
                version = event.object["metadata"].get("resourceVersion", version)
                if event.type != "BOOKMARK":
                    self._apply(event)
        if asyncio.get_running_loop().time() - started < SHORTEST_STREAM:
            await asyncio.sleep(SHORTEST_STREAM)
        return version

    def _apply(self, event: Event) -> None:
        name = key(event.object)
        if event.type == "DELETED":
            self.items.pop(name, None)
        else:
            self.items[name] = event.object
        if self.handler is not None:
            self.handler(event)


def _same(old: Object, new: Object | None) -> bool:
    """Whether both are the same object, not a namesake created after a delete."""
    return new is not None and old["metadata"].get("uid") == new["metadata"].get("uid")
