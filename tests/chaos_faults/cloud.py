"""The AWS stand-in as a process of its own, with its control API; no clusters behind EKS, no durations."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx2

from sandbox.aws.credentials import INTERNAL_KEY, own_credentials
from sandbox.processes import free_port, spawn, stop, wait_until_listening
from tests.chaos_faults.aws_kinds import READING, combinations
from tests.chaos_faults.inventory import SERVICES, inventory
from tests.chaos_faults.kinds import Combination

REGION = "us-west-2"
PLENTY = ("L-F678F1CE", "L-A4707A72", "L-FE5A380F", "L-0263D0A3", "L-1216C47A", "L-1194D53C", "L-7B6409FD")
ELSEWHERE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_CONFIG_FILE": "/nonexistent",
}
"""Away from this machine's own AWS settings."""


class Cloud:
    """The stand-in seen from outside. `environment` is what points boto3 to it."""

    def __init__(self, url: str, access_key: str, secret_key: str) -> None:
        self._url, self._key = url, access_key
        self._control = httpx2.Client(base_url=f"{url}/_sandbox", timeout=60)
        self._session: Any = boto3.Session(INTERNAL_KEY, "secret", region_name=REGION)
        self._clients: dict[str, Any] = {}
        keys = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
        self.environment = ELSEWHERE | keys | {"AWS_ENDPOINT_URL": url}

    def close(self) -> None:
        self._control.close()
        for client in self._clients.values():
            client.close()

    def client(self, service: str) -> Any:
        """boto3's client with somebody else's key: what it calls is in no record."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self._url)
        return self._clients[service]

    def settings(self, **values: Any) -> None:
        self._control.put("/settings", json=values).raise_for_status()

    def checkpoint(self, name: str) -> None:
        self._control.put(f"/checkpoints/{name}").raise_for_status()

    def go_back(self, name: str) -> None:
        self._control.post(f"/checkpoints/{name}").raise_for_status()

    def fault(self, *rules: dict[str, Any]) -> None:
        """Only Podium's own requests fail; the cluster's controllers go on."""
        self._control.post("/faults", json=[rule | {"key": self._key} for rule in rules]).raise_for_status()

    def struck(self) -> bool:
        """Whether the one fault has struck; there is none afterwards."""
        (rule,) = self._control.get("/faults").raise_for_status().json()
        self._control.delete("/faults").raise_for_status()
        return bool(rule["times"] == 0)

    def mend(self) -> list[str]:
        """Takes all faults back; what those that have not struck were meant for."""
        left = self._control.get("/faults").raise_for_status().json()
        self._control.delete("/faults").raise_for_status()
        return [rule["match"] for rule in left if rule["times"] > 0]

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """The names (service:Operation) of the calls that Podium makes meanwhile, in order; complete at the end."""
        found: list[str] = []
        self._control.delete("/calls").raise_for_status()
        yield found
        calls = self._control.get("/calls").raise_for_status().json()
        own = [one for one in calls if one["access_key"] == self._key and not one["presigned"]]
        found += [f"{one['service']}:{one['operation']}" for one in own]

    def combinations(self, calls: list[str]) -> Iterator[Combination]:
        return combinations(calls)

    def lines(self, calls: list[str]) -> list[str]:
        """What there is in the services that any of these calls may have changed."""
        names = (call.partition(":") for call in calls)
        written = {service for service, _, operation in names if not operation.startswith(READING)}
        return inventory(self.client, sorted(written))

    def everything(self) -> list[str]:
        """What there is in all services."""
        return inventory(self.client, SERVICES)

    def secrets(self) -> list[str]:
        """Every value in Secrets Manager: none of them may ever be shown."""
        api = self.client("secretsmanager")
        there = [one["ARN"] for one in api.list_secrets()["SecretList"]]
        return [api.get_secret_value(SecretId=arn)["SecretString"] for arn in there]


@contextmanager
def running(home: Path) -> Iterator[Cloud]:
    """The stand-in, started; stopped at the end."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    args = [sys.executable, "-m", "sandbox.aws", "--home", str(home), "--port", str(port)]
    process = spawn([*args, "--speed", "max", "--no-clusters", "--parent-pipe"], log=home / "aws.log", env=os.environ)
    try:
        wait_until_listening(port, process, 30)
        keys = own_credentials(home)
        cloud = Cloud(f"http://127.0.0.1:{port}", keys.access_key, keys.secret_key)
        try:
            cloud.settings(autopush=True, leave_interfaces=True, quotas=dict.fromkeys(PLENTY, 1000.0))
            yield cloud
        finally:
            cloud.close()
    finally:
        stop(process, 20)
