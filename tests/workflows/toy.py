"""A small phase graph whose steps write down what they do, and can be told to fail, wait, or ask for a person."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from steps.errors import Code, PodiumError
from steps.reporting import report
from steps.waiting import Blocked, NeedsPerson, Pending
from workflows.context import context
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Change, Graph, Phase, Undo, never, undoing
from workflows.spec import InstallationSpec


@dataclass
class World:
    """What the toy steps did, in order, and how they shall behave."""

    calls: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    in_the_way: set[str] = field(default_factory=set)
    telling: dict[str, list[str]] = field(default_factory=dict)
    blocked: dict[str, threading.Event] = field(default_factory=dict)
    cluster: bool = True
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


def look(world: World, what: str) -> str | Pending | Blocked:
    world.note(what)
    if what in world.in_the_way:
        return Blocked(f"{what} is in use", "Delete it.", ({"arn": "arn:x", "why": "is inside", "owner": "somebody"},))
    return Pending("not yet") if what in world.pending else what


def ask(operation_id: str, phase: str) -> str | NeedsPerson:
    given = context().ledger.provided(operation_id, phase)
    return given["secret"] if given else NeedsPerson("An API key is needed.", "Provide one.")


INPUTS = {"a": ("aws",), "b": ("nodes",), "c": ("database",), "d": ("console",), "e": ("autoscaling",)}
FOLLOWERS = {"c": ("d",)}


def _not_scaled(spec: InstallationSpec) -> bool:
    return not spec.autoscaling.enabled


def toy_graphs(world: World, *, asking: bool = False, scaling: bool = False) -> dict[str, Graph]:
    """a -> (b, c) -> d; each phase has three steps, the second one a wait, in c it hangs on b. d is in the cluster.

    A change has one step. With `scaling` there is a fifth, e, behind d, which not every spec wants.
    """

    def phase(name: str, *needs: str) -> Phase:
        async def run(run: Run) -> Facts:
            await run.step(f"Making {name}1", make, world, f"{name}1")
            await run.wait(f"Waiting for {name}2", look, 1, world, f"{name}2")
            if asking and name == "c":
                await run.wait("Waiting for a key", ask, 1, run.operation_id, name)
            await run.step(f"Making {name}3", make, world, f"{name}3")
            return Facts()

        async def undo(run: Run) -> Facts:
            await run.step(f"Unmaking {name}", make, world, f"un{name}1")
            await run.wait(f"Waiting for {name} to go", look, 1, world, f"un{name}2")
            return Facts()

        async def change(run: Run) -> Facts:
            await run.step(f"Changing {name}", make, world, f"{name}+")
            return Facts(zones=[name])

        undone = Undo(f"Undoing {name}", undo, in_cluster=name == "d")
        changed = Change(INPUTS[name], f"Changing {name}", change, followers=FOLLOWERS.get(name, ()))
        skip = _not_scaled if name == "e" else never
        awaits = ("b",) if name == "c" else ()
        return Phase(name, f"Doing {name}", needs, run, undone, 1, skip, awaits, change=changed)

    phases = [phase("a"), phase("b", "a"), phase("c", "a"), phase("d", "b", "c")]
    install = Graph((*phases, phase("e", "d")) if scaling else tuple(phases))
    return {"install": install, "uninstall": undoing(install, first=_first(world), last=_last(world))}


def _first(world: World) -> Phase:
    async def survey(run: Run) -> Facts:
        await run.step("Looking", make, world, "survey")
        return Facts(cluster_endpoint="here") if world.cluster else Facts()

    return Phase("survey", "Looking", (), survey, Undo("Nothing", survey), 1)


def _last(world: World) -> Phase:
    async def proof(run: Run) -> Facts:
        await run.step("Proving", make, world, "proof")
        return Facts(left=[{"arn": "given", "why": "it was given"}], proof={"leftovers": []})

    return Phase("proof", "Proving", (), proof, Undo("Nothing", proof), 1)
