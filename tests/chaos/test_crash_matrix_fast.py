"""The quick part of the crash matrix: three phases that need nothing but AWS. The whole is test_crash_matrix.py."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.effects import by_operation, made, twice, unmade
from tests.chaos.matrix import INSTALL, UNINSTALL, Site
from tests.chaos.picture import account_picture
from tests.chaos.points import Point

pytestmark = pytest.mark.e2e

PHASES = ("preflight", "network", "identity")
STEPS = ("network: network.", "identity: identity.")
MADE = {
    "CreateVpc": 1,
    "CreateInternetGateway": 1,
    "AttachInternetGateway": 1,
    "CreateSubnet": 4,
    "CreateRouteTable": 1,
    "CreateRoute": 1,
    "AssociateRouteTable": 2,
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, "sqlite") as site:
        yield site


def test_a_network_died_over_at_each_request_and_each_checkpoint_is_made_once_and_goes_wholly(site: Site) -> None:
    before = account_picture(site.env)
    install = site.plan("install", INSTALL, Point.ANSWERED, only=STEPS[:1], phases=PHASES)
    uninstall = site.plan("uninstall", UNINSTALL, Point.UNRECORDED, only=STEPS, phases=PHASES)
    site.live(install, uninstall)
    found = by_operation(made(install.calls))
    assert {name: found[f"ec2:{name}"] for name in MADE} == MADE
    deaths = Counter(key.split(" | ")[1] for key in install.died)
    assert {name: deaths[f"ec2:{name}"] for name in MADE} == MADE
    assert twice(install.calls) == {}
    assert unmade(install.calls) == {}
    assert len(uninstall.died) == 4
    assert account_picture(site.env) == before
