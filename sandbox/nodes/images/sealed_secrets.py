"""The image of the sealed-secrets controller: turns SealedSecrets into Secrets and hands out its certificate.

Listens on 8080: /healthz, /readyz, /v1/cert.pem. A failed unsealing is tried five more times, then left until the
SealedSecret changes, as the real controller (v0.40) does.
"""

import asyncio
import logging
from functools import partial

from sandbox.nodes import clock
from sandbox.nodes.api import SECRETS, ApiError, Client, Event, Object, Resource, key
from sandbox.nodes.http import response
from sandbox.nodes.images import sealed_secrets_real
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, Task, repository
from sandbox.nodes.images.sealed_secrets_keys import KeyRing, SealError
from sandbox.nodes.images.sealed_secrets_unseal import replacement, unseal
from sandbox.nodes.images.web import listening, ok
from sandbox.nodes.informer import Informer

SEALED_SECRETS = Resource("bitnami.com/v1alpha1", "sealedsecrets")
PORT = 8080
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8)
log = logging.getLogger(__name__)
Name = tuple[str, str]


class SealedSecrets:
    """A task inside the agent."""

    def matches(self, image: str) -> bool:
        """`bitnami/sealed-secrets-controller`, by whatever registry and organisation."""
        return repository(image).rpartition("/")[2] == "sealed-secrets-controller"

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts the controller for the whole cluster, the real one if it is there. Keys are in the pod's namespace."""
        if program := context.real.get(sealed_secrets_real.PROGRAM):
            return await sealed_secrets_real.start(program, spec)
        return Task.start(lambda: serve(context.api, spec.namespace, spec.ports.get(PORT)), spec)


async def serve(api: Client, namespace: str, port: int | None) -> None:
    """Runs until cancelled."""
    keys = await KeyRing.load(api, namespace)

    async def certificate() -> bytes:
        return response(200, keys.certificate, "application/x-pem-file")

    answers = {"/healthz": ok, "/readyz": ok, "/v1/cert.pem": certificate}
    if port is None:
        await Controller(api, keys).run()
        return
    async with listening(port, answers):
        await Controller(api, keys).run()


class Controller:
    """Watches SealedSecrets, and Secrets that vanish."""

    def __init__(self, api: Client, keys: KeyRing) -> None:
        self._api, self._keys = api, keys
        self._queue: asyncio.Queue[Name] = asyncio.Queue()
        self._specs: dict[Name, Object] = {}  # what was last worked on, so that our own status does not wake us
        self._sealed, self._secrets = Informer(api, SEALED_SECRETS), Informer(api, SECRETS)
        self._sealed.handler, self._secrets.handler = self._changed, self._secret_changed

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sealed.run())
            group.create_task(self._secrets.run())
            while True:
                name = await self._queue.get()
                group.create_task(self._work(name))

    def _changed(self, event: Event) -> None:
        name = key(event.object)
        if event.type == "DELETED":
            self._specs.pop(name, None)  # the Secret goes with its owner, by garbage collection
        elif self._specs.get(name) != _wanted(event.object):
            self._specs[name] = _wanted(event.object)
            self._queue.put_nowait(name)

    def _secret_changed(self, event: Event) -> None:
        if event.type == "DELETED" and key(event.object) in self._sealed.items:
            self._queue.put_nowait(key(event.object))

    async def _work(self, name: Name) -> None:
        """One SealedSecret to its end: unsealed, or given up after the retries; the newest version each time."""
        for delay in (*RETRY_SECONDS, None):
            sealed = self._sealed.items.get(name)
            if sealed is None:
                return
            problem = await self._attempt(sealed)
            if not problem or delay is None:
                return
            log.warning("sealed secret %s/%s: %s", *name, problem)
            await asyncio.sleep(delay)

    async def _attempt(self, sealed: Object) -> str:
        """One unsealing and its status; the problem in words, empty when there was none."""
        try:
            await self._apply(sealed)
            problem = ""
        except (SealError, ApiError) as error:
            problem = str(error)
        try:
            await self._set_status(sealed, problem)
        except ApiError as error:
            log.warning("status of sealed secret %s/%s: %s", *key(sealed), error)
        return problem

    async def _apply(self, sealed: Object) -> None:
        namespace, name = key(sealed)
        wanted = await asyncio.to_thread(partial(unseal, sealed, self._keys))
        existing = await self._api.find(SECRETS, name, namespace)
        if existing is None:
            await self._api.create(SECRETS, wanted, namespace)
            return
        changed = replacement(existing, wanted, sealed)
        if changed != existing:
            await self._api.update(SECRETS, changed)

    async def _set_status(self, sealed: Object, problem: str) -> None:
        """Condition Synced and observedGeneration, written only when they say something new."""
        namespace, name = key(sealed)
        status = sealed.get("status") or {}
        generation = sealed["metadata"].get("generation")
        conditions: list[Object] = status.get("conditions") or []
        known: Object = next((item for item in conditions if item["type"] == "Synced"), {})
        condition = _synced(known, problem)
        if condition == known and status.get("observedGeneration") == generation:
            return
        others = [item for item in conditions if item["type"] != "Synced"]
        fresh = {"observedGeneration": generation, "conditions": [*others, condition]}
        await self._api.patch_status(SEALED_SECRETS, name, fresh, namespace)


def _synced(known: Object, problem: str) -> Object:
    """The condition Synced; unchanged, times included, when it says what the `known` one says."""
    status = "False" if problem else "True"
    if known.get("status") == status and known.get("message", "") == problem:
        return known
    now = clock.now()
    since = known["lastTransitionTime"] if known.get("status") == status else now
    times = {"lastUpdateTime": now, "lastTransitionTime": since}
    return {"type": "Synced", "status": status, **times, **({"message": problem} if problem else {})}


def _wanted(sealed: Object) -> Object:
    """What decides the outcome; the uid, since the same name may be a new object."""
    return {"uid": sealed["metadata"]["uid"], "spec": sealed["spec"]}


IMAGE = SealedSecrets()
