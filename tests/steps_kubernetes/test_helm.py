"""The helm client, with scripts in helm's place that show what they were given."""

import base64
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from steps.clients.helm import ChartReference, Helm
from steps.clients.kubernetes import Kube
from steps.clients.private_folders import private_folder, remove_left_behind
from steps.errors import Code, PodiumError, TransientError

ARCHIVE = Path("c-1.2.3.tgz")
CHART = ChartReference("c", "https://charts.example/mirror", "1.2.3")


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    return tmp_path / "seen"


def script(folder: Path, body: str) -> Helm:
    path = folder / "helm"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return Helm(str(path), timeout_seconds=5)


def recording(folder: Path, seen: Path, output: str = "Happy Helming!") -> Helm:
    """Notes arguments, environment and the files it was given; leaves an archive; answers as helm does."""
    seen.mkdir()
    return script(
        folder,
        f'echo "$@" >> {seen}/arguments; env > {seen}/environment; cp -rp "$HOME/." {seen}/home\n'
        'while [ $# -gt 0 ]; do case "$1" in --destination) echo archive > "$2/c-1.2.3.tgz";; esac; shift; done\n'
        f"cat << 'END'\n{output}\nEND",
    )


def arguments_of(seen: Path) -> list[list[str]]:
    return [line.split() for line in (seen / "arguments").read_text().splitlines()]


def test_values_and_credentials_are_files_that_are_gone_afterwards(
    kube: Kube, tmp_path: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    helm = recording(tmp_path, seen)
    helm.upgrade_install(kube, "r", ARCHIVE, "ns", {"a": {"b": "1e3"}})
    [arguments] = arguments_of(seen)
    assert arguments[:4] == ["upgrade", "--install", "r", "c-1.2.3.tgz"]
    assert arguments[arguments.index("--history-max") + 1] == "10"
    assert "--skip-crds" in arguments
    assert "--set" not in arguments
    assert json.loads((seen / "home/values.yaml").read_text()) == {"a": {"b": "1e3"}}
    assert stat.S_IMODE((seen / "home/kubeconfig").stat().st_mode) == 0o600
    assert not Path(arguments[arguments.index("--kubeconfig") + 1]).exists()
    assert "canary" not in (seen / "environment").read_text()
    assert "token: token" in (seen / "home/kubeconfig").read_text()
    assert not any("token" in argument for argument in arguments)


def test_a_chart_is_pulled_once_and_gone_after_its_use(tmp_path: Path, seen: Path) -> None:
    with recording(tmp_path, seen).pulled(CHART) as archive:
        assert archive.read_text() == "archive\n"
    assert not archive.exists()
    [arguments] = arguments_of(seen)
    assert arguments[:6] == ["pull", "c", "--repo", "https://charts.example/mirror", "--version", "1.2.3"]


def test_credentials_of_a_repository_are_in_a_file_as_helm_repo_add_writes_it(tmp_path: Path, seen: Path) -> None:
    private = ChartReference("c", "https://charts.example/mirror", "1.2.3", "robot", "canary: 'x'")
    with recording(tmp_path, seen).pulled(private):
        pass
    update, pull = arguments_of(seen)
    assert (update, pull[:2]) == (["repo", "update", "podium"], ["pull", "podium/c"])
    assert "canary" not in (seen / "arguments").read_text() + (seen / "environment").read_text()
    written = json.loads((seen / "home/.config/helm/repositories.yaml").read_text())["repositories"][0]
    assert (written["url"], written["username"], written["password"]) == (private.repository, "robot", "canary: 'x'")
    assert stat.S_IMODE((seen / "home/.config/helm/repositories.yaml").stat().st_mode) == 0o600


def test_credentials_of_a_registry_are_in_a_file_as_helm_registry_login_writes_it(tmp_path: Path, seen: Path) -> None:
    private = ChartReference("c", "oci://registry.example:5000/charts/", "1.2.3", "robot", "canary")
    with recording(tmp_path, seen).pulled(private):
        pass
    [arguments] = arguments_of(seen)
    assert arguments[:2] == ["pull", "oci://registry.example:5000/charts/c"]
    assert "--plain-http" not in arguments
    written = json.loads((seen / "home/.config/helm/registry/config.json").read_text())
    assert base64.b64decode(written["auths"]["registry.example:5000"]["auth"]) == b"robot:canary"
    assert "canary" not in repr(private)


def test_what_helm_says_is_told_without_secrets_and_without_notes_for_a_person(
    kube: Kube, tmp_path: Path, seen: Path
) -> None:
    said = "Release upgraded.\n\ntoken: canary-1\nNOTES:\n1. Log in with canary-2"
    assert recording(tmp_path, seen, said).rollback(kube, "r", 3, "ns") == ["Release upgraded.", "token: [hidden]"]
    assert arguments_of(seen)[0][:6] == ["rollback", "r", "3", "--namespace", "ns", "--no-hooks"]


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


def test_a_password_that_helm_repeats_is_not_told(tmp_path: Path) -> None:
    helm = script(tmp_path, 'echo "Error: the words are plain and simple" >&2; exit 1')
    private = ChartReference("c", "oci://registry.example", "1.2.3", "robot", "plain and simple")
    with pytest.raises(TransientError, match=r"the words are \[hidden\]"), helm.pulled(private):
        pass


def test_a_helm_that_hangs_is_ended(kube: Kube, tmp_path: Path) -> None:
    slow = script(tmp_path, "exec sleep 30")
    with pytest.raises(TransientError, match="no end after"):
        Helm(slow.binary, timeout_seconds=0.2).uninstall(kube, "r", "ns")


def test_a_pull_that_leaves_nothing_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="it left 0 archives of c"), script(tmp_path, "exit 0").pulled(CHART):
        pass


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "from steps.clients.private_folders import private_folder\n"
        "import sys, time\n"
        "with private_folder() as folder:\n"
        "    (folder / 'kubeconfig').write_text('canary')\n"
        "    print('there', flush=True)\n"
        "    time.sleep(60)\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        with private_folder():
            assert remove_left_behind() == 0
            process.kill()
            process.wait()
            assert [path.read_text() for path in tmp_path.rglob("kubeconfig")] == ["canary"]
            assert remove_left_behind() == 1
    assert list(tmp_path.iterdir()) == []
