"""The event stream over a real connection."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.service.live import served
from tests.service.world import KEY, Story
from web.watch import Watcher

PATH = "/v1/installations/dbos-conductor/events"


@pytest.fixture
def streams(app: FastAPI) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "text/event-stream"}
    with served(app) as url, httpx2.Client(base_url=url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


def take(lines: Iterator[str], count: int) -> list[dict[str, str]]:
    """The next `count` events: their fields by name."""
    events: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            events.append(fields)
            fields = {}
            if len(events) == count:
                return events
        else:
            fields = {}
    raise AssertionError(f"the stream ended after {events}")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # polling with a deadline


def test_a_stream_tells_what_happened_and_then_what_happens(streams: httpx2.Client, story: Story) -> None:
    story.run("preflight")
    with streams.stream("GET", PATH) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        first = take(lines, 3)
        assert [event["id"] for event in first] == ["1", "2", "3"]
        assert first[1]["event"] == "phase.started"
        story.journal.phase_succeeded(story.operation.id, "preflight", "done")
        (next_one,) = take(lines, 1)
        assert next_one["event"] == "phase.succeeded"
        assert json.loads(next_one["data"])["phase"] == "preflight"


def test_a_stream_goes_on_behind_the_last_event_id(streams: httpx2.Client, story: Story) -> None:
    story.finish("preflight", "network")
    with streams.stream("GET", PATH, headers={"Last-Event-ID": "4"}) as answer:
        assert [event["id"] for event in take(answer.iter_lines(), 3)] == ["5", "6", "7"]


def test_a_stream_of_nothing_is_404(streams: httpx2.Client) -> None:
    answer = streams.get("/v1/installations/none/events")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_streams_share_one_reader_and_leave_nothing_behind(app: FastAPI, streams: httpx2.Client, story: Story) -> None:
    watcher: Any = app.state.event_watcher
    assert story.operation
    with streams.stream("GET", PATH) as one, streams.stream("GET", PATH) as two:
        lines = one.iter_lines(), two.iter_lines()  # a dropped iterator closes its stream
        for of_one in lines:
            take(of_one, 1)
        assert len(watcher._channels) == 1
        assert next(iter(watcher._channels.values())).followers == 2
    until(lambda: not watcher._channels)


def test_a_stream_ends_when_the_service_stops(app: FastAPI, streams: httpx2.Client, story: Story) -> None:
    assert story.operation
    with streams.stream("GET", PATH) as answer:
        lines = answer.iter_lines()
        take(lines, 1)
        app.state.event_watcher.close()
        assert not [line for line in lines if line.startswith("data")]


async def test_a_silent_watch_beats_like_a_heart() -> None:
    watcher: Watcher[int] = Watcher(lambda _key, _last: 1, interval=0.01, heartbeat=0.03)
    changes = watcher.changes("x")
    assert [await anext(changes) for _ in range(3)] == [1, None, None]
    await changes.aclose()  # type: ignore[attr-defined]


async def test_a_watch_that_cannot_read_ends_with_the_reason() -> None:
    def look(_key: str, last: int | None) -> int:
        if last is not None:
            raise OSError("gone")
        return 1

    watcher: Watcher[int] = Watcher(look, interval=0.01)
    changes = watcher.changes("x")
    assert await anext(changes) == 1
    with pytest.raises(OSError, match="gone"):
        await anext(changes)
