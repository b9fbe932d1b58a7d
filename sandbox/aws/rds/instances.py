"""DB instances over time, with a server that answers.

Gaps: moto's instances are available at once and have no server; the managed secret is always the same and rotation
breaks it; security groups and quotas are not looked at (Amazon RDS API Reference, CreateDBInstance, DeleteDBInstance;
Amazon RDS User Guide, "Password management with Amazon RDS and AWS Secrets Manager"). Changes: `modifications.py`.
"""

import json
import secrets
from typing import Any, ClassVar

from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend

from sandbox.aws.ec2 import interfaces
from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.lifecycle import Change
from sandbox.aws.moto_base import SandboxBackend
from sandbox.aws.quotas import DATABASES
from sandbox.aws.rds import catalog, modifications, snapshots
from sandbox.aws.rds.servers import DatabaseServers

KIND = "rds:db"


class Instances(SandboxBackend, RDSBackend):
    """creating, available, modifying, storage-optimization, deleting, gone."""

    servers: ClassVar[DatabaseServers]

    def create_db_instance(self, db_kwargs: dict[str, Any]) -> Any:
        if db_kwargs.get("engine") != "postgres":
            return super().create_db_instance(db_kwargs)
        if len(self.databases) >= self.cloud.quotas.limit(DATABASES):
            raise RDSClientError("InstanceQuotaExceeded", "DB instance quota exceeded.")
        db_kwargs["engine_version"] = catalog.version(db_kwargs.get("engine_version"))
        catalog.check(db_kwargs)
        self._check_network(db_kwargs)
        instance = super().create_db_instance(db_kwargs)
        instance.status = "creating"
        constant, instance.dbi_resource_id = instance.dbi_resource_id, "db-" + secrets.token_hex(13).upper()
        snapshots.renamed(self, constant, instance.dbi_resource_id)
        self._attach(instance)
        self.provision(instance)
        self.cloud.lifecycle.begin(KIND, self._key(instance), "create", self.cloud.clock.create(KIND))
        return instance

    def describe_db_instances(self, db_instance_identifier: str | None = None, filters: Any = None) -> list[Any]:
        found = super().describe_db_instances(db_instance_identifier, filters)
        for instance in found:
            self.cloud.lifecycle.seen(KIND, self._key(instance))
        return list(found)

    def modify_db_instance(self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
        instance = self.describe_db_instances(db_instance_identifier)[0]
        if instance.status not in ("available", "storage-optimization"):
            message = f"Instance {db_instance_identifier} is not in available state."
            raise RDSClientError("InvalidDBInstanceState", message)
        modifications.note(instance, db_kwargs, self.cloud.clock)
        before = master_password(instance)
        modified = super().modify_db_instance(db_instance_identifier, db_kwargs)
        self.servers.force_ssl(modified.db_instance_arn, forced=self._force_ssl(modified))
        if master_password(modified) != before:
            self.servers.set_password(modified.db_instance_arn, modified.master_username, master_password(modified))
        modified.status = "modifying"
        kind = modifications.clock_kind(modified)
        self.cloud.lifecycle.begin(KIND, self._key(modified), "update", self.cloud.clock.create(kind))
        return modified

    def modify_db_parameter_group(self, db_parameter_group_name: str, db_parameter_group_parameters: Any) -> Any:
        """rds.force_ssl is a dynamic parameter: instances of the group follow at once."""
        group = super().modify_db_parameter_group(db_parameter_group_name, db_parameter_group_parameters)
        for instance in self.databases.values():
            member = instance.engine == "postgres" and instance.db_parameter_group_name == db_parameter_group_name
            if member and instance.status == "available":
                self.servers.force_ssl(instance.db_instance_arn, forced=self._force_ssl(instance))
        return group

    def delete_db_instance(
        self,
        db_instance_identifier: str,
        final_db_snapshot_identifier: str | None = None,
        skip_final_snapshot: bool | None = False,
        delete_automated_backups: bool | None = True,
    ) -> Any:
        instance = self.describe_db_instances(db_instance_identifier)[0]
        if instance.status in ("creating", "modifying", "deleting"):
            state = "already being deleted" if instance.status == "deleting" else f"currently {instance.status}"
            raise RDSClientError("InvalidDBInstanceState", f"Instance {db_instance_identifier} is {state}.")
        if not skip_final_snapshot and not final_db_snapshot_identifier:
            message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            raise RDSClientError("InvalidParameterCombination", message)
        if final_db_snapshot_identifier and not skip_final_snapshot:
            self.validate_db_snapshot_identifier(final_db_snapshot_identifier, "FinalDBSnapshotIdentifier")
            if not getattr(instance, "sandbox_endpoint", None):
                message = f"Instance {db_instance_identifier} is {instance.status}: no final snapshot can be taken."
                raise RDSClientError("InvalidDBInstanceState", message)
        super().delete_db_instance(
            db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot, delete_automated_backups
        )
        if final_db_snapshot_identifier and not skip_final_snapshot:
            snapshots.begun(self, final_db_snapshot_identifier)
        self.databases[db_instance_identifier] = instance
        instance.status = "deleting"
        self.cloud.lifecycle.begin(KIND, self._key(instance), "delete", self.cloud.clock.delete(KIND))
        return instance

    def ended(self, change: Change) -> bool:
        """The end of a creation, a modification or a deletion."""
        instance = self.databases[change.key[2]]
        arn = instance.db_instance_arn
        if change.action == "delete":
            interfaces.detach(ec2_of(self.account_id, self.region_name), arn)
            self.servers.release(arn)
            snapshots.completed(self, change.key[2])
            del self.databases[change.key[2]]
            return True
        if not self.servers.ready(arn):
            return False
        if modifications.must_restart(instance):
            self.servers.restart(arn)
            return False
        instance.status = "available"
        if "allocated_storage" in modifications.apply(instance):
            instance.status = "storage-optimization"
            self.cloud.lifecycle.begin(KIND, change.key, "update", self.cloud.clock.create("rds:optimization"))
        self.show_endpoint(instance)
        return True

    def provision(self, instance: Any) -> None:
        """Give the instance its server, master user and first database."""
        password = master_password(instance)
        self.servers.provision(
            instance.db_instance_arn,
            instance.master_username,
            password,
            instance.db_name,
            force_ssl=self._force_ssl(instance),
        )

    def show_endpoint(self, instance: Any) -> None:
        host, port = self.servers.address(instance.db_instance_arn)
        instance.sandbox_endpoint = {"Address": host, "Port": port, "HostedZoneId": "Z1PVIF0B656C1W"}

    def _force_ssl(self, instance: Any) -> bool:
        """What the instance's parameter group says, else what RDS has as its default from PostgreSQL 15 on."""
        group = self.db_parameter_groups.get(instance.db_parameter_group_name or "")
        value = group.parameters.get("rds.force_ssl", {}).get("ParameterValue") if group else None
        return str(value) == "1" if value is not None else int(instance.engine_version.split(".")[0]) >= 15

    def _key(self, instance: Any) -> tuple[str, str, str]:
        return self.place(str(instance.db_instance_identifier).lower())

    def _check_network(self, params: dict[str, Any]) -> None:
        """The security groups must be of the VPC of the subnet group."""
        name = params.get("db_subnet_group_name")
        ec2 = ec2_of(self.account_id, self.region_name)
        vpc_id = self.describe_db_subnet_groups(name)[0].vpc_id if name else ec2.default_vpc.id
        for group_id in params.get("vpc_security_group_ids") or []:
            group = ec2.get_security_group_from_id(group_id)
            if group is None:
                message = f"Invalid security group , groupId= {group_id}, groupName=."
                raise RDSClientError("InvalidParameterValue", message)
            if group.vpc_id != vpc_id:
                message = "The DB instance and EC2 security group are in different VPCs."
                detail = f" The DB instance is in {vpc_id} and the EC2 security group is in {group.vpc_id}"
                raise RDSClientError("InvalidParameterCombination", message + detail)

    def _attach(self, instance: Any) -> None:
        group = subnet_group_of(instance)
        if group is not None:
            subnet = group._subnets[0]
            instance.availability_zone = subnet.availability_zone
            interfaces.attach(
                ec2_of(self.account_id, self.region_name),
                instance.db_instance_arn,
                subnet_ids=[subnet.id],
                group_ids=instance.vpc_security_group_ids,
                description="RDSNetworkInterface",
                service="amazon-rds",
            )


def subnet_group_of(instance: Any) -> Any:
    """moto's DBSubnetGroup, or None: without one moto does not even set the attribute."""
    return getattr(instance, "db_subnet_group", None)


def master_password(instance: Any) -> str:
    """The master user's password: in the managed secret, or as given."""
    if getattr(instance, "master_user_secret", None) is None:
        return str(instance.master_user_password)
    secret = instance.master_user_secret.secret
    return str(json.loads(secret.versions[secret.default_version_id]["secret_string"])["password"])


def secret_string(secret: Any) -> str:
    """What RDS puts into a managed secret (in place of moto's constant)."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!#$%&()*+-.:;<=>?[]^_{|}~"
    password = "".join(secrets.choice(alphabet) for _ in range(28))
    return json.dumps({"username": secret.resource.master_username, "password": password})
