"""The gate stands before every single request to AWS."""

import pytest

from steps.clients.aws import Aws
from steps.gate import gated
from steps.names import Owner
from tests.steps_aws.conftest import Cloud


class ClosedError(Exception):
    """Raised by the gate."""


class Gate:
    """Lets so many requests through."""

    def __init__(self, open_for: int) -> None:
        self.left = open_for

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ClosedError


def test_a_closed_gate_stops_a_request_before_it_is_sent(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    before = len(cloud.calls())
    with gated(Gate(0)), pytest.raises(ClosedError):
        aws.network.vpcs(owner.tags("vpc"))
    assert len(cloud.calls()) == before


def test_a_repetition_within_one_call_passes_the_gate_again(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.fault(match="ec2:DescribeVpcs", kind="throttle", times=3)
    before = len(cloud.calls())
    with gated(Gate(1)), pytest.raises(ClosedError):
        aws.network.vpcs(owner.tags("vpc"))
    assert len(cloud.calls()) == before + 1
