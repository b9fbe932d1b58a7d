"""One AWS stand-in for all tests of a worker; each test makes and removes its own things."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.aws.standin import Network, StandIn, delete_network, make_network, make_role


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    with tempfile.TemporaryDirectory(prefix="sandbox-aws-") as folder:
        aws = StandIn(Path(folder)).start()
        yield aws
        assert aws.stop() == 0, (aws.home / "aws.log").read_text()[-3000:]


@pytest.fixture
def aws(standin: StandIn) -> Iterator[StandIn]:
    """The shared stand-in, without faults or settings of an earlier test."""
    yield standin
    standin.control("DELETE", "/faults")
    standin.control("PUT", "/settings", {"autopush": True, "quotas": {}, "denied_actions": []})


@pytest.fixture
def network(aws: StandIn) -> Iterator[Network]:
    made = make_network(aws)
    yield made
    delete_network(aws, made)


@pytest.fixture(scope="session")
def roles(standin: StandIn) -> dict[str, str]:
    services = {"cluster": "eks.amazonaws.com", "node": "ec2.amazonaws.com", "pod": "pods.eks.amazonaws.com"}
    return {name: make_role(standin, f"test-{name}", service) for name, service in services.items()}
