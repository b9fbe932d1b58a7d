"""The page's own event streams: whenever something changes, the changed page body as HTML, rendered by the same
templates as the page itself, so that the browser needs no second renderer.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from web import pages
from web.view import STATE_WORDS, Snapshot, page_of
from web.watch import Watcher
from workflows.errors import NotFound
from workflows.ledger import Ledger
from workflows.records import EventRecord, InstallationRecord

SHOWN_EVENTS = 200
"""Newest events shown at the bottom of the page; the API has them all."""
_LISTED = 50
_BATCH = 500
_RECONNECT_MILLISECONDS = 2000
_HEADERS = {**pages.HEADERS, "X-Accel-Buffering": "no"}


class Live:
    """Streams of the list and of single installations."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._installations: Watcher[Snapshot] = Watcher(self.look)
        self._lists: Watcher[list[InstallationRecord]] = Watcher(
            lambda _key, _last: ledger.installations(limit=_LISTED), interval=1.0
        )

    def look(self, name: str, last: Snapshot | None) -> Snapshot:
        """The present state; reads only the events behind `last`. Raises NotFound."""
        installation = self._ledger.installation(name)
        if installation is None:
            raise NotFound(f"There is no installation {name}.")
        events: tuple[EventRecord, ...] = last.events if last else ()
        while new := self._ledger.events(name, after=events[-1].seq if events else 0, limit=_BATCH):
            events = (*events, *new)[-SHOWN_EVENTS:]
        return Snapshot(installation, events)

    def installation_stream(self, name: str, csrf: str) -> EventSourceResponse:
        return EventSourceResponse(self._installation(name, csrf), headers=_HEADERS)

    def list_stream(self) -> EventSourceResponse:
        return EventSourceResponse(self._list(), headers=_HEADERS)

    def close(self) -> None:
        self._installations.close()
        self._lists.close()

    async def _installation(self, name: str, csrf: str) -> AsyncIterator[bytes]:
        yield format_sse_event(retry=_RECONNECT_MILLISECONDS)
        async for snapshot in self._installations.changes(name):
            if snapshot is None:
                yield KEEPALIVE_COMMENT
                continue
            page = page_of(snapshot, datetime.now(UTC))
            yield _body(pages.text("parts/installation.html", page=page, csrf=csrf))

    async def _list(self) -> AsyncIterator[bytes]:
        yield format_sse_event(retry=_RECONNECT_MILLISECONDS)
        async for found in self._lists.changes(""):
            if found is None:
                yield KEEPALIVE_COMMENT
                continue
            yield _body(pages.text("parts/list.html", installations=found, words=STATE_WORDS))


def _body(html: str) -> bytes:
    return format_sse_event(event="body", data_str=html)
