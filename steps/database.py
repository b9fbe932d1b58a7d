"""The RDS PostgreSQL instance, its subnet group and its security group.

RDS makes and keeps the master password (`ManageMasterUserPassword`): Podium passes on where it is, not what it is.
"""

from typing import Any, Literal

from steps.clients.aws import Aws
from steps.clients.aws.rds import Instance, SubnetGroup
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.ownership import being_deleted, check_ours, failed, is_ours
from steps.second_look import until_seen
from steps.waiting import Pending

PORT = 5432
MASTER_USERNAME = "postgres"
FAILED = frozenset(
    {
        "failed",
        "inaccessible-encryption-credentials",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "insufficient-capacity",
        "storage-full",
    }
)
USABLE = frozenset({"available", "backing-up", "modifying", "maintenance", "storage-optimization", "upgrading"})
"""Statuses in which an instance answers (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html)."""


def ensure_subnet_group(aws: Aws, owner: Owner, subnet_ids: list[str]) -> str:
    """Name of the DB subnet group."""
    name = owner.names.db_subnet_group
    found = aws.rds.subnet_group(name)
    if found is None:
        aws.rds.make_subnet_group(name, f"Podium: {owner.installation}", subnet_ids, owner.tags("db-subnet-group"))
        found = until_seen(lambda: aws.rds.subnet_group(name), f"the DB subnet group {name}")
    check_ours(owner, aws.rds.tags(found.arn), f"the DB subnet group {name}")
    return name


def ensure_security_group(aws: Aws, owner: Owner, vpc_id: str) -> str:
    """Id of the database's security group in the VPC."""
    name = owner.names.db_security_group
    found = aws.groups.named(name, vpc_id)
    if not found:
        tags = owner.tags("db-security-group", Name=name)
        aws.groups.make(name, vpc_id, f"PostgreSQL of {owner.installation}", tags)
        found = until_seen(lambda: aws.groups.named(name, vpc_id) or None, f"the security group {name}")
    check_ours(owner, found[0].tags, f"the security group {name} ({found[0].id})")
    return found[0].id


def ensure_instance(
    aws: Aws,
    owner: Owner,
    engine_version: str,
    instance_class: str,
    storage_gib: int,
    backup_days: int,
    subnet_group: str,
    sg_id: str,
) -> str:
    """Identifier of the DB instance, being made or there."""
    name = owner.names.db_instance
    found = aws.rds.instance(name)
    if found is None:
        aws.rds.make_instance(
            name,
            engine_version=engine_version,
            instance_class=instance_class,
            storage_gib=storage_gib,
            backup_days=backup_days,
            username=MASTER_USERNAME,
            subnet_group=subnet_group,
            security_group_id=sg_id,
            tags=owner.tags("db-instance"),
        )
        found = until_seen(lambda: aws.rds.instance(name), f"the DB instance {name}")
    check_ours(owner, found.tags, f"the DB instance {name}")
    if found.status == "deleting":
        raise being_deleted(f"an earlier DB instance {name}")
    return name


def await_instance(aws: Aws, name: str) -> dict[str, Any] | Pending:
    """{db_host, db_port, db_master_secret_arn, db_master_username} once the instance answers."""
    found = aws.rds.instance(name)
    if found is None:
        raise failed(f"the DB instance {name}", ("it is not there any more",))
    if found.status in FAILED or found.status == "deleting":
        raise failed(f"the DB instance {name}", (f"RDS says {found.status}",))
    if found.status not in USABLE or not found.host or not found.secret_arn:
        return Pending(f"RDS says {found.status}")
    return {
        "db_host": found.host,
        "db_port": found.port,
        "db_master_secret_arn": found.secret_arn,
        "db_master_username": found.username,
    }


def ensure_ingress_rule(aws: Aws, owner: Owner, sg_id: str, cluster_security_group_id: str) -> str:
    """Id of the rule that lets the cluster's nodes and pods reach PostgreSQL ("ok" when AWS does not list it yet)."""
    return aws.groups.allow(sg_id, PORT, cluster_security_group_id, owner.tags("db-ingress-rule")) or "ok"


def delete_ingress_rules(aws: Aws, owner: Owner) -> None:
    """Remove the rule, which would keep EKS from deleting the cluster's security group. Before the cluster goes."""
    for group in aws.groups.tagged(owner.tags("db-security-group")):
        aws.groups.forbid_all(group.id)


def delete_instance(aws: Aws, owner: Owner, final_snapshot: str | None = None) -> None:
    """Begin to delete it, with a last snapshot of this name or without one.

    One that is still being made is deleted while awaited.
    """
    found = _own_instance(aws, owner)
    if found is None or found.status in ("creating", "deleting"):
        return
    if found.deletion_protection:
        raise PodiumError.by_user(
            Code.AWS_INVALID_REQUEST,
            f"deletion protection was switched on for the DB instance {found.name}",
            "Switch it off (`aws rds modify-db-instance --no-deletion-protection`) if the data may go, then retry.",
        )
    aws.rds.delete_instance(found.name, final_snapshot)


def await_instance_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending:
    """True once it is gone. RDS refuses to delete an instance that it is making: the delete then begins here.

    Without a snapshot: there is nothing in it yet.
    """
    found = _own_instance(aws, owner)
    if found is None:
        return True
    delete_instance(aws, owner)
    return Pending(f"RDS says {found.status}")


def delete_subnet_group(aws: Aws, owner: Owner) -> None:
    found: SubnetGroup | None = aws.rds.subnet_group(owner.names.db_subnet_group)
    if found is not None and is_ours(owner, aws.rds.tags(found.arn)):
        aws.rds.delete_subnet_group(found.name)


def delete_security_group(aws: Aws, owner: Owner) -> None:
    for group in aws.groups.tagged(owner.tags("db-security-group")):
        aws.groups.delete(group.id)


def _own_instance(aws: Aws, owner: Owner) -> Instance | None:
    found = aws.rds.instance(owner.names.db_instance)
    return found if found is not None and is_ours(owner, found.tags) else None
