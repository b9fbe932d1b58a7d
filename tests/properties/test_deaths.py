"""Random graphs, faults and requests, forwards and backwards, in a process that dies anywhere, at any commit.

The process is a real one and really dies (tests/properties/process.py); databases are real. What must hold is looked at
before each call to the outside (effects.py), and whenever an operation is over (story.py).
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from sandbox.postgres import PostgresServer, Template
from sandbox.processes import free_port
from tests.properties.plans import Event, Plan, Row, plans
from tests.properties.story import Story
from workflows.runtime import RuntimeSettings, launch

SLOW = settings(
    deadline=None,
    derandomize=os.environ.get("PODIUM_RANDOM") is None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
MANY = int(os.environ.get("PODIUM_EXAMPLES", "60"))
CHAIN = (Row((), (), (False,), (False,)), Row((0,), (), (False,), (False,)))
FAILS = {"p0_0": ("fail",)}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables."""
    path = tmp_path_factory.mktemp("tables") / "podium.sqlite"
    launch(RuntimeSettings(f"sqlite:///{path}"), execute=False).stop()
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    home = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(home / "server", free_port(), Template(home))
    server.start()
    yield server
    server.stop()


def lived(plan: Plan, url: str, folder: Path) -> Story:
    """The story, which is over."""
    story = Story(plan, folder, url)
    try:
        story.live()
    finally:
        story.close()
    return story


def lived_on_sqlite(plan: Plan, template: Path) -> Story:
    with tempfile.TemporaryDirectory(prefix="plan-", dir=template.parent) as name:
        folder = Path(name)
        (folder / "podium.sqlite").write_bytes(template.read_bytes())
        return lived(plan, f"sqlite:///{folder}/podium.sqlite", folder)


def lived_on_postgresql(plan: Plan, server: PostgresServer) -> Story:
    database = f"plan{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    with tempfile.TemporaryDirectory(prefix="plan-", dir=server.directory.parent) as name:
        return lived(plan, server.url(database), Path(name))


@settings(SLOW, max_examples=2)
@given(plan=plans(most=4, events=3))
def test_whatever_happens_an_operation_ends_and_nothing_is_done_twice(plan: Plan, template: Path) -> None:
    lived_on_sqlite(plan, template)


@pytest.mark.parametrize(
    ("request_", "commit"),
    [
        pytest.param("retry", 3, id="retry-between-child-and-parent"),
        pytest.param("cancel", 2, id="cancel-between-ledger-and-workflows"),
    ],
)
def test_a_request_that_dies_half_way_is_brought_to_its_end(request_: str, commit: int, template: Path) -> None:
    assert half_way(request_, commit, template) is None


@pytest.mark.chaos
@pytest.mark.parametrize("request_", ["retry", "from", "cancel", "delete"])
def test_a_request_may_die_at_each_of_its_commits(request_: str, template: Path) -> None:
    deaths = itertools.takewhile(lambda commit: half_way(request_, commit, template) is None, itertools.count(1))
    assert len(list(deaths)) >= 1


def half_way(request_: str, commit: int, template: Path) -> str | None:
    """The answer to a request within which the process dies at this commit, if it gets so far; None when it does not
    answer. The install has failed before, or (for a cancel) runs."""
    faults = {"p0_0": ("slow",)} if request_ == "cancel" else FAILS
    after = 0 if request_ != "cancel" else 1
    return lived_on_sqlite(Plan(CHAIN, faults, (Event(request_, after, 0, commit),)), template).answers[0]


@pytest.mark.chaos
def test_a_wait_for_what_was_given_up_is_given_up(template: Path) -> None:
    """p2 awaits p1, which awaits p0, which has failed."""
    alone = Row((), (), (False,), (False,))
    rows = (alone, Row((), (0,), (True,), (False,)), Row((), (1,), (True,), (False,)))
    lived_on_sqlite(Plan(rows, {"p0_0": ("fail",)}, (Event("retry"),)), template)


def test_a_wait_for_what_will_never_begin_is_given_up(template: Path) -> None:
    """p2 awaits p3, which needs p1, which is slow; p0 has failed meanwhile, so that p3 is never begun."""
    rows = (
        Row((), (), (False,), (False,)),
        Row((), (), (False, False, False), (False,)),
        Row((), (3,), (True,), (False,)),
        Row((1,), (), (False,), (False,)),
    )
    slow = {f"p1_{index}": ("slow",) for index in range(3)}
    lived_on_sqlite(Plan(rows, {"p0_0": ("fail",), **slow}, (Event("retry"),)), template)


@pytest.mark.chaos
@settings(SLOW, max_examples=MANY)
@given(plan=plans())
def test_whatever_happens_on_many_graphs(plan: Plan, template: Path) -> None:
    lived_on_sqlite(plan, template)


@pytest.mark.chaos
@settings(SLOW, max_examples=MANY // 4)
@given(plan=plans())
def test_whatever_happens_on_postgresql(plan: Plan, server: PostgresServer) -> None:
    lived_on_postgresql(plan, server)
