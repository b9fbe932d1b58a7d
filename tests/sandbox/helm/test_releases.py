"""The life of a release: installed, upgraded, rolled back, uninstalled, and interrupted."""

import base64
import gzip
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.helm.kube import Kube
from sandbox.helm.releases import decode, encode
from sandbox.helm.wrapper import write_wrapper
from tests.sandbox.helm.command import INGRESS_NGINX, KEDA, SEALED_SECRETS, HelmCommand, HelmFailure, run


def _secret(kube: Kube, helm: HelmCommand, release: str, revision: int) -> dict[str, Any]:
    return kube.get("Secret", helm.namespace, f"sh.helm.release.v1.{release}.v{revision}")


def _set_status(kube: Kube, helm: HelmCommand, release: str, revision: int, status: str) -> None:
    """Leave a revision as a helm that was killed leaves it."""
    secret = _secret(kube, helm, release, revision)
    content = decode(secret["data"]["release"])
    content["info"]["status"] = status
    secret["data"]["release"] = encode(content)
    secret["metadata"]["labels"]["status"] = status
    kube.replace(secret, "helm")


def test_an_install_is_deployed_and_kept_as_helm_keeps_it(helm: HelmCommand, kube: Kube) -> None:
    release = helm.install(SEALED_SECRETS)
    assert (release["name"], release["version"], release["info"]["status"]) == ("sealed-secrets", 1, "deployed")
    assert release["info"]["description"] == "Install complete"
    assert release["chart"]["metadata"]["version"] == "4.13.2"
    secret = _secret(kube, helm, "sealed-secrets", 1)
    assert secret["type"] == "helm.sh/release.v1"
    labels = secret["metadata"]["labels"]
    wanted = {"name": "sealed-secrets", "owner": "helm", "status": "deployed", "version": "1"}
    assert labels.items() >= wanted.items()
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    assert json.loads(gzip.decompress(packed))["name"] == "sealed-secrets"
    assert kube.get("Namespace", "", helm.namespace)["metadata"]["labels"]["name"] == helm.namespace


def test_objects_of_a_release_carry_its_name(helm: HelmCommand, kube: Kube) -> None:
    helm.install(SEALED_SECRETS)
    metadata = kube.get("Deployment", helm.namespace, "sealed-secrets")["metadata"]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert metadata["labels"]["helm.sh/chart"] == "sealed-secrets-4.13.2"
    assert metadata["annotations"]["meta.helm.sh/release-name"] == "sealed-secrets"
    assert metadata["annotations"]["meta.helm.sh/release-namespace"] == helm.namespace
    assert {each["manager"] for each in metadata["managedFields"]} >= {"helm"}


def test_upgrading_supersedes_and_the_history_tells(helm: HelmCommand) -> None:
    helm.install(SEALED_SECRETS)
    release = helm.install(SEALED_SECRETS, "--set", "keyrenewperiod=720h", version="4.13.3")
    assert (release["version"], release["info"]["status"]) == (2, "deployed")
    history = helm.json("history", "sealed-secrets")
    assert [(each["revision"], each["status"], each["chart"]) for each in history] == [
        (1, "superseded", "sealed-secrets-4.13.2"),
        (2, "deployed", "sealed-secrets-4.13.3"),
    ]
    assert [each["description"] for each in history] == ["Install complete", "Upgrade complete"]
    status = helm.json("status", "sealed-secrets")
    assert status["config"] == {"keyrenewperiod": "720h"}
    assert "chart" not in status
    [listed] = helm.json("list", "-a")
    assert (listed["name"], listed["revision"], listed["status"]) == ("sealed-secrets", "2", "deployed")


def test_the_same_install_again_changes_nothing_in_the_cluster(helm: HelmCommand, kube: Kube) -> None:
    helm.install(INGRESS_NGINX)
    before = kube.get("Deployment", helm.namespace, "ingress-nginx-controller")["metadata"]["generation"]
    helm.install(INGRESS_NGINX)
    after = kube.get("Deployment", helm.namespace, "ingress-nginx-controller")["metadata"]["generation"]
    assert before == after


