"""The watch verb: a stream of JSON events, one a line, from a resourceVersion on.

Source: k8s.io/apiserver/pkg/storage/cacher (initial events, bookmarks, 410 for versions that are no longer remembered).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from sandbox.kubernetes.api import tables
from sandbox.kubernetes.api.answers import entry_bytes
from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.api.pages import check_list_options, matcher
from sandbox.kubernetes.entry import Entry
from sandbox.kubernetes.errors import Gone, Invalid, forbidden
from sandbox.kubernetes.journal import Event, Subscription
from sandbox.kubernetes.metadata import dump
from sandbox.kubernetes.selectors import Matcher

_BOOKMARK_SECONDS = 60.0
_LAST_BOOKMARK = 2.0  # seconds before the end
_DEFAULT_TIMEOUT = 1800  # seconds; the real server picks 30 to 60 minutes
_INITIAL_END = {"k8s.io/initial-events-end": "true"}


async def watch(call: Call) -> Response:
    """Starts the stream; a version that is no longer remembered is an ERROR event in it."""
    check_list_options(call)
    _check(call)
    session = Watch(call, matcher(call))
    try:
        past = session.replay(_revision(call))
    except Gone as error:
        session.close()
        return Response(dump({"type": "ERROR", "object": error.status()}) + b"\n", media_type="application/json")
    return StreamingResponse(session.stream(past), media_type="application/json")


def _check(call: Call) -> None:
    initial, match = call.flag("sendInitialEvents"), call.query.get("resourceVersionMatch", "")
    if initial and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise Invalid("ListOptions.meta.k8s.io", "", [forbidden("resourceVersionMatch", text)])
    if match and not initial:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        raise Invalid("ListOptions.meta.k8s.io", "", [forbidden("resourceVersionMatch", text)])


def _revision(call: Call) -> int | None:
    """Where to begin: None means with all present objects. One of the future is waited for; raises Gone."""
    revision = int(call.query.get("resourceVersion") or 0)
    oldest = call.store.journal.oldest(call.resource.key)
    if revision and revision < oldest and not call.flag("sendInitialEvents"):
        raise Gone(f"too old resource version: {revision} ({oldest})")
    return revision or None


class Watch:
    """One client's stream."""

    def __init__(self, call: Call, matches: Matcher) -> None:
        self._call = call
        self._matches = matches
        self._table = tables.wanted(call.request)
        self._bookmarks = call.flag("allowWatchBookmarks")
        kind, namespace = call.resource.key, call.namespace
        self._subscription: Subscription = call.store.journal.subscribe(
            lambda event: event.kind == kind and namespace in (None, event.namespace)
        )
        self._revision = call.store.revision
        self._begins = int(call.query.get("resourceVersion") or 0)

    def close(self) -> None:
        """Ends it before it is streamed."""
        self._subscription.close()

    def replay(self, revision: int | None) -> list[bytes]:
        """The lines to begin with: every present object, or what happened since `revision`."""
        call = self._call
        if revision is None or call.flag("sendInitialEvents"):
            lines = [self._present(entry) for entry in call.store.entries(call.resource.key, call.namespace)]
            lines = [line for line in lines if line]
            return lines + ([self._bookmark(_INITIAL_END)] if call.flag("sendInitialEvents") else [])
        events = call.store.journal.since(call.resource.key, revision)
        wanted = [event for event in events if call.namespace in (None, event.namespace)]
        return [line for line in map(self._line, wanted) if line]

    async def stream(self, past: list[bytes]) -> AsyncIterator[bytes]:
        """Past lines, then live ones until the timeout, the client's leaving or the server's end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._call.integer("timeoutSeconds") or _DEFAULT_TIMEOUT)
        bookmark = min(loop.time() + _BOOKMARK_SECONDS, deadline - _LAST_BOOKMARK)
        ending = asyncio.create_task(self._end_when_stopping())
        try:
            if past:
                yield b"".join(past)
            while (now := loop.time()) < deadline:
                due = bookmark if now < bookmark else deadline
                lines = await self._next(due - now)
                if lines is None:
                    return
                if not lines and due == bookmark:
                    lines = self._bookmark({}) if self._bookmarks else b""
                    bookmark = min(bookmark + _BOOKMARK_SECONDS, max(bookmark, deadline - _LAST_BOOKMARK))
                if lines:
                    yield lines
        finally:
            ending.cancel()
            self._subscription.close()

    async def _end_when_stopping(self) -> None:
        await self._call.server.stopping.wait()
        self._subscription.close()

    async def _next(self, wait: float) -> bytes | None:
        """Lines of the events at hand, none when there are none in time; None at the end."""
        try:
            first = await asyncio.wait_for(anext(self._subscription, None), wait)
        except TimeoutError:
            self._revision = self._call.store.revision  # nothing was waiting, so nothing is left out
            return b""
        if first is None:
            return None
        events = [first, *self._subscription.pending()]
        self._revision = events[-1].revision
        return b"".join(line for line in map(self._line, events) if line)

    def _present(self, entry: Entry) -> bytes:
        return self._render("ADDED", entry) if self._matches(entry.object) else b""

    def _line(self, event: Event) -> bytes:
        """The event as this client sees it: leaving the selection is DELETED, entering it ADDED."""
        change = event.type
        if event.revision <= self._begins:
            return b""
        if change == "MODIFIED":
            before = event.previous is not None and self._matches(event.previous)
            change = {(True, True): "MODIFIED", (False, True): "ADDED", (True, False): "DELETED"}.get(
                (before, self._matches(event.object)), ""
            )
        elif not self._matches(event.object):
            change = ""
        return self._render(change, Entry(event.raw)) if change else b""

    def _render(self, change: str, entry: Entry) -> bytes:
        call = self._call
        if self._table:
            body = dump(tables.table(call.resource, [entry.object], {}))
        else:
            body = entry_bytes(call.resource, call.target.version, entry)
        return b'{"type":"' + change.encode() + b'","object":' + body + b"}\n"

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        resource = self._call.resource
        meta: dict[str, Any] = {"resourceVersion": str(self._revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        api_version = resource.api_version_of(self._call.target.version)
        obj = {"kind": resource.kind, "apiVersion": api_version, "metadata": meta}
        return dump({"type": "BOOKMARK", "object": obj}) + b"\n"
