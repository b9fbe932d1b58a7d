"""Going back to the generation before: the very template, the very ReplicaSet, and nothing else of the Deployment."""

from collections.abc import Iterator
from typing import Any

import pytest

from steps import rollback
from steps.clients.kubernetes import Kube as Client
from steps.errors import PodiumError
from steps.names import Owner
from tests.contract.kube import Kube
from tests.contract.kubelet import pods_of, run_all
from tests.contract.objects import deployment
from tests.contract.server import ApiServer

APPS, SETS = "deployments.apps", "replicasets.apps"
OWNER = Owner("contract", "operation-1")


@pytest.fixture
def product(server: ApiServer) -> Iterator[Client]:
    """The product's client."""
    client = Client(server.url, server.authority, lambda: server.token)
    yield client
    client.close()


def manifest(place: str, image: str, **env: str) -> dict[str, Any]:
    found = deployment("web", replicas=1)
    found |= {"apiVersion": "apps/v1", "kind": "Deployment"}
    found["metadata"] |= {"namespace": place, "labels": {"podium/installation": "contract"}}
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["image"] = image
    container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    return found


def rolled_out(kube: Kube, product: Client, image: str, **env: str) -> dict[str, str]:
    """Applied, its pods running; the healthy generation."""
    product.apply(manifest(kube.namespace, image, **env))

    def healthy() -> dict[str, str] | None:
        for pod in kube.items("pods", labelSelector="app=web"):
            if pod["spec"]["containers"][0]["image"] == image and "podIP" not in pod["status"]:
                run_all(kube, f"pod-template-hash={pod['metadata']['labels']['pod-template-hash']}")
        found = rollback.healthy_generation(product, kube.namespace, "web")
        return found if found and found["image"] == image else None

    found: dict[str, str] = kube.until(healthy)
    return found


def test_the_deployment_goes_back_to_the_very_template_and_replica_set(kube: Kube, product: Client) -> None:
    first = rolled_out(kube, product, "example/app:1", A="1")
    before = kube.get(APPS, "web")["spec"]["template"]
    product.patch("Deployment", "web", kube.namespace, {"metadata": {"annotations": {"team": "payments"}}})
    product.apply(manifest(kube.namespace, "example/app:broken", A="2", B="new"))
    kube.until(lambda: len(kube.items(SETS)) == 2)
    assert rollback.healthy_generation(product, kube.namespace, "web") is None
    rollback.roll_back(product, OWNER, kube.namespace, "web", first["replica_set"])

    found = kube.get(APPS, "web")
    assert found["spec"]["template"] == before
    assert found["metadata"]["annotations"]["team"] == "payments"
    assert found["spec"]["replicas"] == 1
    pods_of(kube, "app=web")
    back = kube.until(lambda: rollback.healthy_generation(product, kube.namespace, "web"))
    assert (back["replica_set"], back["image"]) == (first["replica_set"], "example/app:1")
    assert int(back["revision"]) > int(first["revision"])
    assert len(kube.items(SETS)) == 2


def test_after_going_back_the_next_generation_is_applied_as_always(kube: Kube, product: Client) -> None:
    first = rolled_out(kube, product, "example/app:1", A="1")
    product.apply(manifest(kube.namespace, "example/app:broken", A="2", B="new"))
    kube.until(lambda: len(kube.items(SETS)) == 2)
    rollback.roll_back(product, OWNER, kube.namespace, "web", first["replica_set"])
    third = rolled_out(kube, product, "example/app:3", A="3")
    assert third["replica_set"] != first["replica_set"]
    container = kube.get(APPS, "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "A", "value": "3"}]


def test_a_generation_that_is_gone_is_said_to_be(kube: Kube, product: Client) -> None:
    product.apply(manifest(kube.namespace, "example/app:1"))
    with pytest.raises(PodiumError, match="ReplicaSet web-none is not there any more"):
        rollback.roll_back(product, OWNER, kube.namespace, "web", "web-none")
    assert rollback.healthy_generation(product, kube.namespace, "other") is None
