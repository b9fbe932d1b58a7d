"""The RDS PostgreSQL instance, its subnet group and its security group.

RDS makes and keeps the master password (`ManageMasterUserPassword`): Podium passes on where it is, not what it is.
"""

import hashlib
from typing import Any, Literal

from steps.blockers import Blocker, of_group, verdict, whose
from steps.clients.aws import Aws
from steps.clients.aws.rds import Instance, SubnetGroup
from steps.names import Owner
from steps.noticing import noticed
from steps.ownership import being_deleted, check_ours, failed, is_ours
from steps.second_look import until_seen
from steps.waiting import Blocked, Pending

Data = Literal["retain", "delete"]
"""What becomes of the data: a last snapshot, or nothing."""
TAG_RETAINED = "podium:retained"
"""On what an uninstall leaves on purpose: the last snapshot."""
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
NO_SNAPSHOT_IN = frozenset({"failed", "incompatible-network", "incompatible-restore"})
"""https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html, SkipFinalSnapshot."""
LASTING = frozenset({"stopped", "stopping", *FAILED})
"""Statuses that do not pass by themselves."""
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
    """Identifier of the DB instance, being made or there. It keeps the security groups that others gave it."""
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
    if found.status in USABLE and sg_id not in found.security_groups:
        noticed("vpcSecurityGroups", expected=sg_id, found=list(found.security_groups))
        aws.rds.use_security_groups(name, [*found.security_groups, sg_id])
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


def snapshot_name(owner: Owner) -> str:
    """The last snapshot's name: letters, digits and single hyphens, as RDS asks; one per uninstall, never by chance."""
    operation = hashlib.sha256(owner.generation.encode()).hexdigest()[:12]
    return f"{owner.names.db_instance}-final-{operation}"


def delete_instance(aws: Aws, owner: Owner, data: Data = "delete") -> dict[str, str | None]:
    """Begin to delete it; `retain`: with a last snapshot. {snapshot: its name or None, note: why there is none}.

    Hand `snapshot` on to `await_instance_deleted`, which goes on with what RDS refuses now.
    """
    found = _own_instance(aws, owner)
    if found is None:
        kept = aws.rds.snapshot(snapshot_name(owner)) if data == "retain" else None
        if kept is not None and is_ours(owner, kept.tags):  # an earlier try of this step took it
            return _begun(kept.name, "")
        return _begun(None, "there was no DB instance")
    if found.status == "deleting":  # by an earlier try of this step, or by somebody
        return _begun(snapshot_name(owner) if data == "retain" else None, "")
    if data == "retain" and not found.host:
        _begin(aws, owner, found, None)
        return _begun(None, "the DB instance never became available, so there was no data in it")
    snapshot = snapshot_name(owner) if data == "retain" else None
    _begin(aws, owner, found, snapshot)
    return _begun(snapshot, "" if snapshot else "the data was to be deleted")


def await_instance_deleted(
    aws: Aws, owner: Owner, data: Data = "delete", snapshot: str | None = None
) -> dict[str, str | None] | Pending | Blocked:
    """{snapshot, snapshot_arn, note}, once instance and backups are gone and the snapshot (if any) is complete.

    What RDS refuses for now (it is being made, it is protected) begins here. `delete` also deletes automated backups
    that somebody's own delete left; snapshots that a person took are never deleted.
    """
    found = _own_instance(aws, owner)
    if found is not None:
        blockers = [] if found.status == "deleting" else _begin(aws, owner, found, snapshot)
        return verdict(f"the DB instance {found.name} cannot be deleted yet", blockers) if blockers else _still(found)
    if data == "delete":
        backups = aws.rds.automated_backups(owner.names.db_instance)
        for backup in backups:
            if backup.status == "retained":
                aws.rds.delete_automated_backup(backup.resource_id)
        if backups:
            return Pending("RDS is deleting the automated backups")
    return _kept(aws, snapshot)


def delete_subnet_group(aws: Aws, owner: Owner) -> None:
    """Delete it; `await_subnet_group_deleted` tries again what RDS refuses."""
    found = _own_subnet_group(aws, owner)
    if found is not None:
        aws.rds.delete_subnet_group(found.name)


