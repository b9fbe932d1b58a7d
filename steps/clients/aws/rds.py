"""RDS: subnet groups and PostgreSQL instances. Names are unique in account and region; `make_x`: whether made now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_list, translated

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

ENGINE = "postgres"
SETTINGS = ("EngineVersion", "DBInstanceClass", "AllocatedStorage", "BackupRetentionPeriod")
"""What can be changed of an instance that is there, by its names in RDS's API (storage in GiB)."""
NO_INSTANCE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
NO_SUBNET_GROUP = ("DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound")
NO_SNAPSHOT = ("DBSnapshotNotFound", "DBSnapshotNotFoundFault")
GROUP_IN_USE = ("InvalidDBSubnetGroupStateFault",)
REFUSED = (
    "InvalidDBInstanceState",
    "InvalidDBInstanceStateFault",
    "DBSnapshotAlreadyExists",
    "DBSnapshotAlreadyExistsFault",
)


@dataclass(frozen=True)
class SubnetGroup:
    """A DB subnet group."""

    name: str
    arn: str
    subnet_ids: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """A DB instance. `status` as the console shows it (creating, available, …); host and secret empty until known.

    `settings`: ModifyDBInstance's parameters (`SETTINGS`) as they are now, `pending` those that RDS is going to apply.
    """

    name: str
    arn: str
    status: str
    host: str
    port: int
    username: str
    secret_arn: str
    deletion_protection: bool
    subnet_group: str
    vpc_id: str
    settings: dict[str, Any]
    pending: dict[str, Any]
    tags: dict[str, str]


@dataclass(frozen=True)
class Snapshot:
    """A DB snapshot. `status`: creating, available, failed, …; `percent` of it done; `kind`: manual, automated, …"""

    name: str
    arn: str
    status: str
    percent: int
    kind: str
    instance: str
    tags: dict[str, str]


@dataclass(frozen=True)
class AutomatedBackup:
    """Automated backups of one instance. `status`: active (the instance is there), retained (it is gone), creating."""

    arn: str
    resource_id: str
    status: str


