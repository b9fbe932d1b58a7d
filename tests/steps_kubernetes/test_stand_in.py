"""The same client and steps against the sandbox's API server and helm, really started."""

import base64
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from sandbox.helm.wrapper import write_wrapper
from sandbox.processes import free_port, spawn, stop, wait_until_listening
from steps import (
    app,
    charts,
    conductor,
    console,
    ingress,
    jobs,
    migration,
    namespace,
    objects,
    sealed_secrets,
)
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.waiting import Pending

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/dbos-app:latest"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`{"endpoint", "ca", "token"}` of a started API server with its controllers; no nodes."""
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    command = [str(PYTHON), "-m", "sandbox.kubernetes", "--dir", str(folder), "--port", str(port), "--cluster", "c"]
    command += ["--account", "123456789012", "--region", "us-west-2", "--aws-endpoint", "http://127.0.0.1:9"]
    process = spawn([*command, "--speed", "max", "--parent-pipe"], log=folder / "log", cwd=ROOT)
    wait_until_listening(port, process, 30)
    config = yaml.safe_load((folder / "admin.kubeconfig").read_text())
    yield {
        "endpoint": f"https://127.0.0.1:{port}",
        "ca": base64.b64encode((folder / "ca.crt").read_bytes()).decode(),
        "token": config["users"][0]["user"]["token"],
    }
    stop(process)


@pytest.fixture
def kube(cluster: dict[str, str]) -> Iterator[Kube]:
    client = Kube(cluster["endpoint"], cluster["ca"], lambda: cluster["token"])
    yield client
    client.close()


@pytest.fixture
def place(kube: Kube, owner: Owner, request: pytest.FixtureRequest) -> str:
    """A namespace for one test."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].rstrip("-")
    return namespace.ensure_namespace(kube, owner, name)


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(str(write_wrapper(tmp_path)))


def until(look: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while isinstance(found := look(), Pending):
        assert time.monotonic() < deadline, found.detail
        time.sleep(0.05)
    return found


def version(kube: Kube, kind: str, name: str, place: str) -> str:
    found = kube.get(kind, name, place)
    assert found is not None
    return str(found["metadata"]["resourceVersion"])


def test_every_manifest_is_accepted_and_applied_again_without_a_change(kube: Kube, owner: Owner, place: str) -> None:
    def apply_all() -> dict[str, str]:
        conductor.ensure_conductor(kube, owner, place, "dbosdev/conductor", 1, True)
        console.ensure_console(kube, owner, place, "dbosdev/console", 1, 8080)
        app.ensure_app(kube, owner, place, IMAGE, 1, None)
        ingress.ensure_ingress(kube, owner, place, "/conductor", "/app")
        migration.ensure_job(kube, owner, place, IMAGE, "dbos_app_role", "1")
        kinds = (("Service", "conductor"), ("Service", "console"), ("Ingress", "dbos-ingress"))
        generations = {}
        for kind, name in (*kinds, ("Deployment", "conductor"), ("Deployment", "dbos-app")):
            found = kube.get(kind, name, place)
            assert found is not None
            generations[f"{kind}/{name}"] = str(
                found["metadata"].get("generation", found["metadata"]["resourceVersion"])
            )
        return generations

    assert apply_all() == apply_all()


def test_fields_of_other_managers_stay(kube: Kube, owner: Owner, place: str) -> None:
    app.ensure_app(kube, owner, place, IMAGE, 1, None)
    kube.patch("Deployment", "dbos-app", place, {"metadata": {"annotations": {"team": "payments"}}})
    app.ensure_app(kube, owner, place, f"{IMAGE}-2", 1, None)
    found = kube.get("Deployment", "dbos-app", place)
    assert found is not None
    assert found["metadata"]["annotations"]["team"] == "payments"
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}-2"
    managers = {each["manager"] for each in found["metadata"]["managedFields"] if each["operation"] == "Apply"}
    assert managers == {"podium"}


def test_a_field_no_longer_applied_is_taken_away(kube: Kube, owner: Owner, place: str) -> None:
    console.ensure_console(kube, owner, place, "dbosdev/console", 1, 80)
    console.ensure_console(kube, owner, place, "dbosdev/console", 1, 8080)
    found = kube.get("Deployment", "console", place)
    assert found is not None
    assert objects.container(found)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert [port["containerPort"] for port in objects.container(found)["ports"]] == [8080]


def test_an_object_the_api_does_not_accept_is_named_with_its_field(kube: Kube, owner: Owner, place: str) -> None:
    with pytest.raises(PodiumError) as caught:
        console.ensure_console(kube, owner, place, "dbosdev/console", 1, 99_999)
    assert caught.value.code is Code.KUBERNETES_REJECTED
    assert "Deployment" in caught.value.message
    assert "containerPort" in caught.value.message


def test_an_unknown_field_is_named_and_nothing_is_made(kube: Kube, place: str) -> None:
    """As at a real API server: tests/cluster/test_manifests.py."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "typo", "namespace": place}, "dota": {}}
    for write in (kube.apply, kube.create):
        with pytest.raises(PodiumError, match='unknown field "dota"') as caught:
            write(manifest)
        assert caught.value.code is Code.KUBERNETES_REJECTED
    assert kube.get("ConfigMap", "typo", place) is None


