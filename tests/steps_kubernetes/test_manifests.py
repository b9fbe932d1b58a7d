"""What each step applies, as golden files: `UPDATE_GOLDEN=1 pytest …` writes them anew, for a person to read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from steps import app, autoscaling, conductor, console, ingress, migration, namespace, objects
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
    "app": lambda kube, owner: app.ensure_app(kube, owner, "dbos", IMAGE, 1, None, app_name="payments"),
    "migration": lambda kube, owner: migration.ensure_job(kube, owner, "dbos", IMAGE, "dbos_app_role", "operation-1"),
    "ingress": lambda kube, owner: ingress.ensure_ingress(kube, owner, "dbos", "/conductor", "/app"),
    "autoscaling": lambda kube, owner: autoscaling.ensure_scaled_object(
        kube, owner, "dbos", "taskQueue", 2, 1, 10, 15, 60
    ),
}
PODS = {name: CASES[name] for name in ("conductor", "conductor-evaluation", "console", "app", "migration")} | {
    # As it is applied: steps/databases.py changes names, variables and the ConfigMap's name only.
    "databases": lambda kube, owner: kube.apply(objects.load("databases", owner, "dbos")["Job"])
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


def pods_of(applied: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pod specs of the Deployments and Jobs that were applied."""
    return [each["spec"]["template"]["spec"] for each in applied if each["kind"] in ("Deployment", "Job")]


@pytest.mark.parametrize("name", PODS)
def test_pods_meet_the_restricted_pod_security_standard(api: RecordedApi, kube: Kube, owner: Owner, name: str) -> None:
    """Field by field, after the Kubernetes documentation's "Pod Security Standards"."""
    PODS[name](kube, owner)
    (spec,) = pods_of(api.applied)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers"}
    assert {kind for volume in spec["volumes"] for kind in volume.keys() - {"name"}} <= {"emptyDir", "configMap"}
    for container in spec["containers"]:
        assert container["securityContext"].keys() <= {
            "allowPrivilegeEscalation",
            "readOnlyRootFilesystem",
            "capabilities",
        }
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert all("hostPort" not in port for port in container.get("ports", []))


@pytest.mark.parametrize("name", PODS)
def test_pods_get_no_token_of_the_cluster_and_write_to_tmp_only(
    api: RecordedApi, kube: Kube, owner: Owner, name: str
) -> None:
    PODS[name](kube, owner)
    (spec,) = pods_of(api.applied)
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    # The Console's image writes its configuration at start: steps/manifests/console.yaml.
    assert container["securityContext"].get("readOnlyRootFilesystem", False) is (name != "console")
    writable = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"tmp": "/tmp"}  # noqa: S108 - where the container's own is mounted
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]


def test_a_console_that_starts_as_root_meets_the_baseline_standard(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    CASES["console-port-80"](kube, owner)
    (spec,) = pods_of(api.applied)
    (container,) = spec["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert set(container["securityContext"]["capabilities"]["add"]) <= {
        *("CHOWN", "NET_BIND_SERVICE", "SETGID", "SETUID"),
    }


@pytest.mark.parametrize(("port", "standard"), [(8080, "restricted"), (80, "baseline")])
def test_the_namespace_enforces_the_standard_that_its_pods_meet(
    api: RecordedApi, kube: Kube, owner: Owner, port: int, standard: str
) -> None:
    namespace.ensure_namespace(kube, owner, "dbos", allow_root=console.needs_root(port))
    labels = api.applied[0]["metadata"]["labels"]
    prefix = "pod-security.kubernetes.io"
    assert {key: value for key, value in labels.items() if key.startswith(prefix)} == {
        f"{prefix}/enforce": standard,
        f"{prefix}/enforce-version": "v1.34",
        f"{prefix}/warn": "restricted",
        f"{prefix}/warn-version": "latest",
        f"{prefix}/audit": "restricted",
        f"{prefix}/audit-version": "latest",
    }


def test_what_a_component_no_longer_has_is_pruned(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    ingress.ensure_ingress(kube, owner, "dbos", "/conductor", "/app")
    ingress.delete_ingress(kube, owner, "dbos")
    assert not [path for path in api.objects if "ingresses" in path]


def test_an_autoscaled_application_keeps_its_number_of_pods(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    app.ensure_app(kube, owner, "dbos", IMAGE, 1, None)
    kube.patch("Deployment", "dbos-app", "dbos", {"spec": {"replicas": 7}})
    app.ensure_app(kube, owner, "dbos", IMAGE, None, None)
    deployment = kube.get("Deployment", "dbos-app", "dbos")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 7
