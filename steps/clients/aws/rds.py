"""RDS: subnet groups and PostgreSQL instances. Names are unique in account and region; `make_x`: whether made now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_list, translated

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

ENGINE = "postgres"
NO_INSTANCE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
NO_SUBNET_GROUP = ("DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound")


@dataclass(frozen=True)
class SubnetGroup:
    """A DB subnet group."""

    name: str
    arn: str
    subnet_ids: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """A DB instance. `status` as the console shows it (creating, available, …); host and secret empty until known."""

    name: str
    status: str
    host: str
    port: int
    username: str
    secret_arn: str
    deletion_protection: bool
    tags: dict[str, str]


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
    def instance_count(self) -> int:
        return sum(len(page["DBInstances"]) for page in self._api.get_paginator("describe_db_instances").paginate())

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
        with Tolerate(*NO_SUBNET_GROUP, *NO_INSTANCE):
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
    def delete_subnet_group(self, name: str) -> None:
        with Tolerate(*NO_SUBNET_GROUP):
            self._api.delete_db_subnet_group(DBSubnetGroupName=name)

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
    def delete_instance(self, name: str, final_snapshot: str | None) -> None:
        """Begin to delete it; with a snapshot of this name first, or without one. Its automated backups go too."""
        keep: dict[str, Any] = {"FinalDBSnapshotIdentifier": final_snapshot} if final_snapshot else {}
        with Tolerate(*NO_INSTANCE):
            self._api.delete_db_instance(
                DBInstanceIdentifier=name,
                SkipFinalSnapshot=not final_snapshot,
                DeleteAutomatedBackups=True,
                **keep,
            )


def _instance(one: dict[str, Any]) -> Instance:
    endpoint, secret = one.get("Endpoint") or {}, one.get("MasterUserSecret") or {}
    return Instance(
        one["DBInstanceIdentifier"],
        one.get("DBInstanceStatus", ""),
        endpoint.get("Address", ""),
        int(endpoint.get("Port", 0)),
        one.get("MasterUsername", ""),
        "" if secret.get("SecretStatus") == "creating" else secret.get("SecretArn", ""),
        bool(one.get("DeletionProtection")),
        tag_dict(one.get("TagList")),
    )
