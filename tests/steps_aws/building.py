"""What several tests need: a whole network, and a look until something is there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from steps import network
from steps.clients.aws import Aws
from steps.names import Owner
from steps.waiting import Blocked, NeedsPerson, Pending

T = TypeVar("T")
CIDR = "192.168.0.0/16"
ZONES = ["us-west-2a", "us-west-2b"]
PUBLIC = ["192.168.0.0/19", "192.168.32.0/19"]
PRIVATE = ["192.168.96.0/19", "192.168.128.0/19"]


@dataclass(frozen=True)
class Built:
    """Ids of a network."""

    vpc_id: str
    gateway_id: str
    public: list[str]
    private: list[str]


def build_network(aws: Aws, owner: Owner) -> Built:
    vpc_id = network.ensure_vpc(aws, owner, CIDR)
    gateway_id = network.ensure_internet_gateway(aws, owner, vpc_id)
    public = network.ensure_subnets(aws, owner, vpc_id, "public", PUBLIC, ZONES, owner.names.cluster)
    private = network.ensure_subnets(aws, owner, vpc_id, "private", PRIVATE, ZONES, owner.names.cluster)
    network.ensure_public_routes(aws, owner, vpc_id, gateway_id, public)
    return Built(vpc_id, gateway_id, public, private)


def settled(look: Callable[..., T | Pending | NeedsPerson | Blocked], *args: Any, seconds: float = 20.0) -> T:
    """What `look` returns once it is neither pending nor in need of somebody."""
    deadline = time.monotonic() + seconds
    while True:
        found = look(*args)
        if not isinstance(found, Pending | NeedsPerson | Blocked):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def blocked(look: Callable[..., Any], *args: Any, seconds: float = 10.0) -> Blocked:
    """The block that `look` finds, once AWS has done what it does by itself."""
    deadline = time.monotonic() + seconds
    while not isinstance(found := look(*args), Blocked):
        assert isinstance(found, Pending), found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found
