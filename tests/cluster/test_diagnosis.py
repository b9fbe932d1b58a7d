"""What Podium says of pods that do not start, with a real scheduler, real controllers and pods that really run.

The steps look as an install looks, again and again, and end with the error or with what they wait for.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.processes import free_port
from steps import jobs, objects, pods, rollout
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, Fault, PodiumError
from steps.names import Owner
from steps.waiting import Pending
from tests.cluster.conftest import NODE
from tests.cluster.planes import Plane, until
from tests.cluster.workloads import container, deployment, namespace, web

OWNER = Owner("diagnosis-tests", "operation-1")
URL = "postgresql://admin:canary-1@db.internal:5432/app"


@pytest.fixture
def place(control_plane: Plane, nodes: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test, in a cluster with one node."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))
    with namespace(control_plane, name[:50].strip("-")) as made:
        yield made


@pytest.fixture
def faults(nodes: Path) -> Iterator[Callable[[dict[str, str]], None]]:
    """Sets the faults of the node: a regular expression on the image -> a fault."""

    def set_them(rules: dict[str, str]) -> None:
        (nodes / "faults.json").write_text(json.dumps(rules))

    yield set_them
    set_them({})


def seen(kube: Kube, place: str, name: str, wanted: str) -> None:
    """The wait shows these words while it waits."""
    shown: list[str] = []

    def shows() -> bool:
        result = rollout.await_deployment(kube, place, name)
        shown.append(result.detail if isinstance(result, Pending) else str(result))
        return wanted in shown[-1]

    try:
        until(shows)
    except AssertionError as error:
        raise AssertionError(sorted(set(shown))) from error


def failure(look: Callable[[], Any]) -> PodiumError:
    """The error in which the wait ends."""
    shown: list[object] = []

    def fails() -> bool:
        try:
            shown.append(look())
        except PodiumError as error:
            shown.append(error)
            return True
        return False

    try:
        until(fails, 40)
    except AssertionError as late:
        raise AssertionError(shown[-1]) from late
    ending = shown[-1]
    assert isinstance(ending, PodiumError)
    return ending


def deployment_failure(kube: Kube, place: str, name: str = "app") -> PodiumError:
    return failure(lambda: rollout.await_deployment(kube, place, name))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"resources": {"requests": {"cpu": "64"}}}, "0/1 nodes are available: 1 Insufficient cpu."),
        ({"resources": {"requests": {"memory": "64Gi"}}}, "0/1 nodes are available: 1 Insufficient memory."),
    ],
    ids=["cpu", "memory"],
)
def test_no_room(kube: Kube, place: str, monkeypatch: pytest.MonkeyPatch, spec: Object, said: str) -> None:
    kube.apply(deployment(place, "app", web(**spec)))
    seen(kube, place, "app", f"app: Unschedulable: {said}")
    monkeypatch.setattr(pods, "SCHEDULING_SECONDS", 1)
    error = deployment_failure(kube, place)
    assert (error.code, error.fault, error.retryable) == (Code.WORKLOAD_FAILED, Fault.USER, True)
    assert f"finds no room: {said}" in error.message
    assert "nodes.instance_type" in error.remedy


def test_a_taint_that_nobody_tolerates(kube: Kube, place: str) -> None:
    kube.patch("Node", NODE, None, {"spec": {"taints": [{"key": "only", "value": "others", "effect": "NoSchedule"}]}})
    try:
        kube.apply(deployment(place, "app", web()))
        seen(kube, place, "app", "Unschedulable: 0/1 nodes are available: 1 node(s) had untolerated taint(s)")
    finally:
        kube.patch("Node", NODE, None, {"spec": {"taints": None}})
    until(lambda: rollout.await_deployment(kube, place, "app") == {"ready": 1})


def test_no_nodes_yet(tmp_path: Path) -> None:
    plane = Plane(tmp_path / "cluster")
    plane.directory.mkdir()
    plane.start(free_port(), "nodeless")
    client = plane.client()
    try:
        with namespace(plane, "dbos") as place:
            client.apply(deployment(place, "app", web()))
            seen(client, place, "app", "Unschedulable: no nodes available to schedule pods")
    finally:
        client.close()
        plane.stop()


def test_an_image_that_is_not_there(kube: Kube, place: str) -> None:
    kube.apply(deployment(place, "app", web() | {"image": "registry.example/app:missing"}))
    error = deployment_failure(kube, place)
    assert (error.code, error.fault) == (Code.IMAGE_PULL_FAILED, Fault.USER)
    assert "cannot pull the image registry.example/app:missing: ImagePullBackOff: " in error.message
    assert 'failed to pull and unpack image "registry.example/app:missing": not found' in error.message
    assert "Push the image" in error.remedy


def test_a_name_that_is_no_image(kube: Kube, place: str) -> None:
    kube.apply(deployment(place, "app", web() | {"image": "registry.example/App:1"}))
    error = deployment_failure(kube, place)
    assert error.code is Code.IMAGE_PULL_FAILED
    assert "InvalidImageName" in error.message


def test_a_crash_loop_shows_the_last_lines_without_secrets_and_a_retry_starts_afresh(kube: Kube, place: str) -> None:
    script = f"echo connecting to {URL}; echo DBOS_CONDUCTOR_KEY=canary-2; echo 'FATAL: no such host' >&2; exit 3"
    kube.apply(deployment(place, "app", container(script=script)))
    error = deployment_failure(kube, place)
    assert error.code is Code.WORKLOAD_FAILED
    assert "keeps ending with exit code 3 (Error); its last lines:\n" in error.message
    assert error.message.endswith("\nFATAL: no such host")
    assert "connecting to postgresql://admin:[hidden]@db.internal:5432/app" in error.message
    assert "canary" not in error.message
    [reported] = kube.list("Pod", place, labels={"app": "app"})
    seen(kube, place, "app", f"starting pod {reported['metadata']['name']} afresh")
    until(lambda: reported["metadata"]["uid"] not in _uids(kube, place))


def _uids(kube: Kube, place: str) -> set[str]:
    return {item["metadata"]["uid"] for item in kube.list("Pod", place, labels={"app": "app"})}


def test_a_program_that_the_image_does_not_have(kube: Kube, place: str) -> None:
    kube.apply(deployment(place, "app", container() | {"command": ["serve-nothing"]}))
    error = deployment_failure(kube, place)
    assert 'exit code 128 (StartError): exec: "serve-nothing": executable file not found in $PATH' in error.message


def test_a_readiness_probe_that_fails(kube: Kube, place: str, faults: Callable[[dict[str, str]], None]) -> None:
    faults({"faulty-readiness/coredns": "Unready"})
    answering = {"httpGet": {"path": "/ready", "port": "web"}}
    kube.apply(deployment(place, "app", web(readinessProbe=answering) | {"image": "faulty-readiness/coredns:1"}))
    seen(kube, place, "app", "not ready: Readiness probe failed: HTTP probe failed with statuscode: 503")
    faults({})
    until(lambda: rollout.await_deployment(kube, place, "app") == {"ready": 1})


def test_a_readiness_probe_at_a_port_where_nobody_listens(kube: Kube, place: str) -> None:
    ports: Object = {
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
    }
    kube.apply(deployment(place, "app", container(script="sleep 600", **ports)))
    seen(kube, place, "app", 'not ready: Readiness probe failed: Get "http://192.168.')
    seen(kube, place, "app", ":8080: connect: connection refused")


def test_a_liveness_probe_that_has_the_container_killed(kube: Kube, place: str) -> None:
    command = ["sh", "-c", "echo no heart beat; exit 1"]
    probe = {"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 1}
    ready: Object = {"readinessProbe": {"exec": {"command": ["true"]}}, "livenessProbe": probe}
    kube.apply(deployment(place, "app", container(script="echo working; exec sleep 600", **ready)))
    error = deployment_failure(kube, place)
    assert "exit code 143 (Error): Liveness probe failed: no heart beat; its last lines:\nworking" in error.message


def test_a_startup_probe_that_never_succeeds(kube: Kube, place: str) -> None:
    probe = {"exec": {"command": ["cat", "started"]}, "periodSeconds": 1, "failureThreshold": 1}
    kube.apply(deployment(place, "app", container(script="exec sleep 600", startupProbe=probe)))
    error = deployment_failure(kube, place)
    assert "exit code 143 (Error): Startup probe failed: cat: started: No such file or directory" in error.message


def test_memory_that_is_not_enough(kube: Kube, place: str) -> None:
    script = "echo filling; x=$(head -c 30000000 /dev/zero | tr '\\0' x); read -r line < <(sleep 60)"
    kube.apply(deployment(place, "app", container(script=script, resources={"limits": {"memory": "16Mi"}})))
    error = deployment_failure(kube, place)
    assert "keeps ending with exit code 137 (OOMKilled); its last lines:\nfilling" in error.message
    assert "memory" in error.remedy


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ({"name": "gone", "key": "k"}, 'secret "gone" not found'),
        ({"name": "there", "key": "other"}, "couldn't find key other in Secret"),
    ],
    ids=["secret", "key"],
)
def test_a_missing(
    kube: Kube, place: str, monkeypatch: pytest.MonkeyPatch, reference: dict[str, str], said: str
) -> None:
    kube.apply(_secret(place, "there"))
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": reference}}]
    kube.apply(deployment(place, "app", web(env=env)))
    seen(kube, place, "app", f"app: CreateContainerConfigError: {said}")
    monkeypatch.setattr(pods, "CONFIGURATION_SECONDS", 1)
    error = deployment_failure(kube, place)
    assert error.code is Code.WORKLOAD_FAILED
    assert f"cannot be set up: CreateContainerConfigError: {said}" in error.message
    assert "in the namespace" in error.remedy


def test_a_secret_to_mount_that_comes_late(kube: Kube, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    volumes = [{"name": "v", "secret": {"secretName": "late"}}]
    kube.apply(deployment(place, "app", web(**mount), volumes=volumes))
    seen(kube, place, "app", 'app: MountVolume.SetUp failed: secret "late" not found')
    with monkeypatch.context() as impatient:
        impatient.setattr(pods, "CONFIGURATION_SECONDS", 1)
        error = deployment_failure(kube, place)
    assert 'cannot be set up: MountVolume.SetUp failed: secret "late" not found' in error.message
    kube.apply(_secret(place, "late"))
    until(lambda: rollout.await_deployment(kube, place, "app") == {"ready": 1})


def _secret(place: str, name: str) -> Object:
    metadata = {"name": name, "namespace": place}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"k": "v"}}


def test_pods_that_admission_refuses(kube: Kube, place: str) -> None:
    kube.patch("Namespace", place, None, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    kube.apply(deployment(place, "app", web()))
    seen(kube, place, "app", 'violates PodSecurity "restricted:latest"')
    jobs.ensure_job(kube, OWNER, _job(place, "refused", container(script="true")))
    until(lambda: 'violates PodSecurity "restricted:latest"' in str(jobs.await_job(kube, place, "refused")))


def _job(place: str, name: str, contents: Object, **spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [contents], **spec}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": place, "labels": objects.labels(OWNER, name)},
        "spec": {"backoffLimit": 0, "template": template},
    }


def job_failure(kube: Kube, place: str, name: str) -> PodiumError:
    return failure(lambda: jobs.await_job(kube, place, name))


def test_a_job_that_fails_shows_its_last_lines_and_a_retry_runs_it_again(kube: Kube, place: str) -> None:
    script = f"echo migrating; echo 'could not connect to {URL}' >&2; exit 2"
    jobs.ensure_job(kube, OWNER, _job(place, "migrate", container(script=script)))
    error = job_failure(kube, place, "migrate")
    assert (error.code, error.retryable) == (Code.JOB_FAILED, True)
    assert "BackoffLimitExceeded: Job has reached the specified backoff limit (exit code 2, Error)" in error.message
    assert error.message.endswith("migrating\ncould not connect to postgresql://admin:[hidden]@db.internal:5432/app")
    assert isinstance(jobs.await_job(kube, place, "migrate"), Pending)
    until(lambda: kube.get("Job", "migrate-2", place) is not None)


def test_a_job_whose_first_container_fails_shows_that_ones_lines(kube: Kube, place: str) -> None:
    first = container(script="echo waiting for the database; exit 5") | {"name": "first"}
    jobs.ensure_job(kube, OWNER, _job(place, "ordered", container(script="true"), initContainers=[first]))
    error = job_failure(kube, place, "ordered")
    assert "(exit code 5, Error); its last lines:\nwaiting for the database" in error.message


def test_a_job_that_runs_out_of_memory_asks_for_memory(kube: Kube, place: str) -> None:
    script = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); read -r line < <(sleep 60)"
    limited = container(script=script, resources={"limits": {"memory": "16Mi"}})
    jobs.ensure_job(kube, OWNER, _job(place, "hungry", limited))
    error = job_failure(kube, place, "hungry")
    assert "(exit code 137, OOMKilled)" in error.message
    assert "raise the limit" in error.remedy


def test_a_jobs_pod_that_cannot_start_is_told_before_the_job_fails(kube: Kube, place: str) -> None:
    jobs.ensure_job(kube, OWNER, _job(place, "unpulled", container("registry.example/migrate:missing")))
    error = job_failure(kube, place, "unpulled")
    assert error.code is Code.IMAGE_PULL_FAILED
    assert "registry.example/migrate:missing" in error.message


def test_a_job_that_completes_is_not_diagnosed(kube: Kube, place: str) -> None:
    jobs.ensure_job(kube, OWNER, _job(place, "fine", container(script="echo done")))
    until(lambda: jobs.await_job(kube, place, "fine") == {"succeeded": 1, "tries": 1})
