"""A whole install and its end, with the service killed in between; then AWS from outside: nothing is left."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import Sandbox, Service, guide, until
from tests.e2e.outside import Cloud

pytestmark = pytest.mark.e2e

KILLS = 8
STEPS = 60
"""Of one uninstall, about: the kills are spread over them."""
EC2_LISTS = {
    "describe_vpcs": "Vpcs",
    "describe_subnets": "Subnets",
    "describe_internet_gateways": "InternetGateways",
    "describe_addresses": "Addresses",
    "describe_route_tables": "RouteTables",
    "describe_security_groups": "SecurityGroups",
    "describe_network_interfaces": "NetworkInterfaces",
}


class Uninstalled:
    """A sandbox where the guide's example was installed and then deleted, the service killed on the way."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.service = Service(sandbox)
        self.cloud = Cloud(sandbox.env)
        self.kills = 0

    def run(self) -> None:
        self.service.create(guide()).raise_for_status()
        self.service.reach("READY", seconds=240)
        self.before = self._steps()
        answer = self.service.http.delete("/v1/installations/dbos-conductor")
        assert answer.status_code == 202, answer.text
        self.operation: dict[str, Any] = answer.json()
        for kill in range(1, KILLS + 1):
            self._kill_after(self.before + kill * STEPS // (KILLS + 1))
        self.service.reach("DELETED", seconds=240)

    def _steps(self) -> int:
        return sum(event["kind"] == "step.succeeded" for event in self.service.events())

    def _kill_after(self, steps: int) -> None:
        def reached() -> bool:
            return self._steps() >= steps or self.service.installation()["state"] in ("DELETED", "FAILED")

        until(reached, f"step {steps}", 120)
        if self.service.installation()["state"] == "DELETING":
            self.service.kill()
            self.kills += 1
            self.service.start()

    def stop(self) -> None:
        self.service.stop()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def uninstalled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uninstalled]:
    uninstalled = Uninstalled(Sandbox(tmp_path_factory.mktemp("uninstall")))
    try:
        uninstalled.run()
        yield uninstalled
    finally:
        uninstalled.stop()


def test_the_uninstall_survives_the_kills(uninstalled: Uninstalled) -> None:
    assert uninstalled.kills >= KILLS // 2
    assert uninstalled.service.installation()["state"] == "DELETED"


def test_nothing_is_left_at_aws_but_the_snapshot_and_images(uninstalled: Uninstalled) -> None:
    cloud = uninstalled.cloud
    for operation, key in EC2_LISTS.items():
        assert cloud.tagged(operation, key) == [], operation
    assert {nat["State"] for nat in cloud.tagged("describe_nat_gateways", "NatGateways")} <= {"deleted"}
    assert all(vpc["IsDefault"] for vpc in cloud.client("ec2").describe_vpcs()["Vpcs"])
    assert cloud.client("ec2").describe_addresses()["Addresses"] == []
    assert cloud.client("ec2").describe_volumes()["Volumes"] == []
    assert cloud.client("eks").list_clusters()["clusters"] == []
    assert cloud.client("rds").describe_db_instances()["DBInstances"] == []
    assert cloud.client("rds").describe_db_subnet_groups()["DBSubnetGroups"] == []
    assert cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"] == []
    assert cloud.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"] == []
    roles = [role["RoleName"] for role in cloud.client("iam").list_roles()["Roles"]]
    assert [name for name in roles if "dbos" in name] == []
    assert cloud.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_the_data_is_kept_in_one_snapshot_that_the_answer_names(uninstalled: Uninstalled) -> None:
    snapshots = uninstalled.cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    report = uninstalled.service.installation()["operation"]["report"]
    assert [snapshot["DBSnapshotArn"] for snapshot in snapshots] == [report["final_snapshot"]["arn"]]
    assert snapshots[0]["Status"] == "available"


def test_the_tombstone_holds_the_proof(uninstalled: Uninstalled) -> None:
    found = uninstalled.service.installation()
    proof = found["operation"]["report"]["proof"]
    assert proof["leftovers"] == []
    assert {"ec2", "eks", "rds", "iam", "ecr", "secretsmanager"} <= {
        service["service"].split(":")[0].lower() for service in proof["services"]
    }
    kept = " ".join(one["arn"] for one in proof["retained"])
    assert "repository/dbos-app" in kept
    assert "repository/dbos-migrate" in kept
    assert found["operation"]["id"] == uninstalled.operation["id"]


def test_the_name_can_be_used_again_at_once(uninstalled: Uninstalled) -> None:
    uninstalled.service.create(guide()).raise_for_status()
    uninstalled.service.reach("READY", seconds=240)
    answer = uninstalled.service.http.delete("/v1/installations/dbos-conductor", params={"data": "delete"})
    assert answer.status_code == 202
    uninstalled.service.reach("DELETED", seconds=240)
    snapshots = uninstalled.cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert len(snapshots) == 1
