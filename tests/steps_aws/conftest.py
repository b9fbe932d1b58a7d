"""The steps against the sandbox's AWS: a process of its own, started once, asked over HTTP with unmodified boto3."""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest

from sandbox.aws.credentials import INTERNAL_KEY, own_credentials
from sandbox.processes import free_port, spawn, wait_until_listening
from steps.clients.aws import Aws, AwsTarget, permissions
from steps.names import Owner
from tests.steps_aws.building import Built, build_network

REGION = "us-west-2"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Cloud:
    """The stand-in seen from outside: where it is, and its control API."""

    url: str
    access_key: str
    secret_key: str
    control: httpx2.Client

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.control.request(method, f"/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def fault(self, **rule: Any) -> None:
        """E.g. match="ec2:CreateVpc", kind="lost"."""
        self._call("POST", "faults", rule)

    def quotas(self, **values: float) -> None:
        """Quotas by code, with - written as _; there is plenty of the others."""
        given = {code.replace("_", "-"): value for code, value in values.items()}
        self.settings(quotas=dict.fromkeys(PLENTY, 1000.0) | given)

    def settings(self, **values: Any) -> None:
        self._call("PUT", "settings", values)

    def credentials(self, state: str) -> None:
        self._call("POST", "credentials", {"access_key": self.access_key, "state": state})

    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "calls")
        return found

    def push(self, repository: str, tag: str) -> None:
        self._call("POST", "images", {"repository": repository, "tag": tag})

    def reset(self) -> None:
        self._call("DELETE", "faults")
        self.settings(
            autopush=False,
            denied_actions=[],
            leave_interfaces=False,
            failing_deletes=[],
            failing_updates=[],
            quotas=dict.fromkeys(PLENTY, 1000.0),
        )
        self.credentials("valid")


PERSON_KEY = INTERNAL_KEY
"""Calls with this key are those of somebody else than Podium."""
IAM_NAMES = {"tagging": "tag"}
"""IAM's name of a service, where the one in signatures differs."""
PLENTY = ("L-F678F1CE", "L-A4707A72", "L-FE5A380F", "L-0263D0A3", "L-1216C47A", "L-1194D53C", "L-7B6409FD")


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    home: Path = tmp_path_factory.mktemp("aws")
    port = free_port()
    args = [sys.executable, "-m", "sandbox.aws", "--home", str(home), "--port", str(port)]
    process = spawn([*args, "--speed", "max", "--no-clusters", "--parent-pipe"], log=home / "aws.log")
    try:
        wait_until_listening(port, process, 30)
        keys = own_credentials(home)
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=url, timeout=30) as control:
            cloud = Cloud(url, keys.access_key, keys.secret_key, control)
            cloud.reset()
            yield cloud
            asked = {
                f"{IAM_NAMES.get(one['service'], one['service'])}:{one['operation']}"
                for one in cloud.calls()
                if one["access_key"] != PERSON_KEY
            }
            unlisted = {one for one in asked if not one.startswith("sts:")} - permissions.calls()
            assert not unlisted, f"calls that steps/clients/aws/permissions.py does not list: {unlisted}"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


@pytest.fixture(scope="session")
def environment(running_cloud: Cloud) -> Iterator[Cloud]:
    """The environment variables that point boto3 to the stand-in, and away from this machine's own AWS settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", running_cloud.url)
        patch.setenv("AWS_ACCESS_KEY_ID", running_cloud.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", running_cloud.secret_key)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        yield running_cloud


@pytest.fixture
def cloud(environment: Cloud) -> Iterator[Cloud]:
    yield environment
    environment.reset()


@pytest.fixture(scope="session")
def shared_aws(environment: Cloud) -> Iterator[Aws]:
    bundle = Aws(AwsTarget(REGION))
    yield bundle
    bundle.close()


@pytest.fixture
def aws(shared_aws: Aws, cloud: Cloud) -> Aws:
    return shared_aws


@pytest.fixture(scope="session")
def built(environment: Cloud, shared_aws: Aws) -> Built:
    """A network, for the tests of what stands in one."""
    return build_network(shared_aws, Owner("built-conductor", "operation"))


class Person:
    """Somebody else in the account, or a controller in a cluster: plain boto3."""

    def __init__(self, url: str) -> None:
        self._session: Any = boto3.Session(PERSON_KEY, "secret", region_name=REGION)
        self._url = url
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self._url)
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="session")
def person(environment: Cloud) -> Iterator[Person]:
    somebody = Person(environment.url)
    yield somebody
    somebody.close()


@pytest.fixture
def owner() -> Owner:
    """An installation of its own for each test."""
    number = next(_numbers)
    return Owner(f"t{number}-conductor", f"operation-{number}")
