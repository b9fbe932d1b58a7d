"""The ASGI application: authentication, faults, the record of calls, and errors as Status objects."""

import asyncio
import logging
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sandbox.kubernetes.api.answers import answer, failure
from sandbox.kubernetes.api.bodies import parse
from sandbox.kubernetes.api.context import Server
from sandbox.kubernetes.api.faults import Faults, Injected, Rule
from sandbox.kubernetes.api.routes import dispatch
from sandbox.kubernetes.errors import ApiError, InternalError, Unauthorized, UnknownPath
from sandbox.kubernetes.identity import ANONYMOUS, Identity

log = logging.getLogger(__name__)
_UNTOUCHED = ("/readyz", "/livez", "/healthz", "/version")
_CONTROL = "/_sandbox/"


class Application:
    """Answers every HTTP request of the API server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._authenticator = server.authenticator
        self._faults = Faults()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry; only HTTP is served (upgrades are refused by uvicorn's 4xx)."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = request.url.path
        if path.startswith(_CONTROL):
            await (await self._control(request))(scope, receive, send)
        else:
            await self._serve(request, scope, receive, send)

    async def _control(self, request: Request) -> Response:
        if not self._authenticator.is_admin(request.headers.get("authorization")):
            return failure(Unauthorized("Unauthorized"))
        raw = await request.body()
        try:
            what = request.url.path.removeprefix(_CONTROL)
            return answer(self._faults.control(request.method, what, parse(raw) if raw else None))
        except ApiError as error:
            return failure(error)

    async def _serve(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        if request.url.path.startswith(_UNTOUCHED):  # by faults and by the record
            _, response = await self._answer(request, None)
            return await response(scope, receive, send)
        rule = self._faults.strike(request)
        early = rule if rule and not rule.after else None
        if early and early.waits:
            await asyncio.sleep(early.seconds)
        if early and early.drops:
            return self._drop(request, "")
        identity, response = await self._answer(request, early)
        if rule and rule.after:
            return await self._spoil(rule, request, identity, response, send)
        self._faults.record(request, response.status_code, identity.name)
        await response(scope, receive, send)
        return None

    async def _spoil(self, rule: Rule, request: Request, identity: Identity, response: Response, send: Send) -> None:
        """Answers otherwise, or not at all, what has been done."""
        if rule.waits:
            await asyncio.sleep(rule.seconds)
        if rule.drops:
            return self._drop(request, identity.name)
        self._faults.record(request, response.status_code, identity.name)
        if rule.kind in ("truncated", "broken"):
            return await self._send_half(request, response, send, whole=rule.kind == "broken")
        try:
            instead = rule.instead() or response
        except Injected as error:
            instead = _injected(error)
        return await instead(request.scope, request.receive, send)

    async def _send_half(self, request: Request, response: Response, send: Send, *, whole: bool) -> None:
        """Half of the body; `whole`: announced as the whole one, and the connection closed in the middle of it."""
        if isinstance(response, StreamingResponse):
            chunks = [chunk async for chunk in response.body_iterator]
            body = b"".join(one.encode() if isinstance(one, str) else bytes(one) for one in chunks)
        else:
            body = bytes(response.body)
        half = body[: len(body) // 2]
        headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
        headers.append((b"content-length", str(len(body if whole else half)).encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": half, "more_body": whole})
        if whole:
            self._transport(request).abort()

    def _drop(self, request: Request, user: str) -> None:
        """Closes the connection without an answer."""
        self._faults.record(request, 0, user)
        self._transport(request).abort()

    def _transport(self, request: Request) -> asyncio.Transport:
        transport: asyncio.Transport = request.scope["state"]["transport"]
        return transport

    async def _answer(self, request: Request, rule: Rule | None) -> tuple[Identity, Response]:
        identity = ANONYMOUS
        try:
            identity = await self._authenticator.identify(request.headers)
            instead = rule.instead() if rule else None
            return identity, instead or await dispatch(self._server, request, identity)
        except Injected as error:
            return identity, _injected(error)
        except UnknownPath:
            return identity, PlainTextResponse("404 page not found\n", 404)
        except ApiError as error:
            return identity, failure(error)
        except ClientDisconnect:
            return identity, Response(status_code=499)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.url.path)
            return identity, failure(InternalError(f"Internal error occurred: {type(error).__name__}: {error}"))


def _injected(error: Injected) -> Response:
    body: dict[str, Any] = error.status()
    response = answer(body, error.http_status)
    if "details" in body:
        response.headers["retry-after"] = str(body["details"]["retryAfterSeconds"])
    return response
