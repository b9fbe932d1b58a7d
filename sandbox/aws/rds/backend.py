"""The RDS backend of the sandbox: subnet groups, what can be ordered, and how it is put into moto.

Gaps: moto overwrites a subnet group of the same name, loses one that is modified, lets one that is in use be deleted
and does not ask for two zones (Amazon RDS API Reference, CreateDBSubnetGroup, DeleteDBSubnetGroup); it has no
DescribeDBEngineVersions, and orderable options for Aurora only, whatever the class.
"""

import uuid
from typing import Any, ClassVar

import moto.rds.models as moto_rds
from moto.core.responses import ActionResult, PaginatedResult
from moto.rds.exceptions import RDSClientError
from moto.rds.responses import RDSResponse

from sandbox.aws.lifecycle import Change, Lifecycle
from sandbox.aws.rds import catalog, snapshots
from sandbox.aws.rds.instances import KIND, Instances, secret_string, subnet_group_of
from sandbox.aws.rds.servers import DatabaseServers


class SandboxRDS(Instances):
    """moto's RDS with our gaps filled."""

    MOTO_SERVICE: ClassVar[str] = "rds"

    def create_subnet_group(self, subnet_name: str, description: str, subnets: list[Any], tags: Any) -> Any:
        if subnet_name in self.subnet_groups:
            message = f"The DB subnet group '{subnet_name}' already exists."
            raise RDSClientError("DBSubnetGroupAlreadyExists", message)
        _check_zones(subnets)
        return super().create_subnet_group(subnet_name, description, subnets, tags)

    def modify_db_subnet_group(self, subnet_name: str, description: str, subnets: list[Any]) -> Any:
        group = self.describe_db_subnet_groups(subnet_name)[0]
        _check_zones(subnets)
        group.subnets = subnets
        group.description = description or group.description
        return group

    def delete_subnet_group(self, subnet_name: str) -> Any:
        name = subnet_name.lower()
        used = [subnet_group_of(found) for found in self.databases.values()]
        if any(group is not None and group.name == name for group in used):
            message = (
                f"Cannot delete the subnet group '{name}' because at least one database instance is still using it."
            )
            raise RDSClientError("InvalidDBSubnetGroupStateFault", message)
        return super().delete_subnet_group(subnet_name)

    def describe_orderable_db_instance_options(self, engine: str, engine_version: str) -> list[dict[str, Any]]:
        if engine != "postgres":
            return list(super().describe_orderable_db_instance_options(engine, engine_version))
        return catalog.orderable(engine, engine_version, [f"{self.region_name}{zone}" for zone in "abc"])


def install(lifecycle: Lifecycle, servers: DatabaseServers) -> None:
    """Make moto create our RDS backends from now on."""
    moto_rds.rds_backends.backend = SandboxRDS
    Instances.servers = servers
    moto_rds.MasterUserSecret._generate_secret_string = secret_string
    moto_rds.MasterUserSecret.rotate_secret = _rotate
    moto_rds.DBInstance.endpoint = property(lambda instance: getattr(instance, "sandbox_endpoint", None))
    RDSResponse.describe_db_engine_versions = _describe_engine_versions
    RDSResponse.describe_orderable_db_instance_options = _describe_orderable
    snapshots.install()
    for action in ("create", "update", "delete"):
        lifecycle.on_end(KIND, action, _ended)


def resume(servers: DatabaseServers) -> None:
    """After a restart: instances being made are made on, ports may have changed, servers of no instance are freed."""
    found = [
        (backend, instance)
        for _, _, backend in list(moto_rds.rds_backends.iter_backends())
        for instance in backend.databases.values()
        if instance.engine == "postgres"
    ]
    servers.keep_only({instance.db_instance_arn for _, instance in found})
    for backend, instance in found:
        if instance.status == "creating" or not servers.owned_by(instance.db_instance_arn):
            backend.provision(instance)
        elif getattr(instance, "sandbox_endpoint", None):
            backend.show_endpoint(instance)


def _ended(change: Change) -> bool:
    account, region, _ = change.key
    return bool(moto_rds.rds_backends[account][region].ended(change))


def _check_zones(subnets: list[Any]) -> None:
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        message = "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement."
        raise RDSClientError("DBSubnetGroupDoesNotCoverEnoughAZs", message)


def _rotate(secret: Any) -> None:
    """A new random password as the secret's current version; moto writes the same one without a stage."""
    secret._status = "rotating"
    secret.secretsmanager.put_secret_value(
        secret_id=secret.secret.arn,
        secret_string=secret._generate_secret_string(),
        secret_binary=None,
        client_request_token=str(uuid.uuid4()),
        version_stages=["AWSCURRENT"],
    )


def _describe_engine_versions(response: Any) -> Any:
    """Added to moto's RDSResponse."""
    found = catalog.engine_versions(response.params.get("Engine"), response.params.get("EngineVersion"))
    if response.params.get("DefaultOnly"):
        found = found[-1:] if response.params.get("EngineVersion") else engine_default()
    return ActionResult({"DBEngineVersions": found})


def _describe_orderable(response: Any) -> Any:
    """In place of moto's, which takes no notice of DBInstanceClass."""
    engine, version, wanted = (response.params.get(key) for key in ("Engine", "EngineVersion", "DBInstanceClass"))
    options = response.backend.describe_orderable_db_instance_options(engine, version)
    fitting = [one for one in options if wanted in (None, one["DBInstanceClass"])]
    return PaginatedResult({"OrderableDBInstanceOptions": fitting})


def engine_default() -> list[dict[str, Any]]:
    return catalog.engine_versions("postgres", catalog.version(None))
