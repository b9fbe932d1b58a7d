"""When drift can be asked for, and what the answer says, on a toy graph; the engine is the real one."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from steps.readonly import Difference, Kind, NoResult, Records, Stopped, Unknown
from steps.readonly.records import MOST, Resource
from tests.workflows.test_engine import in_state, running, start, until
from tests.workflows.toy import World
from workflows import drift
from workflows.errors import NotFound, NothingApplied, OperationInProgress, UninstallBegun
from workflows.runtime import Runtime
from workflows.tables import installations


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def runtime(tmp_path: Path, world: World) -> Iterator[Runtime]:
    with running(tmp_path, world) as runtime:
        yield runtime


@pytest.fixture
def ready(runtime: Runtime, world: World) -> Runtime:
    start(runtime)
    until(runtime, in_state("READY"))
    world.calls.clear()
    return runtime


def test_every_phase_is_run_once_more_as_a_change_and_nothing_is_recorded(ready: Runtime, world: World) -> None:
    before = ready.ledger.installation("toy")
    found = ready.control.drift("toy")
    assert (found["name"], found["in_sync"], found["differences"]) == ("toy", True, [])
    assert (found["not_compared"], found["unreadable"], found["truncated"]) == ([], [], False)
    assert sorted(world.calls) == ["a+", "b+", "c+", "d+"]
    assert ready.ledger.installation("toy") == before


def test_an_aws_that_does_not_let_us_look_is_no_drift(ready: Runtime, world: World) -> None:
    """The toy's error says that AWS denies access, which says nothing of the thing itself."""
    world.failing.add("b+")
    found = ready.control.drift("toy")
    assert [(one["phase"], one["code"]) for one in found["unreadable"]] == [("b", "AWS_ACCESS_DENIED")]
    assert (found["in_sync"], found["differences"], drift.drifted(found)) == (False, [], {})


def test_while_an_operation_runs_there_is_no_drift_to_be_told(runtime: Runtime, world: World) -> None:
    world.blocked["b1"] = threading.Event()
    start(runtime)
    until(runtime, lambda _found: "b1" in world.calls)
    with pytest.raises(OperationInProgress):
        runtime.control.drift("toy")
    world.blocked["b1"].set()
    until(runtime, in_state("READY"))


def test_an_operation_that_was_begun_meanwhile_makes_the_answer_worthless(ready: Runtime, world: World) -> None:
    world.blocked["d+"] = threading.Event()
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            ready.control.drift("toy")
        except OperationInProgress as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    until(ready, lambda _found: "d+" in world.calls)
    world.blocked["a1"] = threading.Event()
    ready.control.repair("toy", {"d": "by somebody else"})
    world.blocked["d+"].set()
    asking.join(10)
    assert [type(error) for error in raised] == [OperationInProgress]
    until(ready, in_state("READY"))


def test_where_nothing_has_been_made_there_is_nothing_to_compare(runtime: Runtime, world: World) -> None:
    world.failing.add("a1")
    start(runtime)
    until(runtime, in_state("FAILED"))
    with pytest.raises(NothingApplied):
        runtime.control.drift("toy")


def test_what_an_install_did_not_get_to_is_not_compared(runtime: Runtime, world: World) -> None:
    world.failing.add("b1")
    start(runtime)
    until(runtime, in_state("FAILED"))
    world.calls.clear()
    found = runtime.control.drift("toy")
    assert sorted(world.calls) == ["a+", "c+"]
    assert [one["phase"] for one in found["not_compared"]] == ["b", "d"]


def test_an_unknown_an_uninstalled_and_a_half_uninstalled_one_have_no_drift(ready: Runtime, world: World) -> None:
    with pytest.raises(NotFound):
        ready.control.drift("other")
    world.failing.add("unb1")
    ready.control.delete("toy", data="delete", force=False)
    until(ready, in_state("FAILED"))
    with pytest.raises(UninstallBegun):
        ready.control.drift("toy")
    world.failing.clear()
    ready.control.retry("toy")
    until(ready, in_state("DELETED"))
    with pytest.raises(NotFound):
        ready.control.drift("toy")


def test_an_installation_of_a_release_that_kept_no_record_is_compared_all_the_same(
    ready: Runtime, world: World
) -> None:
    with ready.engine.begin() as connection:
        connection.execute(sa.update(installations).values(applied=None))
    assert ready.control.drift("toy")["in_sync"]
    assert sorted(world.calls) == ["a+", "b+", "c+", "d+"]


def test_what_takes_too_long_is_not_waited_for(ready: Runtime, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "SECONDS", 0.3)
    world.blocked["c+"] = threading.Event()
    found = ready.control.drift("toy")
    assert [(one["phase"], one["code"]) for one in found["unreadable"]] == [("c", "TIMED_OUT")]
    world.blocked["c+"].set()


def test_more_differences_than_are_told_are_said_to_be_there() -> None:
    kept = Records()
    for number in range(MOST + 1):
        kept.add(Difference(Kind.MISSING, Resource("Thing", str(number)), "is not there"))
    assert (len(kept.differences), kept.truncated) == (MOST, True)


def test_the_same_difference_is_told_once() -> None:
    kept = Records()
    for _ in range(2):
        kept.add(Difference(Kind.MISSING, Resource("Thing", "1"), "is not there"))
    assert len(kept.differences) == 1


@pytest.mark.parametrize("nobody_knows", [Unknown(), NoResult()])
def test_an_answer_that_nobody_has_ends_the_comparison_when_it_is_looked_into(nobody_knows: Unknown) -> None:
    with pytest.raises(Stopped):
        nobody_knows["id"]
    if isinstance(nobody_knows, NoResult):
        with pytest.raises(Stopped):
            list(nobody_knows)
        with pytest.raises(Stopped):
            str(nobody_knows)
        with pytest.raises(Stopped):
            bool(nobody_knows)


def test_a_repair_names_each_phase_once_with_the_first_reason() -> None:
    found = {"differences": [{"phase": "a", "message": "1"}, {"phase": "a", "message": "2"}]}
    assert drift.drifted(found) == {"a": "Drifted: 1"}
