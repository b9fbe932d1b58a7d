"""All there is in AWS, by plain boto3, as lines that are the same for two worlds that are the same.

Ids, times and addresses are chance; an id becomes the name or tag of the thing that has it. What is there twice gives
two lines.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

EC2_LISTS = {
    "describe_vpcs": "Vpcs",
    "describe_subnets": "Subnets",
    "describe_internet_gateways": "InternetGateways",
    "describe_route_tables": "RouteTables",
    "describe_nat_gateways": "NatGateways",
    "describe_addresses": "Addresses",
    "describe_security_groups": "SecurityGroups",
    "describe_security_group_rules": "SecurityGroupRules",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_volumes": "Volumes",
}
_ID = re.compile(r"\b[a-z]+(?:-attach|-assoc)?-[0-9a-f]{8,17}\b")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_CHANCE = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?"), "TIME"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?!/)"), "IP"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "MAC"),
    (re.compile(r"\b(?:ip|ec2)-[\d-]+"), "HOST"),
    (re.compile(r"id/[0-9A-Fa-f]{32}"), "id/ISSUER"),
    (re.compile(r"\ba[0-9a-f]{31}\b"), "BALANCER"),
    (re.compile(r":\d{5}\b"), ":PORT"),
    (re.compile(r"-\d{4}(?:-\d\d){4}\b"), "-TIME"),
    (re.compile(r"(secret:[\w/!.-]+)-\w{6}\b"), r"\1"),
    (re.compile(r"rds!db-[\w-]+"), "rds!db"),
    (re.compile(r"-final-[0-9a-f]{12}"), "-final"),
)
Client = Callable[[str], Any]


def inventory(client: Client, services: Iterable[str]) -> list[str]:
    """The lines of these services, sorted. `client` makes boto3's client of a service."""
    found = [one for service in services for one in _PARTS.get(service, _nothing)(client)]
    names = {one_id: name for one in found for one_id, name in _named(one)}
    return sorted(plain(json.dumps(one, default=str, sort_keys=True), names) for one in found)


def plain(text: str, names: dict[str, str] | None = None) -> str:
    """Without what is chance."""
    text = _UUID.sub("UUID", text)
    text = _ID.sub(lambda match: (names or {}).get(match[0], match[0].rpartition("-")[0]), text)
    for pattern, word in _CHANCE:
        text = pattern.sub(word, text)
    return text


