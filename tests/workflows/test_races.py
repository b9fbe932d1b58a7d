"""Requests that come at the worst moment."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from steps.errors import Code, Problem, TransientError
from tests.workflows.test_engine import in_state, running, start, until
from tests.workflows.toy import World, toy_graphs
from workflows.durable import FIRST_BACKOFF_SECONDS, Run
from workflows.facts import Facts
from workflows.graph import Graph, Phase, Undo
from workflows.journal import Journal
from workflows.runtime import RuntimeSettings, launch


@pytest.fixture
def world() -> World:
    return World()


def test_a_retry_between_the_operations_last_word_and_its_workflows_end_is_not_lost(
    tmp_path: Path, world: World
) -> None:
    """The ledger says FAILED a moment before DBOS does, or for as long as a killed worker is not taken over."""
    world.failing.add("a3")
    with running(tmp_path, world) as runtime:
        start(runtime)
        operation = until(runtime, in_state("FAILED")).operation.id
        until(runtime, lambda _record: runtime.client.retrieve_workflow(operation).get_status().status == "ERROR")
        with runtime.engine.begin() as connection:
            statement = sa.text("UPDATE workflow_status SET status = 'PENDING' WHERE workflow_uuid = :id")
            connection.execute(statement, {"id": operation})
        world.failing.clear()
        runtime.control.retry("toy")
        until(runtime, in_state("READY"))
    assert world.counts["a3"] == 2


def test_an_installation_is_read_as_of_one_moment(tmp_path: Path, world: World) -> None:
    """Its row and its operation are two queries; what is written between them is not half seen."""
    with running(tmp_path, world) as runtime:
        world.pending.add("a2")
        start(runtime)
        operation = until(runtime, in_state("PROVISIONING")).operation
        journal, problem = Journal(runtime.engine), Problem("INTERNAL", "It broke.")
        writer = threading.Thread(target=journal.operation_failed, args=(operation.id, problem))

        def write(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            mine = threading.current_thread() is threading.main_thread()
            if mine and "FROM podium_installations" in statement and not writer.ident:
                writer.start()
                writer.join(1)  # on SQLite a writer waits for the reader's end; a reader without snapshot lets it in

        sa.event.listen(runtime.engine, "after_cursor_execute", write)
        found = runtime.ledger.installation("toy")
        writer.join(20)
        assert found is not None
        assert (found.state, found.operation.state) == ("PROVISIONING", "RUNNING")
        found = runtime.ledger.installation("toy")
        assert found is not None
        assert (found.state, found.operation.state) == ("FAILED", "FAILED")


def test_after_a_cancel_and_a_retry_only_the_new_execution_calls(tmp_path: Path) -> None:
    """The old one, which was about to try again when it was cancelled, cannot know that from DBOS in time."""
    calls: list[float] = []

    def busy() -> str:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise TransientError.by_provider(Code.AWS_UNAVAILABLE, "AWS is busy.", "Wait.")
        return "made"

    async def run(run: Run) -> Facts:
        await run.step("Making it", busy)
        return Facts()

    graphs = toy_graphs(World()) | {"install": Graph((Phase("a", "a", (), run, Undo("a", run), 1),))}
    runtime = launch(RuntimeSettings(f"sqlite:///{tmp_path}/podium.db"), graphs=graphs)
    try:
        start(runtime)
        until(runtime, lambda _: len(calls) == 1)
        until(runtime, lambda _: "step.repeated" in {one.kind for one in runtime.ledger.events("toy")})
        runtime.control.cancel("toy")
        runtime.control.retry("toy")
        until(runtime, in_state("READY"))
        deadline = calls[0] + FIRST_BACKOFF_SECONDS + 1
        until(runtime, lambda _: time.monotonic() > deadline)
    finally:
        runtime.stop()
    assert len(calls) == 2
