"""An operation that an older version of Podium began is finished by this one: that version's own code begins it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.older import tree
from tests.workflows.test_engine import in_state, running, until
from tests.workflows.toy import World

OLDER = "682a3d6"
"""The last commit before operations could be taken over."""
BEGIN = """
import os, sys
from tests.workflows.test_engine import start, states, until
from tests.workflows.toy import World, toy_graph
from workflows.runtime import RuntimeSettings, launch

world = World()
world.pending.add("b2")
runtime = launch(RuntimeSettings(database_url=sys.argv[1]), graph=toy_graph(world))
start(runtime)
until(runtime, lambda record: states(record)["c"] == "succeeded" and world.counts["b2"] > 1)
os._exit(9)
"""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return tree(OLDER, tmp_path / "older")


def test_what_an_older_version_began_is_finished_without_repeating_a_step(older: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/podium.db"
    env = {**os.environ, "PYTHONPATH": str(older)}
    begun = subprocess.run([sys.executable, "-c", BEGIN, url], cwd=older, env=env, capture_output=True, check=False)
    assert begun.returncode == 9, begun.stderr.decode()
    world = World()
    with running(tmp_path, world) as runtime:
        until(runtime, in_state("READY"))
    assert world.calls == ["b2", "b3", "d1", "d2", "d3"]
