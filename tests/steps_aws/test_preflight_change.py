"""The check before a change: what is the installation's own passes, what the change would meet is all said at once."""

from typing import Any

import pytest

from steps import cluster, database, identity, nodes, preflight_change
from steps.clients.aws import Aws
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.wanted import SecretWanted, Wanted
from tests.steps_aws.building import ZONES, Built, build_network, settled
from tests.steps_aws.conftest import Cloud, Person
from tests.steps_aws.test_cluster import ANYWHERE

READS = ("Describe", "Get", "List", "Simulate")
OWNER = Owner("changed-conductor", "operation")
ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def made(environment: Cloud, shared_aws: Aws) -> Built:
    """Network, cluster of Kubernetes 1.32 with one node, and database of one installation."""
    aws, built = shared_aws, build_network(shared_aws, OWNER)
    role = identity.ensure_cluster_role(aws, OWNER)
    name = cluster.ensure_cluster(aws, OWNER, "1.32", role, [*built.public, *built.private], ANYWHERE)
    settled(cluster.await_cluster, aws, name)
    role = identity.ensure_node_role(aws, OWNER)
    nodes.ensure_node_group(aws, OWNER, name, "default", role, built.public, "t3.medium", 1, 20)
    settled(nodes.await_node_group, aws, name, "default")
    group = database.ensure_subnet_group(aws, OWNER, built.private)
    firewall = database.ensure_security_group(aws, OWNER, built.vpc_id)
    made = database.ensure_instance(aws, OWNER, "16.11", "db.t4g.micro", 20, 1, group, firewall)
    settled(database.await_instance, aws, made)
    return built


def wanted(**changes: Any) -> Wanted:
    values: dict[str, Any] = {"node_count": 1, "kubernetes_version": "1.32"}
    return Wanted(**(values | changes))


def check(aws: Aws, **changes: Any) -> dict[str, Any]:
    return preflight_change.check_change(aws, OWNER, wanted(**changes), ACCOUNT)


def problems(aws: Aws, **changes: Any) -> dict[str, str]:
    """Message by field."""
    with pytest.raises(PodiumError) as caught:
        check(aws, **changes)
    assert caught.value.code is Code.PREFLIGHT_FAILED
    assert "before anything was changed" in caught.value.message
    assert all(one["remedy"] for one in caught.value.details)
    return {one["field"]: one["message"] for one in caught.value.details}


def test_what_is_there_passes_with_no_room_for_another_and_nothing_is_changed(
    aws: Aws, made: Built, cloud: Cloud
) -> None:
    cloud.quotas(L_F678F1CE=0, L_A4707A72=0, L_1194D53C=0, L_7B6409FD=0, L_1216C47A=2)
    before = len(cloud.calls())
    found = check(aws)
    assert (found["account_id"], found["kubernetes_version"], found["zones"]) == (ACCOUNT, "1.32", ZONES)
    changed = [one["operation"] for one in cloud.calls()[before:] if not one["operation"].startswith(READS)]
    assert changed == []


def test_the_version_is_the_one_there_whatever_is_asked_for(aws: Aws, made: Built) -> None:
    for asked in ("1.32", "1.35", None):
        assert check(aws, kubernetes_version=asked)["kubernetes_version"] == "1.32"


def test_where_nothing_is_yet_it_is_the_check_of_an_install(aws: Aws, owner: Owner) -> None:
    found = preflight_change.check_change(aws, owner, Wanted(), None)
    assert found["kubernetes_version"] == "1.31"
    assert found["zones"] == ZONES


def test_all_problems_are_said_at_once(aws: Aws, made: Built, cloud: Cloud) -> None:
    cloud.settings(denied_actions=["eks:UpdateClusterVersion"])
    found = problems(
        aws,
        kubernetes_version="1.36",
        instance_type="t9.enormous",
        engine_version="17",
        storage_gib=10,
        secrets=(SecretWanted("conductor.license_key", {"secret": "no/such", "version_id": None, "json_key": None}),),
    )
    assert "does not offer Kubernetes 1.36" in found["cluster.version"]
    assert "t9.enormous is not offered in us-west-2a, us-west-2b" in found["nodes.instance_type"]
    assert "major version" in found["database.engine_version"]
    assert "only grows" in found["database.storage_gib"]
    assert "eks:UpdateClusterVersion" in found["aws.role_arn"]
    assert "conductor.license_key" in found


def test_a_lower_version_is_refused(aws: Aws, made: Built) -> None:
    assert "cannot go back to 1.31" in problems(aws, kubernetes_version="1.31")["cluster.version"]


@pytest.mark.parametrize(
    ("change", "vcpus"),
    [
        ({"node_count": 3}, 4),
        ({"instance_type": "t3.xlarge", "node_count": 2}, 8),
        ({"disk_gib": 30}, 2),
        ({"kubernetes_version": "1.33"}, 2),
    ],
)
def test_nodes_that_come_beside_the_others_are_counted(
    aws: Aws, made: Built, cloud: Cloud, change: dict[str, Any], vcpus: int
) -> None:
    cloud.quotas(L_1216C47A=vcpus - 1)
    assert f"{vcpus} more are needed" in problems(aws, **change)["nodes"]
    cloud.quotas(L_1216C47A=vcpus)
    check(aws, **change)


def test_the_class_is_looked_up_for_the_version_that_runs(aws: Aws, made: Built) -> None:
    check(aws, instance_class="db.t4g.small", engine_version="16")
    check(aws, engine_version="16.13")
    found = problems(aws, instance_class="db.enormous.large", engine_version="16")
    assert "db.enormous.large for PostgreSQL 16.11" in found["database.instance_class"]
    assert "16.99" in problems(aws, engine_version="16.99")["database.engine_version"]


def test_names_that_the_change_would_take_must_be_free(aws: Aws, made: Built, person: Person) -> None:
    person("ecr").create_repository(repositoryName="somebodys")
    assert "somebodys" in problems(aws, repositories=("somebodys",))["registry.app_repository"]


def test_another_account_ends_the_check_at_once(aws: Aws, made: Built) -> None:
    with pytest.raises(PodiumError) as caught:
        preflight_change.check_change(aws, OWNER, wanted(kubernetes_version="1.11"), "210987654321")
    [problem] = caught.value.details
    assert problem["field"] == "aws.role_arn"
    assert "210987654321" in problem["message"]
