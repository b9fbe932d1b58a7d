"""Gives Services of type LoadBalancer a classic load balancer in AWS, and takes it away with the Service.

On real AWS traffic enters at the load balancer's DNS name. Here it enters at localhost, at the ports where the nodes'
kube-proxy answers for the Service; it tells them in an annotation, and the Service's status repeats them.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    Objects,
    annotations_of,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Reconciler, Retry
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.controllers.elb import Wanted
    from sandbox.kubernetes.settings import Settings

Answer = TypeVar("Answer")

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
PROXY_PORTS = "sandbox.podium/ports"
ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer-"
DEFAULT_IDLE_TIMEOUT = 60
# Published time until a new load balancer's name resolves and answers.
PROVISIONING_SECONDS = 144.0
DELETION_CHECK_SECONDS = 0.5


class Cloud(Protocol):
    """What is asked of AWS; `elb.Elb` does it."""

    def ensure(self, wanted: "Wanted") -> datetime:
        """Have the load balancer; returns when it was made."""

    def delete(self, name: str) -> bool:
        """Remove it; False while something of it remains."""


class LoadBalancers(Reconciler):
    """The service controller of the cloud controller manager, before the stand-in's store or a real API server."""

    def __init__(
        self, store: Objects, settings: "Settings", connect: "Callable[[Settings], Cloud] | None" = None
    ) -> None:
        self.store = store
        self._settings = settings
        self._connect = connect or _connect
        self._cloud: Cloud | None = None
        self._recorder = Recorder(store, "service-controller")
        self._made: dict[str, tuple[Wanted, datetime]] = {}

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Services that have or want a load balancer."""
        if kind == "services" and change != "DELETED" and (_wants(obj) or _holds(obj)):
            yield namespace_of(obj), name_of(obj)

    async def reconcile(self, key: Key) -> Again:
        """Make, watch or remove one Service's load balancer."""
        try:
            service = self.store.get("services", *key)
        except NotFound:
            return None
        if _wants(service) and not is_terminating(service):
            return await self._ensure(service)
        return await self._remove(service) if _holds(service) else None

    async def _ensure(self, service: Object) -> Again:
        if not _holds(service):
            service["metadata"].setdefault("finalizers", []).append(FINALIZER)
            service = self.store.update("services", service)
        created = await self._in_cloud(service)
        age = (datetime.now(UTC) - created).total_seconds()
        remaining = PROVISIONING_SECONDS / self._settings.speed - age
        if remaining > 0:
            return remaining
        self._publish((namespace_of(service), name_of(service)))
        return None

    async def _in_cloud(self, service: Object) -> datetime:
        """When the load balancer was made; asks AWS only when the Service asks for something new."""
        wanted = _wanted(service, self._settings.cluster)
        made = self._made.get(uid_of(service))
        if made and made[0] == wanted:
            return made[1]
        self._recorder.normal(service, "EnsuringLoadBalancer", "Ensuring load balancer")
        created = await self._ask(service, "ensure", lambda cloud: cloud.ensure(wanted))
        self._made[uid_of(service)] = (wanted, created)
        return created

    async def _ask(self, service: Object, verb: str, call: Callable[[Cloud], Answer]) -> Answer:
        """Ask AWS in a thread; a failure becomes the Service's event and is tried again."""
        try:
            return await asyncio.to_thread(lambda: call(self._connected()))
        except Exception as error:
            message = f"Error syncing load balancer: failed to {verb} load balancer: {error}"
            self._recorder.warning(service, "SyncLoadBalancerFailed", message)
            raise Retry(message) from error

    def _connected(self) -> Cloud:
        if self._cloud is None:
            self._cloud = self._connect(self._settings)
        return self._cloud

    def _publish(self, key: Key) -> None:
        """Write where the load balancer answers, once kube-proxy has said so for every port."""
        try:
            service = self.store.get("services", *key)
        except NotFound:
            return
        ingress = _ingress(service)
        status = service.get("status") or {}
        if ingress is None or status.get("loadBalancer") == {"ingress": [ingress]}:
            return
        updated = service | {"status": status | {"loadBalancer": {"ingress": [ingress]}}}
        self.store.update("services", updated, subresource="status")
        self._recorder.normal(service, "EnsuredLoadBalancer", "Ensured load balancer")

    async def _remove(self, service: Object) -> Again:
        self._recorder.normal(service, "DeletingLoadBalancer", "Deleting load balancer")
        name = load_balancer_name(service)
        gone = await self._ask(service, "delete", lambda cloud: cloud.delete(name))
        if not gone:
            return DELETION_CHECK_SECONDS
        self._made.pop(uid_of(service), None)
        self._recorder.normal(service, "DeletedLoadBalancer", "Deleted load balancer")
        self._release(service)
        return None

    def _release(self, service: Object) -> None:
        service = self.store.get("services", namespace_of(service), name_of(service))
        if not is_terminating(service):
            status = (service.get("status") or {}) | {"loadBalancer": {}}
            service = self.store.update("services", service | {"status": status}, subresource="status")
        finalizers = service["metadata"].get("finalizers") or []
        service["metadata"]["finalizers"] = [each for each in finalizers if each != FINALIZER]
        self.store.update("services", service)


def load_balancer_name(service: Object) -> str:
    """The name that Kubernetes gives a Service's load balancer: `a` and the uid, 32 characters."""
    return ("a" + uid_of(service).replace("-", ""))[:32]


def _connect(settings: "Settings") -> Cloud:
    """boto3 takes a third of a second to import and is needed only when a Service asks for a load balancer."""
    from sandbox.kubernetes.controllers.elb import Elb  # noqa: PLC0415 -- see above

    return Elb(settings)


def _wants(service: Object) -> bool:
    return service["spec"].get("type") == "LoadBalancer" and not service["spec"].get("loadBalancerClass")


def _holds(service: Object) -> bool:
    return FINALIZER in (service["metadata"].get("finalizers") or [])


def _wanted(service: Object, cluster: str) -> "Wanted":
    from sandbox.kubernetes.controllers.elb import Wanted  # noqa: PLC0415 -- with boto3, see _connect

    annotations = annotations_of(service)
    where = f"{namespace_of(service)}/{name_of(service)}"
    return Wanted(
        name=load_balancer_name(service),
        service=where,
        ports={int(port["port"]): int(port.get("nodePort") or 0) for port in service["spec"]["ports"]},
        internal=annotations.get(f"{ANNOTATION}internal", "false") not in ("false", ""),
        idle_timeout=int(annotations.get(f"{ANNOTATION}connection-idle-timeout", DEFAULT_IDLE_TIMEOUT)),
        tags={f"kubernetes.io/cluster/{cluster}": "owned", "kubernetes.io/service-name": where}
        | _additional_tags(annotations),
    )


def _additional_tags(annotations: dict[str, str]) -> dict[str, str]:
    text = annotations.get(f"{ANNOTATION}additional-resource-tags", "")
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _ingress(service: Object) -> Object | None:
    """The entry of status.loadBalancer.ingress, None until kube-proxy answers on every port."""
    known: dict[str, int] = json.loads(annotations_of(service).get(PROXY_PORTS, "{}"))
    ports = [(known.get(str(port["port"])), port.get("protocol", "TCP")) for port in service["spec"]["ports"]]
    if any(port is None for port, _ in ports):
        return None
    return {"hostname": "localhost", "ports": [{"port": port, "protocol": protocol} for port, protocol in ports]}
