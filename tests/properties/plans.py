"""What hypothesis makes up: a phase graph, faults of its steps, and what people and fate do to the service."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from hypothesis import strategies as st

from tests.properties.effects import Effect, Site, function
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Graph, Phase, Undo, undoing
from workflows.spec import InstallationSpec

FAULTS = ("transient", "fail", "unexpected", "slow", "die-before", "die-after")
LOOKS = (*FAULTS, "pending", "person", "blocked")
MINUTES = 2.0
"""Patience of a wait: longer than any test, so that one that can never end is found out."""


@dataclass(frozen=True)
class Row:
    """One phase: its needs and what it awaits, by number; which of its steps are waits, forwards and backwards."""

    needs: tuple[int, ...]
    awaits: tuple[int, ...]
    forwards: tuple[bool, ...]
    backwards: tuple[bool, ...]
    skipped: bool = False
    in_cluster: bool = False


@dataclass(frozen=True)
class Event:
    """Something that is done to the service once `after` more calls began, or the operation is over.

    `what`: a request (cancel, retry, from (a retry from phase number `phase`), delete), within which the process ends
    at its `commit`th commit to the database (0: it does not); or kill, after which the next one ends at that commit.
    """

    what: str
    after: int = 0
    phase: int = 0
    commit: int = 0


@dataclass(frozen=True)
class Plan:
    """One example. `faults`: by effect, the outcomes of its first calls."""

    rows: tuple[Row, ...]
    faults: Mapping[str, tuple[str, ...]]
    events: tuple[Event, ...]
    first_death: int = 0
    cluster: bool = True


def name(number: int) -> str:
    return f"p{number}"


def effects(rows: tuple[Row, ...]) -> list[Effect]:
    """All that a plan's graphs may call."""
    found = [Effect("survey", 0, waits=False, undo=True), Effect("proof", 0, waits=False, undo=True)]
    for number, row in enumerate(rows):
        found += [Effect(name(number), index, waits) for index, waits in enumerate(row.forwards)]
        found += [Effect(name(number), index, waits, undo=True) for index, waits in enumerate(row.backwards)]
    return found


def graphs(site: Site, plan: Plan) -> dict[str, Graph]:
    """The install graph and its reversal, whose steps act on the site."""
    before: dict[str, tuple[str, ...]] = {}
    install = Graph(tuple(_phase(site, number, row, before) for number, row in enumerate(plan.rows)))
    first, last = (_end(site, what, before, cluster=plan.cluster) for what in ("survey", "proof"))
    backwards = undoing(install, first=first, last=last)
    before |= {phase.name: phase.needs for phase in backwards.phases}
    return {"install": install, "uninstall": backwards}


def _phase(site: Site, number: int, row: Row, before: dict[str, tuple[str, ...]]) -> Phase:
    """`before`: what must be unmade before a phase is; known once the graph is turned round."""
    own, needs, awaits = name(number), tuple(map(name, row.needs)), tuple(map(name, row.awaits))

    async def run(run: Run) -> Facts:
        for index, waits in enumerate(row.forwards):
            await _step(run, site, Effect(own, index, waits), needs, awaits)
        return Facts(zones=[own])

    async def undo(run: Run) -> Facts:
        for index, waits in enumerate(row.backwards):
            await _step(run, site, Effect(own, index, waits, undo=True), before[own], ())
        return Facts()

    def skip(_spec: InstallationSpec) -> bool:
        return row.skipped

    later = tuple(name(one) for one in row.awaits if one > number)
    unmade = Undo(f"Undoing {own}", undo, in_cluster=row.in_cluster, after=later)
    return Phase(own, f"Doing {own}", needs, run, unmade, 1, skip, awaits)


def _end(site: Site, what: str, before: dict[str, tuple[str, ...]], *, cluster: bool) -> Phase:
    async def run(run: Run) -> Facts:
        await _step(run, site, Effect(what, 0, waits=False, undo=True), before[what], ())
        return Facts(cluster_endpoint="here") if cluster and what == "survey" else Facts()

    return Phase(what, what, (), run, Undo("Nothing", run), 1)


async def _step(run: Run, site: Site, effect: Effect, needs: tuple[str, ...], awaits: tuple[str, ...]) -> None:
    call = function(site, effect, needs, awaits)
    if effect.waits:
        await run.wait(f"Waiting for {effect.name}", call, MINUTES, run.operation_id)
    else:
        await run.step(f"Making {effect.name}", call, run.operation_id)


def _can_end(rows: tuple[Row, ...]) -> bool:
    """No phase awaits what itself hangs on it, and the reversal has an order."""
    try:
        tuple(TopologicalSorter({one: {*row.needs, *row.awaits} for one, row in enumerate(rows)}).static_order())
        graphs(Site(Path()), Plan(rows, {}, ()))
    except CycleError:
        return False
    return True


@st.composite
def tables(draw: st.DrawFn, most: int) -> tuple[Row, ...]:
    """Up to `most` phases; some are skipped, some await others, of which some stand behind them."""
    count = draw(st.integers(2, most))
    rows: list[Row] = []
    waits = st.lists(st.booleans(), min_size=1, max_size=2)
    for number in range(count):
        needs: set[int] = draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set()
        row = Row(
            tuple(sorted(needs)),
            (),
            tuple(draw(waits)),
            tuple(draw(waits)),
            skipped=draw(st.integers(0, 5)) == 0,
            in_cluster=draw(st.booleans()),
        )
        rows.append(row)
    for number in range(count):
        others: list[int] = sorted(set(range(count)) - {number, *rows[number].needs})
        wanted: bool = draw(st.booleans())
        if others and wanted:
            awaiting = replace(rows[number], awaits=(draw(st.sampled_from(others)),))
            tried = [*rows[:number], awaiting, *rows[number + 1 :]]
            rows = tried if _can_end(tuple(tried)) else rows
    return tuple(rows)


@st.composite
def plans(draw: st.DrawFn, most: int = 5, events: int = 5) -> Plan:
    """A plan with at most so many phases and events."""
    rows = draw(tables(most))
    faults: dict[str, tuple[str, ...]] = {}
    for effect in effects(rows):
        if draw(st.integers(0, 2)) == 0:
            kinds = st.sampled_from(LOOKS if effect.waits else FAULTS)
            faults[effect.name] = tuple(draw(st.lists(kinds, min_size=1, max_size=3)))
    requests = st.builds(
        Event,
        st.sampled_from(["cancel", "cancel", "retry", "from", "delete"]),
        st.integers(0, 4),
        st.integers(0, len(rows) - 1),
        st.just(0) | st.integers(1, 12),
    )
    kills = st.builds(Event, st.just("kill"), st.integers(0, 4), st.just(0), st.just(0) | st.integers(1, 40))
    return Plan(
        rows,
        faults,
        tuple(draw(st.lists(requests | kills, min_size=1, max_size=events))),
        first_death=draw(st.just(0) | st.integers(1, 60)),
        cluster=draw(st.booleans()),
    )