def test_what_a_chart_no_longer_holds_is_removed(helm: HelmCommand, kube: Kube) -> None:
    helm.install(INGRESS_NGINX)
    helm.install(INGRESS_NGINX, "--set", "controller.ingressClassResource.name=public")
    assert kube.get("IngressClass", "", "public")["spec"]["controller"] == "k8s.io/ingress-nginx"
    assert kube.find("IngressClass", "", "nginx") is None


def test_rolling_back_makes_a_new_revision_of_the_old_one(helm: HelmCommand, kube: Kube) -> None:
    helm.install(INGRESS_NGINX, "--set", "controller.service.type=ClusterIP")
    helm.install(INGRESS_NGINX, "--set", "controller.service.type=NodePort")
    assert helm("rollback", "ingress-nginx", "1") == "Rollback was a success! Happy Helming!\n"
    assert kube.get("Service", helm.namespace, "ingress-nginx-controller")["spec"]["type"] == "ClusterIP"
    history = helm.json("history", "ingress-nginx")
    assert [each["status"] for each in history] == ["superseded", "superseded", "deployed"]
    assert history[-1]["description"] == "Rollback to 1"
    with pytest.raises(HelmFailure, match=r"^Error: release has no 9 version\n$"):
        helm("rollback", "ingress-nginx", "9")


def test_uninstalling_removes_the_objects_but_not_the_definitions_of_crds(helm: HelmCommand, kube: Kube) -> None:
    helm.install(SEALED_SECRETS)
    assert helm("uninstall", "sealed-secrets", "--wait") == 'release "sealed-secrets" uninstalled\n'
    assert kube.find("Deployment", helm.namespace, "sealed-secrets") is None
    assert kube.find("ClusterRole", "", "secrets-unsealer") is None
    assert kube.find("CustomResourceDefinition", "", "sealedsecrets.bitnami.com") is not None
    assert helm.json("list", "-a") == []
    with pytest.raises(HelmFailure, match=r"^Error: release: not found\n$"):
        helm("status", "sealed-secrets")


def test_uninstalling_what_is_not_there_is_an_error_unless_ignored(helm: HelmCommand) -> None:
    text = "^Error: uninstall: Release not loaded: ghost: release: not found\n$"
    with pytest.raises(HelmFailure, match=text):
        helm("uninstall", "ghost")
    assert helm("uninstall", "ghost", "--ignore-not-found") == 'release "ghost" uninstalled\n'


def test_a_kept_history_can_be_installed_over(helm: HelmCommand) -> None:
    helm.install(INGRESS_NGINX)
    helm("uninstall", "ingress-nginx", "--keep-history")
    assert helm.json("status", "ingress-nginx")["info"]["status"] == "uninstalled"
    assert helm.install(INGRESS_NGINX)["version"] == 2


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_an_interrupted_release_blocks_upgrades_until_repaired(helm: HelmCommand, kube: Kube, status: str) -> None:
    helm.install(INGRESS_NGINX)
    helm.install(INGRESS_NGINX)
    _set_status(kube, helm, "ingress-nginx", 2, status)
    text = r"^Error: UPGRADE FAILED: another operation \(install/upgrade/rollback\) is in progress\n$"
    with pytest.raises(HelmFailure, match=text):
        helm.install(INGRESS_NGINX)
    helm("rollback", "ingress-nginx", "1")
    assert helm.install(INGRESS_NGINX)["version"] == 4


def test_an_interrupted_first_install_can_be_uninstalled(helm: HelmCommand, kube: Kube) -> None:
    helm.install(INGRESS_NGINX)
    _set_status(kube, helm, "ingress-nginx", 1, "pending-install")
    with pytest.raises(HelmFailure, match="in progress"):
        helm.install(INGRESS_NGINX)
    assert [each["status"] for each in helm.json("list", "-a")] == ["pending-install"]
    assert helm.json("list") == []
    helm("uninstall", "ingress-nginx")
    assert helm.install(INGRESS_NGINX)["version"] == 1


