"""`podium api` and two `podium worker` on one PostgreSQL: one is killed, suspended or stopped within an install.

Each worker signs with an access key of its own, so AWS's call log says who did what.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from sandbox.postgres import SUPERUSER, Template
from sandbox.processes import free_port
from tests.e2e.harness import Program, Sandbox, Service, guide, until
from tests.e2e.outside import Cloud

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

TAKEOVER_SECONDS = 30
INSTALL_SECONDS = 300
ONE_EACH = {
    "describe_vpcs": "Vpcs",
    "describe_internet_gateways": "InternetGateways",
    "describe_addresses": "Addresses",
    "describe_nat_gateways": "NatGateways",
}


class Api(Service):
    """`podium api`."""

    role = "api"


class Worker:
    """`podium worker` under an access key of its own."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.name, self._sandbox = name, sandbox
        self.key = f"AKIAWORKER{name.upper():A<10}"
        self._url = f"http://127.0.0.1:{free_port()}"
        credentials = {"access_key": self.key, "state": "valid"}
        control = f"{sandbox.env['SANDBOX_CONTROL_URL']}/credentials"
        httpx2.post(control, json=credentials).raise_for_status()
        self.start()

    def start(self) -> None:
        own = {"AWS_ACCESS_KEY_ID": self.key, "PODIUM_EXECUTOR_ID": self.name}
        env = {**self._sandbox.env, **own, "PODIUM_WORKER_BIND": self._url.removeprefix("http://")}
        self.program = Program(["service.cli.main", "worker"], self._sandbox.home / f"{self.name}.out", env)
        until(self.ready, f"{self.name} is ready", 60)

    def ready(self) -> bool:
        self.program.alive()
        try:
            return httpx2.get(f"{self._url}/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def metrics(self) -> str:
        return httpx2.get(f"{self._url}/metrics").raise_for_status().text

    def signal(self, number: int) -> None:
        os.kill(self.program.process.pid, number)


class Site:
    """A sandbox with an API and two workers."""

    def __init__(self, home: Path) -> None:
        self.sandbox = Sandbox(home)
        self.api = Api(self.sandbox)
        self.workers = [Worker(self.sandbox, name) for name in ("one", "two")]
        self.cloud = Cloud(self.sandbox.env)
        url = self.sandbox.env["PODIUM_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
        self.engine = sa.create_engine(url)

    def install_until(self, *phases: str) -> tuple[Worker, Worker]:
        """Begins an install; who executes it, and the other, once these phases run or are over."""
        self.api.create(guide()).raise_for_status()
        until(lambda: all(self.api.phases()[one]["state"] != "pending" for one in phases), f"{phases} began", 120)
        owner = self.owners()[self.api.installation()["operation"]["id"]]
        first, second = self.workers
        return (first, second) if owner.startswith(f"{first.name}:") else (second, first)

    def owners(self) -> dict[str, str]:
        """Workflow to executor, of those that are being executed."""
        query = sa.text("SELECT workflow_uuid, executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")
        with self.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def executed_by(self, worker: Worker) -> bool:
        owners = self.owners()
        return bool(owners) and all(owner.startswith(f"{worker.name}:") for owner in owners.values())

    def calls_of(self, worker: Worker) -> list[dict[str, Any]]:
        return [call for call in self.sandbox.calls() if call["access_key"] == worker.key]

    def close(self) -> None:
        self.engine.dispose()
        self.api.stop()
        for worker in self.workers:
            if worker.program.process.poll() is None:
                worker.signal(signal.SIGCONT)
            worker.program.stop()
        self.sandbox.stop()


def check_outside(cloud: Cloud) -> None:
    """Everything is there once."""
    assert {name: len(cloud.tagged(name, key)) for name, key in ONE_EACH.items()} == dict.fromkeys(ONE_EACH, 1)
    assert len(cloud.tagged("describe_subnets", "Subnets")) == 4
    assert len(cloud.tagged("describe_route_tables", "RouteTables")) == 2
    assert len(cloud.client("ec2").describe_addresses()["Addresses"]) == 1
    assert len(cloud.client("rds").describe_db_instances()["DBInstances"]) == 1
    assert len(cloud.client("eks").list_clusters()["clusters"]) == 1
    assert len(cloud.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1


def made_twice(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Creating calls that succeeded twice with the same parameters (but for the client token)."""
    seen: dict[str, int] = {}
    for call in sandbox.calls():
        if call["status"] < 300 and call["operation"].startswith(("Create", "Allocate", "Attach", "Run")):
            params = {key: value for key, value in call["params"].items() if "oken" not in key}
            what = f"{call['service']}:{call['operation']} {sorted(params.items())}"
            seen[what] = seen.get(what, 0) + 1
    return [(what[:60], str(count)) for what, count in seen.items() if count > 1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    try:
        yield site
    finally:
        site.close()


def test_a_worker_killed_in_the_middle_of_an_install_is_taken_over_within_thirty_seconds(site: Site) -> None:
    first, second = site.install_until("nodes", "database")
    assert "podium_workers 2.0" in second.metrics()
    first.program.kill()
    began = time.monotonic()
    until(lambda: site.executed_by(second), "the other executes it", TAKEOVER_SECONDS)
    assert time.monotonic() - began < TAKEOVER_SECONDS
    site.api.reach("READY", seconds=INSTALL_SECONDS)
    check_outside(site.cloud)
    assert {phase["attempt"] for phase in site.api.phases().values()} == {1}


def test_a_suspended_worker_makes_no_call_for_what_it_lost(site: Site) -> None:
    first, second = site.install_until("nodes", "database")
    first.signal(signal.SIGSTOP)
    until(lambda: site.executed_by(second), "the other executes it", TAKEOVER_SECONDS)
    until(lambda: site.calls_of(second), "the other calls", 30)
    before = len(site.calls_of(first))
    first.signal(signal.SIGCONT)
    site.api.reach("READY", seconds=INSTALL_SECONDS)
    late = site.calls_of(first)[before:]
    assert [call["operation"] for call in late if not call["operation"].startswith(("Describe", "Get", "List"))] == []
    assert len(late) <= 5, "one request of each running phase may have been on its way when it was suspended"
    check_outside(site.cloud)
    until(first.ready, "it is a worker again", 30)
    assert not [event for event in site.api.events() if event["kind"].endswith(".failed")]


def test_a_worker_suspended_for_a_moment_goes_on(site: Site) -> None:
    first, second = site.install_until("nodes", "database")
    first.signal(signal.SIGSTOP)
    time.sleep(8)  # that long it is away
    first.signal(signal.SIGCONT)
    site.api.reach("READY", seconds=INSTALL_SECONDS)
    assert site.calls_of(second) == []
    assert made_twice(site.sandbox) == []
    check_outside(site.cloud)


def test_a_rolling_restart_of_both_workers_loses_nothing(site: Site) -> None:
    site.install_until("cluster")
    for worker in site.workers:
        began = time.monotonic()
        worker.signal(signal.SIGTERM)
        assert worker.program.process.wait(25) == 0
        assert time.monotonic() - began < 20
        worker.start()
    site.api.reach("READY", seconds=INSTALL_SECONDS)
    assert made_twice(site.sandbox) == []
    check_outside(site.cloud)
    assert {phase["attempt"] for phase in site.api.phases().values()} == {1}


def test_a_stopped_worker_hands_over_at_once(site: Site) -> None:
    first, second = site.install_until("nodes", "database")
    first.signal(signal.SIGTERM)
    assert first.program.process.wait(25) == 0
    until(lambda: site.executed_by(second) or site.api.installation()["state"] == "READY", "the other executes it", 5)
    site.api.reach("READY", seconds=INSTALL_SECONDS)
    assert made_twice(site.sandbox) == []


def test_podiums_database_away_for_thirty_seconds_costs_nobody_anything(site: Site) -> None:
    first, _second = site.install_until("nodes", "database")
    with without_database(site):
        time.sleep(30)  # that long it is away
    site.api.reach("READY", seconds=INSTALL_SECONDS)
    assert not [event for event in site.api.events() if event["kind"].endswith(".failed")]
    check_outside(site.cloud)
    with site.engine.connect() as connection:
        states = set(connection.execute(sa.text("SELECT state FROM podium_workers")).scalars())
    assert states == {"working"}
    assert first.ready()


@contextmanager
def without_database(site: Site) -> Iterator[None]:
    """Refuses connections to Podium's database and ends those there are."""
    password = Template(site.sandbox.home).password
    url = site.engine.url.set(username=SUPERUSER, password=password, database="postgres")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    site.engine.dispose()
    try:
        _say(admin, "ALTER DATABASE podium WITH ALLOW_CONNECTIONS false")
        _say(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'podium'")
        yield
    finally:
        _say(admin, "ALTER DATABASE podium WITH ALLOW_CONNECTIONS true")
        admin.dispose()


def _say(engine: sa.Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
