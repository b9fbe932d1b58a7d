"""What the server says of itself: versions, groups, resources, schemas."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube


def test_the_version_is_told(kube: Kube) -> None:
    _, body = kube.call("GET", "/version")
    assert (body["major"], body["minor"].rstrip("+"), body["platform"]) == ("1", "34", "linux/amd64")
    assert body["gitVersion"].startswith("v1.34.")


def test_the_core_versions_are_told(kube: Kube) -> None:
    _, body = kube.call("GET", "/api")
    assert (body["kind"], body["versions"]) == ("APIVersions", ["v1"])
    assert body["serverAddressByClientCIDRs"][0]["clientCIDR"] == "0.0.0.0/0"


@pytest.mark.parametrize(
    ("group", "version"),
    [
        ("apps", "v1"), ("batch", "v1"), ("autoscaling", "v2"), ("networking.k8s.io", "v1"), ("policy", "v1"),
        ("rbac.authorization.k8s.io", "v1"), ("apiextensions.k8s.io", "v1"), ("authentication.k8s.io", "v1"),
        ("authorization.k8s.io", "v1"), ("coordination.k8s.io", "v1"), ("discovery.k8s.io", "v1"),
        ("admissionregistration.k8s.io", "v1"), ("apiregistration.k8s.io", "v1"), ("storage.k8s.io", "v1"),
        ("scheduling.k8s.io", "v1"),
    ],
)  # fmt: skip
def test_groups_are_told(kube: Kube, group: str, version: str) -> None:
    preferred = {"groupVersion": f"{group}/{version}", "version": version}
    [listed] = [each for each in kube.call("GET", "/apis")[1]["groups"] if each["name"] == group]
    assert listed["preferredVersion"] == preferred
    _, alone = kube.call("GET", f"/apis/{group}")
    assert (alone["kind"], alone["apiVersion"], alone["preferredVersion"]) == ("APIGroup", "v1", preferred)


def _resource(name: str, kind: str, *, namespaced: bool = True, short: list[str] | None = None) -> dict[str, Any]:
    found = {"name": name, "kind": kind, "namespaced": namespaced}
    return found | ({"shortNames": short} if short else {})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1", _resource("pods", "Pod", short=["po"])),
        ("/api/v1", _resource("pods/log", "Pod")),
        ("/api/v1", _resource("services/proxy", "ServiceProxyOptions")),
        ("/api/v1", _resource("serviceaccounts/token", "TokenRequest")),
        ("/api/v1", _resource("namespaces", "Namespace", namespaced=False, short=["ns"])),
        ("/api/v1", _resource("configmaps", "ConfigMap", short=["cm"])),
        ("/apis/apps/v1", _resource("deployments", "Deployment", short=["deploy"])),
        ("/apis/apps/v1", _resource("deployments/scale", "Scale")),
        ("/apis/batch/v1", _resource("jobs/status", "Job")),
        ("/apis/rbac.authorization.k8s.io/v1", _resource("clusterroles", "ClusterRole", namespaced=False)),
        ("/apis/apiextensions.k8s.io/v1", _resource("customresourcedefinitions", "CustomResourceDefinition", namespaced=False, short=["crd", "crds"])),
        ("/apis/authorization.k8s.io/v1", _resource("selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False)),
    ],
)  # fmt: skip
def test_resources_are_told(kube: Kube, path: str, expected: dict[str, Any]) -> None:
    _, body = kube.call("GET", path)
    [found] = [each for each in body["resources"] if each["name"] == expected["name"]]
    assert found.items() >= expected.items()


def test_verbs_are_told(kube: Kube) -> None:
    _, body = kube.call("GET", "/apis/apps/v1")
    verbs = {each["name"]: sorted(each["verbs"]) for each in body["resources"]}
    every = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    assert (verbs["deployments"], verbs["deployments/status"]) == (every, ["get", "patch", "update"])


def test_schemas_are_told(kube: Kube) -> None:
    _, index = kube.call("GET", "/openapi/v3")
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/apps/v1")
    _, document = kube.call("GET", url)
    schema = document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    kinds = {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert kinds in schema["x-kubernetes-group-version-kind"]
    replicas = document["components"]["schemas"]["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["replicas"]
    assert (replicas["type"], replicas["format"]) == ("integer", "int32")


def test_the_server_says_that_it_is_well(kube: Kube) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert kube.request("GET", path).text == "ok"