def test_objects_of_others_are_not_taken_over(helm: HelmCommand, kube: Kube) -> None:
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": helm.namespace}}, "test")
    metadata = {"name": "ingress-nginx", "namespace": helm.namespace}
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, "test")
    with pytest.raises(HelmFailure) as failure:
        helm.install(INGRESS_NGINX)
    assert str(failure.value) == (
        f'Error: Unable to continue with install: ServiceAccount "ingress-nginx" in namespace "{helm.namespace}" '
        "exists and cannot be imported into the current release: invalid ownership metadata; "
        'label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm"; '
        'annotation validation error: missing key "meta.helm.sh/release-name": must be set to "ingress-nginx"; '
        'annotation validation error: missing key "meta.helm.sh/release-namespace": '
        f'must be set to "{helm.namespace}"\n'
    )
    assert helm.json("list", "-a") == []


def test_a_failed_install_is_kept_as_failed_and_can_be_repeated(helm: HelmCommand) -> None:
    with pytest.raises(HelmFailure, match="is invalid"):
        helm.install(INGRESS_NGINX, "--set", "controller.service.type=Nonsense")
    release = helm.json("status", "ingress-nginx")
    assert release["info"]["status"] == "failed"
    assert release["info"]["description"].startswith('Release "ingress-nginx" failed: ')
    again = helm.install(INGRESS_NGINX)
    assert (again["version"], again["info"]["status"]) == (2, "deployed")


def test_only_ten_revisions_are_kept(helm: HelmCommand) -> None:
    for _ in range(12):
        helm.install(INGRESS_NGINX)
    assert [each["revision"] for each in helm.json("history", "ingress-nginx")] == list(range(3, 13))


def test_keda_brings_its_definitions_and_takes_them_away(helm: HelmCommand, kube: Kube) -> None:
    helm.install(KEDA)
    for name in ("keda-operator", "keda-operator-metrics-apiserver", "keda-admission-webhooks"):
        assert kube.get("Deployment", helm.namespace, name)["spec"]["replicas"] == 1
    definition = kube.get("CustomResourceDefinition", "", "scaledobjects.keda.sh")
    assert definition["spec"]["names"]["kind"] == "ScaledObject"
    helm("uninstall", "keda", "--wait")
    assert kube.find("CustomResourceDefinition", "", "scaledobjects.keda.sh") is None


def test_a_cluster_that_is_away_is_said_to_be_unreachable(helm: HelmCommand, tmp_path: Path) -> None:
    text = Path(helm.kubeconfig).read_text(encoding="utf-8")
    server = next(line.split()[-1] for line in text.splitlines() if "server:" in line)
    away = tmp_path / "away"
    away.write_text(text.replace(server, "https://127.0.0.1:1"), encoding="utf-8")
    text = "^Error: Kubernetes cluster unreachable: .*127.0.0.1:1: connect: connection refused\n$"
    with pytest.raises(HelmFailure, match=text):
        run("list", "--kubeconfig", str(away))


def test_a_wrong_token_is_refused(helm: HelmCommand, tmp_path: Path) -> None:
    lines = Path(helm.kubeconfig).read_text(encoding="utf-8").splitlines()
    stranger = tmp_path / "stranger"
    changed = (line.split("token:")[0] + "token: wrong" if "token:" in line else line for line in lines)
    stranger.write_text("\n".join(changed), encoding="utf-8")
    text = r"the server has asked for the client to provide credentials\n$"
    with pytest.raises(HelmFailure, match=text):
        run("list", "--kubeconfig", str(stranger))


def test_the_wrapper_runs_helm_from_anywhere_and_starts_quickly(helm: HelmCommand, tmp_path: Path) -> None:
    path = write_wrapper(tmp_path / "bin")
    started = time.monotonic()
    command = [str(path), "list", "-a", "-o", "json", "-n", "default", "--kubeconfig", helm.kubeconfig]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=10, check=True)
    assert json.loads(done.stdout) == []
    assert time.monotonic() - started < 5
    failed = subprocess.run([*command, "--nonsense"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stderr) == (1, "Error: unknown flag: --nonsense\n")


def test_a_release_is_read_back_as_it_was_written() -> None:
    release = {"name": "keda", "manifest": "---\nkind: Ünicode\n" * 1000}
    assert decode(encode(release)) == release
