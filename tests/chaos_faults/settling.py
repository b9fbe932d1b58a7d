"""Waiting until what is on its way outside has come about; polling with a deadline."""

import time
from collections import Counter
from collections.abc import Callable

SETTLED_SECONDS = 0.4
"""A little more than the stand-ins take for what takes no time (sandbox/aws/lifecycle.py, UNSEEN_GRACE)."""
REACHED_SECONDS = 5.0
Look = Callable[[], list[str]]


def settled(look: Look) -> list[str]:
    """What two looks find, one after the other."""
    found, before = look(), None
    while found and found != before:
        time.sleep(SETTLED_SECONDS)
        before, found = found, look()
    return found


def reaches(look: Look, wanted: list[str]) -> tuple[list[str], list[str]]:
    """What is too much and what is missing: nothing, as soon as it is as wanted; else what it is at the end."""
    deadline = time.monotonic() + REACHED_SECONDS
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return list(Counter(found) - Counter(wanted)), list(Counter(wanted) - Counter(found))
