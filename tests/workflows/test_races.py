"""Requests that come at the worst moment."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from steps.errors import Problem
from tests.workflows.test_engine import in_state, running, start, until
from tests.workflows.toy import World
from workflows.journal import Journal


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
