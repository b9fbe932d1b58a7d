"""Everything that Podium applies, at a real API server: known fields only, and pods that meet the restricted standard.

The objects are made by the steps themselves, before an API that only records them (tests/steps_kubernetes), and are
then sent here. Those of the charts' releases are sent by the tests of helm and of the whole install.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.control_plane.binaries.build import data_module
from sandbox.control_plane.binaries.recipes import DATA_MODULES
from steps import console, databases, namespace, sealed_secrets
from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube, Object
from steps.clients.kubernetes.kinds import kind_of
from steps.database_target import DatabaseTarget
from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner
from tests.cluster.planes import Plane, until
from tests.steps_kubernetes.conftest import api, aws, secrets  # noqa: F401 - fixtures
from tests.steps_kubernetes.recorded_api import RecordedApi, certificate
from tests.steps_kubernetes.recorded_secrets import RecordedSecrets
from tests.steps_kubernetes.test_manifests import CASES

OWNER = Owner("manifests", "operation-1")
PLACE, ROOTED = "manifests", "manifests-rooted"
APPLY = {"content-type": "application/apply-patch+yaml"}
STRICT = {"fieldManager": "podium", "fieldValidation": "Strict", "dryRun": "All"}
DEFINITIONS = {
    "sealed-secrets": "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml",
    "keda": "config/crd/bases/keda.sh_scaledobjects.yaml",
}
TARGET = DatabaseTarget("db.test", 5432, "require", {"secret": "master"})
CERTIFICATE = "GET /api/v1/namespaces/kube-system/services/sealed-secrets:8080/proxy/v1/cert.pem"


def config_map(name: str, place: str = PLACE, **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": place}, **fields}


def make_databases(kube: Kube, client: Aws) -> None:
    passwords = {"conductor": {"secret": "conductor"}, "app": {"secret": "app"}}
    databases.ensure_job(kube, client, OWNER, PLACE, TARGET, passwords, "1")


def make_separation(kube: Kube, client: Aws) -> None:
    databases.ensure_separation_job(kube, client, OWNER, PLACE, TARGET, {"secret": "app"}, "1")


def make_sealed(kube: Kube, client: Aws) -> None:
    sealed_secrets.ensure_sealed(kube, client, OWNER, PLACE, "conductor-db", {"database-url": {"secret": "app"}})


MADE: dict[str, Callable[[Kube, Aws], object]] = {
    **{name: lambda kube, _aws, make=make: make(kube, OWNER) for name, make in CASES.items()},  # type: ignore[misc]
    "databases": make_databases,
    "separation": make_separation,
    "sealed-secret": make_sealed,
}
RESTRICTED = ("conductor", "conductor-evaluation", "console", "app", "migration", "databases", "separation")


@pytest.fixture
def make(api: RecordedApi, aws: Aws, secrets: RecordedSecrets) -> Iterator[Callable[[str], list[Object]]]:  # noqa: F811
    """The objects that a step applies, by the name of the case, put into the tests' namespace."""
    secrets.values.update({name: [f"secret-{name}"] for name in ("master", "conductor", "app")})
    api.answer(CERTIFICATE, 200, certificate(rsa.generate_private_key(65537, 2048)).decode())
    recording = Kube(api.endpoint, api.ca_data, lambda: "token")

    def made(name: str) -> list[Object]:
        MADE[name](recording, aws)
        for each in api.applied:
            if "namespace" in each["metadata"]:
                each["metadata"]["namespace"] = PLACE
        return api.applied

    yield made
    recording.close()


@pytest.fixture(scope="module")
def http(control_plane: Plane) -> Iterator[httpx2.Client]:
    """As the cluster's administrator."""
    with control_plane.http() as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def _place(control_plane: Plane, http: httpx2.Client) -> Iterator[None]:
    """The namespaces as Podium makes them, and the vendors' own definitions, from their modules."""
    kube = control_plane.client()
    namespace.ensure_namespace(kube, OWNER, PLACE)
    namespace.ensure_namespace(kube, OWNER, ROOTED, allow_root=True)
    texts = [(data_module(*DATA_MODULES[module]) / file).read_text() for module, file in DEFINITIONS.items()]
    defined = [str(kube.apply(yaml.safe_load(text))["metadata"]["name"]) for text in texts]
    paths = [kind_of(kind).path(PLACE) for kind in ("SealedSecret", "ScaledObject")]
    until(lambda: all(http.get(path).status_code == 200 for path in paths))
    # Pods are refused until their namespace has its ServiceAccount (documentation, "Managing Service Accounts").
    accounts = [f"/api/v1/namespaces/{name}/serviceaccounts/default" for name in (PLACE, ROOTED)]
    until(lambda: all(http.get(path).status_code == 200 for path in accounts))
    yield
    for name in (PLACE, ROOTED):
        namespace.delete_namespace(kube, OWNER, name)
    for name in defined:
        kube.delete("CustomResourceDefinition", name)
    until(lambda: not any(kube.get("Namespace", name) for name in (PLACE, ROOTED)), 60)
    until(lambda: not any(kube.get("CustomResourceDefinition", name) for name in defined), 60)
    kube.close()


def apply_dry(http: httpx2.Client, manifest: Object) -> httpx2.Response:
    """As the product applies, and nothing is stored."""
    path = kind_of(manifest["kind"]).path(manifest["metadata"].get("namespace"), manifest["metadata"]["name"])
    return http.patch(path, params=STRICT | {"force": "true"}, content=json.dumps(manifest), headers=APPLY)


