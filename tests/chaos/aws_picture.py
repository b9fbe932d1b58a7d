"""All that there is at AWS, of every service that Podium touches, whoever made it; asked with nothing of Podium's."""

from collections.abc import Callable
from typing import Any

from tests.chaos.normal import Ids, normal
from tests.e2e.outside import Cloud

EC2_LISTS = {
    "describe_vpcs": ("Vpcs", "VpcId"),
    "describe_subnets": ("Subnets", "SubnetId", "CidrBlock"),
    "describe_internet_gateways": ("InternetGateways", "InternetGatewayId"),
    "describe_nat_gateways": ("NatGateways", "NatGatewayId"),
    "describe_addresses": ("Addresses", "AllocationId"),
    "describe_route_tables": ("RouteTables", "RouteTableId"),
    "describe_security_groups": ("SecurityGroups", "GroupId", "GroupName"),
    "describe_network_interfaces": ("NetworkInterfaces", "NetworkInterfaceId"),
    "describe_volumes": ("Volumes", "VolumeId"),
}
"""Operation to: its list, the id in it, and what tells those of one tag apart."""
WITHOUT = frozenset(
    {
        "ResponseMetadata",
        "certificateAuthority",
        "Certificate",
        "MacAddress",
        "IpOwnerId",
        "OwnerId",
        "RoleLastUsed",
        "AvailableIpAddressCount",
        "CallerReference",
        "clientRequestToken",
        "DNSName",
        "CanonicalHostedZoneName",
        "LoadBalancerName",
        "DbiResourceId",
        "DBInstanceResourceId",
        "imagePushedAt",
        "LatestRestorableTime",
    }
)
"""Made up by AWS, or a measurement."""


def aws_picture(cloud: Cloud) -> dict[str, list[Any]]:
    """Kind to things in normal form."""
    raw, ids = _ec2(cloud)
    parts: tuple[Callable[[Cloud], dict[str, list[Any]]], ...] = (_eks, _iam, _rds, _balancers, _ecr, _secrets)
    for part in parts:
        raw |= part(cloud)
    return {kind: normal(things, ids, without=WITHOUT) for kind, things in raw.items()}


def _ec2(cloud: Cloud) -> tuple[dict[str, list[Any]], Ids]:
    ec2, ids = cloud.client("ec2"), Ids()
    found: dict[str, list[Any]] = {}
    for operation, (key, id_key, *more) in EC2_LISTS.items():
        things = _pages(ec2, operation, key)
        ids.learn(things, id_key, *more)
        found[f"ec2 {key}"] = [thing for thing in things if not _is_default(thing)]
    found["ec2 NatGateways"] = [one for one in found["ec2 NatGateways"] if one["State"] != "deleted"]
    return found, ids


def _is_default(thing: dict[str, Any]) -> bool:
    return bool(thing.get("IsDefault") or thing.get("DefaultForAz"))


def _eks(cloud: Cloud) -> dict[str, list[Any]]:
    eks = cloud.client("eks")
    found: dict[str, list[Any]] = {"eks clusters": [], "eks nodegroups": [], "eks addons": [], "eks access": []}
    for cluster in eks.list_clusters()["clusters"]:
        found["eks clusters"].append(eks.describe_cluster(name=cluster)["cluster"])
        for group in eks.list_nodegroups(clusterName=cluster)["nodegroups"]:
            described = eks.describe_nodegroup(clusterName=cluster, nodegroupName=group)["nodegroup"]
            found["eks nodegroups"].append(described)
        for addon in eks.list_addons(clusterName=cluster)["addons"]:
            found["eks addons"].append(eks.describe_addon(clusterName=cluster, addonName=addon)["addon"])
        found["eks access"] += eks.list_access_entries(clusterName=cluster)["accessEntries"]
    return found


def _iam(cloud: Cloud) -> dict[str, list[Any]]:
    iam = cloud.client("iam")
    roles = [role for role in _pages(iam, "list_roles", "Roles") if not role["Path"].startswith("/aws-service-role/")]
    for role in roles:
        name = role["RoleName"]
        role["Attached"] = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        role["Inline"] = iam.list_role_policies(RoleName=name)["PolicyNames"]
        role["Tags"] = iam.list_role_tags(RoleName=name)["Tags"]
        role["Profiles"] = iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"]
    providers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    described = [iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"]) for provider in providers]
    return {"iam roles": roles, "iam providers": described}


def _rds(cloud: Cloud) -> dict[str, list[Any]]:
    rds = cloud.client("rds")
    return {
        "rds instances": [_without_port(one) for one in _pages(rds, "describe_db_instances", "DBInstances")],
        "rds subnet groups": _pages(rds, "describe_db_subnet_groups", "DBSubnetGroups"),
        "rds snapshots": rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"],
    }


def _without_port(instance: dict[str, Any]) -> dict[str, Any]:
    """The sandbox's servers share one address."""
    endpoint = {key: value for key, value in instance.get("Endpoint", {}).items() if key != "Port"}
    return instance | {"Endpoint": endpoint}


def _balancers(cloud: Cloud) -> dict[str, list[Any]]:
    classic = cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"]
    newer = cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return {"elb balancers": classic, "elbv2 balancers": newer}


def _ecr(cloud: Cloud) -> dict[str, list[Any]]:
    ecr = cloud.client("ecr")
    repositories = ecr.describe_repositories()["repositories"]
    for repository in repositories:
        images = ecr.describe_images(repositoryName=repository["repositoryName"])["imageDetails"]
        repository["images"] = [image.get("imageTags") for image in images]
    return {"ecr repositories": repositories}


def _secrets(cloud: Cloud) -> dict[str, list[Any]]:
    """With the number of versions: a secret is made once and never anew."""
    manager = cloud.client("secretsmanager")
    secrets = _pages(manager, "list_secrets", "SecretList", IncludePlannedDeletion=True)
    for secret in secrets:
        versions = manager.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)["Versions"]
        secret["Versions"] = [version.get("VersionStages") for version in versions]
        secret.pop("SecretVersionsToStages", None)
    return {"secrets": secrets}


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    if not client.can_paginate(operation):
        return list(getattr(client, operation)(**arguments)[key])
    pages = client.get_paginator(operation).paginate(**arguments)
    return [thing for page in pages for thing in page[key]]
