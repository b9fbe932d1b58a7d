"""Several workers as real processes on one real PostgreSQL: one is killed, suspended, stopped, or loses the database.

What they do to the outside is counted by call and by process.
"""

import itertools
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from sandbox.postgres import PostgresServer, Template
from sandbox.processes import free_port
from tests.workflows import busy_process
from workflows.database import Sole, make_engine
from workflows.errors import DatabaseInUse, ExecutorIdInUse
from workflows.ledger import Ledger
from workflows.records import InstallationRecord
from workflows.runtime import Runtime, launch
from workflows.spec import Aws, InstallationSpec
from workflows.tables import workers
from workflows.workers import Registry, Worker, hand_over

CALLS = [f"{phase}{part}{number}" for phase in "abcd" for part in ("", "-end") for number in (1, 2)]
DEAD = busy_process.RHYTHM.dead
_numbers = itertools.count(1)
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.workflows.busy_process"])


def until(found: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.02)  # polling with a deadline
    raise AssertionError(f"not within {seconds} s: {what}")


class Site:
    """A database, a folder where calls are written down, and workers on them; this process only asks."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.runtime: Runtime = launch(
            busy_process.settings(url, "asks"), execute=False, graphs=busy_process.graphs(folder)
        )
        self._engine = make_engine(url, 1)  # the runtime's ends a transaction after one second, so short is this rhythm
        self._ledger = Ledger(self._engine)
        self._processes: list[Any] = []

    def worker(self, executor_id: str) -> Any:
        process = _processes.Process(target=busy_process.work, args=(self.url, executor_id, self.folder))
        process.start()
        self._processes.append(process)
        until(lambda: (self.folder / f"up-{process.pid}").exists() or not process.is_alive(), "the worker is up")
        return process

    def hold(self, what: str) -> None:
        (self.folder / what).touch()

    def release(self, what: str) -> None:
        (self.folder / what).unlink()

    def calls(self) -> list[tuple[int, str]]:
        """(process, what) of every call, in order."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(line.split()[0]), line.split()[1]) for line in lines]

    def called(self, what: str, process: Any = None) -> bool:
        return any(one == what and process in (None, pid) for pid, one in self.calls())

    def install(self) -> None:
        spec = InstallationSpec(name="toy", aws=Aws(region="us-west-2"))
        self.runtime.control.create(spec, idempotency_key=None, fingerprint="")

    def record(self) -> InstallationRecord:
        found = self._ledger.installation("toy")
        assert found is not None
        return found

    def ready(self, seconds: float = 20) -> None:
        until(lambda: self.record().state == "READY", "READY", seconds)

    def twice(self) -> set[str]:
        return {what for what, count in Counter(what for _, what in self.calls()).items() if count > 1}

    def rows(self) -> dict[str, str]:
        """Executor id to state."""
        with self.runtime.engine.connect() as connection:
            return {row.executor_id: row.state for row in connection.execute(sa.select(workers))}

    def close(self) -> None:
        for process in self._processes:
            if process.is_alive():
                process.kill()
            process.join()
            process.close()
        self._engine.dispose()
        self.runtime.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    home = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(home / "server", free_port(), Template(home))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(server: PostgresServer) -> str:
    """A database of its own, empty."""
    name = f"podium{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url(name)


@pytest.fixture
def site(url: str, tmp_path: Path) -> Iterator[Site]:
    site = Site(url, tmp_path)
    yield site
    site.close()


def test_what_was_asked_for_before_any_worker_was_there_is_done(site: Site) -> None:
    site.install()
    assert site.runtime.workers() == 0
    site.worker("w1")
    site.ready()
    assert sorted(what for _, what in site.calls()) == sorted(CALLS)
    assert site.runtime.workers() == 1


