"""The image `dbosdev/console`: `/health`, and one page that says which Conductor it reaches and what that knows.

Its DBOS_CONDUCTOR_URL is a bare `host:port`, unlike the application's variable of the same name. Today's image listens
on 8080, older ones on 80; here it is whichever of the two the pod declares.
"""

import asyncio
import html
from collections.abc import Mapping
from typing import Any

import httpx2

from sandbox.nodes.http import response
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, StartError, Task, repository
from sandbox.nodes.images.web import listening, ok

PORTS = (8080, 80)
PAGE = """<!doctype html><html lang="en"><title>DBOS Console (sandbox)</title>
<body style="font-family: sans-serif; max-width: 40rem; margin: 3rem auto">
<h1>DBOS Console</h1><p>Conductor: <code>{address}</code>, {state}</p><ul>{applications}</ul></body></html>
"""


class Console:
    """A task inside the agent."""

    def matches(self, image: str) -> bool:
        """`dbosdev/console`, also through a registry that mirrors it."""
        return repository(image).split("/")[-2:] == ["dbosdev", "console"]

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts serving; `StartError` when the pod declares neither of the image's ports."""
        port = next((spec.ports[port] for port in PORTS if port in spec.ports), None)
        if port is None:
            raise StartError(f"the Console listens on 8080 (older images on 80), not on any of {sorted(spec.ports)}")
        return Task.start(lambda: serve(port, spec.env), spec)


async def serve(port: int, env: Mapping[str, str]) -> None:
    """Runs until cancelled."""
    address = env.get("DBOS_CONDUCTOR_URL", "")
    async with (
        httpx2.AsyncClient(timeout=5.0, trust_env=False) as http,
        listening(port, {"/health": ok, "/": lambda: _page(http, address)}),
    ):
        await asyncio.Event().wait()


async def _page(http: httpx2.AsyncClient, address: str) -> bytes:
    state, applications = await _look(http, address)
    items = "".join(
        f"<li>{html.escape(app['name'])}: {html.escape(app['status'].lower())}</li>" for app in applications
    )
    page = PAGE.format(address=html.escape(address), state=html.escape(state), applications=items)
    return response(200, page.encode(), "text/html; charset=utf-8")


async def _look(http: httpx2.AsyncClient, address: str) -> tuple[str, list[dict[str, Any]]]:
    """(what to say of Conductor, its applications)."""
    if "/" in address or ":" not in address:
        return "not usable: DBOS_CONDUCTOR_URL must be a bare host:port", []
    try:
        if (await http.get(f"http://{address}/healthz")).status_code != 200:
            return "not healthy", []
        listed = await http.get(f"http://{address}/v2/orgs/local/apps")
    except httpx2.TransportError:
        return "not reachable", []
    return "connected", listed.json() if listed.status_code == 200 else []


IMAGE = Console()
