"""What the templates show, worked out from the ledger's records: pure functions, no HTML, no database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from web.times import elapsed
from workflows.records import EventRecord, InstallationRecord, OperationRecord, PhaseRecord

WIDTH = 1000.0
"""Width of the timeline's coordinate system."""
_LEAST_BAR = 5.0
_LIVE = ("PENDING", "RUNNING", "WAITING", "CANCELLING")
_RETRYABLE = ("FAILED", "CANCELLED")
_CANCELLABLE = ("PENDING", "RUNNING", "WAITING")

STATE_WORDS = {
    "PENDING": "Queued",
    "PROVISIONING": "Installing",
    "WAITING": "Waiting for you",
    "READY": "Ready",
    "FAILED": "Failed",
    "CANCELLING": "Cancelling",
    "CANCELLED": "Cancelled",
    "UPDATING": "Updating",
    "DELETING": "Removing",
    "DELETED": "Removed",
}
PHASE_WORDS = {
    "pending": "Not started",
    "running": "Running",
    "waiting": "Waiting for you",
    "succeeded": "Done",
    "failed": "Failed",
    "skipped": "Not needed",
    "cancelled": "Cancelled",
}
_LINKS = (("app_url", "Application"), ("console_url", "DBOS Console"), ("conductor_url", "Conductor"))


@dataclass(frozen=True)
class Snapshot:
    """What the page of one installation is made of; equal snapshots give equal pages (but for running times)."""

    installation: InstallationRecord
    events: tuple[EventRecord, ...]


@dataclass(frozen=True)
class Row:
    """One phase on the timeline. `x` and `width` are in units of WIDTH; `seconds` is None before it started."""

    phase: PhaseRecord
    word: str
    note: str
    seconds: float | None
    x: float
    width: float

    @property
    def live(self) -> bool:
        return self.phase.state in ("running", "waiting") and self.phase.started_at is not None


@dataclass(frozen=True)
class Page:
    """One installation, ready to be shown."""

    installation: InstallationRecord
    word: str
    rows: tuple[Row, ...]
    start: datetime | None
    span: float
    seconds: float | None
    links: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, Any], ...]
    events: tuple[EventRecord, ...]

    @property
    def operation(self) -> OperationRecord:
        return self.installation.operation

    @property
    def live(self) -> bool:
        return self.operation.state in _LIVE

    @property
    def can_retry(self) -> bool:
        return self.operation.state in _RETRYABLE

    @property
    def can_cancel(self) -> bool:
        return self.operation.state in _CANCELLABLE

    @property
    def can_uninstall(self) -> bool:
        return not self.live and self.installation.state != "DELETED" and self.operation.kind != "uninstall"

    @property
    def done(self) -> int:
        return sum(row.phase.state == "succeeded" for row in self.rows)

    @property
    def wanted(self) -> int:
        return sum(row.phase.state != "skipped" for row in self.rows)

    @property
    def waiting(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.phase.waiting)

    @property
    def failed(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.phase.error)

    @property
    def app_url(self) -> str | None:
        return next((url for url, label in self.links if label == "Application"), None)


def page_of(snapshot: Snapshot, now: datetime) -> Page:
    operation = snapshot.installation.operation
    start = operation.started_at or min((p.started_at for p in operation.phases if p.started_at), default=None)
    end = operation.finished_at or now
    span = max((end - start).total_seconds(), 1.0) if start else 1.0
    titles = {phase.name: phase for phase in operation.phases}
    outputs = snapshot.installation.outputs
    links = {name: label for name, label in _LINKS if is_link(outputs.get(name))}
    return Page(
        installation=snapshot.installation,
        word=STATE_WORDS.get(snapshot.installation.state, snapshot.installation.state),
        rows=tuple(_row(phase, titles, start, span, now) for phase in operation.phases),
        start=start,
        span=span,
        seconds=elapsed(start, operation.finished_at, now),
        links=tuple((outputs[name], label) for name, label in links.items()),
        facts=tuple(
            sorted((name, value) for name, value in outputs.items() if value is not None and name not in links)
        ),
        events=tuple(reversed(snapshot.events)),
    )


def is_link(value: Any) -> bool:
    """Whether a value is a URL that a page may link to (never javascript: and the like)."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _row(phase: PhaseRecord, phases: dict[str, PhaseRecord], start: datetime | None, span: float, now: datetime) -> Row:
    begun = None if phase.state == "pending" else phase.started_at  # a retried phase still has its last attempt's time
    seconds = elapsed(begun, phase.finished_at, now)
    x, width = 0.0, 0.0
    if start is not None and begun is not None and seconds is not None:
        width = min(WIDTH, max(_LEAST_BAR, WIDTH * seconds / span))
        x = min(max(0.0, WIDTH * (begun - start) / timedelta(seconds=span)), WIDTH - width)
    return Row(
        phase, PHASE_WORDS.get(phase.state, phase.state), _note(phase, phases), seconds, round(x, 1), round(width, 1)
    )


def _note(phase: PhaseRecord, phases: dict[str, PhaseRecord]) -> str:
    """The line under the title: what it does now, or what it waits for."""
    if phase.state in ("running", "waiting"):
        return "" if phase.action == phase.title else phase.action or ""
    if phase.state == "pending":
        before = [phases[name].title for name in phase.needs if name in phases and not _over(phases[name])]
        return f"After: {', '.join(before)}" if before else ""
    return ""


def _over(phase: PhaseRecord) -> bool:
    return phase.state in ("succeeded", "skipped")