def _named(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags") or []}
    kind = one["list"].lower().rstrip("s")
    identifier = one.get({"Addresses": "AllocationId"}.get(one["list"], f"{one['list'].rstrip('s')}Id"))
    if "podium:resource" in tags and isinstance(identifier, str):
        yield identifier, f"{kind}({tags['podium:resource']})"


def _ec2(client: Client) -> Iterator[dict[str, Any]]:
    api = client("ec2")
    for operation, key in EC2_LISTS.items():
        for one in getattr(api, operation)()[key]:
            if key == "Vpcs" and one.get("Tags"):
                for attribute in ("enableDnsSupport", "enableDnsHostnames"):
                    answer = api.describe_vpc_attribute(VpcId=one["VpcId"], Attribute=attribute)
                    one[attribute] = answer[f"E{attribute[1:]}"]["Value"]
            yield {"list": key, **{name: _in_order(value) for name, value in one.items()}}


def _in_order(value: Any) -> Any:
    """EC2 gives lists within a thing in any order."""
    if isinstance(value, list):
        return sorted(value, key=lambda one: plain(json.dumps(one, default=str, sort_keys=True)))
    return value


def _eks(client: Client) -> Iterator[dict[str, Any]]:
    api = client("eks")
    for name in api.list_clusters()["clusters"]:
        with suppress(api.exceptions.ResourceNotFoundException):  # it has gone meanwhile
            yield from _in_cluster(api, name)


def _in_cluster(api: Any, name: str) -> Iterator[dict[str, Any]]:
    found = api.describe_cluster(name=name)["cluster"]
    yield {"list": "clusters", **{key: found[key] for key in ("name", "tags", "version", "roleArn")}}
    for group in api.list_nodegroups(clusterName=name)["nodegroups"]:
        found = api.describe_nodegroup(clusterName=name, nodegroupName=group)["nodegroup"]
        yield {"list": "groups", **{key: found[key] for key in ("nodegroupName", "tags", "subnets", "scalingConfig")}}
    for addon in api.list_addons(clusterName=name)["addons"]:
        found = api.describe_addon(clusterName=name, addonName=addon)["addon"]
        yield {"list": "addons", **{key: found.get(key) for key in ("addonName", "tags", "configurationValues")}}


def _iam(client: Client) -> Iterator[dict[str, Any]]:
    api = client("iam")
    for role in api.list_roles()["Roles"]:
        name = role["RoleName"]
        attached = api.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        tags = api.list_role_tags(RoleName=name)["Tags"]
        trust = role["AssumeRolePolicyDocument"]
        yield {"list": "roles", "name": name, "policies": _in_order(attached), "tags": _in_order(tags), "trust": trust}
    for one in api.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        found = api.get_open_id_connect_provider(OpenIDConnectProviderArn=one["Arn"])
        yield {"list": "providers", "arn": one["Arn"], "tags": _in_order(found["Tags"]), "url": found["Url"]}


def _rds(client: Client) -> Iterator[dict[str, Any]]:
    api = client("rds")
    kept = ("DBInstanceIdentifier", "DBInstanceClass", "AllocatedStorage", "VpcSecurityGroups", "TagList")
    for one in api.describe_db_instances()["DBInstances"]:
        yield {"list": "instances", **{key: _in_order(one.get(key)) for key in kept}}
    for one in api.describe_db_subnet_groups()["DBSubnetGroups"]:
        tags = api.list_tags_for_resource(ResourceName=one["DBSubnetGroupArn"])["TagList"]
        yield {"list": "subnet groups", "name": one["DBSubnetGroupName"], "in": _in_order(one["Subnets"]), "tags": tags}
    for one in api.describe_db_snapshots()["DBSnapshots"]:
        yield {"list": "snapshots", "name": one["DBSnapshotIdentifier"], "tags": one["TagList"]}


def _secrets(client: Client) -> Iterator[dict[str, Any]]:
    api = client("secretsmanager")
    for one in api.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        versions = len(api.list_secret_version_ids(SecretId=one["ARN"])["Versions"])
        deleted = "DeletedDate" in one
        yield {"list": "secrets", "name": one["Name"], "tags": one.get("Tags"), "versions": versions, "gone": deleted}


def _ecr(client: Client) -> Iterator[dict[str, Any]]:
    api = client("ecr")
    for one in api.describe_repositories()["repositories"]:
        tags = api.list_tags_for_resource(resourceArn=one["repositoryArn"])["tags"]
        images = len(api.list_images(repositoryName=one["repositoryName"])["imageIds"])
        yield {"list": "repositories", "name": one["repositoryName"], "tags": tags, "images": images}


def _balancers(client: Client) -> Iterator[dict[str, Any]]:
    for one in client("elb").describe_load_balancers()["LoadBalancerDescriptions"]:
        yield {"list": "classic balancers", "name": one["LoadBalancerName"]}
    for one in client("elbv2").describe_load_balancers()["LoadBalancers"]:
        yield {"list": "balancers", "name": one["LoadBalancerName"]}
    for one in client("elbv2").describe_target_groups()["TargetGroups"]:
        yield {"list": "target groups", "name": one["TargetGroupName"]}


def _nothing(client: Client) -> Iterator[dict[str, Any]]:
    yield from ()


_PARTS: dict[str, Callable[[Client], Iterator[dict[str, Any]]]] = {
    "ec2": _ec2,
    "ecr": _ecr,
    "eks": _eks,
    "elasticloadbalancing": _balancers,
    "iam": _iam,
    "rds": _rds,
    "secretsmanager": _secrets,
}
"""By the services' names in signatures, as the stand-in's call log has them."""
SERVICES = tuple(sorted(_PARTS))
