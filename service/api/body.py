"""Request bodies of the API, before they are parsed: bounded, of a type we read, YAML turned into JSON.

A spec is small; whoever sends more than `limit` bytes is stopped while sending, not after.
"""

import json
from typing import Any

import yaml
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import problem

LIMIT = 256 * 1024
"""Bytes of the largest body the API reads."""

_YAML = {"application/yaml", "application/x-yaml", "text/yaml"}


class BodyReader:
    """Reads bodies sent to /v1 up to the limit and hands them on whole."""

    def __init__(self, app: ASGIApp, limit: int = LIMIT) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD") or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = await _read(receive, headers, self._limit)
        refusal = _too_large(self._limit) if body is None else _unsupported(headers, body)
        if refusal is not None or body is None:
            await (refusal or _too_large(self._limit))(scope, receive, send)
            return
        if body and _media_type(headers) in _YAML:
            converted = _json_of_yaml(body)
            if isinstance(converted, JSONResponse):
                await converted(scope, receive, send)
                return
            body = converted
            scope["headers"] = list(scope["headers"])
            MutableHeaders(scope=scope)["content-type"] = "application/json"
        await self._app(scope, _replay(body, receive), send)


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(receive: Receive, headers: Headers, limit: int) -> bytes | None:
    """The whole body, or None when it is larger than `limit`; what a client sent before it left, when it left."""
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _too_large(limit: int) -> JSONResponse:
    return problem(
        413,
        "CONTENT_TOO_LARGE",
        f"The body is larger than {limit // 1024} KiB.",
        remedy="An installation spec is a few KiB; send only its fields.",
        headers={"Connection": "close"},
    )


def _unsupported(headers: Headers, body: bytes) -> JSONResponse | None:
    kind = _media_type(headers)
    if not body or kind == "application/json" or kind in _YAML:
        return None
    return problem(
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        "The body is neither application/json nor application/yaml.",
        remedy="Send JSON with Content-Type: application/json.",
        headers={"Accept": "application/json, application/yaml"},
    )


def _json_of_yaml(body: bytes) -> bytes | JSONResponse:
    try:
        document = yaml.load(body, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader without aliases
        return json.dumps(document, default=str).encode()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        at = f" (line {where.line + 1})" if where is not None else ""
        return problem(400, "BAD_REQUEST", f"The body is not YAML{at}.", remedy="Send one YAML mapping, or JSON.")


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few lines of them can unfold to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)
