"""The table of Kubernetes permissions: the role file is that table, and every call of the steps' tests is in it."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from steps import preflight_cluster
from steps.clients.kubernetes import Kube, permissions
from steps.clients.kubernetes.kinds import KINDS
from steps.clients.kubernetes.permissions import OWN, ROLES, Permission, Rule
from steps.errors import Code, PodiumError
from tests.steps_kubernetes.authorization import allows
from tests.steps_kubernetes.recorded_api import RecordedApi

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/kubernetes/rbac.yaml"
ALL_CHARTS = ("sealed-secrets", "ingress-nginx", "keda")


def held_by(roles: Iterator[permissions.Role] | tuple[permissions.Role, ...]) -> list[Rule]:
    return [rule for role in roles for rule in role.rules]


def answer_by(api: RecordedApi, rules: list[Rule]) -> None:
    """Let the API's access reviews be answered as RBAC does with these rules."""

    def may(asked: dict[str, str]) -> bool:
        resource = "/".join(part for part in (asked["resource"], asked["subresource"]) if part)
        return allows(rules, Permission(asked["verb"], asked["group"], resource, asked["name"]))

    api.may = may


def test_the_role_file_is_the_table() -> None:
    assert FILE.read_text() == permissions.document(), (
        "run: python -m steps.clients.kubernetes.permissions > deploy/kubernetes/rbac.yaml"
    )


def test_every_role_is_bound_to_the_group_and_nothing_else_is() -> None:
    found = list(yaml.safe_load_all(FILE.read_text()))
    roles = [each["metadata"]["name"] for each in found if each["kind"] == "ClusterRole"]
    bindings = [each for each in found if each["kind"] == "ClusterRoleBinding"]
    assert [each["roleRef"]["name"] for each in bindings] == roles == [role.name for role in ROLES]
    assert {subject["name"] for each in bindings for subject in each["subjects"]} == {"podium"}
    assert len(found) == 2 * len(ROLES)


def test_nothing_is_listed_twice_in_the_own_role_and_each_rule_says_why() -> None:
    counted = Counter(permission for rule in OWN.rules for permission in rule.permissions)
    assert [permission for permission, times in counted.items() if times > 1] == []
    assert all(rule.why for rule in OWN.rules)


def test_the_own_role_has_no_wildcard_and_may_not_escalate() -> None:
    asked = {part for rule in OWN.rules for part in (*rule.groups, *rule.resources, *rule.verbs)}
    assert not asked & {"*", "escalate", "bind", "impersonate", "deletecollection"}


def test_every_kind_that_the_client_knows_is_in_the_table() -> None:
    listed = {(group, resource) for rule in OWN.rules for group in rule.groups for resource in rule.resources}
    known = {(kind.api_version.rpartition("/")[0], kind.plural) for name, kind in KINDS.items() if name in used_kinds()}
    assert known - listed == set()


def used_kinds() -> set[str]:
    """The kinds that steps name in a call of the client or of steps/objects.py, or in a manifest."""
    found: set[str] = set()
    for path in (ROOT / "steps").glob("*.py"):
        strings = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        found |= {each for each in strings if isinstance(each, str) and each in KINDS}
    for path in (ROOT / "steps/manifests").glob("*.yaml"):
        found |= {each["kind"] for each in yaml.safe_load_all(path.read_text())}
    return found


def test_whoever_has_the_roles_misses_nothing(api: RecordedApi, kube: Kube) -> None:
    answer_by(api, held_by(ROLES))
    assert preflight_cluster.missing_permissions(kube, ALL_CHARTS) == []


def test_an_administrator_is_asked_about_once(api: RecordedApi, kube: Kube) -> None:
    answer_by(api, [Rule(("*",), ("*",), ("*",))])
    assert preflight_cluster.missing_permissions(kube, ALL_CHARTS) == []
    assert len(api.calls) == 1


def test_kedas_role_is_needed_only_where_the_application_is_scaled(api: RecordedApi, kube: Kube) -> None:
    answer_by(api, held_by(tuple(role for role in ROLES if role.chart != "keda")))
    assert preflight_cluster.missing_permissions(kube, ("sealed-secrets", "ingress-nginx")) == []
    assert Permission("update", "*", "*/scale") in preflight_cluster.missing_permissions(kube, ALL_CHARTS)


def test_whoever_may_escalate_and_bind_need_not_hold_the_charts_rules(api: RecordedApi, kube: Kube) -> None:
    makers = Rule((permissions.RBAC_API,), ("clusterroles", "roles"), ("escalate", "bind"))
    answer_by(api, [*OWN.rules, makers])
    assert preflight_cluster.missing_permissions(kube, ALL_CHARTS) == []


def test_everything_missing_is_listed_at_once(api: RecordedApi, kube: Kube) -> None:
    left_out = {Permission("delete", "apps", "deployments"), Permission("create", "apps", "deployments")}
    answer_by(
        api,
        [
            Rule((each.group,), (each.resource,), (each.verb,), names=(each.name,) if each.name else ())
            for each in permissions.needed(ALL_CHARTS)
            if each not in left_out and each.resource != "services/proxy" and each.group != "*"
        ],
    )
    text = preflight_cluster.listed(preflight_cluster.missing_permissions(kube, ()))
    assert text == (
        "create, delete deployments.apps; get, create, update, delete services/proxy conductor:8090; "
        "get services/proxy dbos-app:8080; get services/proxy sealed-secrets:8080"
    )


def test_a_refused_identity_is_access_denied(api: RecordedApi, kube: Kube) -> None:
    api.refused = {"token"}
    with pytest.raises(PodiumError) as caught:
        preflight_cluster.missing_permissions(kube, ())
    assert caught.value.code is Code.KUBERNETES_ACCESS_DENIED
