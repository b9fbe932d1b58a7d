"""What a step has to tell besides its result: a program's output, for the installation's event log.

A step calls `report`; whoever runs it says where that goes (`workflows/durable.py`: an event `step.output`). Outside
of a run nobody listens, and nothing happens.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from steps.scrubbing import scrub

MOST_LINES = 60
LONGEST_LINE = 300

_listening: ContextVar[list[str] | None] = ContextVar("listening", default=None)


def report(lines: Iterable[str]) -> None:
    """Tell these lines, scrubbed and bounded; blank ones are left out."""
    heard = _listening.get()
    if heard is None:
        return
    told = [line.rstrip()[:LONGEST_LINE] for line in scrub("\n".join(lines)).splitlines() if line.strip()]
    heard += told[: max(0, MOST_LINES - len(heard))]


@contextmanager
def heard() -> Iterator[list[str]]:
    """Collects what is reported in this thread meanwhile: at most `MOST_LINES` lines."""
    lines: list[str] = []
    token = _listening.set(lines)
    try:
        yield lines
    finally:
        _listening.reset(token)
