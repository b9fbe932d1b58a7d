"""What the page shows, worked out from records."""

from datetime import UTC, datetime, timedelta

import pytest

from web.times import date, duration
from web.view import WIDTH, Snapshot, is_link, page_of
from workflows.records import InstallationRecord, OperationRecord, PhaseRecord

START = datetime(2026, 11, 3, 14, 0, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def snapshot(*phases: PhaseRecord, state: str = "RUNNING", finished: datetime | None = None) -> Snapshot:
    operation = OperationRecord("id", "x", "install", state, 0, START, START, finished, phases=phases)
    return Snapshot(InstallationRecord("x", "id", "PROVISIONING", {}, {}, START, START, operation), ())


def phase(name: str, state: str, start: float | None = None, end: float | None = None, *needs: str) -> PhaseRecord:
    started = None if start is None else after(start)
    finished = None if end is None else after(end)
    return PhaseRecord(name, name.title(), state, needs, 1, 1, started, finished, action=None)


def test_bars_stand_where_their_phases_stood_in_time() -> None:
    page = page_of(snapshot(phase("a", "succeeded", 0, 25), phase("b", "running", 25)), after(100))
    a, b = page.rows
    assert (a.x, a.width, a.seconds) == (0, WIDTH / 4, 25)
    assert (b.x, b.width, b.seconds) == (WIDTH / 4, WIDTH * 3 / 4, 75)
    assert b.live
    assert not a.live


def test_a_finished_operation_stands_still() -> None:
    page = page_of(snapshot(phase("a", "succeeded", 0, 10), state="SUCCEEDED", finished=after(20)), after(9999))
    assert page.rows[0].width == WIDTH / 2
    assert page.seconds == 20
    assert not page.live


@pytest.mark.parametrize("now", [0, 0.001, 86400])
def test_bars_never_leave_the_timeline(now: float) -> None:
    phases = phase("a", "succeeded", 0, 0), phase("b", "failed", -5, -4), phase("c", "running", now)
    for row in page_of(snapshot(*phases), after(now)).rows:
        assert row.x >= 0
        assert row.x + row.width <= WIDTH
        assert row.width > 0


def test_a_phase_says_which_others_it_waits_for() -> None:
    rows = page_of(
        snapshot(
            phase("a", "succeeded", 0, 1),
            phase("b", "running", 1),
            phase("c", "pending", None, None, "a", "b"),
            phase("d", "skipped"),
        ),
        after(2),
    ).rows
    assert rows[2].note == "After: B"
    assert rows[2].width == 0
    assert rows[3].note == ""


def test_a_phase_that_will_be_tried_again_has_no_bar_yet() -> None:
    (row,) = page_of(snapshot(phase("a", "pending", 0)), after(50)).rows
    assert (row.width, row.seconds) == (0, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_dates_read_well() -> None:
    assert date(START) == "3 Nov 2026, 14:00 UTC"


@pytest.mark.parametrize(
    ("value", "linked"),
    [
        ("http://x/y", True),
        ("https://x", True),
        ("javascript:alert(1)", False),
        ("//x", False),
        ("http:", False),
        ("http://[", False),
        (5, False),
    ],
)
def test_only_web_addresses_become_links(value: object, linked: bool) -> None:
    assert is_link(value) is linked
