"""deploy/kubernetes/rbac.yaml at a real API server: enough for everything Podium does, and nothing in it unused.

The steps run as an AWS role whose access entry has the group `podium`; what was asked of the API server is read from
its audit log.
"""

import contextlib
import itertools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from sandbox.control_plane.binaries.build import data_module
from sandbox.control_plane.binaries.recipes import DATA_MODULES
from steps import (
    app,
    autoscaling,
    charts,
    conductor,
    console,
    databases,
    ingress,
    migration,
    namespace,
    object_events,
    preflight_cluster,
    ready_nodes,
    rollback,
)
from steps.clients.aws import Aws
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube
from steps.clients.kubernetes.kinds import kind_of
from steps.clients.kubernetes.permissions import GRANTS, OWN, RBAC_API, Permission, Rule
from steps.database_target import DatabaseTarget
from steps.errors import PodiumError, TransientError
from steps.findings import Findings
from steps.names import Owner
from steps.secret_store import SecretStore
from steps.waiting import Pending
from tests.cluster.eks import kinds_chart
from tests.cluster.eks.access import CLUSTER, ROLES_FILE, acting_as, apply_file, kube_of, set_environment
from tests.cluster.planes import Plane, until
from tests.sandbox.aws.standin import StandIn, make_role

OWNER = Owner("rbac-steps", "operation-1")
PLACE = "rbac-steps"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/dbos-app:latest"
AUDITED = "/apis/authorization.k8s.io/"


@dataclass(frozen=True)
class Podium:
    """Podium's clients as a role that has the group `podium` and nothing else."""

    kube: Kube
    aws: Aws
    helm: Helm
    role: str


@pytest.fixture(scope="module")
def administrator(control_plane: Plane) -> Iterator[httpx2.Client]:
    with control_plane.http() as client:
        yield client


@pytest.fixture(scope="module")
def podium(
    standin: StandIn, control_plane: Plane, administrator: httpx2.Client, programs: dict[str, Path]
) -> Iterator[Podium]:
    role = make_role(standin, "installer", "ec2.amazonaws.com")
    standin.client("eks").create_access_entry(clusterName=CLUSTER, principalArn=role, kubernetesGroups=["podium"])
    apply_file(administrator, ROLES_FILE)
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, standin)
        with acting_as(role) as aws, kube_of(control_plane, lambda: aws.cluster_token(CLUSTER)) as kube:
            yield Podium(kube, aws, Helm(str(programs["helm"])), role)
    for each in yaml.safe_load_all(ROLES_FILE.read_text()):
        administrator.delete(f"/apis/{RBAC_API}/v1/{each['kind'].lower()}s/{each['metadata']['name']}")


