"""What a look for drift leaves out because an operation still owes it: on the toy graph, whose steps write down what
they are asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.test_engine import SPEC, in_state, running, start, until
from tests.workflows.toy import World
from workflows.errors import NothingApplied, OperationInProgress
from workflows.runtime import Runtime
from workflows.spec import InstallationSpec


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def runtime(tmp_path: Path, world: World) -> Iterator[Runtime]:
    with running(tmp_path, world, scaling=True) as runtime:
        yield runtime


def changed(**parts: Any) -> InstallationSpec:
    return InstallationSpec.model_validate(SPEC.public() | parts)


def left_out(report: dict[str, Any]) -> dict[str, str]:
    return {one["phase"]: one["why"] for one in report["not_compared"]}


def test_each_phase_that_ended_well_is_looked_at_as_a_change_would_do_it(runtime: Runtime, world: World) -> None:
    start(runtime)
    until(runtime, in_state("READY"))
    world.calls.clear()
    report = runtime.control.drift("toy")
    assert (report["in_sync"], report["differences"], left_out(report)) == (True, [], {})
    assert sorted(world.calls) == ["a+", "b+", "c+", "d+", "e+"]


def test_a_changed_spec_that_has_not_come_to_a_phase_is_not_called_drift(runtime: Runtime, world: World) -> None:
    start(runtime)
    until(runtime, in_state("READY"))
    world.failing.add("c+")
    scaled = SPEC.public()["autoscaling"] | {"max_replicas": 7}
    runtime.control.apply(changed(database={"storage_gib": 50}, autoscaling=scaled))
    until(runtime, in_state("FAILED"))
    world.calls.clear()
    report = runtime.control.drift("toy")
    why = left_out(report)
    assert set(why) == {"c", "e"}
    assert "never done to its end" in why["c"]
    assert "has not reached it" in why["e"]
    assert sorted(world.calls) == ["a+", "b+", "d+"]
    assert (report["in_sync"], report["differences"]) == (False, [])


def test_an_installation_in_the_middle_of_its_install_is_not_looked_at(runtime: Runtime, world: World) -> None:
    world.pending.add("a2")
    start(runtime)
    until(runtime, lambda _found: "a2" in world.calls)
    with pytest.raises(OperationInProgress):
        runtime.control.drift("toy")


def test_where_nothing_was_made_to_its_end_nothing_is_compared(runtime: Runtime, world: World) -> None:
    world.failing.add("a1")
    start(runtime)
    until(runtime, in_state("FAILED"))
    world.calls.clear()
    with pytest.raises(NothingApplied):
        runtime.control.drift("toy")
    assert world.calls == []


def test_an_error_of_a_phase_is_a_difference_or_unreadable_and_never_hides_the_others(
    runtime: Runtime, world: World
) -> None:
    start(runtime)
    until(runtime, in_state("READY"))
    world.failing.add("b+")  # AWS_ACCESS_DENIED: says nothing of the thing itself
    report = runtime.control.drift("toy")
    (unreadable,) = report["unreadable"]
    assert (unreadable["phase"], unreadable["code"]) == ("b", "AWS_ACCESS_DENIED")
    assert unreadable["remedy"]
    assert (report["in_sync"], report["differences"]) == (False, [])
