"""What each step applies, as golden files: `UPDATE_GOLDEN=1 pytest …` writes them anew, for a person to read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from steps import app, autoscaling, conductor, console, ingress, migration, namespace
from steps.clients.kubernetes import Kube
from steps.names import Owner
from tests.steps_kubernetes.recorded_api import RecordedApi

GOLDEN = Path(__file__).parent / "golden"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/dbos-app:latest"
CASES: dict[str, Callable[[Kube, Owner], Any]] = {
    "namespace": lambda kube, owner: namespace.ensure_namespace(kube, owner, "dbos"),
    "conductor": lambda kube, owner: conductor.ensure_conductor(kube, owner, "dbos", "dbosdev/conductor", 1, True),
    "conductor-evaluation": lambda kube, owner: conductor.ensure_conductor(kube, owner, "x", "c:1", 2, False),
    "console": lambda kube, owner: console.ensure_console(kube, owner, "dbos", "dbosdev/console", 1, 8080),
    "console-port-80": lambda kube, owner: console.ensure_console(kube, owner, "dbos", "dbosdev/console:old", 1, 80),
    "app": lambda kube, owner: app.ensure_app(kube, owner, "dbos", IMAGE, 1, None, "hash-1", app_name="payments"),
    "migration": lambda kube, owner: migration.ensure_job(kube, owner, "dbos", IMAGE, "dbos_app_role", "operation-1"),
    "ingress": lambda kube, owner: ingress.ensure_ingress(kube, owner, "dbos", "/conductor", "/app"),
    "autoscaling": lambda kube, owner: autoscaling.ensure_scaled_object(
        kube, owner, "dbos", "taskQueue", 2, 1, 10, 15, 60
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_manifests_are_applied_as_in_the_golden_file(api: RecordedApi, kube: Kube, owner: Owner, name: str) -> None:
    CASES[name](kube, owner)
    check_golden(name, api.applied)


def check_golden(name: str, applied: list[dict[str, Any]]) -> None:
    """Compare with the golden file, or write it when UPDATE_GOLDEN is set."""
    text = yaml.safe_dump_all(applied, sort_keys=False)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("name", CASES)
def test_every_object_says_whose_it_is(api: RecordedApi, kube: Kube, owner: Owner, name: str) -> None:
    CASES[name](kube, owner)
    for each in api.applied:
        assert (
            each["metadata"]["labels"].items()
            >= {
                "app.kubernetes.io/managed-by": "podium",
                "podium/installation": "dbos-conductor",
            }.items()
        )


@pytest.mark.parametrize("name", ["conductor", "console", "app", "migration"])
def test_pods_meet_the_restricted_pod_security_standard(api: RecordedApi, kube: Kube, owner: Owner, name: str) -> None:
    CASES[name](kube, owner)
    spec = api.applied[0]["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {volume.get("emptyDir") is not None or "configMap" in volume for volume in spec["volumes"]} == {True}
    for container in spec["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_what_a_component_no_longer_has_is_pruned(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    ingress.ensure_ingress(kube, owner, "dbos", "/conductor", "/app")
    ingress.delete_ingress(kube, owner, "dbos")
    assert not [path for path in api.objects if "ingresses" in path]


def test_an_autoscaled_application_keeps_its_number_of_pods(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    app.ensure_app(kube, owner, "dbos", IMAGE, 1, None, "hash-1")
    kube.patch("Deployment", "dbos-app", "dbos", {"spec": {"replicas": 7}})
    app.ensure_app(kube, owner, "dbos", IMAGE, None, None, "hash-2")
    deployment = kube.get("Deployment", "dbos-app", "dbos")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 7
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {"podium/secrets-hash": "hash-2"}