def test_a_killed_worker_is_taken_over_by_the_other(site: Site) -> None:
    site.hold("hold-b2")
    first = site.worker("w1")
    site.install()
    until(lambda: site.called("b2") and site.called("c-end2"), "b is half done")
    second = site.worker("w2")
    first.kill()
    killed = time.monotonic()
    until(lambda: site.called("b2", second.pid), "the other one goes on", DEAD * 2 + 5)
    assert time.monotonic() - killed >= DEAD - busy_process.RHYTHM.beat
    site.release("hold-b2")
    site.ready()
    assert site.twice() == {"b1", "b2"}
    assert site.rows() == {"w1": "lost", "w2": "working"}


def test_a_worker_that_starts_again_goes_on_with_what_its_predecessor_left(site: Site) -> None:
    site.hold("hold-b2")
    first = site.worker("w1")
    site.install()
    until(lambda: site.called("b2"), "b is half done")
    with pytest.raises(ExecutorIdInUse) as caught:
        Registry(site.runtime.engine, site.runtime.client, Worker("w1"), busy_process.RHYTHM).register()
    assert caught.value.holder == f"process {first.pid}"
    first.kill()
    first.join()
    site.release("hold-b2")
    site.worker("w1")
    site.ready(30)
    assert site.twice() <= {"b1", "b2", "c1", "c2", "c-end1", "c-end2"}


def test_a_worker_whose_executor_id_another_takes_stops_by_itself(site: Site) -> None:
    """The other one is on another machine, where nobody can see that the first one lives."""
    site.hold("wait-b")
    first = site.worker("w1")
    site.install()
    until(lambda: site.called("c-end2"), "b waits")
    with site.runtime.engine.begin() as connection:
        connection.execute(sa.update(workers).values(process="elsewhere 1 1"))
    second = site.worker("w1")
    first.join(10)
    assert first.exitcode == 0
    site.release("wait-b")
    site.ready()
    assert site.called("b-end1", second.pid)
    assert site.twice() == set()


def test_a_worker_that_is_slow_is_left_alone(site: Site) -> None:
    first = site.worker("w1")
    second = site.worker("w2")
    site.hold("wait-b")
    site.install()
    until(lambda: site.called("c-end2"), "b waits")
    owner = site.calls()[0][0]
    os.kill(owner, signal.SIGSTOP)
    time.sleep(DEAD / 2)  # that long it is away
    os.kill(owner, signal.SIGCONT)
    site.release("wait-b")
    site.ready()
    assert owner in (first.pid, second.pid)
    assert {pid for pid, _ in site.calls()} == {owner}
    assert site.twice() == set()


def test_a_worker_that_was_suspended_too_long_does_not_go_on_when_it_wakes(site: Site) -> None:
    """It sleeps in the middle of a step, between two calls: the second one is never made by it."""
    site.hold("hold-b1")
    first = site.worker("w1")
    site.install()
    until(lambda: site.called("b1") and site.called("c-end2"), "b is in its first call")
    second = site.worker("w2")
    os.kill(first.pid, signal.SIGSTOP)
    until(lambda: site.called("b1", second.pid), "the other one has taken over", DEAD * 2 + 5)
    site.release("hold-b1")
    os.kill(first.pid, signal.SIGCONT)
    site.ready()
    assert not site.called("b2", first.pid)
    assert site.twice() == {"b1"}
    until(lambda: site.runtime.workers() == 2, "it is a worker again")
    assert site.rows() == {"w1": "working", "w2": "working"}
    steps = [event.kind for event in site.runtime.ledger.events("toy", limit=1000) if event.kind == "step.failed"]
    assert steps == []


def test_a_stopped_worker_ends_its_step_and_hands_over_the_rest_at_once(site: Site) -> None:
    site.hold("hold-b1")
    site.hold("wait-c")
    first = site.worker("w1")
    site.install()
    until(lambda: site.called("b1") and site.called("c2"), "b is in a call, c waits")
    site.worker("w2")
    first.terminate()
    site.release("wait-c")
    until(lambda: site.called("c-end2"), "c goes on elsewhere", DEAD)
    assert first.is_alive()
    site.release("hold-b1")
    site.ready()
    first.join(10)
    assert first.exitcode == 0
    assert site.called("b2", first.pid)
    assert not site.called("c-end1", first.pid)
    assert site.twice() == set()
    assert site.rows()["w1"] == "left"


