"""The quick part of the crash matrix: four phases that need nothing but AWS. The whole is test_crash_matrix.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.effects import by_operation, made, twice, unmade
from tests.chaos.matrix import INSTALL, UNINSTALL, Site
from tests.chaos.picture import account_picture
from tests.chaos.points import Point

pytestmark = pytest.mark.e2e

PHASES = ("preflight", "network", "egress", "identity")
STEPS = ("network: network.", "egress: egress.")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, "sqlite") as site:
        yield site


def test_a_network_died_over_at_each_request_and_each_checkpoint_is_made_once_and_goes_wholly(site: Site) -> None:
    before = account_picture(site.env)
    install = site.run("install", INSTALL, Point.ANSWERED, only=STEPS, phases=PHASES)
    uninstall = site.run("uninstall", UNINSTALL, Point.UNRECORDED, only=STEPS, phases=PHASES)
    made_by_install = by_operation(made(install.calls))
    assert len(install.died) >= sum(
        made_by_install[f"ec2:{one}"] for one in ("CreateVpc", "CreateSubnet", "CreateRoute")
    )
    assert any("await_nat_gateway_deleted" in key for key in uninstall.died)
    assert twice(install.calls) == {}
    assert made_by_install["ec2:CreateVpc"] == made_by_install["ec2:CreateNatGateway"] == 1
    assert unmade(install.calls) == {}
    assert account_picture(site.env) == before
