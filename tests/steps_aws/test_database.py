"""The RDS instance and its groups: made once, adopted, refused when another's, deleted."""

from dataclasses import replace

import pytest

from steps import database
from steps.clients.aws import Aws
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.secret_store import SecretStore
from steps.waiting import Pending
from tests.steps_aws.building import Built, settled
from tests.steps_aws.conftest import Cloud


def ensure(aws: Aws, owner: Owner, built: Built) -> tuple[str, str]:
    """Instance and security group."""
    group = database.ensure_subnet_group(aws, owner, built.private)
    firewall = database.ensure_security_group(aws, owner, built.vpc_id)
    instance = database.ensure_instance(aws, owner, "16", "db.t4g.micro", 20, 1, group, firewall)
    return instance, firewall


def test_the_instance_is_made_once_and_its_password_is_with_rds(aws: Aws, owner: Owner, built: Built) -> None:
    made = ensure(aws, owner, built)
    assert ensure(aws, owner, built) == made
    found = settled(database.await_instance, aws, made[0])
    assert found["db_host"]
    assert found["db_port"] > 0
    assert found["db_master_username"] == "postgres"
    password = SecretStore(aws).get({"secret": found["db_master_secret_arn"], "json_key": "password"})
    assert len(password) >= 16
    for _ in range(2):
        database.delete_instance(aws, owner)
        assert settled(database.await_instance_deleted, aws, owner)["snapshot"] is None
        assert settled(database.await_subnet_group_deleted, aws, owner) is True
        assert settled(database.await_security_group_deleted, aws, owner) is True


def test_an_instance_being_made_is_pending_and_deleted_when_that_is_over(
    aws: Aws, owner: Owner, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in may have made it by the time of the second look, so what is told of it is held."""
    group = database.ensure_subnet_group(aws, owner, built.private)
    aws.rds.make_instance(
        owner.names.db_instance,
        engine_version="16",
        instance_class="db.t4g.micro",
        storage_gib=20,
        backup_days=1,
        username="postgres",
        subnet_group=group,
        security_group_id=database.ensure_security_group(aws, owner, built.vpc_id),
        tags=owner.tags("db-instance"),
    )
    made = aws.rds.instance(owner.names.db_instance)
    assert made is not None
    with monkeypatch.context() as held:
        held.setattr(aws.rds, "instance", lambda _name: replace(made, status="creating", host=""))
        assert isinstance(database.await_instance(aws, owner.names.db_instance), Pending)
        begun = database.delete_instance(aws, owner, "retain")
    assert begun["snapshot"] is None
    assert "never became available" in str(begun["note"])
    assert settled(database.await_instance_deleted, aws, owner, "retain", None)["snapshot_arn"] is None
    assert aws.rds.snapshots(owner.names.db_instance) == []


@pytest.mark.parametrize("call", ["rds:CreateDBSubnetGroup", "ec2:CreateSecurityGroup", "rds:CreateDBInstance"])
def test_a_lost_answer_leaves_exactly_one(aws: Aws, owner: Owner, built: Built, cloud: Cloud, call: str) -> None:
    cloud.fault(match=call, kind="lost")
    instance, firewall = ensure(aws, owner, built)
    assert [group.id for group in aws.groups.named(owner.names.db_security_group)] == [firewall]
    assert aws.rds.instance(instance) is not None


def test_the_clusters_group_may_come_in_once(aws: Aws, owner: Owner, built: Built, cloud: Cloud) -> None:
    firewall = database.ensure_security_group(aws, owner, built.vpc_id)
    source = aws.groups.make("cluster", built.vpc_id, "stands for the cluster's", {"Name": "cluster"}) or ""
    cloud.fault(match="ec2:AuthorizeSecurityGroupIngress", kind="lost")
    rule = database.ensure_ingress_rule(aws, owner, firewall, source)
    assert database.ensure_ingress_rule(aws, owner, firewall, source) == rule
    database.delete_ingress_rules(aws, owner)
    aws.groups.delete(source)
    assert aws.groups.named("cluster", built.vpc_id) == []


def test_a_persons_security_group_is_name_taken_and_not_deleted(aws: Aws, owner: Owner, built: Built) -> None:
    aws.groups.make(owner.names.db_security_group, built.vpc_id, "a person's", {"team": "x"})
    with pytest.raises(PodiumError) as caught:
        database.ensure_security_group(aws, owner, built.vpc_id)
    assert caught.value.code is Code.NAME_TAKEN
    database.delete_security_group(aws, owner)
    assert aws.groups.named(owner.names.db_security_group, built.vpc_id)


def test_a_persons_subnet_group_and_instance_are_name_taken(aws: Aws, owner: Owner, built: Built) -> None:
    aws.rds.make_subnet_group(owner.names.db_subnet_group, "a person's", built.private, {})
    with pytest.raises(PodiumError) as caught:
        database.ensure_subnet_group(aws, owner, built.private)
    assert caught.value.code is Code.NAME_TAKEN
    database.delete_subnet_group(aws, owner)
    assert aws.rds.subnet_group(owner.names.db_subnet_group) is not None


def test_nothing_to_delete_is_fine(aws: Aws, owner: Owner) -> None:
    database.delete_ingress_rules(aws, owner)
    assert database.delete_instance(aws, owner, "retain")["snapshot"] is None
    assert settled(database.await_instance_deleted, aws, owner, "retain", None)["snapshot"] is None
    database.delete_subnet_group(aws, owner)
    database.delete_security_group(aws, owner)
