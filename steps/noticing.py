"""What a step sees differing just before it changes it: found, and what it is to become.

A request to AWS says what it wants, not what was there. Whoever compares calls `noticed` in front of the request; a
look for drift (steps/readonly) asks for it, an ordinary run does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Noticed:
    """One field: JSON values, never a secret."""

    field: str
    expected: Any
    found: Any


_last: ContextVar[list[Noticed] | None] = ContextVar("noticed", default=None)


def noticed(field: str, *, expected: Any, found: Any) -> None:
    """Tell of the field that the next request changes."""
    told = _last.get()
    if told is not None:
        told[:] = [Noticed(field, expected, found)]


def take() -> Noticed | None:
    """What was told last, once."""
    told = _last.get()
    return told.pop() if told else None


@contextmanager
def noticing() -> Iterator[None]:
    """Within the block, in this thread, `take` gives what was told."""
    token = _last.set([])
    try:
        yield
    finally:
        _last.reset(token)
