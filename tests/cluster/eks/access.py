"""An AWS identity of a test's own, and Podium's clients as that identity."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import yaml

from sandbox.aws.credentials import own_credentials
from steps.clients.aws import Aws, AwsTarget
from steps.clients.kubernetes import Clock, Kube
from tests.cluster.planes import REGION, ROOT, Plane
from tests.sandbox.aws.standin import StandIn

CLUSTER = "one"
ROLES_FILE = ROOT / "deploy" / "kubernetes" / "rbac.yaml"


def set_environment(monkeypatch: pytest.MonkeyPatch, aws: StandIn) -> None:
    """The environment variables of a Podium that finds the stand-in's AWS."""
    own = own_credentials(aws.home)
    given = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.port}",
        "AWS_ACCESS_KEY_ID": own.access_key,
        "AWS_SECRET_ACCESS_KEY": own.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def acting_as(role: str | None) -> Iterator[Aws]:
    """The product's AWS clients with that role assumed."""
    aws = Aws(AwsTarget(REGION, role))
    yield aws
    aws.close()


@contextmanager
def kube_of(plane: Plane, make: Callable[[], str], clock: Clock | None = None) -> Iterator[Kube]:
    """The product's client of the cluster, with tokens of that source."""
    kube = Kube(plane.endpoint, base64.b64encode(plane.authority.encode()).decode(), make, clock)
    yield kube
    kube.close()


def apply_file(administrator: httpx2.Client, file: Path) -> None:
    """What `kubectl apply --server-side -f` does with cluster-scoped objects of RBAC."""
    for each in yaml.safe_load_all(file.read_text()):
        path = f"/apis/{each['apiVersion']}/{each['kind'].lower()}s/{each['metadata']['name']}"
        answer = administrator.patch(
            path,
            params={"fieldManager": "kubectl", "force": "true", "fieldValidation": "Strict"},
            content=yaml.safe_dump(each),
            headers={"content-type": "application/apply-patch+yaml"},
        )
        assert answer.is_success, answer.text
        assert "warning" not in answer.headers
