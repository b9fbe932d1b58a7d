"""RDS: states over time, what is checked, and a PostgreSQL that answers with TLS and the managed password."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError
from psycopg import sql

from sandbox.aws.rds.slots import first_server_url
from tests.sandbox.aws.standin import Network, StandIn, until


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    return str(error.value.response["Error"]["Code"])


@pytest.fixture
def subnet_group(aws: StandIn, network: Network) -> Iterator[str]:
    aws.client("rds").create_db_subnet_group(
        DBSubnetGroupName="db", DBSubnetGroupDescription="d", SubnetIds=network.private
    )
    yield "db"
    aws.client("rds").delete_db_subnet_group(DBSubnetGroupName="db")


def create(aws: StandIn, name: str = "pg", **more: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "DBInstanceIdentifier": name,
        "Engine": "postgres",
        "EngineVersion": "16",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "MasterUsername": "postgres",
        "ManageMasterUserPassword": True,
        "DBSubnetGroupName": "db",
        "PubliclyAccessible": False,
    }
    return dict(aws.client("rds").create_db_instance(**(params | more))["DBInstance"])


def describe(aws: StandIn, name: str = "pg") -> dict[str, Any]:
    return dict(aws.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def delete(aws: StandIn, name: str = "pg") -> None:
    rds = aws.client("rds")
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    until(
        lambda: name in [found["DBInstanceIdentifier"] for found in rds.describe_db_instances()["DBInstances"]], False
    )


def password(aws: StandIn, instance: dict[str, Any]) -> str:
    secret = aws.client("secretsmanager").get_secret_value(SecretId=instance["MasterUserSecret"]["SecretArn"])
    return str(json.loads(secret["SecretString"])["password"])


def connect(aws: StandIn, instance: dict[str, Any], sslmode: str = "require") -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=instance["Endpoint"]["Address"],
        port=instance["Endpoint"]["Port"],
        user="postgres",
        password=password(aws, instance),
        dbname="postgres",
        sslmode=sslmode,
        autocommit=True,
    )


@pytest.fixture
def instance(aws: StandIn, subnet_group: str) -> Iterator[dict[str, Any]]:
    made = create(aws)
    assert made["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in describe(aws)
    until(lambda: describe(aws)["DBInstanceStatus"], "available")
    yield describe(aws)
    delete(aws)


def test_the_managed_secret_opens_the_database_over_tls_and_in_the_clear(
    aws: StandIn, instance: dict[str, Any]
) -> None:
    for sslmode, encrypted in (("require", True), ("disable", False)):
        with connect(aws, instance, sslmode) as connection:
            assert connection.pgconn.ssl_in_use == encrypted
            assert connection.execute("SELECT current_user").fetchone() == ("postgres",)


def test_the_master_user_is_no_superuser_and_needs_membership_to_give_objects_away(
    aws: StandIn, instance: dict[str, Any]
) -> None:
    with connect(aws, instance) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE ROLE boss SUPERUSER")
        connection.execute("CREATE ROLE owner LOGIN")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE DATABASE theirs OWNER owner")
        connection.execute("GRANT owner TO postgres")
        connection.execute("CREATE DATABASE theirs OWNER owner")


def test_rotation_changes_the_password_of_the_database(aws: StandIn, instance: dict[str, Any]) -> None:
    old = password(aws, instance)
    aws.client("rds").modify_db_instance(
        DBInstanceIdentifier="pg", RotateMasterUserPassword=True, ApplyImmediately=True
    )
    until(lambda: describe(aws)["DBInstanceStatus"], "available")
    assert password(aws, instance) != old
    connect(aws, instance).close()


def test_a_change_for_the_maintenance_window_waits(aws: StandIn, instance: dict[str, Any]) -> None:
    rds = aws.client("rds")
    rds.modify_db_instance(DBInstanceIdentifier="pg", DBInstanceClass="db.t4g.small", DeletionProtection=True)
    until(lambda: describe(aws)["DBInstanceStatus"], "available")
    assert describe(aws)["DBInstanceClass"] == "db.t4g.micro"
    assert describe(aws)["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.small"}
    refused = code(lambda: rds.delete_db_instance(DBInstanceIdentifier="pg", SkipFinalSnapshot=True))
    assert refused == "InvalidParameterCombination"
    rds.modify_db_instance(DBInstanceIdentifier="pg", DeletionProtection=False, ApplyImmediately=True)
    until(lambda: describe(aws)["DBInstanceStatus"], "available")


def test_a_deleted_instances_databases_are_gone_for_the_next_one(aws: StandIn, subnet_group: str) -> None:
    create(aws)
    until(lambda: describe(aws)["DBInstanceStatus"], "available")
    with connect(aws, describe(aws)) as connection:
        connection.execute("CREATE DATABASE left_behind")
    delete(aws)
    create(aws, DBName="first")
    until(lambda: describe(aws)["DBInstanceStatus"], "available")
    with connect(aws, describe(aws)) as connection:
        names = {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}
    assert "first" in names
    assert "left_behind" not in names
    with psycopg.connect(first_server_url(aws.home)) as superuser:
        found = superuser.execute(sql.SQL("SELECT rolsuper FROM pg_roles WHERE rolname = 'postgres'")).fetchone()
    assert found == (False,)
    delete(aws)


def test_two_instances_have_a_server_each(aws: StandIn, instance: dict[str, Any]) -> None:
    create(aws, "second")
    until(lambda: describe(aws, "second")["DBInstanceStatus"], "available")
    second = describe(aws, "second")
    assert second["Endpoint"]["Port"] != instance["Endpoint"]["Port"]
    with pytest.raises(psycopg.OperationalError):
        connect(aws, second | {"MasterUserSecret": instance["MasterUserSecret"]})
    connect(aws, second).close()
    delete(aws, "second")


def test_a_gone_instances_automated_backup_is_deleted_and_a_living_ones_is_not(
    aws: StandIn, subnet_group: str, instance: dict[str, Any]
) -> None:
    """Each backup has its own instance's id: with moto's constant for all, the living one's stood in the way."""
    rds = aws.client("rds")
    gone = create(aws, "gone")["DbiResourceId"]
    until(lambda: describe(aws, "gone")["DBInstanceStatus"], "available")
    rds.delete_db_instance(DBInstanceIdentifier="gone", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    until(lambda: len(rds.describe_db_instances()["DBInstances"]), 1)
    assert {gone, instance["DbiResourceId"]} <= backups(aws)
    rds.delete_db_instance_automated_backup(DbiResourceId=gone)
    assert gone not in backups(aws)
    living = instance["DbiResourceId"]
    assert (
        code(lambda: rds.delete_db_instance_automated_backup(DbiResourceId=living))
        == "InvalidDBInstanceAutomatedBackupState"
    )
    assert living in backups(aws)


def backups(aws: StandIn) -> set[str]:
    found = aws.client("rds").describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    return {one["DbiResourceId"] for one in found}


def test_what_cannot_become_an_instance_is_refused(aws: StandIn, network: Network, subnet_group: str) -> None:
    assert code(lambda: create(aws, EngineVersion="9.9")) == "InvalidParameterCombination"
    assert code(lambda: create(aws, DBInstanceClass="db.huge")) == "InvalidParameterValue"
    assert code(lambda: create(aws, MasterUsername="admin")) == "InvalidParameterValue"
    assert code(lambda: create(aws, AllocatedStorage=5)) == "InvalidParameterCombination"
    assert code(lambda: create(aws, DBSubnetGroupName="none")) == "DBSubnetGroupNotFoundFault"
    other = aws.client("ec2").create_security_group(GroupName="default-vpc", Description="d")["GroupId"]
    assert code(lambda: create(aws, VpcSecurityGroupIds=[other])) == "InvalidParameterCombination"
    aws.client("ec2").delete_security_group(GroupId=other)
    aws.control("PUT", "/settings", {"quotas": {"L-7B6409FD": 0.0}})
    assert code(lambda: create(aws)) == "InstanceQuotaExceeded"


def test_subnet_groups_are_unique_need_two_zones_and_stay_while_used(
    aws: StandIn, network: Network, instance: dict[str, Any]
) -> None:
    rds = aws.client("rds")

    def make(name: str, subnets: list[str]) -> Any:
        return rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=subnets)

    assert code(lambda: make("db", network.private)) == "DBSubnetGroupAlreadyExists"
    assert code(lambda: make("one-zone", network.private[:1])) == "DBSubnetGroupDoesNotCoverEnoughAZs"
    assert code(lambda: rds.delete_db_subnet_group(DBSubnetGroupName="db")) == "InvalidDBSubnetGroupStateFault"
    assert code(lambda: aws.client("ec2").delete_subnet(SubnetId=network.private[0])) == "DependencyViolation"


def test_engine_versions_are_listed(aws: StandIn) -> None:
    found = aws.client("rds").describe_db_engine_versions(Engine="postgres", EngineVersion="16")["DBEngineVersions"]
    assert all(item["EngineVersion"].startswith("16.") for item in found)
    assert found


def test_orderable_options_are_those_of_the_class_that_is_asked_for(aws: StandIn) -> None:
    def offered(name: str) -> set[str]:
        answer = aws.client("rds").describe_orderable_db_instance_options(
            Engine="postgres", EngineVersion="16.11", DBInstanceClass=name
        )
        return {item["DBInstanceClass"] for item in answer["OrderableDBInstanceOptions"]}

    assert offered("db.t4g.micro") == {"db.t4g.micro"}
    assert offered("db.huge") == set()
