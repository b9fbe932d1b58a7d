"""Hands that break an installation of the guide's example from outside, as people do, and what a look must find."""

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.harness import until
from tests.e2e.outside import Cloud, Cluster

DBOS = "namespaces/dbos"
OURS = {
    "app.kubernetes.io/managed-by": "podium",
    "podium/installation": "dbos-conductor",
    "podium/component": "console",
}
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}


class Hands:
    """What a person has: AWS, and the cluster once there is one."""

    cluster: Cluster

    def __init__(self, env: dict[str, str]) -> None:
        self.cloud = Cloud(env)

    def delete(self, path: str) -> None:
        self.cluster.http.delete(path).raise_for_status()

    def patch(self, path: str, body: dict[str, Any], headers: dict[str, str] = MERGE) -> None:
        self.cluster.http.patch(path, content=json.dumps(body), headers=headers).raise_for_status()

    def instance(self) -> dict[str, Any]:
        rds = self.cloud.client("rds")
        found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier="dbos-conductor-pg")["DBInstances"][0]
        return found


def revoke_rule(hands: Hands) -> None:
    (group,) = hands.cloud.tagged("describe_security_groups", "SecurityGroups")
    permissions = group["IpPermissions"]
    hands.cloud.client("ec2").revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=permissions)


