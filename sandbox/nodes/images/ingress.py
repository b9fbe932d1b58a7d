"""The ingress-nginx controller: a reverse proxy that follows the cluster's Ingress objects.

Each connection carries one request: both sides are asked to close after it, so bodies, chunked or not, and WebSocket
frames are passed on as bytes. Answers of its own: 404 without a rule, 503 without a ready Pod, 502 and 504 as nginx.
Port 443 is not listened on: TLS ends at certificates that the sandbox's installs do not have.
"""

import asyncio
import functools
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.nodes import clock, http
from sandbox.nodes.api import INGRESS_CLASSES, INGRESSES, SERVICES, ApiError, Client, Event, Object
from sandbox.nodes.forward import connect, pump
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, StartError, Task, repository
from sandbox.nodes.informer import Informer
from sandbox.nodes.ingress_rules import Rules, Target, is_ours

log = logging.getLogger(__name__)
HTTP_PORT = 80
HEALTH_PORT = 10254
REASONS = {404: "Not Found", 502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
NOT_PASSED = frozenset({"connection", "keep-alive", "proxy-connection", "x-request-id", "x-real-ip", "x-scheme"})


@dataclass(frozen=True)
class IngressNginx:
    """registry.k8s.io/ingress-nginx/controller."""

    def matches(self, image: str) -> bool:
        """The controller's repository in any registry."""
        return repository(image).endswith("ingress-nginx/controller")

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Listens on the local ports for 80 and 10254. `StartError` when the container has no port 80."""
        if HTTP_PORT not in spec.ports:
            raise StartError("the controller's container declares no containerPort 80")
        return Task.start(Controller(spec, context).run, spec)


class Controller:
    """One controller Pod."""

    def __init__(self, spec: ContainerSpec, context: ImageContext) -> None:
        self._spec, self._context = spec, context
        words = [*(spec.command or []), *spec.args]
        options = dict(word.lstrip("-").split("=", 1) for word in words if word.startswith("--") and "=" in word)
        self._annotation = options.get("ingress-class", "nginx")
        self._controller = options.get("controller-class", "k8s.io/ingress-nginx")
        self._ingresses = Informer(context.api, INGRESSES, handler=self._on_change)
        self._classes = Informer(context.api, INGRESS_CLASSES, handler=self._on_change)
        self._rules = Rules([])
        published = options.get("publish-service", "ingress-nginx-controller").rpartition("/")
        namespace = spec.namespace if published[0] in {"", "$(POD_NAMESPACE)"} else published[0]
        self._status = _StatusWriter(context.api, namespace, published[2], self._ours)

    async def run(self) -> None:
        """Serves until cancelled."""
        proxy = await asyncio.start_server(
            functools.partial(http.serve_connection, self._handle),
            "127.0.0.1",
            self._spec.ports[HTTP_PORT],
            limit=http.HEAD_LIMIT,
        )
        async with asyncio.TaskGroup() as group, proxy:
            group.create_task(self._classes.run())
            group.create_task(self._ingresses.run())
            group.create_task(self._status.run())
            if HEALTH_PORT in self._spec.ports:
                group.create_task(_serve_health(self._spec.ports[HEALTH_PORT]))
            await asyncio.Event().wait()

    def _ours(self) -> list[Object]:
        classes = {
            item["metadata"]["name"]
            for item in self._classes.items.values()
            if item["spec"].get("controller") == self._controller
        }
        return [item for item in self._ingresses.items.values() if is_ours(item, classes, self._annotation)]

    def _on_change(self, _: Event) -> None:
        self._rules = Rules(self._ours())
        for path in self._rules.broken:
            self._write(f"{clock.now()} error: not a regular expression: {path}")
        self._status.wake()

    async def _handle(self, head: http.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._rules.find(head.get("host"), head.target)
        status = _refuse(writer, 404) if target is None else await self._pass_on(head, target, (reader, writer))
        self._write(f'127.0.0.1 - - [{clock.now()}] "{head.method} {head.target} {head.version}" {status}')

    def _write(self, line: str) -> None:
        with self._spec.log.open("a") as log_file:
            log_file.write(line + "\n")

    async def _pass_on(self, head: http.Head, target: Target, client: "_Stream") -> int:
        """Passes the request on and the answer back; gives the status that the client saw."""
        backend = target.backend
        endpoints = self._context.endpoints(backend.namespace, backend.service, backend.port)
        if not endpoints:
            return _refuse(client[1], 503)
        if (upstream := await connect(endpoints)) is None:
            return _refuse(client[1], 502)
        upstream[1].write(_request(head, target.path))
        upward = asyncio.create_task(pump(client[0], upstream[1], None))
        try:
            first = await asyncio.wait_for(upstream[0].readline(), target.read_timeout)
            status = first.split(b" ")[1:2]
            if not status:
                return _refuse(client[1], 502)
            client[1].write(first)
            await pump(upstream[0], client[1], target.read_timeout)
            return int(status[0])
        except TimeoutError:
            return _refuse(client[1], 504)
        except OSError:
            return _refuse(client[1], 502)
        finally:
            upward.cancel()
            await asyncio.wait([upward])
            await http.close(upstream[1])


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _StatusWriter:
    """Publishes the controller Service's load balancer in status.loadBalancer of the Ingresses."""

    def __init__(self, api: Client, namespace: str, service: str, ingresses: Callable[[], list[Object]]) -> None:
        self._api, self._key, self._ingresses = api, (namespace, service), ingresses
        self._services = Informer(api, SERVICES, namespace, handler=self.wake)
        self._changed = asyncio.Event()

    def wake(self, _: Event | None = None) -> None:
        """An Ingress or a Service has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Writes until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._services.run())
            while True:
                await self._changed.wait()
                self._changed.clear()
                for ingress in self._ingresses():
                    await self._write(ingress)

    async def _write(self, ingress: Object) -> None:
        service = self._services.items.get(self._key) or {}
        wanted = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress", []) == wanted:
            return
        metadata = ingress["metadata"]
        status = {"loadBalancer": {"ingress": wanted}}
        try:
            await self._api.patch_status(INGRESSES, metadata["name"], status, metadata["namespace"])
        except ApiError as error:
            log.info("status of ingress %s: %s", metadata["name"], error)


def _request(head: http.Head, path: str) -> bytes:
    """The request's head as it is sent to a backend (ingress-nginx's proxy_set_header lines)."""
    upgrade = head.get("upgrade")
    headers = [item for item in head.headers if _is_passed(item[0])]
    host = head.get("host")
    headers += [
        ("Connection", "upgrade" if upgrade else "close"),
        ("X-Request-ID", head.get("x-request-id") or uuid.uuid4().hex),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Port", host.rpartition(":")[2] if ":" in host else "80"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Scheme", "http"),
        ("X-Scheme", "http"),
    ]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{head.method} {path} {head.version}\r\n{lines}\r\n".encode("latin-1")


def _is_passed(header: str) -> bool:
    name = header.lower()
    return name not in NOT_PASSED and not name.startswith("x-forwarded-")


def _refuse(writer: asyncio.StreamWriter, status: int) -> int:
    """Answers with nginx's own page for that status."""
    title = f"{status} {REASONS[status]}"
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>\r\n"
    writer.write(http.response(status, page.encode(), "text/html"))
    return status


async def _serve_health(port: int) -> None:
    async def answer(head: http.Head, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http.response(200 if head.target.startswith("/healthz") else 404, b"ok"))

    server = await asyncio.start_server(functools.partial(http.serve_connection, answer), "127.0.0.1", port)
    async with server:
        await asyncio.Event().wait()


IMAGE = IngressNginx()
