"""The official Python client against the server: what it sends and what it makes of the answers."""

from collections.abc import Iterator

import pytest
from kubernetes import client as k8s
from kubernetes import config, dynamic, watch

from tests.contract.kube import Kube
from tests.contract.objects import configmap, deployment
from tests.contract.server import ApiServer


@pytest.fixture(scope="module")
def library(server: ApiServer) -> Iterator[k8s.ApiClient]:
    """The client, configured from admin.kubeconfig."""
    with config.new_client_from_config(str(server.kubeconfig)) as opened:
        yield opened


def test_typed_calls_round_trip(library: k8s.ApiClient, kube: Kube) -> None:
    apps = k8s.AppsV1Api(library)
    made = apps.create_namespaced_deployment(kube.namespace, deployment("web"))
    assert made.spec.strategy.type == "RollingUpdate"
    read = apps.read_namespaced_deployment("web", kube.namespace)
    read.metadata.annotations = {"a": "b"}
    read.metadata.resource_version = None  # a controller may have written since
    replaced = apps.replace_namespaced_deployment("web", kube.namespace, read)
    assert replaced.metadata.annotations["a"] == "b"
    gone = apps.delete_namespaced_deployment("web", kube.namespace, propagation_policy="Background")
    assert gone["status"] == "Success"


def test_errors_carry_the_status(library: k8s.ApiClient, kube: Kube) -> None:
    with pytest.raises(k8s.ApiException) as caught:
        k8s.CoreV1Api(library).read_namespaced_secret("none", kube.namespace)
    assert caught.value.status == 404
    assert '"reason":"NotFound"' in caught.value.body


def test_the_dynamic_client_finds_resources_and_applies(library: k8s.ApiClient, kube: Kube) -> None:
    found = dynamic.DynamicClient(library).resources.get(api_version="v1", kind="ConfigMap")
    body = configmap("c", a="1")
    applied = found.server_side_apply(body, name="c", namespace=kube.namespace, field_manager="podium")
    assert applied.data.to_dict() == {"a": "1"}


def test_watches_stream_typed_objects(library: k8s.ApiClient, kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    stream = watch.Watch().stream(
        k8s.CoreV1Api(library).list_namespaced_config_map,
        kube.namespace,
        field_selector="metadata.name=c",
        timeout_seconds=1,
    )
    events = [(event["type"], event["object"].metadata.name) for event in stream]
    assert events == [("ADDED", "c")]


def test_the_version_is_parsed(library: k8s.ApiClient) -> None:
    assert k8s.VersionApi(library).get_code().minor.rstrip("+") == "34"
