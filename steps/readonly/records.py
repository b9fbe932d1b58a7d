"""Where differences are written down: one record per phase, found by the clients through the thread that runs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from steps.noticing import noticing

MOST = 200
"""Differences kept of one phase."""


class Kind(StrEnum):
    """How a thing differs from what was applied."""

    MISSING = "missing"
    CHANGED = "changed"
    UNREADY = "unready"
    FAILED = "failed"
    EXTRA = "extra"
    TAKEN = "taken"


_BY_A_REPAIR = "A repair (POST …:repair, `podium repair`) does this phase again."
REMEDIES = {
    Kind.MISSING: _BY_A_REPAIR,
    Kind.CHANGED: f"{_BY_A_REPAIR} If the change was meant, put it into the spec instead (PUT).",
    Kind.UNREADY: f"Look again in a few minutes; if it does not become ready by itself: {_BY_A_REPAIR}",
    Kind.FAILED: _BY_A_REPAIR,
    Kind.EXTRA: "A repair (POST …:repair, `podium repair`) removes it.",
    Kind.TAKEN: "Give the thing the installation's tag (podium:installation) or label back, or remove it; then repair.",
}
"""What helps, where nothing better is known."""


@dataclass(frozen=True)
class Resource:
    """A thing as AWS or Kubernetes call it, e.g. `Resource("Deployment", "dbos/console")`."""

    type: str
    name: str


@dataclass(frozen=True)
class Difference:
    """One difference. `field` is a path within the thing, None for the thing itself; values are JSON, no secrets.

    `remedy`: what helps; none given: what helps against its kind (`REMEDIES`).
    """

    kind: Kind
    resource: Resource
    message: str
    field: str | None = None
    expected: Any = None
    found: Any = None
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"kind": str(self.kind), "remedy": self.remedy or REMEDIES[self.kind]}


class Stopped(Exception):
    """A comparison cannot go on: the answer to a request that was not sent, or to a look in vain, is needed."""


class Unknown(dict[str, Any]):
    """The answer that nobody has. Asking it for anything ends the comparison."""

    def __missing__(self, key: str) -> Any:
        raise Stopped(key)


class NoResult(Unknown):
    """The result of a step that was not done. It can be handed on, but not looked into."""

    def __iter__(self) -> Iterator[str]:
        raise Stopped

    def __bool__(self) -> bool:
        raise Stopped

    def __str__(self) -> str:
        raise Stopped


@dataclass
class Records:
    """The differences of one phase, in the order in which they were met, each once."""

    differences: list[Difference] = field(default_factory=list)
    truncated: bool = False
    requests: set[tuple[Resource, Kind, str]] = field(default_factory=set)

    def add(self, difference: Difference) -> None:
        if difference in self.differences:
            return
        if len(self.differences) < MOST:
            self.differences.append(difference)
        else:
            self.truncated = True

    def add_request(self, difference: Difference, operation: str) -> None:
        """The same, of a request to AWS: a look that asks again for what its step has asked for tells nothing new.

        What a step noticed is always new; where it noticed nothing, the request's parameters are all there is to tell.
        """
        asked = (difference.resource, difference.kind, operation)
        is_plain = difference.found is None and isinstance(difference.expected, dict | None)
        if is_plain and asked in self.requests:
            return
        self.requests.add(asked)
        self.add(difference)

    def know(self, resource: Resource) -> bool:
        """Whether it is told already that this thing differs."""
        return any(one.resource == resource for one in self.differences)

    def cut(self) -> None:
        """Say with the last difference that there may be more, which cannot be seen behind it."""
        if self.differences:
            last = self.differences.pop()
            words = f"{last.message} Further differences of this phase show after a repair."
            self.differences.append(replace(last, message=words))

    @property
    def has_missing(self) -> bool:
        """Whether something was not there at all: what hangs on it cannot be ready either."""
        return any(one.kind is Kind.MISSING for one in self.differences)


_records: ContextVar[Records | None] = ContextVar("records", default=None)


def records() -> Records:
    """Those of the phase that this thread runs. RuntimeError outside of `recording`."""
    found = _records.get()
    if found is None:
        raise RuntimeError("a read-only client is used outside of a comparison")
    return found


@contextmanager
def recording(kept: Records) -> Iterator[None]:
    """Within the block, in this thread, differences go there."""
    token = _records.set(kept)
    try:
        with noticing():
            yield
    finally:
        _records.reset(token)
