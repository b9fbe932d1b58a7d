"""The patience of a wait outlives the process, but not a retry, nor the time that a person took."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.workflows.test_engine import in_state, running, start, states, until
from tests.workflows.toy import World
from workflows.records import InstallationRecord
from workflows.runtime import Runtime
from workflows.tables import events

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> World:
    return World()


def b_waits(world: World) -> bool:
    return world.counts["b2"] > 1


def let_pass(runtime: Runtime, time: timedelta) -> None:
    """Everything that happened so far happened so much earlier."""
    with runtime.engine.begin() as connection:
        for row in connection.execute(sa.select(events.c.seq, events.c.at)).all():
            connection.execute(sa.update(events).where(events.c.seq == row.seq).values(at=row.at - time))


def wait_for_b(runtime: Runtime, world: World) -> InstallationRecord:
    return until(runtime, lambda record: states(record)["b"] == "running" and b_waits(world))


def test_a_wait_does_not_begin_anew_with_the_process(tmp_path: Path, world: World) -> None:
    world.pending.add("b2")
    with running(tmp_path, world) as runtime:
        start(runtime)
        wait_for_b(runtime, world)
        let_pass(runtime, MINUTE)
    world.calls.clear()
    with running(tmp_path, world) as runtime:
        record = until(runtime, in_state("FAILED"))
        assert world.counts["b2"] == 1, "one more look comes after the deadline"
        error = record.operation.phases[1].error
        assert error is not None
        assert (error["code"], error["step"]) == ("TIMED_OUT", "toy.look")
        runtime.control.retry("toy")
        wait_for_b(runtime, world)
        world.pending.clear()
        until(runtime, in_state("READY"))


def test_after_a_cancel_a_retry_waits_the_whole_time_again(tmp_path: Path, world: World) -> None:
    world.pending.add("b2")
    with running(tmp_path, world) as runtime:
        start(runtime)
        wait_for_b(runtime, world)
        runtime.control.cancel("toy")
        let_pass(runtime, MINUTE)
    world.calls.clear()
    with running(tmp_path, world) as runtime:
        runtime.control.retry("toy")
        wait_for_b(runtime, world)
        world.pending.clear()
        until(runtime, in_state("READY"))


def test_time_in_which_a_person_was_waited_for_does_not_count(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world, asking=True) as runtime:
        start(runtime)
        until(runtime, in_state("WAITING"))
        let_pass(runtime, MINUTE * 60)
    with running(tmp_path, world, asking=True) as runtime:
        until(runtime, in_state("WAITING"))


def test_the_steps_that_dbos_knows_of_a_phase_are_those_of_every_version(tmp_path: Path, world: World) -> None:
    """Their names and order are what a newer version of Podium replays: see test_older_version.py."""
    with running(tmp_path, world) as runtime:
        start(runtime)
        operation = until(runtime, in_state("READY")).operation.id
        steps = runtime.client.list_workflow_steps(f"{operation}.b")
        assert [(step["function_id"], step["function_name"]) for step in steps] == [
            (1, "phase.started"),
            (2, "toy.make"),
            (3, "toy.look"),
            (4, "toy.make"),
            (5, "phase.succeeded"),
        ]