class Rds(ServiceClient):
    """Relational Database Service."""

    service = "rds"

    @property
    def _api(self) -> "RDSClient":
        api: RDSClient = self.connection.client("rds")
        return api

    @translated
    def engine_versions(self) -> list[str]:
        """PostgreSQL versions on offer, oldest first."""
        pages = self._api.get_paginator("describe_db_engine_versions").paginate(Engine=ENGINE)
        return [one["EngineVersion"] for page in pages for one in page["DBEngineVersions"]]

    @translated
    def offers(self, engine_version: str, instance_class: str) -> bool:
        """Whether the region has this instance class for this exact PostgreSQL version."""
        answer = self._api.describe_orderable_db_instance_options(
            Engine=ENGINE, EngineVersion=engine_version, DBInstanceClass=instance_class, MaxRecords=20
        )
        return bool(answer["OrderableDBInstanceOptions"])

    @translated
    def instances(self) -> list[Instance]:
        """All of the account in the region."""
        pages = self._api.get_paginator("describe_db_instances").paginate()
        return [_instance(dict(one)) for page in pages for one in page["DBInstances"]]

    def instance_count(self) -> int:
        return len(self.instances())

    @translated
    def subnet_group(self, name: str) -> SubnetGroup | None:
        with Tolerate(*NO_SUBNET_GROUP):
            one = self._api.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0]
            subnets = tuple(subnet["SubnetIdentifier"] for subnet in one["Subnets"])
            return SubnetGroup(name, one.get("DBSubnetGroupArn", ""), subnets)
        return None

    @translated
    def tags(self, arn: str) -> dict[str, str]:
        """Tags of anything in RDS; subnet groups do not list theirs."""
        with Tolerate(*NO_SUBNET_GROUP, *NO_INSTANCE, *NO_SNAPSHOT):
            return tag_dict(self._api.list_tags_for_resource(ResourceName=arn)["TagList"])
        return {}

    @translated
    def make_subnet_group(self, name: str, description: str, subnet_ids: list[str], tags: Mapping[str, str]) -> bool:
        with Tolerate("DBSubnetGroupAlreadyExists", "DBSubnetGroupAlreadyExistsFault"):
            self._api.create_db_subnet_group(
                DBSubnetGroupName=name,
                DBSubnetGroupDescription=description,
                SubnetIds=subnet_ids,
                Tags=tag_list(tags),
            )
            return True
        return False

    @translated
    def delete_subnet_group(self, name: str) -> bool:
        """Whether it is gone now; False while an instance uses it."""
        with Tolerate(*NO_SUBNET_GROUP, *GROUP_IN_USE) as refused:
            self._api.delete_db_subnet_group(DBSubnetGroupName=name)
        return refused.code not in GROUP_IN_USE

    @translated
    def instance(self, name: str) -> Instance | None:
        with Tolerate(*NO_INSTANCE):
            return _instance(dict(self._api.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]))
        return None

    @translated
    def make_instance(
        self,
        name: str,
        *,
        engine_version: str,
        instance_class: str,
        storage_gib: int,
        backup_days: int,
        username: str,
        subnet_group: str,
        security_group_id: str,
        tags: Mapping[str, str],
    ) -> bool:
        """Whether this call began to make the instance: encrypted, private, its master password kept by RDS."""
        with Tolerate("DBInstanceAlreadyExists", "DBInstanceAlreadyExistsFault"):
            self._api.create_db_instance(
                DBInstanceIdentifier=name,
                Engine=ENGINE,
                EngineVersion=engine_version,
                DBInstanceClass=instance_class,
                AllocatedStorage=storage_gib,
                BackupRetentionPeriod=backup_days,
                MasterUsername=username,
                ManageMasterUserPassword=True,
                StorageEncrypted=True,
                PubliclyAccessible=False,
                CopyTagsToSnapshot=True,
                DeletionProtection=False,
                DBSubnetGroupName=subnet_group,
                VpcSecurityGroupIds=[security_group_id],
                Tags=tag_list(tags),
            )
            return True
        return False

    @translated
    def modify_instance(self, name: str, settings: Mapping[str, Any]) -> None:
        """Begin to change these (of `SETTINGS`), and whatever else is pending, now and not in a maintenance window."""
        changed: dict[str, Any] = dict(settings)
        self._api.modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **changed)

    @translated
    def delete_instance(self, name: str, final_snapshot: str | None) -> bool:
        """Begin to delete it; with a snapshot of this name first, or without one. Its automated backups go too.

        Whether it is on its way out; False when RDS refuses it in the state that it is in, or the snapshot's name is
        taken.
        """
        keep: dict[str, Any] = {"FinalDBSnapshotIdentifier": final_snapshot} if final_snapshot else {}
        with Tolerate(*NO_INSTANCE, *REFUSED) as refused:
            self._api.delete_db_instance(
                DBInstanceIdentifier=name,
                SkipFinalSnapshot=not final_snapshot,
                DeleteAutomatedBackups=True,
                **keep,
            )
        return refused.code not in REFUSED

    @translated
    def snapshot(self, name: str) -> Snapshot | None:
        with Tolerate(*NO_SNAPSHOT):
            return _snapshot(dict(self._api.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]))
        return None

    @translated
    def snapshots(self, instance: str) -> list[Snapshot]:
        """Every snapshot of an instance of this name, also of one that is gone."""
        pages = self._api.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=instance)
        return [_snapshot(dict(one)) for page in pages for one in page["DBSnapshots"]]

    @translated
    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to anything in RDS."""
        self._api.add_tags_to_resource(ResourceName=arn, Tags=tag_list(tags))

    @translated
    def automated_backups(self, instance: str) -> list[AutomatedBackup]:
        """Those of an instance of this name, also of one that is gone."""
        with Tolerate("DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackupNotFoundFault"):
            pages = self._api.get_paginator("describe_db_instance_automated_backups").paginate(
                DBInstanceIdentifier=instance
            )
            return [
                AutomatedBackup(
                    one.get("DBInstanceAutomatedBackupsArn") or one.get("DBInstanceArn", ""),
                    one.get("DbiResourceId", ""),
                    one.get("Status", ""),
                )
                for page in pages
                for one in page["DBInstanceAutomatedBackups"]
            ]
        return []

    @translated
    def delete_automated_backup(self, resource_id: str) -> None:
        """Of an instance that is gone, by its resource id (db-…). One that RDS still calls active stays: look again."""
        with Tolerate(
            "DBInstanceAutomatedBackupNotFound",
            "DBInstanceAutomatedBackupNotFoundFault",
            "InvalidDBInstanceAutomatedBackupState",
        ):
            self._api.delete_db_instance_automated_backup(DbiResourceId=resource_id)


def _instance(one: dict[str, Any]) -> Instance:
    endpoint, secret, group = (one.get(key) or {} for key in ("Endpoint", "MasterUserSecret", "DBSubnetGroup"))
    return Instance(
        one["DBInstanceIdentifier"],
        one.get("DBInstanceArn", ""),
        one.get("DBInstanceStatus", ""),
        endpoint.get("Address", ""),
        int(endpoint.get("Port", 0)),
        one.get("MasterUsername", ""),
        "" if secret.get("SecretStatus") == "creating" else secret.get("SecretArn", ""),
        bool(one.get("DeletionProtection")),
        group.get("DBSubnetGroupName", ""),
        group.get("VpcId", ""),
        {key: one[key] for key in SETTINGS if key in one},
        {key: value for key, value in (one.get("PendingModifiedValues") or {}).items() if key in SETTINGS},
        tag_dict(one.get("TagList")),
    )


def _snapshot(one: dict[str, Any]) -> Snapshot:
    return Snapshot(
        one["DBSnapshotIdentifier"],
        one.get("DBSnapshotArn", ""),
        one.get("Status", ""),
        int(one.get("PercentProgress", 0)),
        one.get("SnapshotType", ""),
        one.get("DBInstanceIdentifier", ""),
        tag_dict(one.get("TagList")),
    )
