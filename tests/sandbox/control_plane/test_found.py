"""Which programs of the machine are used instead of built ones."""

from pathlib import Path

import pytest

from sandbox.control_plane.binaries import found
from sandbox.control_plane.binaries.recipes import Recipe

ETCD = Recipe("etcd", "go.etcd.io/etcd/server/v3", "v3.6.6", {"etcd": ""})


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def _put(folder: Path, version: str, code: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / "etcd"
    program.write_text(f"#!/bin/sh\necho 'etcd Version: {version}'\necho 'Go Version: go1.26.8'\nexit {code}\n")
    program.chmod(0o755)
    return program


def test_nothing_is_found_on_a_bare_machine() -> None:
    assert found.find(ETCD, "etcd") is None


def test_a_program_on_path_of_the_same_minor_version_is_used(tmp_path: Path) -> None:
    assert found.find(ETCD, "etcd") is None
    program = _put(tmp_path / "path", "3.6.1")
    assert found.find(ETCD, "etcd") == program


@pytest.mark.parametrize(("version", "code"), [("3.5.21", 0), ("13.6.1", 0), ("unknown", 0), ("3.6.6", 1)])
def test_a_program_of_another_version_or_a_broken_one_is_not(tmp_path: Path, version: str, code: int) -> None:
    _put(tmp_path / "path", version, code)
    assert found.find(ETCD, "etcd") is None


def test_envtests_programs_go_before_those_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(tmp_path / "path", "3.6.1")
    asset = _put(tmp_path / "assets", "3.6.4")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(asset.parent))
    assert found.find(ETCD, "etcd") == asset


def test_one_on_path_fits_where_envtests_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _put(tmp_path / "path", "3.6.1")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(_put(tmp_path / "assets", "3.5.0").parent))
    assert found.find(ETCD, "etcd") == program