def test_creating_what_exists_is_a_conflict(kube: Kube, owner: Owner, place: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": place}}
    kube.create(manifest)
    with pytest.raises(PodiumError) as caught:
        kube.create(manifest)
    assert caught.value.code is Code.KUBERNETES_CONFLICT


def test_a_wrong_token_is_access_denied(cluster: dict[str, str]) -> None:
    client = Kube(cluster["endpoint"], cluster["ca"], lambda: "wrong")
    with pytest.raises(PodiumError) as caught:
        client.get("Namespace", "default")
    client.close()
    assert caught.value.code is Code.KUBERNETES_ACCESS_DENIED


def test_a_service_without_pods_is_unavailable(kube: Kube, owner: Owner, place: str) -> None:
    conductor.ensure_conductor(kube, owner, place, "dbosdev/conductor", 1, True)
    with pytest.raises(PodiumError) as caught:
        kube.service_request(place, "conductor", 8090, "GET", "/healthz")
    assert caught.value.code is Code.KUBERNETES_UNAVAILABLE


def test_a_deployment_without_nodes_says_that_it_is_unschedulable(kube: Kube, owner: Owner, place: str) -> None:
    conductor.ensure_conductor(kube, owner, place, "dbosdev/conductor", 1, True)
    deadline = time.monotonic() + 10
    while "Unschedulable" not in (found := conductor.await_conductor(kube, place)).detail:  # type: ignore[union-attr]
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_failed_job_is_started_again_by_a_retry(
    kube: Kube, owner: Owner, place: str, cluster: dict[str, str]
) -> None:
    manifest = objects.load("migration", owner, place)["Job"]
    manifest["spec"]["backoffLimit"] = 0
    objects.container(manifest)["image"] = IMAGE
    job = jobs.ensure_job(kube, owner, manifest)
    pod = until(lambda: next(iter(kube.list("Pod", place, labels={"job-name": job})), Pending("no pod yet")))
    fail(cluster, place, pod["metadata"]["name"])
    with pytest.raises(PodiumError, match="BackoffLimitExceeded"):
        until(lambda: migration.await_job(kube, place, job))
    assert migration.await_job(kube, place, job) == Pending(f"Job {job} failed before: started again")
    names = [each["metadata"]["name"] for each in kube.list("Job", place, labels={jobs.LABEL_JOB: job})]
    assert sorted(names) == [job, f"{job}-2"]
    assert until(lambda: next(iter(kube.list("Pod", place, labels={"job-name": f"{job}-2"})), Pending("no pod yet")))


def fail(cluster: dict[str, str], place: str, pod: str) -> None:
    """What a kubelet reports of a pod that ended with an error."""
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["ca"]).decode())
    answer = httpx2.patch(
        f"{cluster['endpoint']}/api/v1/namespaces/{place}/pods/{pod}/status",
        content='{"status": {"phase": "Failed"}}',
        headers={"Authorization": f"Bearer {cluster['token']}", "Content-Type": "application/merge-patch+json"},
        verify=context,
    )
    answer.raise_for_status()


def test_a_namespace_goes_with_everything_in_it(kube: Kube, owner: Owner, place: str) -> None:
    conductor.ensure_conductor(kube, owner, place, "dbosdev/conductor", 1, True)
    namespace.delete_namespace(kube, owner, place)
    assert until(lambda: namespace.await_namespace_deleted(kube, place)) == {"deleted": True}
    assert kube.get("Deployment", "conductor", place) is None


def test_releases_are_installed_once_and_removed(kube: Kube, owner: Owner, helm: Helm) -> None:
    first = charts.ensure_release(kube, owner, "sealed-secrets", helm=helm)
    assert first == {"release": "sealed-secrets", "version": "2.19.3", "revision": 1}
    assert charts.ensure_release(kube, owner, "sealed-secrets", helm=helm) == first
    assert isinstance(charts.await_release(kube, "sealed-secrets"), Pending)
    charts.delete_release(kube, owner, helm, "sealed-secrets")
    assert until(lambda: charts.await_release_deleted(kube, "sealed-secrets")) == {"deleted": True}
    assert kube.get("CustomResourceDefinition", "sealedsecrets.bitnami.com") is None


def test_a_removal_begun_again_still_waits_for_what_is_going(kube: Kube, owner: Owner, helm: Helm) -> None:
    """Who dies after the step and before its checkpoint does it again, and has to wait all the same."""
    charts.ensure_release(kube, owner, "sealed-secrets", helm=helm)
    assert charts.delete_release(kube, owner, helm, "sealed-secrets")
    assert charts.delete_release(kube, owner, helm, "sealed-secrets")
    assert until(lambda: charts.await_release_deleted(kube, "sealed-secrets")) == {"deleted": True}
    assert not charts.delete_release(kube, owner, helm, "sealed-secrets")


def test_the_ingress_controller_gets_a_load_balancer_with_long_timeouts(kube: Kube, owner: Owner, helm: Helm) -> None:
    charts.ensure_release(kube, owner, "ingress-nginx", helm=helm)
    service = kube.get("Service", "ingress-nginx-controller", "ingress-nginx")
    assert service is not None
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"][charts.ELB_IDLE_TIMEOUT] == "3600"


def test_sealed_secrets_can_be_shown_as_they_would_stand_in_git(kube: Kube) -> None:
    assert sealed_secrets.manifests(kube, "default") == []
