"""The graph of an upgrade or a repair: of the install table only the phases that have something to do.

What is made or changed keeps the table's order, what is no longer wanted is unmade in the order of an uninstall, and
before what it stands on changes. A newer Kubernetes version is reached one minor version at a time, a phase for each,
before anything else in the cluster changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Any, Self

from workflows.graph import Graph, Phase, never
from workflows.phases import kubernetes_hop


class Action(StrEnum):
    """What is to happen to a phase's things."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True)
class Touched:
    """The phases that have something to do, and the Kubernetes versions to go through."""

    actions: dict[str, Action]
    hops: tuple[str, ...] = ()
    why: dict[str, str] = field(default_factory=dict)

    def as_options(self) -> dict[str, Any]:
        """JSON, for the operation's row and its workflows' inputs."""
        return {"actions": {name: str(action) for name, action in self.actions.items()}, "hops": list(self.hops)}

    @classmethod
    def of_options(cls, options: Mapping[str, Any]) -> Self:
        actions = {name: Action(action) for name, action in options["actions"].items()}
        return cls(actions, tuple(options["hops"]))


def graph_of(graphs: Mapping[str, Graph], kind: str, options: Mapping[str, Any]) -> Graph:
    """The graph that an operation walks."""
    return graphs[kind] if kind in graphs else changing(graphs["install"], Touched.of_options(options))


def changing(graph: Graph, touched: Touched) -> Graph:
    """See the module."""
    removed = {name for name, action in touched.actions.items() if action is Action.REMOVE}
    made = touched.actions.keys() - removed
    hops = _hops(graph, made, touched.hops)
    rows = {phase.name: _removal(graph, phase, removed, made) for phase in graph.phases if phase.name in removed}
    rows |= {phase.name: phase for phase in hops}
    for phase in graph.phases:
        if phase.name in made:
            rows[phase.name] = _made(graph, phase, made, removed, hops)
    needs = {name: row.needs for name, row in rows.items()}
    return Graph(tuple(rows[name] for name in TopologicalSorter(needs).static_order()))


def _made(graph: Graph, phase: Phase, made: set[str], removed: set[str], hops: Sequence[Phase]) -> Phase:
    """The row, behind what is touched of what it needs, and behind the removal of what stands on it."""
    needs = _touched_needs(graph, phase.needs, made)
    needs |= {other for other in removed if phase.name in graph[other].needs}
    if hops and "cluster" in graph.upstream((phase.name,)) - {phase.name}:
        needs.add(hops[-1].name)
    change = phase.change
    return Phase(
        phase.name,
        change.title or phase.title,
        tuple(sorted(needs)),
        change.run or phase.run,
        phase.undo,
        change.weight or phase.weight,
        awaits=tuple(name for name in phase.awaits if name in made),
        in_cluster=phase.in_cluster,
        change=change,
    )


def _removal(graph: Graph, phase: Phase, removed: set[str], made: set[str]) -> Phase:
    """The row backwards: behind the removal of all that needs it."""
    before = {name for name in removed if name != phase.name and phase.name in graph.upstream((name,))}
    before |= made & {"preflight"}
    return Phase(phase.name, phase.undo.title, tuple(sorted(before)), phase.undo.run, phase.undo, phase.undo.weight)


def _hops(graph: Graph, made: set[str], versions: Sequence[str]) -> list[Phase]:
    """One after the other, behind what is touched of the control plane and all that it stands on."""
    if not versions:
        return []
    rows: list[Phase] = []
    first = _touched_needs(graph, ("cluster",), made)
    for version in versions:
        hop = kubernetes_hop(version)
        needs = tuple(sorted(first)) if not rows else (rows[-1].name,)
        rows.append(Phase(hop.name, hop.title, needs, hop.run, hop.undo, hop.weight, never))
    return rows


def _touched_needs(graph: Graph, needs: Sequence[str], made: set[str]) -> set[str]:
    """The nearest touched phases on the way up."""
    found: set[str] = set()
    for name in needs:
        found |= {name} if name in made else _touched_needs(graph, graph[name].needs, made)
    return found
