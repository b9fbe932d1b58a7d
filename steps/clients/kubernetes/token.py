"""The bearer token of one cluster: kept, shared by threads, and made anew before EKS would refuse it.

EKS accepts a token for 15 minutes from the moment that is signed into it, which is the host's wall clock. A wall clock
may jump, forward (a virtual machine that slept) or back (a correction), and the steady one stops while a machine
sleeps. So a token is replaced as soon as either clock calls it old, or the wall clock says it comes from the future.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

TokenSource = Callable[[], str]
RENEW_SECONDS = 600.0
"""Age at which a token is replaced."""
FRESH_SECONDS = 60.0
"""Age up to which a token is good enough for a program that may run for minutes with it, such as helm."""


@dataclass(frozen=True)
class Clock:
    """The host's clocks, in seconds: `wall` since 1970, `steady` since whenever."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Bearer:
    """A token, and the how-manieth it is: two tokens signed within one second have the same text."""

    text: str = field(repr=False)
    number: int
    made_wall: float
    made_steady: float

    def is_older(self, seconds: float, clock: Clock) -> bool:
        """Whether it is older than that by either clock, or from the future."""
        by_wall = clock.wall() - self.made_wall
        return not 0 <= by_wall <= seconds or clock.steady() - self.made_steady > seconds


class Tokens:
    """Tokens of one source. `make` may take a while (it may assume a role): meanwhile all threads wait for it."""

    def __init__(self, make: TokenSource, clock: Clock) -> None:
        self._make, self._clock = make, clock
        self._lock = threading.Lock()
        self._kept: Bearer | None = None

    def get(self, *, refused: Bearer | None = None, seconds: float = RENEW_SECONDS) -> Bearer:
        """The kept token unless it is older than `seconds` or it is `refused`, to which the API said 401."""
        with self._lock:
            kept = self._kept
            if kept is None or kept.is_older(seconds, self._clock) or kept.number == (refused and refused.number):
                kept = self._kept = self._renewed(kept.number + 1 if kept else 1)
            return kept

    def _renewed(self, number: int) -> Bearer:
        """The clocks are read first: a token is never taken for younger than it is."""
        wall, steady = self._clock.wall(), self._clock.steady()
        return Bearer(self._make(), number, wall, steady)
