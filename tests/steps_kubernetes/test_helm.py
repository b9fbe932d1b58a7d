"""The helm client, with scripts in helm's place that show what they were given; and whose a release is."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from steps import charts
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi

SERVICE = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller"
RELEASE = "/api/v1/namespaces/kube-system/secrets/sh.helm.release.v1.sealed-secrets.v1"


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    return tmp_path / "seen"


def script(folder: Path, body: str) -> Helm:
    path = folder / "helm"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return Helm(str(path), timeout_seconds=5)


def recording(folder: Path, seen: Path) -> Helm:
    """Notes arguments, environment and the files it was given; answers as helm does."""
    seen.mkdir()
    return script(
        folder,
        f'echo "$@" >> {seen}/arguments; env > {seen}/environment\n'
        'while [ $# -gt 0 ]; do case "$1" in\n'
        f'  --kubeconfig) cp -p "$2" {seen}/kubeconfig;; --values) cp "$2" {seen}/values;; esac; shift; done\n'
        """echo '{"name": "x", "version": 3}'""",
    )


def test_values_and_credentials_are_files_that_are_gone_afterwards(
    kube: Kube, tmp_path: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    helm = recording(tmp_path, seen)
    revision = helm.upgrade_install(kube, "r", "c", "https://charts.example", "1.2.3", "ns", {"a": {"b": "1"}})
    arguments = (seen / "arguments").read_text().split()
    assert revision == 3
    assert arguments[:7] == ["upgrade", "--install", "r", "c", "--repo", "https://charts.example", "--version"]
    assert yaml.safe_load((seen / "values").read_text()) == {"a": {"b": "1"}}
    assert stat.S_IMODE((seen / "kubeconfig").stat().st_mode) == 0o600
    assert not Path(arguments[arguments.index("--kubeconfig") + 1]).exists()
    assert "canary" not in (seen / "environment").read_text()
    assert kube.fresh_token() not in " ".join(arguments)


def test_a_missing_binary_says_what_to_do(kube: Kube) -> None:
    with pytest.raises(PodiumError) as caught:
        Helm("/nowhere/helm").uninstall(kube, "r", "ns")
    assert caught.value.code is Code.HELM_FAILED
    assert not isinstance(caught.value, TransientError)
    assert "PODIUM_HELM" in caught.value.remedy


def test_a_failure_is_told_in_helms_words_without_secrets(kube: Kube, tmp_path: Path) -> None:
    helm = script(tmp_path, 'echo "Error: repo https://u:canary@charts.example is not reachable" >&2; exit 1')
    with pytest.raises(TransientError, match="helm uninstall failed: Error: repo") as caught:
        helm.uninstall(kube, "r", "ns")
    assert caught.value.code is Code.HELM_FAILED
    assert "canary" not in caught.value.message


def test_a_helm_that_hangs_is_ended(kube: Kube, tmp_path: Path) -> None:
    slow = script(tmp_path, "exec sleep 30")
    with pytest.raises(TransientError, match="no end after"):
        Helm(slow.binary, timeout_seconds=0.2).uninstall(kube, "r", "ns")


def test_an_answer_that_is_no_release_is_a_failure(kube: Kube, tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="not the JSON of a release"):
        script(tmp_path, "echo hello").upgrade_install(kube, "r", "c", "https://x", "1.0.0", "ns", {})


def put_release(api: RecordedApi, status: str, revision: int = 1) -> None:
    labels = {"owner": "helm", "name": "sealed-secrets", "status": status, "version": str(revision)}
    path = RELEASE.removesuffix("1") + str(revision)
    api.objects[path] = {"metadata": {"name": path.rpartition("/")[2], "labels": labels}}


def test_somebody_elses_release_is_left_alone(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    put_release(api, "deployed")
    with pytest.raises(PodiumError) as caught:
        charts.ensure_release(kube, owner, "sealed-secrets", helm=Helm("/nowhere/helm"))
    charts.delete_release(kube, owner, Helm("/nowhere/helm"), "sealed-secrets")
    assert caught.value.code is Code.NAME_TAKEN
    assert "helm uninstall sealed-secrets -n kube-system" in caught.value.remedy
    assert RELEASE in api.objects


def test_a_pending_upgrade_goes_back_to_the_last_good_revision(
    api: RecordedApi, kube: Kube, owner: Owner, tmp_path: Path, seen: Path
) -> None:
    helm = recording(tmp_path, seen)
    charts.ensure_release(kube, owner, "sealed-secrets", helm=helm)
    put_release(api, "deployed", 1)
    put_release(api, "pending-upgrade", 2)
    charts.ensure_release(kube, owner, "sealed-secrets", helm=helm, patience_seconds=0)
    verbs = [line.split()[:3] for line in (seen / "arguments").read_text().splitlines()]
    assert verbs[1:] == [["rollback", "sealed-secrets", "1"], ["upgrade", "--install", "sealed-secrets"]]


def test_the_pinned_values_are_those_of_the_guide(
    api: RecordedApi, kube: Kube, owner: Owner, tmp_path: Path, seen: Path
) -> None:
    charts.ensure_release(kube, owner, "ingress-nginx", helm=recording(tmp_path, seen), service_type="ClusterIP")
    values = yaml.safe_load((seen / "values").read_text())
    assert values["controller"]["service"] == {"type": "ClusterIP", "annotations": {charts.ELB_IDLE_TIMEOUT: "3600"}}
    assert "/api/v1/namespaces/ingress-nginx" in api.objects
    assert json.dumps(charts.CHARTS["ingress-nginx"].values["controller"]["service"]["type"]) == '"LoadBalancer"'


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ({"hostname": "x.elb.amazonaws.com"}, 80),
        ({"hostname": "localhost", "ports": [{"port": 41235, "protocol": "TCP"}]}, 41235),
    ],
)
def test_the_load_balancer_is_told_by_name_and_port(
    api: RecordedApi, kube: Kube, given: dict[str, object], port: int
) -> None:
    service = {"spec": {"ports": [{"port": 80}, {"port": 443}]}, "status": {"loadBalancer": {}}}
    api.objects[SERVICE] = service
    assert isinstance(charts.await_load_balancer(kube), Pending)
    api.objects[SERVICE] = service | {"status": {"loadBalancer": {"ingress": [given]}}}
    found = charts.await_load_balancer(kube)
    assert found == {"load_balancer_host": given["hostname"], "load_balancer_port": port}
