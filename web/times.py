"""Times and durations as the page and the command line show them."""

from datetime import UTC, datetime


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock(moment: datetime) -> str:
    """Time of day in UTC, e.g. `14:03:07`."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def date(moment: datetime) -> str:
    """Day and time in UTC, e.g. `3 Nov 2026, 14:03 UTC`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC, e.g. `2026-11-03T14:03:07Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def elapsed(start: datetime | None, end: datetime | None, now: datetime) -> float | None:
    """Seconds from `start` to `end` (or to `now` while it lasts); None before it began."""
    if start is None:
        return None
    return max(0.0, ((end or now) - start).total_seconds())
