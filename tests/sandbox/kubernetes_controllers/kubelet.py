"""A kubelet for tests: it watches the store and makes pods be what their image's name says.

`ready` (the default), `unready`, `succeeds`, `fails`, `restarts` (running, three restarts).
"""

import asyncio
from typing import Any

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.metadata import now
from sandbox.kubernetes.store import Store

Object = dict[str, Any]


class Kubelet:
    """Answers for every node of the cluster; `paused` pods stay as they are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._task = asyncio.create_task(self._run())
        self._addresses = 0

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        subscription = self._store.subscribe("pods")
        for pod in self._store.list("pods"):
            self._handle(pod)
        async for event in subscription:
            if event.type != "DELETED":
                self._handle(event.object)

    def _handle(self, seen: Object) -> None:
        try:
            pod = self._store.get("pods", seen["metadata"]["namespace"], seen["metadata"]["name"])
            if pod["metadata"].get("deletionTimestamp"):
                self._store.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], grace_seconds=0)
            elif pod["spec"].get("nodeName") and not (pod.get("status") or {}).get("containerStatuses"):
                self._start(pod)
        except ApiError:
            return  # gone meanwhile

    def _start(self, pod: Object) -> None:
        behaviour = pod["spec"]["containers"][0]["image"]
        self._addresses += 1
        phase = {"succeeds": "Succeeded", "fails": "Failed"}.get(behaviour, "Running")
        ready = behaviour not in ("unready", "succeeds", "fails", "restarts")
        container: Object = {"name": "main", "ready": ready, "image": behaviour, "imageID": behaviour}
        container["restartCount"] = 3 if behaviour == "restarts" else 0
        container["state"] = (
            {"terminated": {"exitCode": int(phase == "Failed"), "finishedAt": now()}}
            if phase != "Running"
            else {"running": {"startedAt": now()}}
        )
        conditions = [each for each in pod["status"].get("conditions", []) if each["type"] != "Ready"]
        conditions.append({"type": "Ready", "status": str(ready), "lastTransitionTime": now()})
        pod["status"] |= {
            "phase": phase,
            "podIP": f"10.0.0.{self._addresses}",
            "conditions": conditions,
            "containerStatuses": [container],
        }
        self._store.update("pods", pod, subresource="status")