def written(control_plane: Plane, role: str) -> list[dict[str, Any]]:
    """The audit log's entries of this role, the oldest first."""
    session = f"assumed-role/{role.rpartition('/')[2]}/"
    lines = (control_plane.directory / "audit.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [entry for entry in entries if session in entry["user"].get("username", "")]


def used(entry: dict[str, Any]) -> set[Permission]:
    """What a request was allowed by: an apply that made its object also needs `create`."""
    about = entry["objectRef"]
    resource = "/".join(part for part in (about["resource"], about.get("subresource", "")) if part)
    group, made = about.get("apiGroup", ""), entry["verb"] == "patch" and entry["responseStatus"]["code"] == 201
    verbs = [entry["verb"], *(["create"] if made else [])]
    return {Permission(verb, group, resource, name) for verb in verbs for name in ("", about.get("name", ""))}


def run_helm(podium: Podium, folder: Path) -> None:
    """Install, upgrade of every object; the end is `uninstall_helm`."""
    for number in ("1", "2"):
        podium.helm.upgrade_install(podium.kube, kinds_chart.NAME, folder, kinds_chart.NAMESPACE, {"round": number})
    until(lambda: all(_is_served(podium.kube, kind) for kind in kinds_chart.DEFINED))


def _is_served(kube: Kube, kind: str) -> bool:
    """A kind just defined is answered with 404 at first, then for a moment with 429."""
    path = kind_of(kind)
    try:
        kube.list(kind)
    except TransientError:
        return False
    return kube.get("CustomResourceDefinition", f"{path.plural}.{path.api_version.partition('/')[0]}") is not None


def run_steps(podium: Podium) -> None:
    """What an install does in the cluster, as far as it goes without nodes; then what an uninstall does."""
    kube = podium.kube
    namespace.ensure_namespace(kube, OWNER, PLACE)
    password = SecretStore(podium.aws).put("podium/rbac-steps/any", "secret-value", OWNER.tags("secret-any"))
    target = DatabaseTarget("db.test", 5432, "require", password)
    passwords = {"conductor": password, "app": password}
    migrating = migration.ensure_job(kube, OWNER, PLACE, IMAGE, "dbos_app_role", "1")
    assert isinstance(migrating, str)
    jobs = [databases.ensure_job(kube, podium.aws, OWNER, PLACE, target, passwords, "1"), migrating]
    conductor.ensure_conductor(kube, OWNER, PLACE, "dbosdev/conductor", 1, True)
    console.ensure_console(kube, OWNER, PLACE, "dbosdev/console", 1, 8080)
    app.ensure_app(kube, OWNER, PLACE, IMAGE, 1, None)
    assert isinstance(ready_nodes.await_ready_nodes(kube, "nobodys-group", 1), Pending)
    assert rollback.healthy_generation(kube, PLACE, "console") is None  # no node, no pod that is ready
    until(lambda: bool(kube.list("ReplicaSet", PLACE, labels={"app": "console"})))
    (replica_set,) = kube.list("ReplicaSet", PLACE, labels={"app": "console"})
    back = {"replica_set": replica_set["metadata"]["name"], "replicas": 1, "ports": [{"port": 80, "targetPort": 80}]}
    rollback.roll_back(kube, OWNER, PLACE, "console", back)
    migration.delete_earlier_jobs(kube, OWNER, PLACE, "another")
    ingress.ensure_ingress(kube, OWNER, PLACE, "/conductor", "/app")
    autoscaling.ensure_scaled_object(kube, OWNER, PLACE, "taskQueue", 2, 1, 10, 15, 60)
    for job in jobs:
        migration.await_job(kube, PLACE, job)
        kube.patch("Job", job, PLACE, {"metadata": {"annotations": {"podium/failure-reported": "true"}}})
    for chart in charts.CHARTS:
        charts.await_release(kube, chart)
    use_sealed_secrets(kube)
    use_pods(kube)
    use_proxies(kube)
    for await_it in (conductor.await_conductor, console.await_console, app.await_app, ingress.await_ingress):
        await_it(kube, PLACE)
    remove(kube)


def use_sealed_secrets(kube: Kube) -> None:
    sealed = kinds_chart.manifest("bitnami.com/v1alpha1", "SealedSecret", "rbac", spec={"encryptedData": {}})
    sealed["metadata"]["namespace"] = PLACE
    kube.apply(sealed)
    kube.get("SealedSecret", "rbac", PLACE)
    kube.list("SealedSecret", PLACE)
    kube.delete("SealedSecret", "rbac", PLACE)


def use_pods(kube: Kube) -> None:
    """As steps/pods.py deals with one that cannot start."""
    until(lambda: bool(kube.list("Pod", PLACE)))
    pod = kube.list("Pod", PLACE)[0]
    name = pod["metadata"]["name"]
    object_events.last_warning(kube, pod, object_events.UNHEALTHY)
    kube.patch("Pod", name, PLACE, {"metadata": {"annotations": {"podium/failure-reported": "now"}}})
    kube.pod_logs(PLACE, name)
    kube.delete("Pod", name, PLACE)


def use_proxies(kube: Kube) -> None:
    """There is nobody behind the Services: what counts is that the API server tries."""
    calls = [("conductor", 8090, method) for method in ("GET", "POST", "PUT", "DELETE")]
    calls += [("dbos-app", 8080, "GET"), ("sealed-secrets", 8080, "GET")]
    for service, port, method in calls:
        with contextlib.suppress(PodiumError):
            kube.service_request(PLACE, service, port, method, "/")


def remove(kube: Kube) -> None:
    autoscaling.delete_scaled_object(kube, OWNER, PLACE)
    ingress.delete_ingress(kube, OWNER, PLACE)
    app.delete_app(kube, OWNER, PLACE)
    console.delete_console(kube, OWNER, PLACE)
    conductor.delete_conductor(kube, OWNER, PLACE)
    migration.delete_job(kube, OWNER, PLACE)
    databases.delete_databases_job(kube, OWNER, PLACE)
    for kind in kinds_chart.DEFINED:
        kube.list(kind)  # as steps/chart_crds.py does before it removes their definitions


def remove_namespaces(podium: Podium) -> None:
    """After the charts: no namespace ends while an APIService of theirs has nobody behind it."""
    podium.helm.uninstall(podium.kube, kinds_chart.NAME, kinds_chart.NAMESPACE)
    podium.kube.delete("Namespace", kinds_chart.NAMESPACE)
    namespace.delete_namespace(podium.kube, OWNER, PLACE)
    until(lambda: namespace.await_namespace_deleted(podium.kube, PLACE) == {"deleted": True}, 60)


def test_the_role_allows_all_that_podium_does_and_nothing_in_it_is_unused(
    podium: Podium, control_plane: Plane, tmp_path: Path
) -> None:
    folder = kinds_chart.write(tmp_path / kinds_chart.NAME)
    run_helm(podium, folder)
    run_steps(podium)
    remove_namespaces(podium)
    last = f"/api/v1/namespaces/{PLACE}"
    until(lambda: any(entry["requestURI"] == last for entry in written(control_plane, podium.role)[-1:]))
    entries = [entry for entry in written(control_plane, podium.role) if not entry["requestURI"].startswith(AUDITED)]
    refused = [entry["requestURI"] for entry in entries if entry["responseStatus"]["code"] in (401, 403)]
    assert refused == []
    called = set(itertools.chain.from_iterable(used(entry) for entry in entries if "objectRef" in entry))
    unused = {permission for rule in OWN.rules for permission in rule.permissions} - called
    assert sorted(f"{each.verb} {each.resource}.{each.group} {each.name}" for each in unused) == []


def test_preflight_finds_nothing_missing(podium: Podium) -> None:
    assert preflight_cluster.missing_permissions(podium.kube, tuple(charts.CHARTS)) == []


def test_preflight_lists_everything_that_is_missing_in_one_problem_with_the_remedy(
    podium: Podium, administrator: httpx2.Client
) -> None:
    """As where an administrator left a role out, or applied an older file."""
    keda = next(role for role in GRANTS if role.chart == "keda")
    path = f"/apis/{RBAC_API}/v1/clusterroles/{keda.name}"
    assert administrator.delete(path).is_success
    try:
        until(lambda: problems(podium, tuple(charts.CHARTS)) != [])
        (problem,) = problems(podium, tuple(charts.CHARTS))
        assert problems(podium, ("sealed-secrets", "ingress-nginx")) == []
    finally:
        apply_file(administrator, ROLES_FILE)
    assert problem["code"] == "KUBERNETES_ACCESS_DENIED"
    assert problem["field"] == "cluster.existing_name"
    assert problem["message"].startswith(f"{podium.role} may not, in the EKS cluster one: get *.*;")
    assert "create, delete, get, list, patch, update, watch horizontalpodautoscalers.autoscaling" in problem["message"]
    assert "kubectl apply -f deploy/kubernetes/rbac.yaml" in problem["remedy"]
    assert f"--cluster-name one --principal-arn {podium.role} --kubernetes-groups podium" in problem["remedy"]


def problems(podium: Podium, installed: tuple[str, ...]) -> list[dict[str, Any]]:
    findings = Findings()
    preflight_cluster.check_rights(podium.aws, podium.kube, CLUSTER, installed, findings)
    return findings.problems


def test_podium_cannot_give_more_than_it_has(podium: Podium, control_plane: Plane) -> None:
    """Neither `escalate` nor `bind`: the charts' roles stay within what rbac.yaml shows."""
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["deletecollection"]}]
    role = kinds_chart.manifest(f"{RBAC_API}/v1", "ClusterRole", "greedy", rules=rules)
    reference = {"apiGroup": RBAC_API, "kind": "ClusterRole", "name": "cluster-admin"}
    subjects = [{"apiGroup": RBAC_API, "kind": "Group", "name": "podium"}]
    binding = kinds_chart.manifest(
        f"{RBAC_API}/v1", "ClusterRoleBinding", "greedy", roleRef=reference, subjects=subjects
    )
    with control_plane.http(podium.aws.cluster_token(CLUSTER)) as client:
        for greedy in (role, binding):
            answer = client.post(f"/apis/{RBAC_API}/v1/{greedy['kind'].lower()}s", json=greedy)
            assert answer.status_code == 403
            assert "attempting to grant RBAC permissions not currently held" in answer.json()["message"]


def test_sealed_secrets_own_chart_gives_exactly_what_is_held_for_it(programs: dict[str, Path], tmp_path: Path) -> None:
    chart = data_module(*DATA_MODULES["sealed-secrets"]) / "helm" / "sealed-secrets"
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(charts.CHARTS["sealed-secrets"].values))
    command = [str(programs["helm"]), "template", "sealed-secrets", str(chart), "--namespace", "kube-system"]
    done = subprocess.run([*command, "--values", str(values)], check=True, capture_output=True, text=True)
    roles = [each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] in ("ClusterRole", "Role")]
    given = {permission for each in roles for rule in each["rules"] for permission in permissions_of(rule)}
    held = {
        each for role in GRANTS if role.chart == "sealed-secrets" for rule in role.rules for each in rule.permissions
    }
    named = {each for each in given if each.name and replace(each, name="") in held}
    assert given - named == held


def permissions_of(rule: dict[str, Any]) -> set[Permission]:
    names = tuple(rule.get("resourceNames") or ())
    made = Rule(tuple(rule["apiGroups"]), tuple(rule["resources"]), tuple(rule["verbs"]), names=names)
    return set(made.permissions)
