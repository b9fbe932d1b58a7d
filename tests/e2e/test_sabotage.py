"""Every phase, and every function with a secret in its hands, breaks once with all its variables in the error's text.

What is given: a licence, the password of a database server that was there, credentials of a chart repository, an API
key for a Conductor too old to make one. On SQLite, whose files are searched byte by byte, its log included.
"""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sandbox.helm.archives import archive_name, pack
from sandbox.helm.charts import built_in
from sandbox.helm.repository import Repository, write_index
from sandbox.helm.serving import served
from sandbox.postgres import SUPERUSER, PostgresServer, Template
from sandbox.processes import free_port
from tests.e2e.harness import Program, Sandbox, Service, guide, until
from tests.e2e.outside import Cloud, Cluster
from tests.e2e.saboteur import TARGETS
from tests.e2e.test_secrets import Watch, forms

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

NAME = "/v1/installations/dbos-conductor"
RETRIES = 60
SLOW_HELM = """#!/bin/sh
[ -e {folder}/hold-helm ] && sleep 20
exec {helm} "$@"
"""


def canary(what: str) -> str:
    """Unlike anything else, and different in each of the forms that are searched."""
    return f'canary-{what}-{secrets.token_hex(6)}/+ü"='


class Sabotaged(Service):
    """`podium serve`, sabotaged."""

    def start(self) -> None:
        env = {**self.sandbox.env, **self._env}
        self._program = Program(["tests.e2e.saboteur", self.role], self.log, env)
        until(self.ready, "the service is ready", 60)


