"""Many requests at the same moment, over HTTP, on both databases: one installation, one operation, one answer each."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2
import psycopg
import pytest
import sqlalchemy as sa

from sandbox.postgres import PostgresServer, Template
from sandbox.processes import free_port
from service.app import create_app
from service.settings import Settings
from tests.service.live import served
from tests.service.test_api import SMALLEST
from tests.service.world import KEY, Story
from workflows.runtime import Runtime, RuntimeSettings, launch
from workflows.tables import operations

TOGETHER = 50
NAME = "/v1/installations/dbos-conductor"
Send = Callable[[httpx2.Client, int], httpx2.Response]


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    home = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(home / "server", free_port(), Template(home))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.chaos), "postgresql"])
def runtime(request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path: Path) -> Iterator[Runtime]:
    """On an empty database; nothing executes."""
    url = f"sqlite:///{tmp_path}/podium.sqlite"
    if request.param == "postgresql":
        name = f"podium{next(_numbers)}"
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = postgres.url(name)
    runtime = launch(RuntimeSettings(url), execute=False)
    try:
        yield runtime
    finally:
        runtime.stop()


@contextmanager
def clients(runtime: Runtime, settings: Settings) -> Iterator[str]:
    with served(create_app(runtime, settings)) as url:
        yield url


def at_once(url: str, send: Send, number: int = TOGETHER) -> list[httpx2.Response]:
    """The answers to as many requests, sent at the same moment by a client each."""
    barrier = Barrier(number)
    headers = {"Authorization": f"Bearer {KEY}"}

    def one(index: int) -> httpx2.Response:
        with httpx2.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
            barrier.wait(30)
            return send(http, index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def codes(answers: list[httpx2.Response]) -> Counter[Any]:
    return Counter(answer.json().get("code", answer.status_code) for answer in answers)


def count(runtime: Runtime, kind: str | None = None) -> int:
    query = sa.select(sa.func.count()).select_from(operations)
    if kind is not None:
        query = query.where(operations.c.kind == kind)
    with runtime.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def test_one_key_fifty_times_makes_one_installation(runtime: Runtime, settings: Settings) -> None:
    def send(http: httpx2.Client, _index: int) -> httpx2.Response:
        return http.post("/v1/installations", json=SMALLEST, headers={"Idempotency-Key": "portal-1"})

    with clients(runtime, settings) as url:
        answers = at_once(url, send)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["operation"]["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert count(runtime) == 1


def test_fifty_keys_for_one_name_make_one_installation(runtime: Runtime, settings: Settings) -> None:
    def send(http: httpx2.Client, index: int) -> httpx2.Response:
        return http.post("/v1/installations", json=SMALLEST, headers={"Idempotency-Key": f"portal-{index}"})

    with clients(runtime, settings) as url:
        answers = at_once(url, send)
    assert codes(answers) == {202: 1, "ALREADY_EXISTS": TOGETHER - 1}
    assert count(runtime) == 1


def test_different_changes_at_once_begin_one_upgrade(runtime: Runtime, settings: Settings) -> None:
    story = Story(runtime)
    story.finish_all()

    def send(http: httpx2.Client, index: int) -> httpx2.Response:
        return http.put(NAME, json=story.spec.public() | {"nodes": {"count": 3 + index}})

    with clients(runtime, settings) as url:
        answers = at_once(url, send, 20)
    assert codes(answers) == {202: 1, "OPERATION_IN_PROGRESS": 19}
    accepted = next(answer for answer in answers if answer.status_code == 202).json()
    found = runtime.ledger.installation("dbos-conductor")
    assert found is not None
    changes = [{"field": "nodes.count", "before": 2, "after": found.spec["nodes"]["count"]}]
    assert (found.operation.id, accepted["options"]["changes"]) == (accepted["id"], changes)
    assert count(runtime, "upgrade") == 1


def test_the_same_change_at_once_is_one_upgrade_for_all(runtime: Runtime, settings: Settings) -> None:
    story = Story(runtime)
    story.finish_all()

    def send(http: httpx2.Client, _index: int) -> httpx2.Response:
        return http.put(NAME, json=story.spec.public() | {"nodes": {"count": 7}})

    with clients(runtime, settings) as url:
        answers = at_once(url, send, 20)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert count(runtime, "upgrade") == 1


def test_uninstalls_and_changes_at_once_begin_one_operation(runtime: Runtime, settings: Settings) -> None:
    story = Story(runtime)
    story.finish_all()

    def send(http: httpx2.Client, index: int) -> httpx2.Response:
        if index % 3 == 0:
            return http.put(NAME, json=story.spec.public() | {"nodes": {"count": 7}})
        return http.delete(NAME, params={"data": "retain" if index % 3 == 1 else "delete"})

    with clients(runtime, settings) as url:
        answers = at_once(url, send, 21)
    assert set(codes(answers)) == {202, "OPERATION_IN_PROGRESS"}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert count(runtime) == 2


def test_an_install_that_runs_is_neither_changed_nor_deleted_nor_retried(runtime: Runtime, settings: Settings) -> None:
    story = Story(runtime)
    story.run("preflight")

    def send(http: httpx2.Client, index: int) -> httpx2.Response:
        if index % 3 == 0:
            return http.post(f"{NAME}:retry")
        return (
            http.delete(NAME) if index % 3 == 1 else http.put(NAME, json=story.spec.public() | {"namespace": "other"})
        )

    with clients(runtime, settings) as url:
        answers = at_once(url, send, 21)
    assert codes(answers) == {"WRONG_STATE": 7, "OPERATION_IN_PROGRESS": 14}
    assert count(runtime) == 1


def test_cancels_and_retries_at_once_leave_one_operation_in_one_state(runtime: Runtime, settings: Settings) -> None:
    story = Story(runtime)
    story.run("preflight")

    def send(http: httpx2.Client, index: int) -> httpx2.Response:
        return http.post(f"{NAME}:{'cancel' if index % 2 else 'retry'}")

    with clients(runtime, settings) as url:
        answers = at_once(url, send, 20)
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert count(runtime) == 1
    found = runtime.ledger.installation("dbos-conductor")
    assert found is not None
    states = {"CANCELLED": "CANCELLED", "PENDING": "PROVISIONING", "CANCELLING": "CANCELLING"}
    assert found.state == states[found.operation.state]
