"""The form of the phase graph: rows with needs, and the questions that engine, plan and control ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflows.facts import Facts
from workflows.spec import InstallationSpec

if TYPE_CHECKING:
    from workflows.durable import Run

PhaseFunction = Callable[["Run"], Awaitable[Facts]]


def never(spec: InstallationSpec) -> bool:
    """For phases that always have something to do."""
    return False


@dataclass(frozen=True)
class Phase:
    """One row: `run` makes it, `undo` unmakes it; both are idempotent. `weight` is seconds at AWS.

    `needs` must be done before it starts; `awaits` need not, but its waits cannot end before those are done.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    run: PhaseFunction
    undo: PhaseFunction
    weight: float
    skip: Callable[[InstallationSpec], bool] = never
    awaits: tuple[str, ...] = ()


class Graph:
    """Phases in an order in which each stands behind everything it needs. Raises ValueError for any other order."""

    def __init__(self, phases: tuple[Phase, ...]) -> None:
        seen: set[str] = set()
        for phase in phases:
            if phase.name in seen or not seen.issuperset(phase.needs):
                raise ValueError(f"phase {phase.name} is there twice, or stands before something it needs")
            seen.add(phase.name)
        self.phases = phases
        self._by_name = {phase.name: phase for phase in phases}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def __getitem__(self, name: str) -> Phase:
        return self._by_name[name]

    def wanted(self, spec: InstallationSpec) -> tuple[Phase, ...]:
        """The phases that have something to do for this spec."""
        return tuple(phase for phase in self.phases if not phase.skip(spec))

    def upstream(self, names: tuple[str, ...]) -> set[str]:
        """These phases and everything they need, directly or not."""
        found = set(names)
        for phase in reversed(self.phases):
            if phase.name in found:
                found.update(phase.needs)
        return found

    def downstream(self, name: str) -> tuple[str, ...]:
        """The phase and everything that needs it, directly or not, in the table's order."""
        found = {name}
        for phase in self.phases:
            if found.intersection(phase.needs):
                found.add(phase.name)
        return tuple(phase.name for phase in self.phases if phase.name in found)
