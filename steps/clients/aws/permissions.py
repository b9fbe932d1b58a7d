"""Every IAM action that Podium needs, on what, and why: one table for the policy file, preflight and error messages.

`deploy/iam/podium-policy.json` is generated from here (`python -m steps.clients.aws.permissions`); a test compares the
table with the calls that an install and an uninstall really make. Resources are templates: in the policy file every
place is a wildcard (with the fixed part of the name), in preflight's simulation it is the installation's own name.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from steps.names import TAG_INSTALLATION

IAM_PREFIX = {
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}
"""IAM's name of a service, where boto3's differs."""

_EC2_ANY = ("*",)
_TAGGED = {"Null": {f"aws:ResourceTag/{TAG_INSTALLATION}": "false"}}
_MAKERS = (
    "AllocateAddress",
    "AuthorizeSecurityGroupIngress",
    "CreateInternetGateway",
    "CreateNatGateway",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateVpc",
)


@dataclass(frozen=True)
class Statement:
    """Actions of one service on the same resources. `implied`: actions AWS checks within calls of other names.

    `written`: patterns that stand for `calls` in the policy file, where that is all reading: a managed policy has room
    for 6,144 characters.
    """

    sid: str
    service: str
    calls: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: Mapping[str, Any] = field(default_factory=dict)
    implied: bool = False
    written: tuple[str, ...] = ()

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(f"{self.service}:{call}" for call in self.calls)


STATEMENTS = (
    Statement(
        "Look",
        "ec2",
        (
            "DescribeAddresses",
            "DescribeAvailabilityZones",
            "DescribeInstanceTypeOfferings",
            "DescribeInstanceTypes",
            "DescribeInstances",
            "DescribeInternetGateways",
            "DescribeNatGateways",
            "DescribeNetworkAcls",
            "DescribeNetworkInterfaces",
            "DescribeRegions",
            "DescribeRouteTables",
            "DescribeSecurityGroupRules",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeTags",
            "DescribeVolumes",
            "DescribeVpcAttribute",
            "DescribeVpcEndpoints",
            "DescribeVpcs",
            "DescribeVpnGateways",
        ),
        written=("Describe*",),
    ),
    Statement("MakeNetwork", "ec2", tuple(call for call in _MAKERS if call != "AuthorizeSecurityGroupIngress")),
    Statement("TagWhatIsMade", "ec2", ("CreateTags",), _EC2_ANY, {"StringEquals": {"ec2:CreateAction": _MAKERS}}, True),
    Statement(
        "ChangeOwnNetwork",
        "ec2",
        (
            "AssociateRouteTable",
            "AttachInternetGateway",
            "AuthorizeSecurityGroupIngress",
            "CreateRoute",
            "DeleteInternetGateway",
            "DeleteNatGateway",
            "DeleteRouteTable",
            "DeleteSecurityGroup",
            "DeleteSubnet",
            "DeleteVpc",
            "DetachInternetGateway",
            "DisassociateRouteTable",
            "ModifySubnetAttribute",
            "ModifyVpcAttribute",
            "ReleaseAddress",
            "ReplaceRoute",
            "RevokeSecurityGroupIngress",
        ),
        _EC2_ANY,
        _TAGGED,
    ),
    # What Kubernetes left carries the cluster's tag, whose key has the cluster's name in it: a condition cannot say
    # that. Podium looks at the tag before it deletes (steps/leftovers.py).
    Statement(
        "SweepLeftovers",
        "ec2",
        (
            "DeleteNetworkInterface",
            "DeleteSecurityGroup",
            "DeleteVolume",
            "RevokeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
        ),
        (
            "arn:{partition}:ec2:{region}:{account}:network-interface/*",
            "arn:{partition}:ec2:{region}:{account}:security-group/*",
            "arn:{partition}:ec2:{region}:{account}:volume/*",
        ),
    ),
    Statement(
        "LookAtLoadBalancers",
        "elasticloadbalancing",
        ("DescribeLoadBalancers", "DescribeTags", "DescribeTargetGroups"),
        written=("Describe*",),
    ),
    Statement(
        "SweepLoadBalancers",
        "elasticloadbalancing",
        ("DeleteLoadBalancer", "DeleteTargetGroup"),
        (
            "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/*",
            "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/*",
        ),
    ),
    Statement("LookAtTags", "tag", ("GetResources",)),
    Statement("LookAtLogs", "logs", ("DescribeLogGroups",)),
    Statement("LookAtEks", "eks", ("DescribeAddonVersions", "DescribeClusterVersions", "ListClusters")),
    Statement(
        "Cluster",
        "eks",
        (
            "CreateAddon",
            "CreateCluster",
            "CreateNodegroup",
            "DeleteAddon",
            "DeleteCluster",
            "DeleteNodegroup",
            "DescribeAddon",
            "DescribeCluster",
            "DescribeFargateProfile",
            "DescribeNodegroup",
            "DescribeUpdate",
            "ListAddons",
            "ListFargateProfiles",
            "ListNodegroups",
            "ListUpdates",
            "UpdateAddon",
            "UpdateClusterConfig",
            "UpdateClusterVersion",
            "UpdateNodegroupConfig",
            "UpdateNodegroupVersion",
        ),
        (
            "arn:{partition}:eks:{region}:{account}:fargateprofile/{cluster}/*/*",
            "arn:{partition}:eks:{region}:{account}:cluster/{cluster}",
            "arn:{partition}:eks:{region}:{account}:nodegroup/{cluster}/*/*",
            "arn:{partition}:eks:{region}:{account}:addon/{cluster}/*/*",
        ),
    ),
    Statement(
        "TagCluster",
        "eks",
        ("TagResource",),
        (
            "arn:{partition}:eks:{region}:{account}:cluster/{cluster}",
            "arn:{partition}:eks:{region}:{account}:nodegroup/{cluster}/*/*",
            "arn:{partition}:eks:{region}:{account}:addon/{cluster}/*/*",
        ),
        implied=True,
    ),
    Statement(
        "Roles",
        "iam",
        (
            "AttachRolePolicy",
            "CreateRole",
            "DeleteRole",
            "DetachRolePolicy",
            "GetRole",
            "ListAttachedRolePolicies",
            "ListInstanceProfilesForRole",
            "ListRolePolicies",
        ),
        ("arn:{partition}:iam::{account}:role/{cluster_role}", "arn:{partition}:iam::{account}:role/{node_role}"),
    ),
    Statement(
        "TagRoles",
        "iam",
        ("TagRole",),
        ("arn:{partition}:iam::{account}:role/{cluster_role}", "arn:{partition}:iam::{account}:role/{node_role}"),
        implied=True,
    ),
    Statement(
        "HandRolesToEks",
        "iam",
        ("PassRole",),
        ("arn:{partition}:iam::{account}:role/{cluster_role}", "arn:{partition}:iam::{account}:role/{node_role}"),
        {"StringEquals": {"iam:PassedToService": ("eks.amazonaws.com", "ec2.amazonaws.com")}},
        True,
    ),
    Statement(
        "ServiceRoles",
        "iam",
        ("CreateServiceLinkedRole",),
        ("arn:{partition}:iam::{account}:role/aws-service-role/*",),
        {
            "StringEquals": {
                "iam:AWSServiceName": (
                    "eks.amazonaws.com",
                    "eks-nodegroup.amazonaws.com",
                    "autoscaling.amazonaws.com",
                    "rds.amazonaws.com",
                    "elasticloadbalancing.amazonaws.com",
                )
            }
        },
        True,
    ),
    Statement(
        "Issuer",
        "iam",
        ("CreateOpenIDConnectProvider", "DeleteOpenIDConnectProvider", "GetOpenIDConnectProvider"),
        ("arn:{partition}:iam::{account}:oidc-provider/oidc.eks.*",),
    ),
    Statement(
        "TagIssuer",
        "iam",
        ("TagOpenIDConnectProvider",),
        ("arn:{partition}:iam::{account}:oidc-provider/oidc.eks.*",),
        implied=True,
    ),
    Statement("ListIssuersAndSimulate", "iam", ("ListOpenIDConnectProviders", "SimulatePrincipalPolicy")),
    Statement(
        "LookAtRds",
        "rds",
        (
            "DescribeDBEngineVersions",
            "DescribeDBInstanceAutomatedBackups",
            "DescribeDBInstances",
            "DescribeDBSnapshots",
            "DescribeDBSubnetGroups",
            "DescribeOrderableDBInstanceOptions",
        ),
        written=("Describe*",),
    ),
    Statement(
        "Database",
        "rds",
        (
            "AddTagsToResource",
            "CreateDBInstance",
            "CreateDBSubnetGroup",
            "DeleteDBInstance",
            "DeleteDBInstanceAutomatedBackup",
            "DeleteDBSubnetGroup",
            "ListTagsForResource",
            "ModifyDBInstance",
        ),
        (
            "arn:{partition}:rds:{region}:{account}:auto-backup:*",
            "arn:{partition}:rds:{region}:{account}:db:{db_instance}",
            "arn:{partition}:rds:{region}:{account}:subgrp:{db_subnet_group}",
            "arn:{partition}:rds:{region}:{account}:snapshot:*",
        ),
    ),
    Statement(
        "TagDatabase",
        "rds",
        ("CreateDBSnapshot",),
        (
            "arn:{partition}:rds:{region}:{account}:db:{db_instance}",
            "arn:{partition}:rds:{region}:{account}:subgrp:{db_subnet_group}",
            "arn:{partition}:rds:{region}:{account}:snapshot:*",
        ),
        implied=True,
    ),
    Statement("KeyOfDatabase", "kms", ("CreateGrant", "DescribeKey"), implied=True),
    Statement(
        "MasterPassword",
        "secretsmanager",
        ("CreateSecret", "TagResource"),
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:rds!*",),
        implied=True,
    ),
    Statement(
        "OwnSecrets",
        "secretsmanager",
        ("CreateSecret", "DeleteSecret", "PutSecretValue", "RestoreSecret"),
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:podium/*",),
    ),
    Statement(
        "TagOwnSecrets",
        "secretsmanager",
        ("TagResource",),
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:podium/*",),
        implied=True,
    ),
    Statement("ReadSecrets", "secretsmanager", ("DescribeSecret", "GetSecretValue", "ListSecrets")),
    Statement(
        "Images",
        "ecr",
        (
            "CreateRepository",
            "DeleteRepository",
            "DescribeImages",
            "DescribeRepositories",
            "ListImages",
            "ListTagsForResource",
        ),
        ("arn:{partition}:ecr:{region}:{account}:repository/*",),
    ),
    Statement(
        "TagImages", "ecr", ("TagResource",), ("arn:{partition}:ecr:{region}:{account}:repository/*",), implied=True
    ),
    Statement("Quotas", "servicequotas", ("GetServiceQuota",)),
)

_ALSO = {
    "eks:CreateCluster": ("iam:PassRole", "iam:CreateServiceLinkedRole", "eks:TagResource"),
    "eks:CreateNodegroup": ("iam:PassRole", "iam:CreateServiceLinkedRole", "eks:TagResource"),
    "eks:CreateAddon": ("eks:TagResource",),
    "iam:CreateRole": ("iam:TagRole",),
    "iam:CreateOpenIDConnectProvider": ("iam:TagOpenIDConnectProvider",),
    "rds:CreateDBSubnetGroup": ("rds:AddTagsToResource",),
    "rds:CreateDBInstance": (
        "rds:AddTagsToResource",
        "kms:CreateGrant",
        "kms:DescribeKey",
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
    ),
    "secretsmanager:CreateSecret": ("secretsmanager:TagResource",),
    "ecr:CreateRepository": ("ecr:TagResource",),
} | {f"ec2:{call}": ("ec2:CreateTags",) for call in _MAKERS}

_WILDCARDS = {
    "partition": "aws",
    "region": "*",
    "account": "*",
    "cluster": "*",
    "cluster_role": "*-cluster",
    "node_role": "*-node",
    "db_instance": "*-pg",
    "db_subnet_group": "*-db",
}


def action_name(service: str, operation: str) -> str:
    """IAM's name of an API operation, e.g. `ec2:CreateVpc`."""
    return f"{IAM_PREFIX.get(service, service)}:{operation}"


def also_needed(action: str) -> tuple[str, ...]:
    """Actions that AWS checks within this one, under whose name it then reports the denial."""
    return _ALSO.get(action, ())


def calls() -> frozenset[str]:
    """The actions that Podium calls by name (the others are checked within them)."""
    return frozenset(action for statement in STATEMENTS if not statement.implied for action in statement.actions)


def policy(places: Mapping[str, str] = _WILDCARDS) -> dict[str, Any]:
    """The IAM policy document; `places` fills the resource templates. Statements on the same resources are one."""
    found: dict[str, dict[str, Any]] = {}
    for statement in STATEMENTS:
        resources = sorted(resource.format(**places) for resource in statement.resources)
        condition = {"Condition": statement.condition} if statement.condition else {}
        key = json.dumps([statement.service, resources, condition])
        entry = found.setdefault(
            key, {"Sid": statement.sid, "Effect": "Allow", "Action": [], "Resource": resources} | condition
        )
        calls = statement.written or statement.calls
        entry["Action"] += [f"{statement.service}:{call}" for call in calls]
    return {"Version": "2012-10-17", "Statement": list(found.values())}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(policy(), indent=2) + "\n")
