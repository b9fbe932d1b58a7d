"""Any graph, with any failures, crashes, cancels, retries and changes in any order, on the real DBOS."""

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.properties.graphs import NAMES, SKIPPABLE, Outside, Shape, graphs, shapes
from tests.properties.test_changing import spec
from workflows.records import InstallationRecord
from workflows.runtime import Runtime, RuntimeSettings, launch

ENDS = ("SUCCEEDED", "FAILED", "CANCELLED")
AGREEING = {
    "install": {"SUCCEEDED": "READY", "FAILED": "FAILED", "CANCELLED": "CANCELLED"},
    "upgrade": {"SUCCEEDED": "READY", "FAILED": "FAILED", "CANCELLED": "CANCELLED"},
    "uninstall": {"SUCCEEDED": "DELETED", "FAILED": "FAILED", "CANCELLED": "CANCELLED"},
}
STEPS = {"install": ("1", "2"), "upgrade": ("+",), "uninstall": ("-",)}


@dataclass(frozen=True)
class Blow:
    """After so many further effects: the process dies, or somebody cancels."""

    kind: str
    after: int


@dataclass(frozen=True)
class Plan:
    """What happens in one operation: failures by step (each kind once, in that order), then blows."""

    failures: dict[str, list[str]]
    blows: list[Blow]


def plans(endings: tuple[str, ...]) -> st.SearchStrategy[Plan]:
    steps = st.sampled_from([f"{name}{ending}" for name in NAMES for ending in endings])
    kinds = st.lists(st.sampled_from(["lasting", "unexpected"]), min_size=1, max_size=2)
    blows = st.lists(st.builds(Blow, st.sampled_from(["crash", "cancel"]), st.integers(1, 6)), max_size=2)
    return st.builds(Plan, st.dictionaries(steps, kinds, max_size=2), blows)


class Trial:
    """One installation on one random graph, through its operations."""

    def __init__(self, shape: Shape, home: Path) -> None:
        self.shape, self.outside = shape, Outside()
        self._graphs = graphs(shape, self.outside)
        self._settings = RuntimeSettings(database_url=f"sqlite:///{home}/podium.db", drain=0.0)
        self.runtime: Runtime = launch(self._settings, graphs=self._graphs)
        self.crashes = self.cancels = 0

    def run(self, kind: str, plan: Plan, begin: Callable[[], object]) -> None:
        """Begins the operation and brings it to its success through everything that the plan has in store."""
        self.outside.effects.clear()
        self.outside.failing = {step: list(kinds) for step, kinds in plan.failures.items()}
        self.crashes = self.cancels = 0
        self._arm(plan.blows[0].after if plan.blows else None)
        begin()
        for number, blow in enumerate(plan.blows, start=1):
            following = plan.blows[number].after if number < len(plan.blows) else None
            if not self._struck(blow, following):
                break
        self._arm(None)
        for _ in range(2 * len(NAMES) + 4):
            if self._ended().operation.state == "SUCCEEDED":
                break
            self.runtime.control.retry("toy")
        self._check(kind)

    def _struck(self, blow: Blow, following: int | None) -> bool:
        """False when the operation ended before it."""
        while not self.outside.paused.wait(0.02):
            if self._record().operation.state in ENDS and not self.outside.paused.is_set():
                return False
        if blow.kind == "crash":
            self.crashes += 1
            self._crash(following)
        else:
            self.cancels += 1
            self.runtime.control.cancel("toy")
            self._arm(following)
            self._ended()
            self.runtime.control.retry("toy")
        return True

    def _crash(self, following: int | None) -> None:
        """Calls under way have had their effect, and nobody gets to record it."""
        self.runtime.execution.lease.close()  # type: ignore[union-attr]
        self._arm(following)
        self.runtime.stop()
        self.runtime = launch(self._settings, graphs=self._graphs)

    def _arm(self, after: int | None) -> None:
        """The outside stands still after so many effects more; what stood still goes on."""
        outside = self.outside
        outside.pause_after = None if after is None else len(outside.effects) + after
        outside.going.set()
        outside.paused.clear()
        outside.going = type(outside.going)()

    def _record(self) -> InstallationRecord:
        found = self.runtime.ledger.installation("toy")
        assert found is not None
        return found

    def _ended(self) -> InstallationRecord:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self._record()
            if found.operation.state in ENDS:
                assert found.state == AGREEING[found.operation.kind][found.operation.state]
                return found
            time.sleep(0.01)  # polling with a deadline
        raise AssertionError(f"never ends: {self._record()}")

    def _check(self, kind: str) -> None:
        record = self._ended()
        assert record.operation.state == "SUCCEEDED", record.operation.error
        touched = [
            phase.name for phase in record.operation.phases if phase.state == "succeeded" and phase.name in NAMES
        ]
        counts = Counter(self.outside.effects)
        assert set(counts) == {f"{name}{end}" for name in touched for end in self._endings(kind, name, record)}
        again = {step: count for step, count in counts.items() if count > 1}
        assert sum(count - 1 for count in again.values()) <= (self.crashes + self.cancels) * len(NAMES)
        if not self.crashes and not self.cancels:
            assert not again
        self._check_order(kind, touched)
        self._check_log(record)

    def _endings(self, kind: str, name: str, record: InstallationRecord) -> tuple[str, ...]:
        removed = record.operation.options.get("actions", {}).get(name) == "remove"
        return ("-",) if removed else STEPS[kind]

    def _check_order(self, kind: str, touched: list[str]) -> None:
        """The first effect of a phase comes behind the last one of everything it needs; what is unmade goes before."""
        effects = [effect[0] for effect in self.outside.effects]
        first = {name: effects.index(name) for name in touched}
        finals = {"install": "2", "upgrade": "+", "uninstall": "-"}
        done = {name: self._first_of(f"{name}{finals[kind]}", f"{name}-") for name in touched}
        for name in touched:
            backwards = f"{name}-" in self.outside.effects
            needs = set(self.shape.needs[name]) if backwards else self.shape.upstream(name)
            for need in needs & set(touched):
                before, after = (name, need) if backwards else (need, name)
                assert done[before] < first[after], self.outside.effects

    def _first_of(self, *steps: str) -> int:
        return next(index for index, effect in enumerate(self.outside.effects) if effect in steps)

    def _check_log(self, record: InstallationRecord) -> None:
        events = self.runtime.ledger.events("toy", limit=5000)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        mine = [event for event in events if event.operation_id == record.operation.id]
        for phase in record.operation.phases:
            if phase.state == "succeeded":
                kinds = [event.kind for event in mine if event.phase == phase.name]
                assert "phase.started" in kinds
                assert kinds[-1] == "phase.succeeded"
                assert kinds.count("phase.failed") <= phase.attempt
        assert "canary" not in "".join(event.message for event in events)


