"""Puts a `helm` on PATH that runs this stand-in."""

import shlex
import sys
from pathlib import Path


def write_wrapper(directory: Path, python: str = sys.executable) -> Path:
    """Write `directory`/helm, which runs `python -m sandbox.helm` from wherever it is called; returns its path."""
    root = Path(__file__).resolve().parents[2]
    lines = (
        "#!/bin/sh",
        "# The sandbox's stand-in for helm; see sandbox/helm.",
        f'PYTHONPATH={shlex.quote(str(root))} PYTHONSAFEPATH=1 exec {shlex.quote(python)} -m sandbox.helm "$@"',
    )
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "helm"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path
