"""Drift and repair of the guide's example. Much is broken at once, by hand and from outside; one look finds each thing,
and one repair mends all of it. The tests share one sandbox and are in that order.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.harness import ROOT, Sandbox, Service, guide, until
from tests.e2e.outside import Cloud, Cluster

pytestmark = pytest.mark.e2e

NAME = "/v1/installations/dbos-conductor"
READS = ("Describe", "List", "Get", "Batch", "Simulate", "AssumeRole")
DBOS = "namespaces/dbos"
OURS = {
    "app.kubernetes.io/managed-by": "podium",
    "podium/installation": "dbos-conductor",
    "podium/component": "console",
}
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}


class Place:
    """The guide's example, installed, and hands to break it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.service, self.cloud = sandbox, Service(sandbox), Cloud(sandbox.env)

    def install(self) -> None:
        self.service.create(guide()).raise_for_status()
        self.service.reach("READY", seconds=240)
        self.cluster = Cluster(self.sandbox.env)

    def drift(self) -> dict[str, Any]:
        answer = self.service.http.get(f"{NAME}/drift", timeout=90)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def settled(self) -> dict[str, Any]:
        """The report once controllers have seen a repair: KEDA looks at its metric every few seconds only."""
        deadline = time.monotonic() + 30
        while not (found := self.drift())["in_sync"] and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def delete(self, path: str) -> None:
        self.cluster.http.delete(path).raise_for_status()

    def patch(self, path: str, body: dict[str, Any], headers: dict[str, str] = MERGE) -> None:
        self.cluster.http.patch(path, content=json.dumps(body), headers=headers).raise_for_status()

    def written(self) -> list[str]:
        """AWS's operations so far that change something."""
        return [call["operation"] for call in self.sandbox.calls() if not call["operation"].startswith(READS)]

    def versions(self) -> dict[str, str]:
        """The resource version of everything that a hand, or Podium, could have changed in the cluster."""
        paths = (
            *(f"/api/v1/{DBOS}/{kind}" for kind in ("services", "secrets", "configmaps")),
            *(f"/apis/apps/v1/namespaces/{name}/deployments" for name in ("dbos", "keda", "ingress-nginx")),
            f"/apis/networking.k8s.io/v1/{DBOS}/ingresses",
            f"/apis/bitnami.com/v1alpha1/{DBOS}/sealedsecrets",
            f"/apis/keda.sh/v1alpha1/{DBOS}/scaledobjects",
        )
        return {
            f"{path}/{name}": json.dumps([each["metadata"]["labels"], each.get("spec"), each.get("data")])
            for path in paths
            for name, each in self.cluster.items(path).items()
            if each["metadata"].get("labels")
        }

    def instance(self) -> dict[str, Any]:
        rds = self.cloud.client("rds")
        found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier="dbos-conductor-pg")["DBInstances"][0]
        return found

    def podium(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a person calls it."""
        command = [sys.executable, "-m", "service.cli.main", *arguments, "--home", str(self.sandbox.home)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)

    def stop(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.http.close()
        self.service.stop()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(Sandbox(tmp_path_factory.mktemp("drift")))
    try:
        place.install()
        yield place
    finally:
        place.stop()


def revoke_rule(place: Place) -> None:
    (group,) = place.cloud.tagged("describe_security_groups", "SecurityGroups")
    permissions = group["IpPermissions"]
    place.cloud.client("ec2").revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=permissions)


def remove_nat_route(place: Place) -> None:
    tables = place.cloud.tagged("describe_route_tables", "RouteTables")
    (private,) = [table for table in tables if any(route.get("NatGatewayId") for route in table["Routes"])]
    ec2 = place.cloud.client("ec2")
    ec2.delete_route(RouteTableId=private["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")


def associate_otherwise(place: Place) -> None:
    """A public subnet gets the private route table."""
    ec2 = place.cloud.client("ec2")
    tables = place.cloud.tagged("describe_route_tables", "RouteTables")
    by_part = {tag["Value"]: table for table in tables for tag in table["Tags"] if tag["Key"] == "podium:resource"}
    association = next(one for one in by_part["routes-public"]["Associations"] if one.get("SubnetId"))
    ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    ec2.associate_route_table(RouteTableId=by_part["routes-private"]["RouteTableId"], SubnetId=association["SubnetId"])


def remove_subnet_tags(place: Place) -> None:
    subnets = place.cloud.tagged("describe_subnets", "Subnets")
    place.cloud.client("ec2").delete_tags(
        Resources=[subnet["SubnetId"] for subnet in subnets], Tags=[{"Key": "kubernetes.io/role/internal-elb"}]
    )


def switch_off_dns(place: Place) -> None:
    (vpc,) = place.cloud.tagged("describe_vpcs", "Vpcs")
    place.cloud.client("ec2").modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": False})


def detach_policy(place: Place) -> None:
    place.cloud.client("iam").detach_role_policy(
        RoleName="dbos-conductor-node", PolicyArn="arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
    )


def remove_provider(place: Place) -> None:
    iam = place.cloud.client("iam")
    (one,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=one["Arn"])


def configure_addon(place: Place) -> None:
    eks, addon = place.cloud.client("eks"), {"clusterName": "dbos-conductor", "addonName": "vpc-cni"}
    eks.update_addon(**addon, configurationValues='{"enableNetworkPolicy": "false"}')
    until(lambda: eks.describe_addon(**addon)["addon"]["status"] == "ACTIVE", "the add-on is configured", 20)


def trust_nobody(place: Place) -> None:
    """As a person who wants to try the role out: it trusts that person's account, and EKS no more."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    place.cloud.client("iam").update_assume_role_policy(RoleName="dbos-conductor-cluster", PolicyDocument=document)


def resize_nodes(place: Place) -> None:
    eks = place.cloud.client("eks")
    group: dict[str, str] = {"clusterName": "dbos-conductor", "nodegroupName": "default"}
    eks.update_nodegroup_config(**group, scalingConfig={"minSize": 1, "maxSize": 5, "desiredSize": 2})
    until(lambda: eks.describe_nodegroup(**group)["nodegroup"]["status"] == "ACTIVE", "the group is changed", 20)


def open_api(place: Place) -> None:
    eks = place.cloud.client("eks")
    access = {"publicAccessCidrs": ["127.0.0.0/8", "203.0.113.0/24"]}
    eks.update_cluster_config(name="dbos-conductor", resourcesVpcConfig=access)
    until(lambda: eks.describe_cluster(name="dbos-conductor")["cluster"]["status"] == "ACTIVE", "it is changed", 20)


def change_instance(place: Place) -> None:
    rds, name = place.cloud.client("rds"), "dbos-conductor-pg"
    rds.modify_db_instance(DBInstanceIdentifier=name, BackupRetentionPeriod=3, ApplyImmediately=True)

    def instance() -> dict[str, Any]:
        found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return found

    until(lambda: instance()["BackupRetentionPeriod"] == 3, "it is changed", 20)
    until(lambda: instance()["DBInstanceStatus"] == "available", "it is at rest", 20)


def swap_database_group(place: Place) -> None:
    """Another security group instead of the installation's."""
    ec2, rds = place.cloud.client("ec2"), place.cloud.client("rds")
    (vpc,) = place.cloud.tagged("describe_vpcs", "Vpcs")
    group = ec2.create_security_group(GroupName="another", Description="another", VpcId=vpc["VpcId"])["GroupId"]
    rds.modify_db_instance(DBInstanceIdentifier="dbos-conductor-pg", VpcSecurityGroupIds=[group], ApplyImmediately=True)
    until(lambda: place.instance()["DBInstanceStatus"] == "available", "the database is changed", 20)


def delete_repository(place: Place) -> None:
    place.cloud.client("ecr").delete_repository(repositoryName="dbos-migrate", force=True)


def relabel_namespace(place: Place) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    place.patch("/api/v1/namespaces/dbos", {"metadata": {"labels": labels}})


def edit_deployment(place: Place) -> None:
    container = {"name": "console", "image": "example.com/other:1"}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    place.patch(f"/apis/apps/v1/{DBOS}/deployments/console", body, STRATEGIC)


def scale_deployment(place: Place) -> None:
    place.patch(f"/apis/apps/v1/{DBOS}/deployments/conductor", {"spec": {"replicas": 2}})


def delete_service(place: Place) -> None:
    place.delete(f"/api/v1/{DBOS}/services/console")


def change_port(place: Place) -> None:
    ports = [{"port": 8081, "targetPort": 8080}]
    place.patch(f"/api/v1/{DBOS}/services/dbos-app", {"spec": {"ports": ports}})


def add_config_map(place: Place) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left-over", "labels": OURS}}
    place.cluster.http.post(f"/api/v1/{DBOS}/configmaps", json=body).raise_for_status()


def delete_sealed(place: Place) -> None:
    place.delete(f"/apis/bitnami.com/v1alpha1/{DBOS}/sealedsecrets/conductor-license")


def change_secret(place: Place) -> None:
    place.patch(f"/api/v1/{DBOS}/secrets/dbos-app-db", {"data": {"database-url": "Y2FuYXJ5"}})


def change_scaling(place: Place) -> None:
    path = f"/apis/keda.sh/v1alpha1/{DBOS}/scaledobjects/dbos-app-scaledobject"
    place.patch(path, {"spec": {"maxReplicaCount": 77}})


def delete_ingress(place: Place) -> None:
    place.delete(f"/apis/networking.k8s.io/v1/{DBOS}/ingresses/dbos-ingress")


def delete_controller(place: Place) -> None:
    place.delete("/apis/apps/v1/namespaces/keda/deployments/keda-admission-webhooks")


def scale_controller(place: Place) -> None:
    path = "/apis/apps/v1/namespaces/ingress-nginx/deployments/ingress-nginx-controller"
    place.patch(path, {"spec": {"replicas": 3}})


Seen = tuple[str, str, str, str | None]
"""Phase, kind, a part of type and name, and the field (None: the thing as a whole)."""
BROKEN: dict[Callable[[Place], None], Seen] = {
    revoke_rule: ("database-access", "changed", "Security group", "ingress"),
    remove_nat_route: ("egress", "changed", "RouteTable", "routes[0.0.0.0/0]"),
    associate_otherwise: ("network", "changed", "RouteTable", "associations[subnet-"),
    remove_subnet_tags: ("network", "changed", "Subnet subnet-", "tags"),
    switch_off_dns: ("network", "changed", "VPC", "enableDnsHostnames"),
    detach_policy: ("identity", "changed", "IAM role dbos-conductor-node", "attachedPolicies[AmazonEKS_CNI_Policy]"),
    trust_nobody: ("identity", "changed", "IAM role dbos-conductor-cluster", "assumeRolePolicyDocument"),
    remove_provider: ("cluster", "missing", "OIDC provider", None),
    swap_database_group: ("database", "changed", "RDS instance dbos-conductor-pg", "vpcSecurityGroups"),
    configure_addon: ("addons", "changed", "EKS add-on vpc-cni", "configuration"),
    resize_nodes: ("nodes", "changed", "EKS node group default", "scalingConfig"),
    open_api: ("cluster", "changed", "EKS cluster dbos-conductor", "publicAccessCidrs"),
    change_instance: ("database", "changed", "RDS instance dbos-conductor-pg", "settings"),
    delete_repository: ("registry", "missing", "ECR repository dbos-migrate", None),
    relabel_namespace: (
        *("namespace", "changed", "Namespace dbos"),
        "metadata.labels['pod-security.kubernetes.io/enforce']",
    ),
    edit_deployment: ("console", "changed", "Deployment dbos/console", "spec.template.spec.containers[console].image"),
    scale_deployment: ("conductor", "changed", "Deployment dbos/conductor", "spec.replicas"),
    delete_service: ("console", "missing", "Service dbos/console", None),
    change_port: ("app", "changed", "Service dbos/dbos-app", "spec.ports"),
    add_config_map: ("console", "extra", "ConfigMap dbos/left-over", None),
    delete_sealed: ("secrets", "missing", "SealedSecret dbos/conductor-license", None),
    change_secret: ("secrets", "changed", "Secret dbos/dbos-app-db", "data"),
    change_scaling: ("autoscaling", "changed", "ScaledObject", "spec.maxReplicaCount"),
    delete_ingress: ("ingress", "missing", "Ingress dbos/dbos-ingress", None),
    delete_controller: ("keda", "missing", "Deployment keda/keda-admission-webhooks", None),
    scale_controller: (
        "ingress-nginx",
        "changed",
        "Deployment ingress-nginx/ingress-nginx-controller",
        "spec.replicas",
    ),
}
UNTOUCHED = {"sealed-secrets", "api-key"}


def test_a_healthy_installation_is_in_sync_and_the_look_changes_nothing(place: Place) -> None:
    before, objects = place.written(), place.versions()
    found = place.drift()
    assert (found["differences"], found["unreadable"], found["in_sync"]) == ([], [], True), json.dumps(found)
    left_out = {one["phase"] for one in found["not_compared"]}
    assert left_out == {"preflight", "databases", "migration", "privileges", "smoke-test"}
    assert place.written() == before
    assert place.versions() == objects


def test_nothing_to_repair_begins_nothing(place: Place) -> None:
    answer = place.service.http.post(f"{NAME}:repair", timeout=90)
    assert (answer.status_code, answer.json()["in_sync"]) == (200, True)
    assert place.service.installation()["operation"]["kind"] == "install"


@pytest.fixture(scope="module")
def report(place: Place) -> dict[str, Any]:
    """Of everything broken at once. Nothing but the hands has changed anything meanwhile."""
    for hand in BROKEN:
        hand(place)
    before, objects = place.written(), place.versions()
    found = place.drift()
    assert place.written() == before
    assert place.versions() == objects
    return found


@pytest.mark.parametrize("hand", BROKEN, ids=lambda hand: hand.__name__)
def test_it_is_noticed(report: dict[str, Any], hand: Callable[[Place], None]) -> None:
    phase, kind, thing, field = BROKEN[hand]
    of_phase = [one for one in report["differences"] if one["phase"] == phase]
    seen = [
        one
        for one in of_phase
        if one["kind"] == kind
        and thing in f"{one['resource']['type']} {one['resource']['name']}"
        and (one["field"] is None if field is None else (one["field"] or "").startswith(field))
    ]
    assert seen, json.dumps(of_phase, indent=1)
    assert all(one["message"] for one in seen)


def test_nothing_else_is_said_to_differ_and_no_secret_is_shown(report: dict[str, Any]) -> None:
    broken = {phase for phase, *_ in BROKEN.values()}
    phases = {one["phase"] for one in report["differences"]}
    assert broken <= phases
    assert not phases & UNTOUCHED
    assert report["in_sync"] is False
    assert report["unreadable"] == []
    assert "Y2FuYXJ5" not in json.dumps(report)
    assert all(one["remedy"] for one in report["differences"])


def test_a_change_says_what_was_applied_and_what_is_there(report: dict[str, Any]) -> None:
    by_field = {one["field"]: (one["expected"], one["found"]) for one in report["differences"]}
    assert by_field["spec.maxReplicaCount"] == (10, 77)
    assert by_field["spec.template.spec.containers[console].image"][1] == "example.com/other:1"
    assert by_field["configuration"] == ({"enableNetworkPolicy": "true"}, {"enableNetworkPolicy": "false"})
    assert by_field["enableDnsHostnames"] == (True, False)
    assert by_field["settings"] == ({"BackupRetentionPeriod": 1}, {"BackupRetentionPeriod": 3})
    assert by_field["assumeRolePolicyDocument"] == (["eks.amazonaws.com"], [])


def test_the_command_line_tells_by_its_exit_code(place: Place, report: dict[str, Any]) -> None:
    done = place.podium("drift", "dbos-conductor", "--json")
    assert (done.returncode, json.loads(done.stdout)["in_sync"]) == (3, report["in_sync"]), done.stderr
    told = place.podium("drift", "dbos-conductor")
    assert told.returncode == 3
    assert "differs from what was applied" in told.stdout


@pytest.fixture(scope="module")
def repaired(place: Place, report: dict[str, Any]) -> dict[str, Any]:
    answer = place.service.http.post(f"{NAME}:repair", timeout=90)
    assert (answer.status_code, answer.json()["kind"]) == (202, "repair")
    assert {one["phase"] for one in report["differences"]} <= set(answer.json()["options"]["drifted"])
    refused = place.service.http.get(f"{NAME}/drift", timeout=90)
    assert (refused.status_code, refused.json()["code"]) == (409, "OPERATION_IN_PROGRESS")
    place.service.reach("READY", seconds=120)
    return place.settled()


def test_one_repair_mends_all_of_it(place: Place, repaired: dict[str, Any]) -> None:
    assert (repaired["differences"], repaired["unreadable"]) == ([], []), json.dumps(repaired, indent=1)
    told = place.podium("drift", "dbos-conductor")
    assert (told.returncode, "is as it was applied" in told.stdout) == (0, True), told.stdout


def test_what_a_repair_made_is_there_once(place: Place, repaired: dict[str, Any]) -> None:
    assert repaired["in_sync"]
    for operation, key, count in (
        ("describe_vpcs", "Vpcs", 1),
        ("describe_internet_gateways", "InternetGateways", 1),
        ("describe_route_tables", "RouteTables", 2),
        ("describe_addresses", "Addresses", 1),
        ("describe_nat_gateways", "NatGateways", 1),
    ):
        assert len(place.cloud.tagged(operation, key)) == count, operation
    assert place.cluster.secret("dbos-app-db")["database-url"].startswith("postgresql")


def test_a_thing_of_our_name_without_our_tag_is_said_to_be_taken(place: Place, repaired: dict[str, Any]) -> None:
    assert repaired["in_sync"]
    iam = place.cloud.client("iam")
    iam.untag_role(RoleName="dbos-conductor-node", TagKeys=["podium:installation"])
    found = place.drift()
    assert [(one["phase"], one["kind"]) for one in found["differences"]] == [("identity", "taken")]
    iam.tag_role(RoleName="dbos-conductor-node", Tags=[{"Key": "podium:installation", "Value": "dbos-conductor"}])


def test_an_aws_that_does_not_answer_is_unreadable_and_not_an_error(place: Place, repaired: dict[str, Any]) -> None:
    assert repaired["in_sync"]
    place.sandbox.fault(match="iam:GetRole", kind="error", code="AccessDenied", status=403)
    found = place.drift()
    place.sandbox.clear_faults()
    assert {one["phase"]: one["code"] for one in found["unreadable"]}["identity"] == "AWS_ACCESS_DENIED"
    assert found["in_sync"] is False


def test_a_half_made_installation_is_looked_at_without_being_changed_and_is_not_in_sync(place: Place) -> None:
    place.sandbox.fault(match="iam:CreateRole", kind="error", code="AccessDenied", status=403)
    half = guide(name="half-conductor", registry={}, app={"image": "example/app:1", "migrate_image": "example/app:1"})
    place.service.create(half).raise_for_status()
    place.service.reach("FAILED", name="half-conductor", seconds=120)
    place.sandbox.clear_faults()
    ec2 = place.cloud.client("ec2")
    (vpc,) = place.cloud.tagged("describe_vpcs", "Vpcs", name="half-conductor")
    ec2.modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": False})
    before = place.written()
    answer = place.service.http.get("/v1/installations/half-conductor/drift", timeout=90)
    assert place.written() == before
    found = answer.raise_for_status().json()
    told = [(one["phase"], one["kind"], one["field"]) for one in found["differences"]]
    assert told == [("network", "changed", "enableDnsHostnames")]
    assert {"identity", "cluster", "app"} <= {one["phase"] for one in found["not_compared"]}
    assert (found["in_sync"], found["unreadable"]) == (False, [])