@contextmanager
def trial(shape: Shape) -> Iterator[Trial]:
    home = Path(tempfile.mkdtemp(prefix="podium-properties-"))
    found = Trial(shape, home)
    try:
        yield found
    finally:
        found.outside.going.set()
        found.runtime.stop()
        shutil.rmtree(home)


def life(shape: Shape, install: Plan, upgrade: Plan, uninstall: Plan, scaled: bool, values: dict[str, int]) -> None:
    """An install, a change of some fields, an uninstall; each through its plan."""
    with trial(shape) as one:
        begin = spec(True)
        one.run("install", install, lambda: one.runtime.control.create(begin, idempotency_key=None, fingerprint=""))
        changed = spec(scaled, **values)
        if not one.runtime.control.plan_change(changed)["unchanged"]:
            one.run("upgrade", upgrade, lambda: one.runtime.control.apply(changed))
        assert one.runtime.control.plan_change(changed)["unchanged"]
        one.run("uninstall", uninstall, lambda: one.runtime.control.delete("toy", data="delete", force=False))


arguments = {
    "shape": shapes(),
    "install": plans(("1", "2")),
    "upgrade": plans(("+",)),
    "uninstall": plans(("-",)),
    "scaled": st.booleans(),
    "values": st.dictionaries(st.sampled_from([name for name in NAMES if name != SKIPPABLE]), st.integers(1, 9)),
}
slow = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@settings(slow, max_examples=2)
@given(**arguments)
def test_every_operation_ends_well_in_order_and_without_repetition(**given: object) -> None:
    life(**given)  # type: ignore[arg-type]


@pytest.mark.chaos
@settings(slow, max_examples=int(os.environ.get("PODIUM_EXAMPLES", "60")), derandomize=False, print_blob=True)
@given(**arguments)
def test_every_operation_ends_well_on_many_graphs(**given: object) -> None:
    life(**given)  # type: ignore[arg-type]
