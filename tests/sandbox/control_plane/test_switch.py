"""SANDBOX_KUBERNETES: which Kubernetes stands behind EKS, and what is said where the real one cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.aws.eks import control_planes, versions
from tests.sandbox.aws.standin import REPOSITORY


def test_the_stand_in_is_the_default_and_offers_every_version_of_eks() -> None:
    assert control_planes.chosen({}).module == "sandbox.kubernetes"
    assert control_planes.chosen({"SANDBOX_KUBERNETES": "stand-in"}).module == "sandbox.kubernetes"
    assert len(versions.OFFERED) > 1


def test_the_real_one_offers_the_version_of_its_programs_only() -> None:
    real = control_planes.chosen({"SANDBOX_KUBERNETES": "real"})
    assert (real.module, real.version) == ("sandbox.control_plane", versions.DEFAULT)


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(control_planes.UnusableError, match="must be one of stand-in, real, not 'minikube'"):
        control_planes.chosen({"SANDBOX_KUBERNETES": "minikube"})


def test_outside_of_a_private_network_the_sandbox_says_how_to_get_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--home", str(tmp_path / "home")],
        cwd=REPOSITORY,
        env=os.environ | {"SANDBOX_KUBERNETES": "real"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "python -m sandbox.control_plane.network COMMAND" in done.stderr
    assert not (tmp_path / "home").exists()
