"""Canaries through a whole life with failures, kills and refusals; then every place where text ends up is searched.

Canaries are all secrets there are: what is given (licence keys), what Podium and AWS make (passwords, Conductor's key,
the sealing key), what the service is given (its API key, AWS's secret key, the database's password). They are searched
in plain, base64, URL-encoded, JSON-escaped and hexadecimal form.
"""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2
import pytest

from sandbox.postgres import programs
from tests.e2e.harness import Sandbox, Service, guide, until
from tests.e2e.outside import Cloud
from tests.e2e.test_retries import break_pods

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

NAME = "/v1/installations/dbos-conductor"
FIRST, SECOND, WRONG = 'canary-1 "licence"/+=', "canary-2-licence", "canary-3-refused"


class Watch:
    """Reads command lines and environments of the service's children, again and again, as anybody on the machine."""

    def __init__(self, pid: int) -> None:
        self.pid, self.seen, self.programs = pid, b"", set[str]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            for process in self._children(self.pid):
                try:
                    line = Path(f"/proc/{process}/cmdline").read_bytes()
                    self.seen += line + Path(f"/proc/{process}/environ").read_bytes()
                except OSError:
                    continue
                self.programs.add(line.split(b"\0")[0].decode(errors="replace").rpartition("/")[2])

    def _children(self, pid: int) -> list[int]:
        found: list[int] = []
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                direct = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            found += [each for child in direct for each in (child, *self._children(child))]
        return found

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


class Life:
    def __init__(self, home: Path) -> None:
        self.sandbox = Sandbox(home)
        self.temporary = home / "temporary"
        self.temporary.mkdir()
        self.service = Service(self.sandbox, PODIUM_LOG_LEVEL="DEBUG", TMPDIR=str(self.temporary))
        self.cloud = Cloud(self.sandbox.env)
        self.answers: list[str] = []
        self.spec = guide(conductor={"license_key": FIRST})
        self.canaries: set[str] = {FIRST, SECOND, WRONG}
        self.watches = [Watch(self.service.pid)]

    def run(self) -> None:
        sandbox, service = self.sandbox, self.service
        self._keep(service.create(self.spec | {"nodes": {"cuont": 1}, "conductor": {"license_key": [WRONG]}}), 422)
        sandbox.fault(match="ec2:CreateNatGateway", kind="error", code="UnauthorizedOperation", status=403, times=9)
        self._keep(service.create(self.spec), 202)
        service.reach("FAILED")
        sandbox.clear_faults()
        break_pods(sandbox, {"dbosdev/conductor": "CrashLoopBackOff"})
        self._keep(service.http.post(f"{NAME}:retry"), 202)
        until(lambda: service.phases()["secrets"]["state"] == "succeeded", "the secrets are sealed", 120)
        self._kill()
        service.reach("FAILED")
        self._look_at_everything()
        break_pods(sandbox, {})
        self._keep(service.http.post(f"{NAME}:retry"), 202)
        service.reach("READY")
        self._remember_what_was_made()
        self._change()
        self._keep(service.http.delete(NAME), 202)
        until(lambda: service.phases()["database"]["state"] == "running", "the database goes", 120)
        self._kill()
        service.reach("DELETED")
        self._look_at_everything()

    def _change(self) -> None:
        """Another licence, planned, refused beside something impossible, then given."""
        service = self.service
        changed = self.spec | {"conductor": {"license_key": SECOND}}
        self._keep(service.http.put(f"{NAME}?validate_only=true", json=changed), 200)
        self._keep(service.http.put(NAME, json=changed | {"namespace": "other"}), 422)
        self._keep(service.http.put(NAME, json=changed), 202)
        service.reach("READY")
        self._remember_what_was_made()
        self._look_at_everything()

    def _kill(self) -> None:
        self.service.kill()
        self.service.start()
        self.watches.append(Watch(self.service.pid))

    def _keep(self, answer: httpx2.Response, status: int) -> None:
        assert answer.status_code == status, answer.text
        self.answers.append(answer.text)

    def _remember_what_was_made(self) -> None:
        """Every version of every secret in the account, what is in JSON one by one."""
        client = self.cloud.client("secretsmanager")
        for secret in client.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
            text = client.get_secret_value(SecretId=secret["ARN"])["SecretString"]
            parts = json.loads(text) if text.startswith("{") else {"all": text}
            self.canaries |= {value for key, value in parts.items() if key != "username"}
        assert len(self.canaries) > 7

    def _look_at_everything(self) -> None:
        service = self.service
        operation = service.installation()["operation"]["id"]
        paths = (
            NAME,
            f"{NAME}/events",
            f"{NAME}/drift",
            f"/v1/operations/{operation}",
            "/v1/installations",
            "/metrics",
        )
        for path in (*paths, "/openapi.json", "/healthz", "/readyz"):
            self.answers.append(service.http.get(path, timeout=90).text)
        self.answers += [json.dumps(service.events())]
        with httpx2.Client(base_url=service.url, follow_redirects=True) as browser:
            key = self.sandbox.env["PODIUM_API_KEY"]
            self.answers.append(browser.post("/login", data={"api_key": key}).text)
            self.answers += [browser.get(path).text for path in ("/", "/installations/dbos-conductor")]

    def places(self) -> dict[str, bytes]:
        dump = [str(programs() / "pg_dump"), self.sandbox.env["PODIUM_DATABASE_URL"]]
        done = subprocess.run(dump, capture_output=True, check=True)
        left = b"".join(file.read_bytes() for file in self.temporary.rglob("*") if file.is_file())
        return {
            "database": done.stdout,
            "log": self.service.log.read_bytes(),
            "answers and pages": "\n".join(self.answers).encode(),
            "children": b"".join(watch.seen for watch in self.watches),
            "temporary files": left,
        }

    def stop(self) -> None:
        for watch in self.watches:
            watch.stop()
        self.service.stop()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    life = Life(tmp_path_factory.mktemp("secrets"))
    try:
        life.run()
        yield life
    finally:
        life.stop()


def forms(canary: str) -> dict[str, bytes]:
    """How a secret may look where it should not be."""
    raw = canary.encode()
    found = {"plain": raw, "hex": raw.hex().encode(), "json": json.dumps(canary)[1:-1].encode()}
    found["url"] = quote(canary, safe="").encode()
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        found[f"base64/{shift}"] = text[4 if shift else 0 : len(text) - 4]  # without what depends on its neighbours
    return found


def test_no_secret_is_anywhere(life: Life) -> None:
    env = life.sandbox.env
    canaries = life.canaries | {env["PODIUM_API_KEY"], env["AWS_SECRET_ACCESS_KEY"]}
    canaries |= {password for password in [urlsplit(env["PODIUM_DATABASE_URL"]).password] if password}
    assert all(len(canary) >= 8 for canary in canaries)
    places = life.places()
    assert all(b"dbos-conductor" in places[name] for name in ("database", "log", "answers and pages"))
    found = [
        (place, form, canary[:12])
        for place, text in places.items()
        for canary in sorted(canaries)
        for form, wanted in forms(canary).items()
        if wanted in text
    ]
    assert found == []


def test_the_children_were_seen_and_left_no_files(life: Life) -> None:
    assert {"helm"} & {program.removesuffix(".py") for watch in life.watches for program in watch.programs} or any(
        b"helm" in watch.seen for watch in life.watches
    )
    assert [file for file in life.temporary.rglob("*") if file.is_file()] == []
    assert os.listdir(life.temporary) == [], "a killed service's folders are removed by its successor or by nobody"
