"""A graph on a PostgreSQL that is late, drops connections, falls silent and goes away: nothing lost, nothing twice."""

import itertools
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import InterfaceError, OperationalError

from sandbox.postgres import PostgresServer, Template
from sandbox.processes import free_port
from tests.proxy import Proxy
from tests.workflows.test_engine import SPEC, in_state, until
from tests.workflows.toy import World, toy_graphs
from workflows.execution import dbos_config
from workflows.runtime import Runtime, RuntimeSettings, launch

_numbers = itertools.count(1)
TROUBLE_SECONDS = 2.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    home = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(home / "server", free_port(), Template(home))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def runtime(server: PostgresServer, proxy: Proxy, world: World) -> Iterator[Runtime]:
    name = f"podium{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = make_url(server.url(name)).set(host="127.0.0.1", port=proxy.port)
    runtime = launch(RuntimeSettings(url.render_as_string(hide_password=False)), graphs=toy_graphs(world))
    try:
        yield runtime
    finally:
        proxy.accept()
        runtime.stop()


def test_connections_notice_a_host_that_vanished(runtime: Runtime) -> None:
    """Without this a request would hang for a quarter of an hour (tcp(7), tcp_retries2)."""
    with runtime.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as own:
            assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 8000
            assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
    of_dbos = dbos_config(runtime.settings, "one")["db_engine_kwargs"] or {}
    assert of_dbos["connect_args"]["tcp_user_timeout"] == 8000


@pytest.mark.chaos
def test_an_operation_survives_every_trouble_of_the_database(runtime: Runtime, proxy: Proxy, world: World) -> None:
    proxy.late = (0.0, 0.02)
    world.pending.add("b2")
    runtime.control.create(SPEC, idempotency_key=None, fingerprint="")
    until(runtime, lambda _: "c3" in world.calls and "b2" in world.calls, 60)
    proxy.drop()
    until_answered(runtime)
    proxy.refuse()
    world.pending.clear()
    time.sleep(TROUBLE_SECONDS)  # that long it is away
    proxy.accept()
    proxy.silence(on=True)
    time.sleep(TROUBLE_SECONDS)  # that long it says nothing
    proxy.silence(on=False)
    until_answered(runtime)
    record = until(runtime, in_state("READY"), 60)
    assert {call for call, count in world.counts.items() if count > 1} <= {"b2"}
    assert {phase.attempt for phase in record.operation.phases} == {1}
    events = runtime.ledger.events("toy", limit=1000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert not [event for event in events if event.kind.endswith(".failed")]


def until_answered(runtime: Runtime) -> None:
    """A broken connection may be found out by whoever asks next."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            runtime.ledger.ping()
        except (InterfaceError, OperationalError):
            time.sleep(0.05)  # polling with a deadline
        else:
            return
    raise AssertionError("the database does not answer again")
