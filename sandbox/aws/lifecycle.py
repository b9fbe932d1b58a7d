"""Things that take time: one table of pending changes, settled by the wall clock.

Gap: moto makes clusters, node groups, database instances, NAT gateways and add-ons usable at once (EKS API Reference,
Cluster.status; Amazon RDS User Guide, "Viewing Amazon RDS DB instance status"; EC2 API Reference, NatGateway.state).
The table is plain data and is kept across restarts; what ends a change is looked up by kind and action.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

log = logging.getLogger(__name__)
Action = Literal["create", "update", "delete"]
UNSEEN_GRACE = 0.3  # seconds after which a change of no duration ends although nobody has looked at it


@dataclass
class Change:
    """A thing on its way: `key` is (account, region, name or id ...), times are epoch seconds."""

    kind: str
    key: tuple[str, ...]
    action: Action
    started: float
    due: float
    seen: bool = False

    def over(self, now: float) -> bool:
        """Its time has passed, and somebody has had the chance to see the transitional state."""
        return now >= self.due and (self.seen or now >= self.started + UNSEEN_GRACE)


Ending = Callable[[Change], bool]
"""Ends a change; returns False to be asked again later (what it waits for is not there yet)."""


@dataclass
class Lifecycle:
    """Pending changes by (kind, key): a thing has at most one; starting another replaces it."""

    changes: dict[tuple[str, tuple[str, ...]], Change] = field(default_factory=dict)
    endings: dict[tuple[str, Action], Ending] = field(default_factory=dict)
    on_change: Callable[[], None] = lambda: None

    def on_end(self, kind: str, action: Action, ending: Ending) -> None:
        """Register what happens when a change of `kind` is due."""
        self.endings[kind, action] = ending

    def begin(self, kind: str, key: tuple[str, ...], action: Action, seconds: float) -> None:
        """Start a change that ends in `seconds`."""
        now = time.time()
        self.changes[kind, key] = Change(kind, key, action, now, now + seconds)

    def pending(self, kind: str, key: tuple[str, ...]) -> Change | None:
        return self.changes.get((kind, key))

    def cancel(self, kind: str, key: tuple[str, ...]) -> None:
        self.changes.pop((kind, key), None)

    def seen(self, kind: str, key: tuple[str, ...]) -> None:
        """Somebody has been shown the transitional state."""
        change = self.changes.get((kind, key))
        if change is not None:
            change.seen = True

    def settle(self) -> None:
        """End every change that is over. Call with the one lock held."""
        now = time.time()
        for place, change in list(self.changes.items()):
            if change.over(now) and self._ended(change):
                if self.changes.get(place) is change:
                    del self.changes[place]
                self.on_change()

    def _ended(self, change: Change) -> bool:
        """One thing that breaks must not stop the others: it is logged and tried again in a second."""
        try:
            return self.endings[change.kind, change.action](change)
        except Exception:
            log.exception("%s %s", change.action, change.key)
            change.due = time.time() + 1
            return False
