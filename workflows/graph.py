"""The form of the phase graph: rows with needs, and the questions that engine, plan and control ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
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
class Undo:
    """How a phase is unmade: from any state, also when the phase never ran. `weight` is seconds at AWS.

    `in_cluster`: by the Kubernetes API, so that there is nothing to do where there is no cluster. `after`: phases that
    are unmade before this one although they only await it.
    """

    title: str
    run: PhaseFunction
    weight: float = 1
    in_cluster: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """How a phase brings what is there to another spec, also when nothing is there yet. No `run`: as it is made.

    `inputs`: the parts of the spec that it goes by, e.g. `nodes` or `cluster.public_access_cidrs`. `followers`: phases
    that have to look again once this one has made its thing anew. `weight` is seconds at AWS.
    """

    inputs: tuple[str, ...] = ()
    title: str | None = None
    run: PhaseFunction | None = None
    weight: float | None = None
    followers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phase:
    """One row: `run` makes it, `undo` unmakes it, `change` brings it to another spec; all are idempotent.

    `needs` must be done before it starts; `awaits` need not, but its waits cannot end before those are done. `weight`
    is seconds at AWS.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    run: PhaseFunction
    undo: Undo
    weight: float
    skip: Callable[[InstallationSpec], bool] = never
    awaits: tuple[str, ...] = ()
    in_cluster: bool = False
    change: Change = Change()


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


def undoing(graph: Graph, *, first: Phase, last: Phase) -> Graph:
    """The graph backwards: a phase is unmade once all that needs or awaits it is; `first` and `last` enclose it."""
    needs = {phase.name: _unmade_before(graph, phase) for phase in graph.phases}
    rows = []
    for name in TopologicalSorter(needs).static_order():
        undo = graph[name].undo
        before = (first.name, *sorted(needs[name], key=graph.names.index))
        rows.append(Phase(name, undo.title, before, undo.run, undo, undo.weight, in_cluster=undo.in_cluster))
    end = Phase(last.name, last.title, graph.names, last.run, last.undo, last.weight, in_cluster=last.in_cluster)
    return Graph((first, *rows, end))


def _unmade_before(graph: Graph, phase: Phase) -> set[str]:
    """Names of the phases that must be unmade before `phase` is."""
    needing = {other.name for other in graph.phases if phase.name in other.needs}
    awaiting = {
        other.name for other in graph.phases if phase.name in other.awaits and phase.name not in other.undo.after
    }
    return needing | awaiting | set(phase.undo.after)
