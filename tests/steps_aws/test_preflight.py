"""Preflight: facts when all is well, every problem at once when not, nothing created either way."""

from typing import Any

import pytest

from steps import preflight
from steps.clients.aws import Aws, AwsTarget
from steps.errors import Code, CredentialsError, PodiumError
from steps.names import Owner
from steps.preflight import SecretWanted, Wanted
from tests.steps_aws.building import Built, build_network
from tests.steps_aws.conftest import REGION, Cloud

READS = ("Describe", "Get", "List", "Simulate")


def problems_of(aws: Aws, owner: Owner, wanted: Wanted) -> list[dict[str, Any]]:
    with pytest.raises(PodiumError) as caught:
        preflight.check(aws, owner, wanted)
    assert caught.value.code is Code.PREFLIGHT_FAILED
    for one in caught.value.details:
        assert set(one) == {"code", "field", "message", "remedy"}
        assert one["message"]
        assert one["remedy"]
    return list(caught.value.details)


def by_field(problems: list[dict[str, Any]]) -> dict[str, str]:
    return {one["field"]: one["code"] for one in problems}


def test_a_good_account_yields_facts_and_nothing_is_created(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    before = len(cloud.calls())
    found = preflight.check(aws, owner, Wanted(repositories=(owner.names.app_repository,)))
    assert found["account_id"] == "123456789012"
    assert found["zones"] == ["us-west-2a", "us-west-2b"]
    assert found["kubernetes_version"].startswith("1.")
    made = [one["operation"] for one in cloud.calls()[before:] if not one["operation"].startswith(READS)]
    assert made == []


def test_all_problems_are_reported_at_once(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    aws.iam.make_role(owner.names.node_role, "ec2.amazonaws.com", "a person's", {})
    aws.ecr.make_repository(owner.names.app_repository, {})
    cloud.quotas(L_F678F1CE=0, L_0263D0A3=0)
    cloud.settings(denied_actions=["eks:CreateCluster"])
    wanted = Wanted(
        kubernetes_version="1.11",
        instance_type="t9.enormous",
        engine_version="7",
        repositories=(owner.names.app_repository,),
        secrets=(SecretWanted("conductor.license_key", {"secret": "no/such", "version_id": None, "json_key": None}),),
    )
    problems = problems_of(aws, owner, wanted)
    fields = by_field(problems)
    assert fields["cluster.version"] == "INVALID_SPEC"
    assert fields["nodes.instance_type"] == "INVALID_SPEC"
    assert fields["database.engine_version"] == "INVALID_SPEC"
    assert fields["conductor.license_key"] == "SECRET_NOT_FOUND"
    assert fields["registry.app_repository"] == "NAME_TAKEN"
    assert fields["name"] == "NAME_TAKEN"
    assert fields["aws.role_arn"] == "AWS_ACCESS_DENIED"
    quotas = [one["message"] for one in problems if one["code"] == "AWS_QUOTA_EXCEEDED"]
    assert len(quotas) == 2
    assert "VPCs per Region" in quotas[0]


def test_missing_credentials_are_no_problem_of_the_spec_but_waited_for(
    environment: Cloud, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError) as caught:
        preflight.check(Aws(AwsTarget(REGION)), owner, Wanted())
    assert caught.value.code is Code.AWS_CREDENTIALS_MISSING


def test_the_nodes_vcpus_are_compared_with_the_quota(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.quotas(L_1216C47A=3)
    problems = problems_of(aws, owner, Wanted(node_count=2))
    assert by_field(problems) == {"nodes.instance_type": "AWS_QUOTA_EXCEEDED"}
    assert "4 more are needed" in problems[0]["message"]


def test_no_permission_to_simulate_is_only_a_warning(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.settings(denied_actions=["iam:SimulatePrincipalPolicy", "servicequotas:GetServiceQuota"])
    codes = {one["code"] for one in preflight.check(aws, owner, Wanted())["warnings"]}
    assert {"PERMISSIONS_NOT_CHECKED", "QUOTA_NOT_CHECKED"} <= codes


def test_the_guides_version_is_the_default_while_eks_offers_it(aws: Aws, owner: Owner) -> None:
    offered = {one.version: one for one in aws.eks.versions()}
    found = preflight.check(aws, owner, Wanted())
    if "1.31" in offered:
        assert found["kubernetes_version"] == "1.31"
        extended = offered["1.31"].support == "extended"
        assert ("EXTENDED_SUPPORT" in {one["code"] for one in found["warnings"]}) == extended
    else:
        assert offered[found["kubernetes_version"]].default


def test_an_existing_network_is_checked_in_all_its_parts(aws: Aws, owner: Owner) -> None:
    built = build_network(aws, owner)
    wanted = Wanted(
        existing_vpc_id=built.vpc_id,
        existing_public_subnet_ids=("subnet-0123456789abcdef0",),
        existing_private_subnet_ids=(built.private[0], built.private[0]),
    )
    messages = " / ".join(one["message"] for one in problems_of(aws, owner, wanted))
    assert "subnet-0123456789abcdef0 is not in" in messages
    assert "all subnets are in us-west-2a" in messages
    assert "no route to the internet" in messages
    gone = problems_of(aws, owner, Wanted(existing_vpc_id="vpc-0123456789abcdef0"))
    assert by_field(gone) == {"network.existing.vpc_id": "INVALID_SPEC"}


def test_a_cluster_that_is_not_there_is_a_problem(aws: Aws, owner: Owner) -> None:
    problems = problems_of(aws, owner, Wanted(existing_cluster="nobodys"))
    assert by_field(problems)["cluster.existing_name"] == "INVALID_SPEC"


def test_what_the_installation_has_made_already_is_no_problem(aws: Aws, built: Built, cloud: Cloud) -> None:
    owner = Owner("built-conductor", "operation")
    assert aws.network.vpc(built.vpc_id) is not None
    cloud.quotas(L_F678F1CE=1, L_A4707A72=1)
    assert preflight.check(aws, owner, Wanted())["zones"]
