"""Events about a Pod that something went wrong with, as `kubectl describe pod` shows them."""

import asyncio
import logging
import os

from sandbox.nodes import clock
from sandbox.nodes.api import EVENTS, ApiError, Client, Object

NORMAL = frozenset({"Killing"})
log = logging.getLogger(__name__)


class Recorder:
    """Writes each different (reason, message) of one Pod once, in the background."""

    def __init__(self, client: Client, pod: Object) -> None:
        self._client, self._pod = client, pod
        self._seen: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def warn(self, reason: str, message: str) -> None:
        """Records an event; a repeated one is not written again."""
        if (reason, message) in self._seen:
            return
        self._seen.add((reason, message))
        task = asyncio.get_running_loop().create_task(self._write(reason, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, reason: str, message: str) -> None:
        metadata, now = self._pod["metadata"], clock.now()
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{os.urandom(8).hex()}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "kind": "Pod",
                "apiVersion": "v1",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message,
            "type": "Normal" if reason in NORMAL else "Warning",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "kubelet", "host": self._pod["spec"].get("nodeName", "")},
        }
        try:
            await self._client.create(EVENTS, event, metadata["namespace"])
        except ApiError as error:
            log.info("event %s: %s", reason, error)
