"""The proof of an uninstall: nothing of the installation is left but what was kept on purpose, and what was given.

`sweep.py` asks the services; here is what that means.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from steps.blockers import verdict, whose
from steps.clients.aws import Aws
from steps.names import Owner
from steps.ownership import is_ours
from steps.sweep import HAS_IMAGES, KEEPER, Scope, sweep
from steps.waiting import Blocked, Pending

__all__ = ["Scope", "find_leftovers", "prove", "what_is_left"]

HOW = "Delete what is listed, or take the tag off what is to stay; the proof is then made again by itself."


def find_leftovers(aws: Aws, owner: Owner, scope: Scope) -> list[dict[str, str]]:
    """[{arn, why, owner}] of everything of the installation that is still there and not kept for a reason."""
    return [one.resource for one in sweep(aws, owner, scope).left.values()]


def prove(
    aws: Aws, owner: Owner, scope: Scope, retained: Iterable[dict[str, str]] = ()
) -> dict[str, Any] | Pending | Blocked:
    """The proof, once nothing is left over; blocked, with the list, while something is.

    {checked_at: ISO 8601, account_id, region, services: [{service, asked, found: how many}], leftovers: [], retained:
    [{arn, why, owner}]}. `retained`: what the phases before kept, in the same form; the sweep adds what it finds kept.
    """
    found = sweep(aws, owner, scope)
    kept = {arn: one.resource for arn, one in found.kept.items()} | {one["arn"]: dict(one) for one in retained}
    left = [one for arn, one in found.left.items() if arn not in kept]
    if left:
        return verdict("something of the installation is left", left, HOW)
    return {
        "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "account_id": aws.account_id(),
        "region": aws.region,
        "services": found.asked,
        "leftovers": [],
        "retained": [kept[arn] for arn in sorted(kept)],
    }


def what_is_left(
    aws: Aws,
    owner: Owner,
    *,
    vpc_id: str | None = None,
    subnet_ids: Iterable[str] = (),
    cluster: str | None = None,
    database_host: str | None = None,
    repositories: Iterable[str] = (),
) -> list[dict[str, str]]:
    """[{arn, why, owner}] of what the installation was given or adopted, and is left alone.

    What is not there any more is not listed. A database server outside RDS has no ARN: its host name stands for it.
    """
    left = [*_network(aws, owner, vpc_id, subnet_ids), *_cluster(aws, owner, cluster)]
    left += _database(aws, owner, database_host)
    for name in repositories:
        found = aws.ecr.repository(name)
        if found is None:
            continue
        if not is_ours(owner, aws.ecr.tags(found.arn)):
            left.append(_given(found.arn, "the repository was there before", whose(owner, aws.ecr.tags(found.arn))))
        elif aws.ecr.has_images(name):
            left.append(_given(found.arn, HAS_IMAGES, KEEPER))
    return left


def _network(aws: Aws, owner: Owner, vpc_id: str | None, subnet_ids: Iterable[str]) -> list[dict[str, str]]:
    vpc = aws.network.vpc(vpc_id) if vpc_id else None
    if vpc is None:
        return []
    wanted = set(subnet_ids)
    subnets = [subnet for subnet in aws.network.subnets(vpc.id) if subnet.id in wanted]
    why = "the installation was made in it (network.existing)"
    return [
        _given(aws.arn("ec2", f"vpc/{vpc.id}"), why, whose(owner, vpc.tags)),
        *(_given(aws.arn("ec2", f"subnet/{one.id}"), why, whose(owner, one.tags)) for one in subnets),
    ]


def _cluster(aws: Aws, owner: Owner, name: str | None) -> list[dict[str, str]]:
    found = aws.eks.cluster(name) if name else None
    if found is None:
        return []
    return [_given(found.arn, "the installation was made on it (cluster.existing_name)", whose(owner, found.tags))]


def _database(aws: Aws, owner: Owner, host: str | None) -> list[dict[str, str]]:
    """By the host name of the spec; databases and roles that the install made in it stay in it."""
    if not host:
        return []
    found = next((one for one in aws.rds.instances() if one.host == host), None)
    why = "the installation's databases and roles are in it (database.existing)"
    return [_given(found.arn if found else host, why, whose(owner, found.tags) if found else "somebody else")]


def _given(arn: str, why: str, owner: str) -> dict[str, str]:
    return {"arn": arn, "why": why, "owner": owner}