def remove_nat_route(hands: Hands) -> None:
    tables = hands.cloud.tagged("describe_route_tables", "RouteTables")
    (private,) = [table for table in tables if any(route.get("NatGatewayId") for route in table["Routes"])]
    ec2 = hands.cloud.client("ec2")
    ec2.delete_route(RouteTableId=private["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")


def associate_otherwise(hands: Hands) -> None:
    """A public subnet gets the private route table."""
    ec2 = hands.cloud.client("ec2")
    tables = hands.cloud.tagged("describe_route_tables", "RouteTables")
    by_part = {tag["Value"]: table for table in tables for tag in table["Tags"] if tag["Key"] == "podium:resource"}
    association = next(one for one in by_part["routes-public"]["Associations"] if one.get("SubnetId"))
    ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    ec2.associate_route_table(RouteTableId=by_part["routes-private"]["RouteTableId"], SubnetId=association["SubnetId"])


def remove_subnet_tags(hands: Hands) -> None:
    subnets = hands.cloud.tagged("describe_subnets", "Subnets")
    hands.cloud.client("ec2").delete_tags(
        Resources=[subnet["SubnetId"] for subnet in subnets], Tags=[{"Key": "kubernetes.io/role/internal-elb"}]
    )


def switch_off_dns(hands: Hands) -> None:
    (vpc,) = hands.cloud.tagged("describe_vpcs", "Vpcs")
    hands.cloud.client("ec2").modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": False})


def detach_policy(hands: Hands) -> None:
    hands.cloud.client("iam").detach_role_policy(
        RoleName="dbos-conductor-node", PolicyArn="arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
    )


def remove_provider(hands: Hands) -> None:
    iam = hands.cloud.client("iam")
    (one,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=one["Arn"])


def configure_addon(hands: Hands) -> None:
    eks, addon = hands.cloud.client("eks"), {"clusterName": "dbos-conductor", "addonName": "vpc-cni"}
    eks.update_addon(**addon, configurationValues='{"enableNetworkPolicy": "false"}')
    until(lambda: eks.describe_addon(**addon)["addon"]["status"] == "ACTIVE", "the add-on is configured", 20)


def trust_nobody(hands: Hands) -> None:
    """As a person who wants to try the role out: it trusts that person's account, and EKS no more."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    hands.cloud.client("iam").update_assume_role_policy(RoleName="dbos-conductor-cluster", PolicyDocument=document)


def resize_nodes(hands: Hands) -> None:
    eks = hands.cloud.client("eks")
    group: dict[str, str] = {"clusterName": "dbos-conductor", "nodegroupName": "default"}
    eks.update_nodegroup_config(**group, scalingConfig={"minSize": 1, "maxSize": 5, "desiredSize": 2})
    until(lambda: eks.describe_nodegroup(**group)["nodegroup"]["status"] == "ACTIVE", "the group is changed", 20)


def open_api(hands: Hands) -> None:
    eks = hands.cloud.client("eks")
    access = {"publicAccessCidrs": ["127.0.0.0/8", "203.0.113.0/24"]}
    eks.update_cluster_config(name="dbos-conductor", resourcesVpcConfig=access)
    until(lambda: eks.describe_cluster(name="dbos-conductor")["cluster"]["status"] == "ACTIVE", "it is changed", 20)


def change_instance(hands: Hands) -> None:
    rds, name = hands.cloud.client("rds"), "dbos-conductor-pg"
    rds.modify_db_instance(DBInstanceIdentifier=name, BackupRetentionPeriod=3, ApplyImmediately=True)

    def instance() -> dict[str, Any]:
        found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return found

    until(lambda: instance()["BackupRetentionPeriod"] == 3, "it is changed", 20)
    until(lambda: instance()["DBInstanceStatus"] == "available", "it is at rest", 20)


def swap_database_group(hands: Hands) -> None:
    """Another security group instead of the installation's."""
    ec2, rds = hands.cloud.client("ec2"), hands.cloud.client("rds")
    (vpc,) = hands.cloud.tagged("describe_vpcs", "Vpcs")
    group = ec2.create_security_group(GroupName="another", Description="another", VpcId=vpc["VpcId"])["GroupId"]
    rds.modify_db_instance(DBInstanceIdentifier="dbos-conductor-pg", VpcSecurityGroupIds=[group], ApplyImmediately=True)
    until(lambda: hands.instance()["DBInstanceStatus"] == "available", "the database is changed", 20)


def delete_repository(hands: Hands) -> None:
    hands.cloud.client("ecr").delete_repository(repositoryName="dbos-migrate", force=True)


def relabel_namespace(hands: Hands) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    hands.patch("/api/v1/namespaces/dbos", {"metadata": {"labels": labels}})


def edit_deployment(hands: Hands) -> None:
    container = {"name": "console", "image": "example.com/other:1"}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    hands.patch(f"/apis/apps/v1/{DBOS}/deployments/console", body, STRATEGIC)


def scale_deployment(hands: Hands) -> None:
    hands.patch(f"/apis/apps/v1/{DBOS}/deployments/conductor", {"spec": {"replicas": 2}})


def delete_service(hands: Hands) -> None:
    hands.delete(f"/api/v1/{DBOS}/services/console")


def change_port(hands: Hands) -> None:
    ports = [{"port": 8081, "targetPort": 8080}]
    hands.patch(f"/api/v1/{DBOS}/services/dbos-app", {"spec": {"ports": ports}})


def add_config_map(hands: Hands) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left-over", "labels": OURS}}
    hands.cluster.http.post(f"/api/v1/{DBOS}/configmaps", json=body).raise_for_status()


def delete_sealed(hands: Hands) -> None:
    hands.delete(f"/apis/bitnami.com/v1alpha1/{DBOS}/sealedsecrets/conductor-license")


def change_secret(hands: Hands) -> None:
    hands.patch(f"/api/v1/{DBOS}/secrets/dbos-app-db", {"data": {"database-url": "Y2FuYXJ5"}})


def change_scaling(hands: Hands) -> None:
    path = f"/apis/keda.sh/v1alpha1/{DBOS}/scaledobjects/dbos-app-scaledobject"
    hands.patch(path, {"spec": {"maxReplicaCount": 77}})


def delete_ingress(hands: Hands) -> None:
    hands.delete(f"/apis/networking.k8s.io/v1/{DBOS}/ingresses/dbos-ingress")


def delete_controller(hands: Hands) -> None:
    hands.delete("/apis/apps/v1/namespaces/keda/deployments/keda-admission-webhooks")


def scale_controller(hands: Hands) -> None:
    path = "/apis/apps/v1/namespaces/ingress-nginx/deployments/ingress-nginx-controller"
    hands.patch(path, {"spec": {"replicas": 3}})


Seen = tuple[str, str, str, str | None]
"""Phase, kind, a part of type and name, and the field (None: the thing as a whole)."""
BROKEN: dict[Callable[[Hands], None], Seen] = {
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
