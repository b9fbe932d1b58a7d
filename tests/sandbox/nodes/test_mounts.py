"""A program finds files at fixed paths, and nobody else does."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.nodes import mounts

PLACE = "/var/run/secrets/podium-test/serviceaccount"
ALLOWED = (
    sys.platform.startswith("linux")
    and subprocess.run([sys.executable, mounts.__file__, "--", "true"], capture_output=True, check=False).returncode
    == 0
)


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """The launcher with these arguments."""
    command = [sys.executable, "-m", "sandbox.nodes.mounts", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not ALLOWED, reason="this kernel lets nobody but root make a mount namespace")
def test_files_are_at_their_place_for_the_program_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    ended = run("--bind", f"{tmp_path}:{PLACE}", "--", "sh", "-c", f"cat {PLACE}/token; ls /run | head -1; exit 7")
    assert ended.returncode == 7, ended.stderr
    assert ended.stdout.startswith("secret")
    assert not Path(PLACE).exists()


@pytest.mark.skipif(not ALLOWED, reason="this kernel lets nobody but root make a mount namespace")
def test_a_mount_may_hide_the_sources_of_others_and_the_program_itself(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("still there")
    (tmp_path / "program").write_text("#!/bin/sh\ncat $1; ls $2")
    (tmp_path / "program").chmod(0o755)
    binds = ["--bind", f"{tmp_path}/empty:{tmp_path}", "--bind", f"{tmp_path}/file:{PLACE}"]
    ended = run(*binds, "--", f"{tmp_path}/program", PLACE, str(tmp_path))
    assert (ended.stdout, ended.stderr) == ("still there", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bind", "/etc", "--", "true"], "absolute DST"),
        (["--bind", "/etc:/var/x"], "usage"),
        (["true"], "usage"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(words: list[str], said: str) -> None:
    ended = run(*words)
    assert ended.returncode != 0
    assert said in ended.stderr