def await_subnet_group_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending | Blocked:
    """True once it is gone; blocked by instances that others made in it (a replica, a restored snapshot)."""
    delete_subnet_group(aws, owner)
    left = _own_subnet_group(aws, owner)
    if left is None:
        return True
    found = [
        Blocker(
            one.arn,
            f"the DB instance {one.name} ({one.status}) uses the subnet group {left.name}",
            whose(owner, one.tags) if one.name == owner.names.db_instance else "somebody else",
            one.name == owner.names.db_instance or one.status == "deleting",
        )
        for one in aws.rds.instances()
        if one.subnet_group == left.name
    ]
    return verdict(f"the DB subnet group {left.name} cannot be deleted yet", found)


def delete_security_group(aws: Aws, owner: Owner) -> None:
    """Delete it; `await_security_group_deleted` tries again what AWS refuses."""
    for group in aws.groups.tagged(owner.tags("db-security-group")):
        aws.groups.delete(group.id)


def await_security_group_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending | Blocked:
    """True once it is gone; blocked by what others gave it to, and by their groups' rules that name it."""
    delete_security_group(aws, owner)
    left = aws.groups.tagged(owner.tags("db-security-group"))
    if not left:
        return True
    found = [blocker for group in left for blocker in of_group(aws, owner, group.id)]
    return verdict(f"the security group {left[0].id} cannot be deleted yet", found)


def _begun(snapshot: str | None, note: str) -> dict[str, str | None]:
    return {"snapshot": snapshot, "note": note}


def _still(found: Instance) -> Pending:
    return Pending(f"RDS says {found.status}")


def _begin(aws: Aws, owner: Owner, found: Instance, snapshot: str | None) -> list[Blocker]:
    """Ask RDS to delete it, with this snapshot; what keeps it from that (nothing, also when it is not asked yet)."""
    if found.status == "creating":
        return []
    if found.deletion_protection:
        why = "deletion protection was switched on (`aws rds modify-db-instance --no-deletion-protection`)"
        return [Blocker(found.arn, why, "somebody else")]
    taken = aws.rds.snapshot(snapshot) if snapshot else None
    if taken is not None:
        check_ours(owner, taken.tags, f"the DB snapshot {taken.name}")
        if taken.status != "available":
            why = f"a snapshot of this name is {taken.status}; delete it if it failed"
            return [Blocker(taken.arn, why, whose(owner, taken.tags), passing=taken.status == "creating")]
        snapshot = None  # this very uninstall has taken it: nothing has written to the database since
    if snapshot and found.status in NO_SNAPSHOT_IN:
        why = f"RDS takes no snapshot of an instance that is {found.status}: mend it, or uninstall with data=delete"
        return [Blocker(found.arn, why, whose(owner, found.tags))]
    if not aws.rds.delete_instance(found.name, snapshot) and found.status in LASTING:
        why = f"RDS deletes no instance that is {found.status}"
        return [Blocker(found.arn, why, whose(owner, found.tags))]
    return []


def _kept(aws: Aws, snapshot: str | None) -> dict[str, str | None] | Pending:
    """The snapshot, once it is complete and marked as kept on purpose."""
    kept = aws.rds.snapshot(snapshot) if snapshot else None
    if kept is None:
        note = "the DB instance went without the snapshot: it never became available, or somebody deleted it"
        return {"snapshot": None, "snapshot_arn": None, "note": note if snapshot else ""}
    if kept.status != "available":
        return Pending(f"RDS says the snapshot {kept.name} is {kept.status} ({kept.percent} %)")
    if kept.tags.get(TAG_RETAINED) != "true":
        aws.rds.tag(kept.arn, {TAG_RETAINED: "true"})
    return {"snapshot": kept.name, "snapshot_arn": kept.arn, "note": ""}


def _own_subnet_group(aws: Aws, owner: Owner) -> SubnetGroup | None:
    found = aws.rds.subnet_group(owner.names.db_subnet_group)
    return found if found is not None and is_ours(owner, aws.rds.tags(found.arn)) else None


def _own_instance(aws: Aws, owner: Owner) -> Instance | None:
    found = aws.rds.instance(owner.names.db_instance)
    return found if found is not None and is_ours(owner, found.tags) else None