class Life:
    """An install, its cancel and its uninstall, each broken at every phase; `canaries` by what they are."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self.sandbox = home, Sandbox(home / "sandbox")
        stack.callback(self.sandbox.stop)
        self.temporary, self.broken, self.podium = (home / name for name in ("temporary", "broken", "podium"))
        for folder in (self.temporary, self.broken, self.podium):
            folder.mkdir()
        self.canaries = {what: canary(what) for what in ("licence", "charts", "provided", "session")}
        self.spec = guide(
            conductor={"image": "dbosdev/conductor:before-api", "license_key": self.canaries["licence"]},
            database={"sslmode": "prefer", "existing": self._database(stack)},
            charts={"sealed_secrets": self._charts(stack)},
        )
        self.service = Sabotaged(self.sandbox, **self._environment())
        stack.callback(self.service.stop)
        self.watches: list[Watch] = []
        self.answers: list[str] = []
        self.service.http.event_hooks["response"].append(self._keep)
        self._watch(stack)

    def _environment(self) -> dict[str, str]:
        helm = self.home / "helm"
        helm.write_text(SLOW_HELM.format(folder=self.home, helm=self.sandbox.env["PODIUM_HELM"]))
        helm.chmod(0o755)
        return {
            "SABOTAGE": str(self.broken),
            "TMPDIR": str(self.temporary),
            "PODIUM_HELM": str(helm),
            "PODIUM_HOME": str(self.podium),
            "PODIUM_DATABASE_URL": "",
            "PODIUM_LOG_LEVEL": "DEBUG",
            "AWS_SESSION_TOKEN": base64.b64encode(self.canaries["session"].encode()).decode(),
        }

    def _database(self, stack: ExitStack) -> dict[str, Any]:
        server = PostgresServer(self.home / "database" / "server", free_port(), Template(self.home / "database"))
        server.start()
        stack.callback(server.stop)
        self.canaries["database"] = server.template.password
        return {"host": "127.0.0.1", "port": server.port, "username": SUPERUSER, "password": server.template.password}

    def _charts(self, stack: ExitStack) -> dict[str, Any]:
        folder = self.home / "charts"
        folder.mkdir()
        chart = built_in("sealed-secrets", "2.19.3")
        (folder / archive_name(chart.metadata)).write_bytes(pack("sealed-secrets", chart.files))
        write_index(folder)
        address = stack.enter_context(served(Repository(folder, ("podium", self.canaries["charts"]))))
        value = json.dumps({"username": "podium", "password": self.canaries["charts"]})
        Cloud(self.sandbox.env).client("secretsmanager").create_secret(Name="prod/charts", SecretString=value)
        return {"repository": f"http://{address}", "credentials": {"secret": "prod/charts"}}

    def _keep(self, response: Any) -> None:
        response.read()
        self.answers.append(response.text)

    def _watch(self, stack: ExitStack) -> None:
        self.watches.append(Watch(self.service.pid))
        stack.callback(self.watches[-1].stop)

    def run(self, stack: ExitStack) -> None:
        self._create()
        self._kill_within_helm(stack)
        self._to("READY")
        self._remember_what_was_made()
        self._look()
        assert self.service.http.delete(NAME, params={"data": "delete"}).status_code == 202
        until(lambda: self.service.phases()["survey"]["state"] != "pending", "the uninstall began", 60)
        self.service.http.post(f"{NAME}:cancel")
        self._to("DELETED")
        self._look()

    def _create(self) -> None:
        """What stores the values breaks too; the client asks again."""
        statuses: list[int] = []
        while not statuses or statuses[-1] != 202:
            statuses.append(self.service.create(self.spec).status_code)
            assert len(statuses) < 10, self.answers[-1]
        assert statuses[:-1] == [500] * (len(statuses) - 1)
        assert len(statuses) > 1

    def _kill_within_helm(self, stack: ExitStack) -> None:
        """A kubeconfig is on the disk at that moment; the next process removes it."""
        hold = self.home / "hold-helm"
        hold.touch()
        deadline = time.monotonic() + 240
        while not list(self.temporary.glob("*/kubeconfig")):
            assert time.monotonic() < deadline
            self._retry_when_failed()
        self.service.kill()
        hold.unlink()
        assert list(self.temporary.glob("*/kubeconfig"))
        self.service.start()
        self._watch(stack)

    def _to(self, state: str) -> None:
        """Retries, and provides the key, until the installation is in the state."""
        deadline = time.monotonic() + 420
        while self.service.installation()["state"] != state:
            assert time.monotonic() < deadline, self.service.installation()["operation"]
            self._retry_when_failed()

    def _retry_when_failed(self) -> None:
        found = self.service.installation()
        if found["state"] in ("FAILED", "CANCELLED"):
            error = found["operation"]["error"]
            assert found["state"] == "CANCELLED" or error["code"] == "INTERNAL", error
            assert self.service.http.post(f"{NAME}:retry").status_code == 202
        waiting = [phase["name"] for phase in found["operation"]["phases"] if phase["state"] == "waiting"]
        if "api-key" in waiting and found["state"] == "WAITING":
            self._provide()
        time.sleep(0.2)  # polling with a deadline, in _to

    def _provide(self) -> None:
        """As a person: in the Console, then by the API."""
        cluster = Cluster(self.sandbox.env)
        pages = "/api/v1/namespaces/dbos/services/conductor:8090/proxy/_sandbox/console"
        try:
            cluster.http.put(f"{pages}/apps/dbos-app").raise_for_status()
            key = cluster.http.post(f"{pages}/tokens/{secrets.token_hex(4)}").raise_for_status().json()["token"]
        finally:
            cluster.http.close()
        self.canaries[f"key {len(self.canaries)}"] = key
        self.service.http.post(f"{NAME}:provide", json={"phase": "api-key", "value": key})

    def _remember_what_was_made(self) -> None:
        """Every secret in the account."""
        client = Cloud(self.sandbox.env).client("secretsmanager")
        for secret in client.list_secrets()["SecretList"]:
            text = client.get_secret_value(SecretId=secret["ARN"])["SecretString"]
            self.canaries[secret["Name"]] = json.loads(text)["password"] if text.startswith("{") else text

    def _look(self) -> None:
        for path in (NAME, f"{NAME}/drift", "/v1/installations", "/metrics", "/readyz"):
            self.service.http.get(path, timeout=90)
        self.service.events()
        self.service.http.post("/login", data={"api_key": self.sandbox.env["PODIUM_API_KEY"]})
        for path in ("/", "/installations/dbos-conductor"):
            assert self.service.http.get(path).status_code == 200

    def places(self) -> dict[str, bytes]:
        files = {f"file {path.name}": path.read_bytes() for path in self.podium.rglob("*") if path.is_file()}
        left = {f"left {path}": path.read_bytes() for path in self.temporary.rglob("*") if path.is_file()}
        return {
            **files,
            **left,
            "log": self.service.log.read_bytes(),
            "answers and pages": "\n".join(self.answers).encode(),
            "children": b"".join(watch.seen for watch in self.watches),
        }


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with ExitStack() as stack:
        life = Life(tmp_path_factory.mktemp("sabotage"), stack)
        life.run(stack)
        yield life


def test_everything_broke_and_the_installation_came_and_went(life: Life) -> None:
    broken = {path.name for path in life.broken.iterdir()}
    functions = {f"{module}.{name}" for module, names in TARGETS.items() for name in names}
    never = functions - broken - {"workflows.durable.listened", "steps.clients.helm._registry_login"}
    assert never == set(), "charts from a registry are another matter"
    assert len([name for name in broken if "listened" in name]) > 40
    assert life.service.installation()["state"] == "DELETED"


def test_no_secret_is_anywhere(life: Life) -> None:
    env = life.sandbox.env
    known = {**life.canaries, "Podium's key": env["PODIUM_API_KEY"], "AWS's key": env["AWS_SECRET_ACCESS_KEY"]}
    assert all(len(text) >= 8 for text in known.values())
    places = life.places()
    assert all(b"dbos-conductor" in places[name] for name in ("file podium.sqlite", "log", "answers and pages"))
    found = [
        (place, form, what)
        for place, text in places.items()
        for what, secret in known.items()
        for form, wanted in forms(secret).items()
        if wanted in text
    ]
    assert found == []


def test_no_file_is_left(life: Life) -> None:
    assert list(life.temporary.iterdir()) == []
