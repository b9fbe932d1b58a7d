"""The KEDA operator: one loop per ScaledObject that measures, says what it found in the conditions, and scales."""

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import httpx2

from sandbox.nodes import clock
from sandbox.nodes.api import DEPLOYMENTS, ApiError, Client, Event, Object, Resource, key
from sandbox.nodes.images.keda_scaling import DEFAULT_POLLING_SECONDS, Bounds, State, decide, demand
from sandbox.nodes.images.keda_triggers import MetricsApi, TriggerError
from sandbox.nodes.informer import Informer

SCALED_OBJECTS = Resource("keda.sh/v1alpha1", "scaledobjects")
FINALIZER = "finalizer.keda.sh"
READY = ("ScaledObjectReady", "ScaledObject is defined correctly and is ready for scaling")
ACTIVE = ("ScalerActive", "Scaling is performed because triggers are active")
NOT_ACTIVE = ("ScalerNotActive", "Scaling is not performed because triggers are not active")
log = logging.getLogger(__name__)
Name = tuple[str, str]
Resolve = Callable[[str, int], tuple[str, int]]


class Operator:
    """Runs until cancelled. `resolve` turns a Service's host and port into where it answers on this machine."""

    def __init__(self, api: Client, resolve: Resolve) -> None:
        self._api, self._resolve = api, resolve
        self._objects = Informer(api, SCALED_OBJECTS)
        self._objects.handler = self._changed
        self._wake: dict[Name, asyncio.Event] = {}
        self._generations: dict[Name, object] = {}
        self._new: asyncio.Queue[Name] = asyncio.Queue()
        self._states: dict[Name, State] = {}
        self._http = httpx2.AsyncClient(timeout=3.0, trust_env=False)

    async def run(self) -> None:
        async with self._http, asyncio.TaskGroup() as group:
            group.create_task(self._objects.run())
            while True:
                group.create_task(self._follow(await self._new.get()))

    def _changed(self, event: Event) -> None:
        """Wakes the loop of an object whose spec changed, that is being deleted, or that is gone."""
        name, metadata = key(event.object), event.object["metadata"]
        seen = (metadata["uid"], metadata.get("generation"), "deletionTimestamp" in metadata)
        if event.type == "DELETED":
            self._generations.pop(name, None)
        elif self._generations.get(name) == seen:
            return
        else:
            self._generations[name] = seen
        if name in self._wake:
            self._wake[name].set()
        elif event.type != "DELETED":
            self._wake[name] = asyncio.Event()
            self._new.put_nowait(name)

    async def _follow(self, name: Name) -> None:
        """Polls one ScaledObject until it is gone."""
        wake = self._wake[name]
        while (scaled := self._objects.items.get(name)) is not None:
            wake.clear()
            try:
                await self._reconcile(name, scaled)
            except ApiError as error:
                log.warning("scaled object %s/%s: %s", *name, error)
            await _sleep(wake, float(scaled["spec"].get("pollingInterval", DEFAULT_POLLING_SECONDS)))
        del self._wake[name]
        self._states.pop(name, None)

    async def _reconcile(self, name: Name, scaled: Object) -> None:
        finalizers = scaled["metadata"].get("finalizers") or []
        if "deletionTimestamp" in scaled["metadata"]:
            others = [finalizer for finalizer in finalizers if finalizer != FINALIZER]
            await self._api.patch(SCALED_OBJECTS, name[1], {"metadata": {"finalizers": others}}, name[0])
            return
        if FINALIZER not in finalizers:
            body = {"metadata": {"finalizers": [*finalizers, FINALIZER]}}
            await self._api.patch(SCALED_OBJECTS, name[1], body, name[0])
        try:
            bounds, trigger, deployment = await self._check(name, scaled)
        except (TriggerError, ValueError) as error:
            await self._report(scaled, ("False", "ScaledObjectCheckFailed", str(error)), ("Unknown", "", ""))
            return
        await self._scale(name, scaled, bounds, trigger, deployment)

    async def _check(self, name: Name, scaled: Object) -> tuple[Bounds, MetricsApi, Object]:
        """What the spec says, if it says something sensible. Raises `TriggerError` or ValueError."""
        spec = scaled["spec"]
        reference = spec.get("scaleTargetRef") or {}
        kind = reference.get("kind", "Deployment")
        if kind != "Deployment" or not reference.get("name"):
            raise ValueError("ScaledObject doesn't have correct scaleTargetRef specification")
        triggers = spec.get("triggers") or []
        if len(triggers) != 1:
            raise TriggerError("the sandbox's KEDA needs exactly one trigger")
        deployment = await self._api.find(DEPLOYMENTS, reference["name"], name[0])
        if deployment is None:
            raise ValueError(f"Target resource doesn't exist: Deployment {reference['name']}")
        return Bounds.from_spec(spec), MetricsApi.from_trigger(triggers[0]), deployment

    async def _scale(self, name: Name, scaled: Object, bounds: Bounds, trigger: MetricsApi, deployment: Object) -> None:
        try:
            metric = await trigger.measure(self._http, self._local(trigger.url))
        except TriggerError as error:
            log.warning("scaled object %s/%s: %s", *name, error)
            broken = ("False", "TriggerError", f"Triggers defined in ScaledObject are not working correctly: {error}")
            await self._report(scaled, broken, ("False", *NOT_ACTIVE), trigger)
            return
        current = int(deployment["spec"].get("replicas", 1))
        wanted = demand(bounds, metric, trigger.target, trigger.activation)
        now = asyncio.get_running_loop().time()
        replicas, self._states[name] = decide(bounds, self._states.get(name, State()), current, wanted, now)
        if replicas != current:
            log.info(
                "scaling %s/%s from %d to %d: %s = %g", name[0], name[1], current, replicas, trigger.location, metric
            )
            await self._api.patch(
                DEPLOYMENTS, deployment["metadata"]["name"], {"spec": {"replicas": replicas}}, name[0]
            )
        active = metric > trigger.activation
        await self._report(scaled, ("True", *READY), ("True", *ACTIVE) if active else ("False", *NOT_ACTIVE), trigger)

    async def _report(
        self,
        scaled: Object,
        ready: tuple[str, str, str],
        active: tuple[str, str, str],
        trigger: MetricsApi | None = None,
    ) -> None:
        """Writes the conditions, each (status, reason, message), when they are not what they were."""
        status: Object = {"conditions": [_condition("Ready", ready), _condition("Active", active)]}
        if trigger is not None:
            status |= {"scaleTargetKind": "apps/v1.Deployment", "externalMetricNames": [trigger.metric_name]}
        known = scaled.get("status") or {}
        if any(known.get(field) != value for field, value in status.items()):
            if active[0] == "True":
                status["lastActiveTime"] = clock.now()
            await self._api.patch_status(
                SCALED_OBJECTS, scaled["metadata"]["name"], status, scaled["metadata"]["namespace"]
            )

    def _local(self, url: str) -> str:
        """The URL with the cluster's name for a Service replaced by where it answers here."""
        parts = urlsplit(url)
        host, port = self._resolve(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        return urlunsplit(parts._replace(netloc=f"{host}:{port}"))


def _condition(kind: str, said: tuple[str, str, str]) -> Object:
    status, reason, message = said
    return {"type": kind, "status": status, "reason": reason, "message": message}


async def _sleep(wake: asyncio.Event, seconds: float) -> None:
    """Until woken, at most `seconds`."""
    await asyncio.wait([waiting := asyncio.ensure_future(wake.wait())], timeout=seconds)
    waiting.cancel()
