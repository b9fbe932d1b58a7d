"""One installation's whole life, the service killed at many points of it: upgrade, a rollout that fails, drift and its
repair, uninstall. Everything is seen from outside. The tests share one sandbox and are in the order of that life.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import Sandbox, Service, guide, until
from tests.e2e.outside import Cloud, Cluster
from tests.e2e.test_retries import break_pods

pytestmark = pytest.mark.e2e

NAME = "/v1/installations/dbos-conductor"
KILLS = 5
BROKEN = "example.com/console:broken"
READS = ("Describe", "List", "Get", "Batch", "Simulate", "AssumeRole")
EC2_LISTS = {
    "describe_vpcs": "Vpcs",
    "describe_subnets": "Subnets",
    "describe_internet_gateways": "InternetGateways",
    "describe_addresses": "Addresses",
    "describe_route_tables": "RouteTables",
    "describe_security_groups": "SecurityGroups",
    "describe_network_interfaces": "NetworkInterfaces",
}
UPGRADE: dict[str, Any] = {
    "cluster": {"version": "1.32", "public_access_cidrs": ["203.0.113.0/24", "127.0.0.0/8"]},
    "nodes": {"group": "default", "instance_type": "t3.large", "count": 3, "disk_gib": 20},
    "database": {"engine_version": "16", "instance_class": "db.t4g.small", "storage_gib": 30, "sslmode": "require"},
    "registry": {"app_repository": "dbos-app", "migrate_repository": "dbos-migrate", "tag": "v2"},
    "autoscaling": {"enabled": True, "queue": "taskQueue", "target": 4, "max_replicas": 5},
    "exposure": {"mode": "path", "allow_unauthenticated": True, "conductor_path": "/conductor-api", "app_path": "/app"},
}


class Life:
    """A sandbox with the guide's example installed, and what changes it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.service, self.cloud = sandbox, Service(sandbox), Cloud(sandbox.env)
        self.spec = guide()
        self.kills = 0
        self.before: Counter[str] = Counter()

    def install(self) -> None:
        self.service.create(self.spec).raise_for_status()
        self.service.reach("READY", seconds=240)
        self.cluster = Cluster(self.sandbox.env)

    def plan(self, **parts: Any) -> dict[str, Any]:
        answer = self.service.http.put(f"{NAME}?validate_only=true", json=self.spec | parts)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def apply(self, **parts: Any) -> dict[str, Any]:
        """Begins the change and returns its operation."""
        self.spec |= parts
        answer = self.service.http.put(NAME, json=self.spec)
        assert answer.status_code == 202, answer.text
        operation: dict[str, Any] = answer.json()
        return operation

    def survive(self, kills: int, every: int, *ends: str) -> dict[str, Any]:
        """Kills the service again and again, `every` steps; the installation once it is in one of the states."""
        for _ in range(kills):
            steps = self._steps() + every
            until(lambda steps=steps: self._steps() >= steps or self._over(), f"step {steps}", 180)  # type: ignore[misc]
            if not self._over():
                self.service.kill()
                self.kills += 1
                self.service.start()
        return self.service.reach(*ends, seconds=240)

    def changes(self) -> Counter[str]:
        """AWS requests so far that change something, by operation."""
        calls = (call for call in self.sandbox.calls() if not call["operation"].startswith(READS))
        return Counter(call["operation"] for call in calls)

    def _over(self) -> bool:
        state: str = self.service.installation()["operation"]["state"]
        return state in ("SUCCEEDED", "FAILED")

    def _steps(self) -> int:
        return sum(event["kind"] == "step.succeeded" for event in self.service.events())

    def stop(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.http.close()
        self.service.stop()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    life = Life(Sandbox(tmp_path_factory.mktemp("life")))
    try:
        life.install()
        yield life
    finally:
        life.stop()


@pytest.fixture(scope="module")
def upgraded(life: Life) -> Life:
    for repository in ("dbos-app", "dbos-migrate"):
        life.sandbox.push(repository, "v2")
    life.before = life.changes()
    life.apply(**UPGRADE)
    life.survive(KILLS, 8, "READY")
    return life


def test_the_plan_says_what_will_be_done_how(life: Life) -> None:
    plan = life.plan(**UPGRADE)
    actions = {one["field"]: one["action"] for one in plan["changes"]}
    assert actions["nodes.instance_type"] == "replace"
    assert actions["cluster.version"] == actions["database.storage_gib"] == "update"
    touched = [one["name"] for one in plan["phases"]]
    assert {"kubernetes-1-32", "nodes", "database", "migration", "app", "ingress", "autoscaling"} <= set(touched)
    assert not {"network", "egress", "identity", "conductor", "console", "databases"} & set(touched)


def test_an_upgrade_survives_the_kills_and_brings_everything_to_the_new_spec(upgraded: Life) -> None:
    assert upgraded.kills >= KILLS // 2
    eks = upgraded.cloud.client("eks")
    cluster = eks.describe_cluster(name="dbos-conductor")["cluster"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.32")
    assert sorted(cluster["resourcesVpcConfig"]["publicAccessCidrs"]) == ["127.0.0.0/8", "203.0.113.0/24"]
    (group,) = eks.list_nodegroups(clusterName="dbos-conductor")["nodegroups"]
    found = eks.describe_nodegroup(clusterName="dbos-conductor", nodegroupName=group)["nodegroup"]
    assert (found["status"], found["version"], found["instanceTypes"]) == ("ACTIVE", "1.32", ["t3.large"])
    assert found["scalingConfig"]["desiredSize"] == 3
    (instance,) = upgraded.cloud.client("rds").describe_db_instances()["DBInstances"]
    assert (instance["DBInstanceClass"], instance["AllocatedStorage"]) == ("db.t4g.small", 30)
    app = upgraded.cluster.get("/apis/apps/v1/namespaces/dbos/deployments/dbos-app")
    assert app["spec"]["template"]["spec"]["containers"][0]["image"].endswith("/dbos-app:v2")
    scaled = upgraded.cluster.get("/apis/keda.sh/v1alpha1/namespaces/dbos/scaledobjects/dbos-app-scaledobject")
    assert scaled["spec"]["maxReplicaCount"] == 5
    assert len(upgraded.cluster.items("/api/v1/nodes")) == 3


def test_an_upgrade_does_each_thing_once_and_nothing_else(upgraded: Life) -> None:
    made = upgraded.changes() - upgraded.before
    once = ("UpdateClusterVersion", "UpdateClusterConfig", "CreateNodegroup", "DeleteNodegroup", "ModifyDBInstance")
    assert {name: made[name] for name in once} == dict.fromkeys(once, 1)
    assert not {"CreateVpc", "CreateSubnet", "CreateCluster", "CreateDBInstance", "CreateRole"} & set(made)


def test_a_rollout_that_fails_goes_back_and_says_so_and_the_next_spec_goes_on(upgraded: Life) -> None:
    good = upgraded.spec["console"]
    break_pods(upgraded.sandbox, {BROKEN: "ImagePullBackOff"})
    upgraded.apply(console=good | {"image": BROKEN})
    failed = upgraded.service.reach("FAILED", seconds=120)["operation"]["error"]
    assert failed["code"] == "IMAGE_PULL_FAILED"
    assert "Rolled back" in failed["message"]
    console = upgraded.cluster.get("/apis/apps/v1/namespaces/dbos/deployments/console")
    assert console["spec"]["template"]["spec"]["containers"][0]["image"] == good["image"]
    assert console["status"]["availableReplicas"] == 1
    break_pods(upgraded.sandbox, {})
    upgraded.apply(console=good)
    upgraded.service.reach("READY", seconds=120)


def test_drift_is_seen_without_changing_anything_and_repaired(upgraded: Life) -> None:
    http, before = upgraded.service.http, upgraded.changes()
    assert http.get(f"{NAME}/drift", timeout=120).json()["differences"] == []
    ec2 = upgraded.cloud.client("ec2")
    (group,) = upgraded.cloud.tagged("describe_security_groups", "SecurityGroups")
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    upgraded.cluster.http.delete("/api/v1/namespaces/dbos/services/console").raise_for_status()
    report = http.get(f"{NAME}/drift", timeout=120).json()
    assert {one["phase"] for one in report["differences"]} == {"database-access", "console"}, json.dumps(report)
    assert upgraded.changes() - before == {"RevokeSecurityGroupIngress": 1}
    answer = http.post(f"{NAME}:repair", timeout=120)
    assert (answer.status_code, answer.json()["kind"]) == (202, "repair")
    upgraded.service.reach("READY", seconds=120)
    assert http.get(f"{NAME}/drift", timeout=120).json()["in_sync"] is True
    assert "console" in upgraded.cluster.items("/api/v1/namespaces/dbos/services")


def test_what_is_no_longer_wanted_is_removed_and_everything_else_lives_on(upgraded: Life) -> None:
    cluster, scaled = upgraded.cluster, upgraded.spec["autoscaling"]
    upgraded.apply(exposure={"mode": "internal"}, autoscaling=scaled | {"enabled": False}, app={"replicas": 2})
    until(lambda: upgraded.service.phases()["ingress-nginx"]["state"] != "pending", "the removal is under way", 120)
    upgraded.service.kill()
    upgraded.service.start()
    upgraded.service.reach("READY", seconds=240)
    assert cluster.items("/apis/networking.k8s.io/v1/ingresses") == {}
    namespaces = cluster.items("/api/v1/namespaces")
    assert not {"keda", "ingress-nginx"} & set(namespaces)
    assert "dbos" in namespaces
    definitions = cluster.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    assert [name for name in definitions if name.endswith("keda.sh")] == []
    assert upgraded.cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"] == []
    app = cluster.get("/apis/apps/v1/namespaces/dbos/deployments/dbos-app")
    assert (app["spec"]["replicas"], app["status"]["availableReplicas"]) == (2, 2)
    assert upgraded.plan()["unchanged"] is True


@pytest.fixture(scope="module")
def uninstalled(upgraded: Life) -> Life:
    upgraded.kills = 0
    answer = upgraded.service.http.delete(NAME)
    assert answer.status_code == 202, answer.text
    upgraded.survive(KILLS, 10, "DELETED")
    return upgraded


def test_nothing_is_left_at_aws_but_the_snapshot_and_images(uninstalled: Life) -> None:
    assert uninstalled.kills >= KILLS // 2
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


def test_the_data_is_kept_in_one_snapshot_that_the_answer_names(uninstalled: Life) -> None:
    snapshots = uninstalled.cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    report = uninstalled.service.installation()["operation"]["report"]
    assert [snapshot["DBSnapshotArn"] for snapshot in snapshots] == [report["final_snapshot"]["arn"]]
    assert snapshots[0]["Status"] == "available"


def test_the_tombstone_holds_the_proof(uninstalled: Life) -> None:
    found = uninstalled.service.installation()
    proof = found["operation"]["report"]["proof"]
    assert proof["leftovers"] == []
    assert {"ec2", "eks", "rds", "iam", "ecr", "secretsmanager"} <= {
        service["service"].split(":")[0].lower() for service in proof["services"]
    }
    kept = " ".join(one["arn"] for one in proof["retained"])
    assert "repository/dbos-app" in kept
    assert "repository/dbos-migrate" in kept


@pytest.mark.chaos
def test_the_name_can_be_used_again_at_once(uninstalled: Life) -> None:
    uninstalled.service.create(guide()).raise_for_status()
    uninstalled.service.reach("READY", seconds=240)
