"""What a fault is: a request that fails in one way, and what Podium must make of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from steps.errors import Fault

CANARY = "canary-4711-never-shown"
HANG_SECONDS = 1.5
"""How long a stand-in stays silent: longer than the impatient client waits."""
ONCE, REPEATED, IMPATIENT = "once", "repeated", "impatient"
"""Which client makes the request: one try, two tries within botocore, or one that waits for a third of a second."""
BEFORE: Mapping[str, dict[str, Any]] = {
    "throttled": {"kind": "throttle"},
    "500": {"kind": "5xx"},
    "timeout": {"kind": "hang", "seconds": HANG_SECONDS},
    "reset": {"kind": "reset"},
    "page": {"kind": "html"},
    "empty answer": {"kind": "empty"},
    "half an answer": {"kind": "truncated"},
    "broken off": {"kind": "broken"},
}
"""What may happen to any request; the words are those of the table in docs/reliability.md, the rules the stand-ins'."""
DONE: Mapping[str, dict[str, Any]] = {
    "throttled, done": {"kind": "throttle", "after": True},
    "500, done": {"kind": "5xx", "after": True},
    "timeout, done": {"kind": "hang", "after": True, "seconds": HANG_SECONDS},
    "reset, done": {"kind": "lost"},
    "page, done": {"kind": "html", "after": True},
}
"""The same after the effect, which is another thing for writes only."""


@dataclass(frozen=True)
class Request:
    """One request of a step: what is asked, and the how-manieth time within the step (from 0)."""

    name: str
    number: int
    writes: bool


@dataclass(frozen=True)
class Combination:
    """A request that fails in one way. `rule` is the stand-in's.

    `codes`: of the error that must come of it; none: the client itself gets over it. `told`: what the error must name.
    """

    request: Request
    way: str
    rule: dict[str, Any] = field(hash=False)
    codes: frozenset[str]
    transient: bool = True
    fault: str = Fault.PROVIDER
    told: str = ""

    def __str__(self) -> str:
        return f"{self.request.name}#{self.request.number} {self.way}"

    @property
    def client(self) -> str:
        """See ONCE."""
        if self.way.startswith("timeout"):
            return IMPATIENT
        return REPEATED if not self.codes else ONCE


def numbered(calls: Iterable[tuple[str, bool]]) -> list[Request]:
    """(name, whether it writes) of each call in order -> every write; of the same reading the first and the last."""
    every = list(calls)
    found: list[Request] = []
    for name, writes in dict.fromkeys(every):
        count = every.count((name, writes))
        found += [Request(name, number, writes) for number in (range(count) if writes else sorted({0, count - 1}))]
    return found


def ways_of(request: Request) -> dict[str, dict[str, Any]]:
    """The ways in which any system's request may fail."""
    return {**BEFORE, **(DONE if request.writes else {})}
