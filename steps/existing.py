"""A VPC or a cluster that is there already: looked at and checked, never changed."""

from typing import Any

from steps.clients.aws import Aws
from steps.clients.aws.ec2_network import RouteTable, Subnet
from steps.cluster import outputs
from steps.errors import Code, PodiumError

FIELD = "network.existing"


def check_network(aws: Aws, vpc_id: str, public_ids: list[str], private_ids: list[str]) -> dict[str, Any]:
    """{vpc_id, public_subnet_ids, private_subnet_ids, zones}. Raises INVALID_SPEC with every problem in `details`."""
    vpc = aws.network.vpc(vpc_id)
    if vpc is None:
        raise _invalid([_problem("vpc_id", f"there is no VPC {vpc_id} in {aws.region}", "Give the id of a VPC there.")])
    subnets = {subnet.id: subnet for subnet in aws.network.subnets(vpc_id)}
    problems = [] if aws.network.has_dns(vpc_id) else [_no_dns(vpc_id)]
    problems += _missing("public_subnet_ids", public_ids, subnets, vpc_id)
    problems += _missing("private_subnet_ids", private_ids, subnets, vpc_id)
    problems += _too_few_zones("private_subnet_ids", private_ids, subnets)
    if public_ids:
        problems += _too_few_zones("public_subnet_ids", public_ids, subnets)
    problems += _no_way_out(private_ids, subnets, aws.network.route_tables(vpc_id))
    if problems:
        raise _invalid(problems)
    return {
        "vpc_id": vpc_id,
        "public_subnet_ids": list(public_ids),
        "private_subnet_ids": list(private_ids),
        "zones": sorted({subnets[one].zone for one in private_ids}),
    }


def look_up_cluster(aws: Aws, name: str) -> dict[str, str]:
    """What `cluster.await_cluster` returns, for a cluster that must be active. Raises INVALID_SPEC otherwise."""
    found = aws.eks.cluster(name)
    if found is None:
        message = f"there is no EKS cluster {name} in {aws.region}"
    elif found.status not in ("ACTIVE", "UPDATING"):
        message = f"the EKS cluster {name} is {found.status}, not ACTIVE"
    else:
        return outputs(found)
    remedy = "Give the name of an active cluster in the installation's account and region."
    raise PodiumError.by_user(
        Code.INVALID_SPEC,
        message,
        remedy,
        details=(
            {"code": str(Code.INVALID_SPEC), "field": "cluster.existing_name", "message": message, "remedy": remedy},
        ),
    )


def _problem(field: str, message: str, remedy: str) -> dict[str, Any]:
    return {"code": str(Code.INVALID_SPEC), "field": f"{FIELD}.{field}", "message": message, "remedy": remedy}


def _invalid(problems: list[dict[str, Any]]) -> PodiumError:
    return PodiumError.by_user(
        Code.INVALID_SPEC,
        f"the existing network cannot be used: {problems[0]['message']}",
        str(problems[0]["remedy"]),
        details=tuple(problems),
    )


def _no_dns(vpc_id: str) -> dict[str, Any]:
    return _problem(
        "vpc_id",
        f"DNS support or DNS host names are off in {vpc_id}; nodes could not find the cluster",
        "Switch both on (`aws ec2 modify-vpc-attribute --enable-dns-hostnames`).",
    )


def _missing(field: str, ids: list[str], subnets: dict[str, Subnet], vpc_id: str) -> list[dict[str, Any]]:
    return [
        _problem(field, f"the subnet {one} is not in {vpc_id}", f"Give subnets of {vpc_id}.")
        for one in ids
        if one not in subnets
    ]


def _too_few_zones(field: str, ids: list[str], subnets: dict[str, Subnet]) -> list[dict[str, Any]]:
    zones = {subnets[one].zone for one in ids if one in subnets}
    if len(zones) != 1:
        return []
    return [_problem(field, f"all subnets are in {min(zones)}", "Give subnets in two or more availability zones.")]


def _no_way_out(ids: list[str], subnets: dict[str, Subnet], tables: list[RouteTable]) -> list[dict[str, Any]]:
    """Private subnets without a default route: nodes there could fetch no images."""
    main = next((table for table in tables if table.is_main), None)
    problems = []
    for one in ids:
        table = next((table for table in tables if one in table.subnets), main)
        if one in subnets and (table is None or table.default_target is None):
            message = f"the subnet {one} has no route to the internet, so nodes in it could fetch no images"
            problems.append(_problem("private_subnet_ids", message, "Route 0.0.0.0/0 to a NAT gateway."))
    return problems
