"""Programs that are there already: from setup-envtest's KUBEBUILDER_ASSETS, or on PATH.

One of the recipe's minor version (1.34, of whatever patch) serves as well as a built one and saves the build.
"""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from sandbox.control_plane.binaries.recipes import Recipe

_ASK = {"helm": ["version", "--short"]}
PATIENCE = 20.0  # seconds for a program to tell its version


def find(recipe: Recipe, name: str) -> Path | None:
    """A program of that name whose version fits the recipe's, or None."""
    for path in _candidates(name):
        if _minor(version_of(path)) == _minor(recipe.version):
            return path
    return None


@cache
def version_of(program: Path) -> str:
    """What it says when asked, e.g. `Kubernetes v1.34.4`; empty when it does not answer."""
    command = [str(program), *_ASK.get(program.name, ["--version"])]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _candidates(name: str) -> list[Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    places = [assets, os.environ.get("PATH", os.defpath)] if assets else [os.environ.get("PATH", os.defpath)]
    return [Path(path).absolute() for place in places if (path := shutil.which(name, path=place))]


def _minor(version: str) -> str:
    """`1.34` of `Kubernetes v1.34.4`; empty when there is none."""
    match = re.search(r"(\d+\.\d+)\.\d+", version)
    return match[1] if match else ""
