"""Responses: objects, lists and Status bodies as JSON."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.responses import Response

from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.entry import Entry
from sandbox.kubernetes.errors import ApiError, TooManyRequests
from sandbox.kubernetes.metadata import dump
from sandbox.kubernetes.resources import Resource

JSON = "application/json"


def answer(body: Any, code: int = 200, warnings: Sequence[str] = ()) -> Response:
    """JSON of `body` (bytes are sent as they are) with Warning headers."""
    response = Response(body if isinstance(body, bytes) else dump(body), code, media_type=JSON)
    for text in warnings:
        response.headers.append("warning", f"299 - {json.dumps(text)}")
    return response


def failure(error: ApiError) -> Response:
    """The Status of an error."""
    response = answer(error.status(), error.code)
    if isinstance(error, TooManyRequests) and "retryAfterSeconds" in (error.details or {}):
        response.headers["retry-after"] = str((error.details or {})["retryAfterSeconds"])
    return response


def in_version(call: Call, obj: dict[str, Any]) -> dict[str, Any]:
    """The object as the version of the path (conversion strategy None changes nothing else)."""
    if len(call.resource.versions) == 1:
        return obj
    return obj | {"apiVersion": call.resource.api_version_of(call.target.version)}


def entry_bytes(resource: Resource, version: str, entry: Entry) -> bytes:
    """A stored object's JSON in `version`."""
    if version == resource.versions[0]:
        return entry.raw
    return dump(entry.object | {"apiVersion": resource.api_version_of(version)})


def list_bytes(resource: Resource, version: str, entries: Iterable[Entry], meta: dict[str, Any]) -> bytes:
    """A list's JSON. Items of built-in kinds carry no kind and apiVersion, as in Kubernetes; custom ones do."""
    api_version = resource.api_version_of(version)
    kind = resource.list_kind or f"{resource.kind}List"
    items = [entry_bytes(resource, version, entry) for entry in entries]
    if not resource.custom:
        prefix = len(dump({"kind": resource.kind, "apiVersion": api_version}))  # a comma instead of its closing brace
        items = [b"{" + item[prefix:] for item in items]
    head = dump({"kind": kind, "apiVersion": api_version, "metadata": meta})[:-1]
    return head + b',"items":[' + b",".join(items) + b"]}"
