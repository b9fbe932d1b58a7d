"""Random phase graphs, and the record of what their steps did."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from steps.errors import Code, PodiumError
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Change, Graph, Phase, Undo, undoing
from workflows.spec import InstallationSpec

FIELDS = {
    "a": ("nodes", "count"),
    "b": ("console", "replicas"),
    "c": ("conductor", "replicas"),
    "d": ("app", "replicas"),
    "e": ("autoscaling", "target"),
    "f": ("database", "backup_retention_days"),
}
"""Each phase goes by one field of the spec."""
NAMES = tuple(FIELDS)
SKIPPABLE = "e"
"""Not wanted without autoscaling; nothing needs it, as in the real table."""


@dataclass(frozen=True)
class Shape:
    """A graph: needs by phase, each phase's needs among those before it; followers by phase, among those behind it."""

    needs: dict[str, tuple[str, ...]]
    followers: dict[str, tuple[str, ...]]

    def upstream(self, name: str) -> set[str]:
        found = set(self.needs[name])
        for need in self.needs[name]:
            found |= self.upstream(need)
        return found


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    needs: dict[str, tuple[str, ...]] = {}
    for position, name in enumerate(NAMES):
        before = [other for other in NAMES[:position] if other != SKIPPABLE]
        needs[name] = tuple(draw(st.lists(st.sampled_from(before), unique=True, max_size=3))) if before else ()
    followers = {
        name: tuple(draw(st.lists(st.sampled_from(NAMES[position + 1 :]), unique=True, max_size=1)))
        for position, name in enumerate(NAMES[:-1])
    }
    return Shape(needs, followers)


@dataclass
class Outside:
    """What the steps did, in order, and which of them shall fail, how often and how."""

    effects: list[str] = field(default_factory=list)
    failing: dict[str, list[str]] = field(default_factory=dict)
    pause_after: int | None = None
    paused: threading.Event = field(default_factory=threading.Event)
    going: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def act(self, what: str) -> str:
        """One effect; stands still once there have been `pause_after`."""
        with self.lock:
            kinds = self.failing.get(what)
            kind = kinds.pop(0) if kinds else None
            if kind is None:
                self.effects.append(what)
            stop = self.pause_after is not None and len(self.effects) >= self.pause_after
        if stop:
            self.paused.set()
            self.going.wait(20)
        if kind is not None:
            raise FAILURES[kind](what)
        return what


FAILURES: dict[str, Callable[[str], Exception]] = {
    "lasting": lambda what: PodiumError.by_user(Code.AWS_ACCESS_DENIED, f"{what} is not allowed.", "Allow it."),
    "unexpected": lambda what: ValueError(f"canary {what}"),
}


def graphs(shape: Shape, outside: Outside) -> dict[str, Graph]:
    """Two steps to make, one to change, one to unmake each phase's thing."""

    def phase(name: str) -> Phase:
        async def run(run: Run) -> Facts:
            await run.step(f"First of {name}", outside.act, f"{name}1")
            await run.step(f"Second of {name}", outside.act, f"{name}2")
            return Facts()

        async def change(run: Run) -> Facts:
            await run.step(f"Changing {name}", outside.act, f"{name}+")
            return Facts()

        async def undo(run: Run) -> Facts:
            await run.step(f"Unmaking {name}", outside.act, f"{name}-")
            return Facts()

        changed = Change((".".join(FIELDS[name]),), f"Changing {name}", change, followers=shape.followers.get(name, ()))
        skip = _not_scaled if name == SKIPPABLE else _never
        return Phase(
            name, f"Making {name}", shape.needs[name], run, Undo(f"Unmaking {name}", undo), 1, skip, change=changed
        )

    async def nothing(run: Run) -> Facts:
        return Facts()

    def edge(name: str) -> Phase:
        return Phase(name, name, (), nothing, Undo("Nothing", nothing), 1)

    install = Graph(tuple(phase(name) for name in NAMES))
    return {"install": install, "uninstall": undoing(install, first=edge("survey"), last=edge("proof"))}


def _not_scaled(spec: InstallationSpec) -> bool:
    return not spec.autoscaling.enabled


def _never(spec: InstallationSpec) -> bool:
    return False