def make_pod(http: httpx2.Client, workload: Object, place: str) -> httpx2.Response:
    """The pod that the workload's controller would make, and nothing is stored."""
    template = workload["spec"]["template"]
    metadata = template["metadata"] | {"name": "pod"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    return http.post(f"/api/v1/namespaces/{place}/pods", params=STRICT, json=pod)


def workload_in(applied: list[Object]) -> Object:
    (found,) = [each for each in applied if each["kind"] in ("Deployment", "Job")]
    return found


@pytest.mark.parametrize("name", MADE)
def test_all_fields_of_what_is_applied_are_known(
    http: httpx2.Client, make: Callable[[str], list[Object]], name: str
) -> None:
    applied = make(name)
    assert applied != []
    for manifest in applied:
        answer = apply_dry(http, manifest)
        assert answer.is_success, answer.text
        expected = "violate PodSecurity" if name == "console-port-80" and manifest["kind"] == "Deployment" else ""
        assert expected in answer.headers.get("warning", "")
        assert bool(answer.headers.get("warning")) is bool(expected)


@pytest.mark.parametrize("name", RESTRICTED)
def test_pods_are_let_in_where_the_restricted_standard_is_enforced(
    http: httpx2.Client, make: Callable[[str], list[Object]], name: str
) -> None:
    answer = make_pod(http, workload_in(make(name)), PLACE)
    assert answer.status_code == 201, answer.text
    assert "warning" not in answer.headers


def test_a_console_that_starts_as_root_is_let_in_by_the_baseline_only(
    http: httpx2.Client, make: Callable[[str], list[Object]]
) -> None:
    workload = workload_in(make("console-port-80"))
    refused = make_pod(http, workload, PLACE)
    assert refused.status_code == 403
    assert 'violates PodSecurity "restricted:v1.34"' in refused.json()["message"]
    assert make_pod(http, workload, ROOTED).status_code == 201
    assert console.needs_root(80)


@pytest.mark.parametrize(
    "change",
    [
        {"securityContext": {"allowPrivilegeEscalation": True}},
        {"securityContext": {"runAsUser": 0}},
        {"securityContext": {"capabilities": {"drop": []}}},
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    ],
)
def test_a_pod_that_falls_short_is_refused(
    http: httpx2.Client, make: Callable[[str], list[Object]], change: dict[str, Any]
) -> None:
    """The standard is enforced: without any one of the fields a pod does not get in."""
    workload = workload_in(make("app"))
    container = workload["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] |= change["securityContext"]
    answer = make_pod(http, workload, PLACE)
    assert answer.status_code == 403
    assert "violates PodSecurity" in answer.json()["message"]


@pytest.mark.parametrize("write", ["apply", "create"])
def test_an_unknown_field_is_named_and_nothing_is_made(kube: Kube, write: str) -> None:
    with pytest.raises(PodiumError) as caught:
        getattr(kube, write)(config_map("typo", dota={"a": "1"}))
    assert not isinstance(caught.value, TransientError)
    assert caught.value.code is Code.KUBERNETES_REJECTED
    assert 'ConfigMap manifests/typo: ConfigMap in version "v1"' in caught.value.message
    assert 'unknown field "dota"' in caught.value.message
    assert kube.get("ConfigMap", "typo", PLACE) is None


def test_all_wrong_fields_are_named_at_once(kube: Kube) -> None:
    with pytest.raises(PodiumError) as caught:
        kube.apply(config_map("typo", dota={}, more=1))
    assert 'unknown field "dota", unknown field "more"' in caught.value.message


def test_a_value_of_the_wrong_type_is_no_outage(kube: Kube) -> None:
    with pytest.raises(PodiumError) as caught:
        kube.apply(config_map("typo", data={"a": 1}))
    assert caught.value.code is Code.KUBERNETES_REJECTED
    assert "cannot unmarshal number" in caught.value.message


def test_an_unknown_field_of_a_custom_resource_is_named(kube: Kube) -> None:
    spec = {"scaleTargetRef": {"name": "a"}, "triggers": [], "poolingInterval": 15}
    scaled = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": spec}
    with pytest.raises(PodiumError) as caught:
        kube.apply(scaled | {"metadata": {"name": "typo", "namespace": PLACE}})
    assert caught.value.code is Code.KUBERNETES_REJECTED
    assert 'unknown field "spec.poolingInterval"' in caught.value.message


def test_an_unknown_field_of_a_patch_is_named(kube: Kube) -> None:
    kube.apply(config_map("kept", data={"a": "1"}))
    with pytest.raises(PodiumError) as caught:
        kube.patch("ConfigMap", "kept", PLACE, {"dota": {"a": "2"}})
    assert caught.value.code is Code.KUBERNETES_REJECTED
    assert 'unknown field "dota"' in caught.value.message


def test_what_is_applied_while_its_namespace_ends_is_tried_again_later(kube: Kube) -> None:
    """The finalizer keeps the namespace in its end until the test lets it go."""
    place = "manifests-ending"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
    held = config_map("held", place)
    held["metadata"]["finalizers"] = ["podium.test/held"]
    kube.apply(held)
    kube.delete("Namespace", place)
    try:
        with pytest.raises(TransientError) as caught:
            kube.apply(config_map("late", place))
        assert caught.value.code is Code.KUBERNETES_CONFLICT
        until(lambda: "podium.test/held" in str(namespace.await_namespace_deleted(kube, place)))
    finally:
        kube.patch("ConfigMap", "held", place, {"metadata": {"finalizers": None}})
    until(lambda: kube.get("Namespace", place) is None)
