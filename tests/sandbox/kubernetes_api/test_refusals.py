"""What the stand-in cannot do is refused or warned of, so that nobody takes it for done."""

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, deployment, meta, pod
from tests.contract.widgets import CRDS, definition


@pytest.mark.parametrize("sub", ["exec", "attach", "portforward", "ephemeralcontainers"])
def test_streams_into_pods_are_not_implemented(kube: Kube, sub: str) -> None:
    kube.until(lambda: kube.find("serviceaccounts", "default"))
    kube.made("pods", pod("p", schedulerName="nobody"))
    status, body = kube.call("POST", kube.path("pods", "p", sub))
    assert (status, body["reason"]) == (501, "NotImplemented")
    assert body["message"] == f"the sandbox's Kubernetes API does not implement pods/{sub}"


@pytest.mark.parametrize(
    ("kind", "spec"), [("resourcequotas", {"hard": {"pods": "1"}}), ("limitranges", {"limits": []})]
)
def test_kinds_that_nothing_would_enforce_are_refused(kube: Kube, kind: str, spec: Any) -> None:
    status, body = kube.create(kind, meta("x") | {"spec": spec})
    assert (status, body["message"].endswith(f"{kind}: nothing would enforce them")) == (501, True)
    assert kube.names(kind) == []


def test_protobuf_is_not_read(kube: Kube) -> None:
    media = "application/vnd.kubernetes.protobuf"
    status, body = kube.call("POST", kube.path("configmaps"), b"k8s\x00", media=media)
    assert (status, body["reason"]) == (415, "UnsupportedMediaType")
    assert "does not read protobuf bodies; send application/json" in body["message"]
    assert kube.call("GET", kube.path("configmaps"), accept=media)[0] == 406


def test_apply_to_a_scale_is_refused(kube: Kube) -> None:
    kube.made("deployments.apps", deployment("web"))
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 1}}
    status, answer = kube.apply("deployments.apps", body, sub="scale")
    assert (status, answer["message"].endswith("server-side apply of scale")) == (501, True)


def test_tokens_bound_to_other_things_than_pods_are_refused(kube: Kube) -> None:
    kube.until(lambda: kube.find("serviceaccounts", "default"))
    bound = {"boundObjectRef": {"kind": "Secret", "name": "x"}}
    assert kube.call("POST", kube.path("serviceaccounts", "default", "token"), {"spec": bound})[0] == 501


def test_webhooks_and_api_services_are_stored_with_a_warning(kube: Kube) -> None:
    hook = {
        "name": "a.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"url": "https://example.com"},
    }  # fmt: skip
    path = kube.cluster_path("validatingwebhookconfigurations.admissionregistration.k8s.io")
    response = kube.request("POST", path, meta(kube.namespace) | {"webhooks": [hook]})
    assert response.headers["warning"] == '299 - "sandbox: admission webhooks are stored, but not called"'
    kube.call("DELETE", f"{path}/{kube.namespace}")
    spec = {"group": "x.example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
    body = meta("v1.x.example.com") | {"spec": spec}
    response = kube.request("POST", kube.cluster_path("apiservices.apiregistration.k8s.io"), body, dryRun="All")
    assert "API services are stored, but no requests are passed on to them" in response.headers["warning"]


def test_rules_in_schemas_are_stored_with_a_warning(kube: Kube) -> None:
    rule = {"rule": "self.a > 1"}
    schema = {"type": "object", "x-kubernetes-validations": [rule], "properties": {"a": {"type": "integer"}}}
    body = definition(f"{kube.namespace}.example.com", schema)
    response = kube.request("POST", kube.cluster_path(CRDS), body, dryRun="All")
    assert response.headers["warning"] == '299 - "sandbox: x-kubernetes-validations are stored, but not evaluated"'


def test_a_list_of_a_moment_that_is_forgotten_is_gone(kube: Kube) -> None:
    old = kube.made("configmaps", configmap("a"))["metadata"]["resourceVersion"]
    kube.made("configmaps", configmap("b"))
    status, body = kube.call("GET", kube.path("configmaps"), resourceVersion=old, resourceVersionMatch="Exact")
    assert (status, body["reason"]) == (410, "Expired")
    assert body["message"] == "The resourceVersion for the provided list is too old."
