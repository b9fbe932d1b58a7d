"""An installation's log: JSON pages, or a stream of server-sent events that resumes where it broke off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, Security
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from service.api import pages
from service.api.auth import bearer
from service.api.models import Event, EventPage
from service.api.names import Engine, InstallationName
from web.watch import Watcher
from workflows.errors import NotFound
from workflows.ledger import Ledger
from workflows.records import EventRecord

router = APIRouter(prefix="/v1", tags=["events"], dependencies=[Security(bearer)])

_RECONNECT_MILLISECONDS = 2000
_BATCH = 100
_Seq = Annotated[int, Query(ge=0, le=2**31 - 1, description="Only events with a larger `seq`.")]
_LastEventId = Annotated[
    int | None, Header(ge=0, le=2**31 - 1, description="For streams: `seq` of the last event received.")
]


def watcher(ledger: Ledger) -> Watcher[int]:
    """Watches the number of an installation's newest event."""

    def newest(name: str, last: int | None) -> int:
        seq = last or 0
        while batch := ledger.events(name, after=seq, limit=1000):
            seq = batch[-1].seq
        return seq

    return Watcher(newest)


@router.get(
    "/installations/{name}/events",
    operation_id="listEvents",
    response_model=EventPage,
    summary="Read or follow the log",
    responses={
        200: {
            "description": "A page of events; with `Accept: text/event-stream`, a stream (id: seq, event: kind).",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
def list_events(
    request: Request,
    response: Response,
    name: InstallationName,
    engine: Engine,
    page_size: pages.PageSize = 100,
    page_token: pages.PageToken = None,
    after: _Seq = 0,
    last_event_id: _LastEventId = None,
) -> Any:
    """Oldest first. As a stream it starts behind Last-Event-ID (or `after`) and stays open until the client leaves."""
    if engine.ledger.installation(name) is None:
        raise NotFound(f"There is no installation {name}.")
    if "text/event-stream" in request.headers.get("accept", ""):
        start = after if last_event_id is None else last_event_id
        stream = _stream(request.app.state.event_watcher, engine.ledger, name, start)
        return EventSourceResponse(stream, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    start = after if page_token is None else pages.decode(page_token, int)
    found = engine.ledger.events(name, after=start, limit=page_size + 1)
    page = found[:page_size]
    return {"events": page, **pages.turn(request, response, page[-1].seq if len(found) > page_size else None)}


async def _stream(watched: Watcher[int], ledger: Ledger, name: str, after: int) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=_RECONNECT_MILLISECONDS)
    async for newest in watched.changes(name):
        if newest is None:
            yield KEEPALIVE_COMMENT
            continue
        while after < newest and (batch := await asyncio.to_thread(ledger.events, name, after=after, limit=_BATCH)):
            after = batch[-1].seq
            yield b"".join(map(_encoded, batch))


def _encoded(event: EventRecord) -> bytes:
    data = Event.model_validate(event).model_dump_json()
    return format_sse_event(data_str=data, event=event.kind, id=str(event.seq))
