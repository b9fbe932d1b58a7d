"""What a spec accepts, and how it says no: with the field and the remedy."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from steps.names import Names, Owner
from workflows.phases import INSTALL
from workflows.plan import plan_of
from workflows.spec import InstallationSpec, Network

LEAST: dict[str, Any] = {"name": "dbos-conductor", "aws": {"region": "us-west-2"}}


def complaints(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        InstallationSpec.model_validate(LEAST | changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "red"}, "colour"),
        ({"aws": {"region": "us-west-9"}}, "did you mean us-west-2"),
        ({"aws": {"region": "us-west-2", "external_id": "x1"}}, "set role_arn"),
        ({"name": "Conductor"}, "must start with a letter"),
        ({"name": "a--b"}, "single hyphens"),
        ({"name": "ab"}, "at least 3"),
        ({"namespace": "kube-system"}, "choose another"),
        ({"network": {"cidr": "10.0.0.0/33"}}, "not an IPv4 range"),
        ({"network": {"cidr": "10.0.0.1/16"}}, "host bits"),
        ({"network": {"cidr": "10.0.0.0/8"}}, "between /16 and /24"),
        ({"network": {"public_subnet_cidrs": ["192.168.0.0/24", "192.168.0.128/25"]}}, "overlap"),
        ({"network": {"private_subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/24"]}}, "outside the VPC"),
        ({"network": {"public_subnet_cidrs": ["192.168.0.0/24"]}}, "give one per zone"),
        ({"cluster": {"version": "latest"}}, "cluster.version"),
        ({"app": {"name": "No Spaces"}}, "app.name"),
        ({"exposure": {"mode": "path"}}, "exposure.allow_unauthenticated to true"),
        ({"autoscaling": {"min_replicas": 5, "max_replicas": 2}}, "more than max_replicas"),
        ({"nodes": {"count": 0}}, "nodes.count"),
        ({"charts": {"keda": {"version": "^2.0"}}}, "one exact version"),
        ({"charts": {"keda": {"version": "2.21.1\n"}}}, "one exact version"),
        ({"charts": {"keda": {"version": "v2.21.1"}}}, "one exact version"),
        ({"charts": {"keda": {"repository": "http://charts.example.com"}}}, "not encrypted"),
        ({"charts": {"keda": {"values": {"webhooks": {"enabled": False}}}}}, "webhooks.enabled must stay true"),
        ({"charts": {"sealed_secrets": {"values": ["a"]}}}, "charts.sealed_secrets.values"),
        ({"charts": {"keda": {"credentials": {"secret": "a", "json_key": "b"}}}}, "remove json_key"),
        ({"charts": {"dex": {}}}, "charts.dex"),
    ],
)
def test_a_bad_field_is_named_with_its_remedy(changes: dict[str, Any], words: str) -> None:
    assert words in complaints(**changes)


def test_a_secret_value_is_not_repeated_in_an_error() -> None:
    text = complaints(conductor={"license_key": "canary", "colour": "red"})
    assert "canary" not in text
    repository = "https://robot:canary@charts.example.com"
    assert "canary" not in complaints(charts={"keda": {"repository": repository}})


def test_the_name_dbos_conductor_gives_the_guides_names() -> None:
    names = Names("dbos-conductor")
    assert (names.cluster, names.db_subnet_group, names.db_security_group, names.db_instance) == (
        "dbos-conductor",
        "dbos-conductor-db",
        "dbos-conductor-rds",
        "dbos-conductor-pg",
    )
    assert (names.app_repository, names.migrate_repository) == ("dbos-app", "dbos-migrate")


def test_a_client_token_differs_between_operations_and_resources_only() -> None:
    one = Owner("x", "operation-1")
    assert one.client_token("nat") == Owner("x", "operation-1").client_token("nat")
    assert len({one.client_token("nat"), one.client_token("rt"), Owner("x", "operation-2").client_token("nat")}) == 3


@given(prefix=st.integers(16, 24), zones=st.integers(2, 3), third=st.integers(0, 255))
def test_derived_subnets_lie_in_the_vpc_and_never_overlap(prefix: int, zones: int, third: int) -> None:
    size = 2 ** (32 - prefix)
    start = (10 << 24 | third << 8) // size * size
    cidr = f"{start >> 24}.{start >> 16 & 255}.{start >> 8 & 255}.{start & 255}/{prefix}"
    network = Network(cidr=cidr, zones=zones)
    assert len({*network.subnets("public"), *network.subnets("private")}) == 2 * zones


def test_the_plan_names_the_graph_the_resources_and_the_warnings() -> None:
    plan = plan_of(INSTALL, InstallationSpec.model_validate(LEAST))
    skipped = {phase["name"] for phase in plan["graph"] if phase["skipped"]}
    assert skipped == {"ingress-nginx", "ingress"}
    assert {"phase": "database", "type": "DB subnet group", "name": "dbos-conductor-db"} in plan["resources"]
    assert "EVALUATION" in {warning["code"] for warning in plan["warnings"]}


def test_the_plan_names_the_charts_and_warns_of_other_versions() -> None:
    mirror = {"repository": "oci://registry.example.com/charts", "version": "2.20.0"}
    plan = plan_of(INSTALL, InstallationSpec.model_validate(LEAST | {"charts": {"keda": mirror}}))
    releases = {each["name"] for each in plan["resources"] if each["type"] == "Helm release"}
    assert releases == {
        "kube-system/sealed-secrets (2.19.3 from https://bitnami-labs.github.io/sealed-secrets)",
        "keda/keda (2.20.0 from oci://registry.example.com/charts)",
    }
    [warning] = [each for each in plan["warnings"] if each["code"] == "CHART_VERSION"]
    assert warning["field"] == "charts.keda.version"
    assert "2.21.1, not with 2.20.0" in warning["message"]


def test_charts_are_kept_as_they_were_given() -> None:
    values = {"operator": {"replicaCount": 2, "tolerations": [{"key": "a", "value": None}]}}
    given = {"keda": {"repository": "https://charts.example.com", "values": values, "credentials": {"secret": "a"}}}
    spec = InstallationSpec.model_validate(LEAST | {"charts": given})
    again = InstallationSpec.model_validate(spec.public())
    assert again == spec
    choice = again.charts.by_name()["keda"].choice
    assert (choice.repository, choice.version, choice.values) == ("https://charts.example.com", None, values)
    assert choice.credentials == {"secret": "a", "version_id": None, "json_key": None}


def test_everything_behind_a_phase_is_found_through_its_needs() -> None:
    assert INSTALL.downstream("api-key") == ("api-key", "app", "ingress", "autoscaling", "smoke-test")
