"""Who may use /v1: whoever sends the API key; without a key, programs on this machine that are not a foreign web page.

Checked before routing and before any body is read, so that nothing is learned or spent without the key.
"""

import hmac
from urllib.parse import urlsplit

from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import problem

bearer = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="The value of PODIUM_API_KEY, as `Authorization: Bearer <key>`."
)
"""For the OpenAPI document; the check itself is `ApiKeyGuard`."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class ApiKeyGuard:
    """Answers 401 to requests below /v1 that do not carry the key."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/") or self._allowed(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        answer = problem(
            401,
            "UNAUTHENTICATED",
            "The API key is missing or wrong.",
            remedy="Send it as Authorization: Bearer <key>; the key is the service's PODIUM_API_KEY.",
            headers={"WWW-Authenticate": 'Bearer realm="podium"'},
        )
        await answer(scope, receive, send)

    def _allowed(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._key)


class LocalGuard:
    """Without a key: refuses what a foreign web page makes a browser on this machine send.

    A foreign `Host` is DNS rebinding, a foreign `Origin` a cross-site form or script.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._local(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        answer = problem(
            403,
            "FORBIDDEN",
            "Without an API key the service answers programs on this machine only.",
            remedy="Set PODIUM_API_KEY, or call it at http://127.0.0.1.",
        )
        await answer(scope, receive, send)

    @staticmethod
    def _local(headers: Headers) -> bool:
        origin = headers.get("origin")
        hosts = [urlsplit(f"//{headers.get('host', '')}").hostname]
        if origin is not None:
            hosts.append(urlsplit(origin).hostname)
        return all(host in _LOOPBACK for host in hosts)
