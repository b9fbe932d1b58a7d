"""Requests that come at the worst moment."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.workflows.test_engine import in_state, running, start, until
from tests.workflows.toy import World


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
