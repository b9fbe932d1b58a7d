"""Podium's own database is late, drops connections, falls silent, comes after the service, and goes away for 30 s."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url

from tests.e2e.harness import Sandbox, Service, guide, until
from tests.e2e.outside import Cloud
from tests.e2e.test_workers import check_outside, made_twice
from tests.proxy import Proxy

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

INSTALL_SECONDS = 400
STALL_SECONDS = 10
AWAY_SECONDS = 30
READS = ("/v1/installations", "/v1/installations/dbos-conductor", "/readyz")


class Troubled:
    """A sandbox whose service reaches its database through a proxy, which at first refuses."""

    def __init__(self, home: Path) -> None:
        self.sandbox = Sandbox(home)
        url = make_url(self.sandbox.env["PODIUM_DATABASE_URL"])
        self.proxy = Proxy(url.port or 5432)
        self.proxy.__enter__()
        self.proxy.refuse()
        through = url.set(host="127.0.0.1", port=self.proxy.port).render_as_string(hide_password=False)
        comes = threading.Thread(target=self._comes_late)
        comes.start()
        self.service = Service(self.sandbox, PODIUM_DATABASE_URL=through, PODIUM_LOG_LEVEL="DEBUG")
        comes.join()

    def _comes_late(self) -> None:
        """Once the service has found that nobody listens."""
        log = self.sandbox.home / "service.out"
        until(lambda: log.exists() and "database_unavailable" in log.read_text(), "the service asks in vain", 60)
        self.proxy.accept()

    def get(self, path: str) -> httpx2.Response:
        return self.service.http.get(path)

    def close(self) -> None:
        self.proxy.accept()
        self.service.stop()
        self.proxy.__exit__()
        self.sandbox.stop()


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Troubled]:
    troubled = Troubled(tmp_path)
    try:
        yield troubled
    finally:
        troubled.close()


def test_an_install_lives_through_every_trouble_of_podiums_database(troubled: Troubled) -> None:
    service, proxy = troubled.service, troubled.proxy
    assert "database_unavailable" in service.log.read_text(), "it was started before its database"
    proxy.late, proxy.share = (0.2, 0.5), 0.05
    service.create(guide()).raise_for_status()
    until(lambda: service.phases()["network"]["state"] == "succeeded", "the VPC is there", 120)
    proxy.drop()
    until(lambda: troubled.get("/readyz").status_code == 200, "it has new connections", 30)
    falls_silent(troubled)
    goes_away(troubled)
    proxy.drop()
    service.reach("READY", seconds=INSTALL_SECONDS)
    assert not [event for event in service.events() if event["kind"].endswith(".failed")]
    assert {phase["attempt"] for phase in service.phases().values()} == {1}
    assert made_twice(troubled.sandbox) == []
    check_outside(Cloud(troubled.sandbox.env))


def falls_silent(troubled: Troubled) -> None:
    """For 10 s; a process that lives says so all the while."""
    troubled.proxy.silence(on=True)
    end = time.monotonic() + STALL_SECONDS
    while time.monotonic() < end:
        assert troubled.get("/healthz").status_code == 200
        time.sleep(0.2)  # polling until the silence is over
    troubled.proxy.silence(on=False)
    until(lambda: troubled.get("/readyz").status_code == 200, "it is ready again", 30)


def goes_away(troubled: Troubled) -> None:
    """For 30 s; each answer says so."""
    troubled.proxy.refuse()
    end = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < end:
        assert troubled.get("/healthz").status_code == 200
        for path in READS:
            says_unavailable(troubled.get(path))
        says_unavailable(troubled.service.create(guide(name="another")))
        says_unavailable(troubled.service.http.post("/v1/installations/dbos-conductor:cancel"))
        time.sleep(0.5)  # polling until it is back
    troubled.proxy.accept()
    until(lambda: troubled.get("/readyz").status_code == 200, "it is ready again", 30)


def says_unavailable(answer: httpx2.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "DATABASE_UNAVAILABLE"
    assert int(answer.headers["retry-after"]) > 0
