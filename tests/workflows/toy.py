"""A small phase graph whose steps write down what they do, and can be told to fail, wait, or ask for a person."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from steps.errors import Code, PodiumError
from steps.reporting import report
from steps.waiting import NeedsPerson, Pending
from workflows.context import context
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Graph, Phase


@dataclass
class World:
    """What the toy steps did, in order, and how they shall behave."""

    calls: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    telling: dict[str, list[str]] = field(default_factory=dict)
    blocked: dict[str, threading.Event] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.calls)

    def note(self, call: str) -> None:
        with self.lock:
            self.calls.append(call)


def make(world: World, what: str) -> str:
    world.note(what)
    if what in world.blocked:
        world.blocked[what].wait(30)
        world.note(f"{what} ended")
    report(world.telling.get(what, []))
    if what in world.failing:
        raise PodiumError.by_user(Code.AWS_ACCESS_DENIED, f"{what} is not allowed", "Allow it.")
    return what


def look(world: World, what: str) -> str | Pending:
    world.note(what)
    return Pending("not yet") if what in world.pending else what


def ask(operation_id: str, phase: str) -> str | NeedsPerson:
    given = context().ledger.provided(operation_id, phase)
    return given["secret"] if given else NeedsPerson("An API key is needed.", "Provide one.")


def toy_graph(world: World, *, asking: bool = False) -> Graph:
    """a -> (b, c) -> d; each phase has three steps, the second one a wait, which in c hangs on b."""

    def phase(name: str, *needs: str) -> Phase:
        async def run(run: Run) -> Facts:
            await run.step(f"Making {name}1", make, world, f"{name}1")
            await run.wait(f"Waiting for {name}2", look, 1, world, f"{name}2")
            if asking and name == "c":
                await run.wait("Waiting for a key", ask, 1, run.operation_id, name)
            await run.step(f"Making {name}3", make, world, f"{name}3")
            return Facts()

        return Phase(name, f"Doing {name}", needs, run, run, 1, awaits=("b",) if name == "c" else ())

    return Graph((phase("a"), phase("b", "a"), phase("c", "a"), phase("d", "b", "c")))