@pytest.mark.chaos
def test_a_stop_abandons_a_call_that_does_not_end(site: Site) -> None:
    site.hold("hold-b1")
    first = site.worker("w1")
    site.install()
    until(lambda: site.called("b1"), "b is in a call")
    second = site.worker("w2")
    first.terminate()
    began = time.monotonic()
    first.join(20)
    assert first.exitcode == 0
    assert time.monotonic() - began < busy_process.DRAIN_SECONDS + 3
    site.release("hold-b1")
    site.ready()
    assert site.called("b2", second.pid)
    assert site.twice() <= {"b1"}


@pytest.mark.chaos
def test_after_an_outage_of_the_database_nobody_is_given_up(server: PostgresServer, site: Site) -> None:
    site.hold("wait-b")
    site.worker("w1")
    site.worker("w2")
    site.install()
    until(lambda: site.called("c-end2"), "b waits")
    server.stop()
    time.sleep(DEAD * 1.5)  # that long the database is away
    server.start()
    until(lambda: site.runtime.workers() == 2, "both beat again")
    site.release("wait-b")
    site.ready(40)
    assert len({pid for pid, _ in site.calls()}) == 1
    assert site.twice() == set()
    assert site.rows() == {"w1": "working", "w2": "working"}


def test_when_the_databases_clock_jumps_everybody_gets_the_same_grace(site: Site) -> None:
    """All rows an hour old, as after a failover to a server whose clock is ahead."""
    registry = Registry(site.runtime.engine, site.runtime.client, Worker("w1"), busy_process.RHYTHM)
    registry.register()
    owned_by_another(site)
    for hours in (-1, 1):
        with site.runtime.engine.begin() as connection:
            shift = sa.text(f"interval '{hours} hour'")
            connection.execute(
                sa.update(workers).values(
                    beat_at=workers.c.beat_at + shift,
                    steady_since=workers.c.steady_since + shift - sa.text("interval '1 minute'"),
                )
            )
        assert registry.beat() == "working"
        assert registry.take_over() == {}
    with site.runtime.engine.begin() as connection:
        long_ago = sa.text("now() - interval '1 minute'")
        connection.execute(sa.update(workers).values(steady_since=long_ago))
        connection.execute(sa.update(workers).where(workers.c.id == "gone:1").values(beat_at=long_ago))
    assert list(registry.take_over()) == ["gone:1"]


def test_a_cancelled_operation_is_not_brought_back_by_a_handover(site: Site) -> None:
    owned_by_another(site)
    operation = site.record().operation.id
    site.runtime.control.cancel("toy")
    pretend(site, operation, "PENDING")
    assert hand_over(site.runtime.engine, site.runtime.client, "gone:1") == [operation]
    assert site.runtime.client.retrieve_workflow(operation).get_status().status == "CANCELLED"


def test_a_sqlite_file_serves_one_process_and_names_it(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/podium.db", 1)
    sole = Sole(engine)
    with pytest.raises(DatabaseInUse) as caught:
        Sole(engine)
    assert caught.value.holder.startswith(f"process {os.getpid()} on ")
    sole.release()
    Sole(engine).release()
    engine.dispose()


def owned_by_another(site: Site) -> None:
    """An operation that is said to be executed by a worker that beat once."""
    site.install()
    pretend(site, site.record().operation.id, "PENDING")
    with site.runtime.engine.begin() as connection:
        moment = sa.func.now()
        row = {"id": "gone:1", "executor_id": "gone", "state": "working", "host": "", "process": ""}
        connection.execute(sa.insert(workers).values(**row, started_at=moment, beat_at=moment, steady_since=moment))


def pretend(site: Site, workflow_id: str, status: str) -> None:
    with site.runtime.engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE dbos.workflow_status SET status = :status, executor_id = 'gone:1' WHERE workflow_uuid = :id"
            ),
            {"status": status, "id": workflow_id},
        )
