"""Install into what somebody else's hands made (VPC, EKS cluster with nodes, PostgreSQL server, images), and
uninstall: what was given is used, left as it was, and named as left. Seen from outside, compared with before.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.picture import account_picture, differences
from tests.e2e.harness import Sandbox, Service, guide, until
from tests.e2e.outside import Cloud, Cluster
from tests.sandbox.aws.standin import Network, make_network, make_role

pytestmark = [pytest.mark.chaos, pytest.mark.e2e]

NAME = "/v1/installations/dbos-conductor"
CLUSTER = "theirs"
DATABASE = "theirs-pg"
IMAGE, MIGRATE_IMAGE = "registry.example.com/dbos-app:1", "registry.example.com/dbos-migrate:1"
PASSWORD = "a password of theirs"


class Theirs:
    """What is there before Podium."""

    def __init__(self, env: dict[str, str]) -> None:
        self.cloud = Cloud(env)
        self.network = make_network(self.cloud)
        self._database()
        self._cluster()
        self.database = self._available()
        self.host = str(self.database["Endpoint"]["Address"])

    def _cluster(self) -> None:
        eks = self.cloud.client("eks")
        roles = {what: make_role(self.cloud, f"theirs-{what}", f"{what}.amazonaws.com") for what in ("eks", "ec2")}
        self._tag_subnets(self.network)
        subnets = {"subnetIds": [*self.network.public, *self.network.private]}
        access = {"authenticationMode": "API_AND_CONFIG_MAP"}
        eks.create_cluster(
            name=CLUSTER, roleArn=roles["eks"], resourcesVpcConfig=subnets, version="1.31", accessConfig=access
        )
        until(lambda: eks.describe_cluster(name=CLUSTER)["cluster"]["status"] == "ACTIVE", "their cluster", 60)
        for addon in ("vpc-cni", "kube-proxy", "coredns"):
            eks.create_addon(clusterName=CLUSTER, addonName=addon)
        group = {"clusterName": CLUSTER, "nodegroupName": "workers"}
        size = {"minSize": 2, "maxSize": 2, "desiredSize": 2}
        eks.create_nodegroup(**group, nodeRole=roles["ec2"], subnets=self.network.private, scalingConfig=size)
        until(lambda: eks.describe_nodegroup(**group)["nodegroup"]["status"] == "ACTIVE", "their nodes", 60)
        coredns = {"clusterName": CLUSTER, "addonName": "coredns"}
        until(lambda: eks.describe_addon(**coredns)["addon"]["status"] == "ACTIVE", "their add-ons", 60)

    def _tag_subnets(self, network: Network) -> None:
        """As the load balancer's controller wants them (EKS User Guide, "Amazon EKS VPC and subnet requirements")."""
        for kind, subnets in (("elb", network.public), ("internal-elb", network.private)):
            tags = [{"Key": f"kubernetes.io/role/{kind}", "Value": "1"}]
            self.cloud.client("ec2").create_tags(Resources=subnets, Tags=tags)
        ec2 = self.cloud.client("ec2")
        ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": True})

    def _database(self) -> None:
        rds = self.cloud.client("rds")
        group = {"DBSubnetGroupName": "theirs", "DBSubnetGroupDescription": "theirs"}
        rds.create_db_subnet_group(**group, SubnetIds=self.network.private)
        rds.create_db_instance(
            DBInstanceIdentifier=DATABASE,
            Engine="postgres",
            EngineVersion="16",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="postgres",
            ManageMasterUserPassword=True,
            DBSubnetGroupName="theirs",
            PubliclyAccessible=False,
        )

    def _available(self) -> dict[str, Any]:
        rds = self.cloud.client("rds")

        def instance() -> dict[str, Any] | None:
            (found,) = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
            return found if found["DBInstanceStatus"] == "available" else None

        found: dict[str, Any] = until(instance, "their database", 60)
        return found

    def spec(self) -> dict[str, Any]:
        network = {"public_subnet_ids": self.network.public, "private_subnet_ids": self.network.private}
        secret = self.database["MasterUserSecret"]["SecretArn"]
        value = self.cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        server = {
            "host": self.host,
            "port": self.database["Endpoint"]["Port"],
            "password": json.loads(value)["password"],
        }
        return guide(
            network={"existing": {"vpc_id": self.network.vpc, **network}},
            cluster={"existing_name": CLUSTER},
            database={"sslmode": "require", "existing": server},
            registry={},
            app={"name": "dbos-app", "image": IMAGE, "migrate_image": MIGRATE_IMAGE},
        )


class Guest:
    """A life among them, and how the account and the cluster looked before and after."""

    def __init__(self, sandbox: Sandbox, service: Service) -> None:
        self.theirs, self.service = Theirs(sandbox.env), service
        self.cluster = Cluster(sandbox.env)
        self.before, self.namespaces = account_picture(sandbox.env), self._namespaces()
        service.create(self.theirs.spec()).raise_for_status()
        self.ready = service.reach("READY", seconds=240)
        self.drift = service.http.get(f"{NAME}/drift", timeout=120).json()
        self.between = account_picture(sandbox.env)
        assert service.http.delete(NAME).status_code == 202
        self.report = service.reach("DELETED", seconds=240)["operation"]["report"]
        self.after = account_picture(sandbox.env)

    def _namespaces(self) -> set[str]:
        return set(self.cluster.items("/api/v1/namespaces"))

    def left_in_the_cluster(self) -> set[str]:
        """Whatever carries the installation's name, and namespaces that were not there."""
        definitions = set(self.cluster.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"))
        return (self._namespaces() - self.namespaces) | definitions


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    sandbox = Sandbox(tmp_path_factory.mktemp("given"))
    service = Service(sandbox)
    try:
        guest = Guest(sandbox, service)
        yield guest
        guest.cluster.http.close()
    finally:
        service.stop()
        sandbox.stop()


def test_what_was_given_is_used_and_nothing_of_its_kind_made(guest: Guest) -> None:
    cloud = guest.theirs.cloud
    calls = {call["operation"] for call in guest.service.sandbox.calls()}
    assert guest.ready["state"] == "READY"
    assert cloud.client("eks").list_clusters()["clusters"] == [CLUSTER]
    assert [one["DBInstanceIdentifier"] for one in cloud.client("rds").describe_db_instances()["DBInstances"]] == [
        DATABASE
    ]
    assert {"ModifyDBInstance", "DeleteCluster", "DeleteNodegroup", "DeleteDBInstance", "DeleteVpc"}.isdisjoint(calls)
    assert (guest.drift["in_sync"], guest.drift["differences"]) == (True, [])


def test_after_the_uninstall_the_account_is_as_before(guest: Guest) -> None:
    assert differences(guest.before, guest.between) != []
    assert differences(guest.before, guest.after) == []


def test_after_the_uninstall_nothing_is_left_in_the_cluster(guest: Guest) -> None:
    assert guest.left_in_the_cluster() == set()


def test_the_report_names_what_was_given_as_left(guest: Guest) -> None:
    assert guest.report["proof"]["leftovers"] == []
    left = " ".join(one["arn"] for one in guest.report["left"])
    named = (guest.theirs.network.vpc, *guest.theirs.network.private, f"cluster/{CLUSTER}", f"db:{DATABASE}")
    assert [one for one in named if one not in left] == []
